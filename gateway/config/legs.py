"""The sections of gateway.toml that describe the legs: our own server inside, and the world outside."""

from pathlib import Path
from typing import ClassVar

from attrs import field, frozen

from gateway.config.describing import says
from gateway.config.values import (
    Domain,
    Endpoint,
    InsideAuth,
    Nameserver,
    Pin,
    Secret,
    SipTransport,
    Targets,
    Trust,
)

KINDS = 'How the gateway joins it: "xmpp-server", "xmpp-component" or "sip".'


@frozen(kw_only=True)
class InsideServer:
    """Our own XMPP server, which hands all foreign domains to the gateway server to server."""

    KIND: ClassVar[str] = "xmpp-server"
    LEG: ClassVar[str] = "xmpp"

    kind: str = field(metadata=says(KINDS, '"xmpp-server"', restart=True))
    connect: Targets = field(
        metadata=says(
            'Where our server listens for other servers: "host:port", or { "corp.example" = "host:port", ... }.',
            '"127.0.0.1:5269"',
            restart=True,
        )
    )
    listen: tuple[Endpoint, ...] = field(
        metadata=says("Where our server finds the gateway instead of the world.", '["127.0.0.100:5269"]', restart=True)
    )
    auth: InsideAuth = field(
        default=InsideAuth.MINTED,
        metadata=says(
            "How the gateway proves foreign domains to our server: minted (certificates of its own) or dialback.",
            restart=True,
        ),
    )
    ca: Trust = field(
        default=Trust(),
        metadata=says(
            'Who vouches for our server: "system", a PEM file, or "none" when pins alone decide.',
            '"system"',
            restart=True,
        ),
    )
    pins: frozenset[Pin] = field(
        default=frozenset(),
        metadata=says("Public keys that our server may have.", f'["sha256:{"0" * 64}"]', restart=True),
    )
    authority: Path | None = field(
        default=None,
        metadata=says(
            "Folder of the inside authority, whose ca.crt our server trusts; default: inside-ca in the state folder.",
            '"/var/lib/gateway/inside-ca"',
            restart=True,
        ),
    )


@frozen(kw_only=True)
class InsideComponent:
    """Our own XMPP server, to which the gateway connects as a component (XEP-0114)."""

    KIND: ClassVar[str] = "xmpp-component"
    LEG: ClassVar[str] = "xmpp"

    kind: str = field(metadata=says(KINDS, '"xmpp-component"', restart=True))
    connect: Endpoint = field(
        metadata=says(
            "Where our server listens for components; there is no TLS, keep it local.", '"127.0.0.1:5347"', restart=True
        )
    )
    name: Domain = field(
        metadata=says(
            "The component's domain; bob@partner.example is bob\\40partner.example at it.",
            '"gateway.corp.example"',
            restart=True,
        )
    )
    secret: Secret = field(
        metadata=says(
            'The shared secret: a text, { file = "..." }, or { credential = "..." } from systemd.',
            '{ credential = "component" }',
            restart=True,
        )
    )


@frozen(kw_only=True)
class InsideSip:
    """Our own SIP registrar and presence server, which sends requests for foreign domains to the gateway."""

    KIND: ClassVar[str] = "sip"
    LEG: ClassVar[str] = "sip"

    kind: str = field(metadata=says(KINDS, '"sip"', restart=True))
    connect: Targets = field(
        metadata=says(
            'Where our server listens: "host:port", or { "corp.example" = "host:port", ... }.',
            '"127.0.0.1:5061"',
            restart=True,
        )
    )
    listen: tuple[Endpoint, ...] = field(
        metadata=says("Where our server finds the gateway.", '["127.0.0.100:5061"]', restart=True)
    )
    transport: SipTransport = field(
        default=SipTransport.TLS,
        metadata=says("How both talk: tls (both show certificates), tcp or udp.", restart=True),
    )
    name: str = field(
        default="",
        metadata=says(
            "Host name or address that our server calls back; default: that of the first listen.",
            '"gateway.corp.example"',
            restart=True,
        ),
    )
    sessions: bool = field(
        default=False,
        metadata=says("Whether messages go in sessions (INVITE), as Office Communicator wants.", restart=True),
    )
    user: str = field(
        default="",
        metadata=says(
            "The gateway's name when our server asks for a password (401, 407); default: it cannot be asked.",
            '"gateway"',
            restart=True,
        ),
    )
    password: Secret | None = field(
        default=None,
        metadata=says(
            'Its password: a text, { file = "..." }, or { credential = "..." } from systemd.',
            '{ credential = "sip-inside" }',
            restart=True,
        ),
    )
    realm: str = field(
        default="",
        metadata=says(
            "The one realm in which it is told; default: those that are named as our domains.",
            '"asterisk"',
            restart=True,
        ),
    )
    publish: bool = field(
        default=False,
        metadata=says(
            "Whether contacts' presence is published at our server (PUBLISH), seen there by whom it lets.",
            restart=True,
        ),
    )
    ca: Trust = field(
        default=Trust(),
        metadata=says(
            'Who vouches for our server: "system", a PEM file, or "none" when pins alone decide.',
            '"system"',
            restart=True,
        ),
    )
    pins: frozenset[Pin] = field(
        default=frozenset(),
        metadata=says("Public keys that our server may have.", f'["sha256:{"0" * 64}"]', restart=True),
    )


@frozen(kw_only=True)
class OutsideSip:
    """SIP towards partners: TLS in which both sides show certificates (RFC 5922)."""

    listen: tuple[Endpoint, ...] = field(
        default=(), metadata=says("Where partners connect; nowhere unless named.", '["[::]:5061"]', restart=True)
    )
    name: str = field(
        default="",
        metadata=says(
            "Host name that partners call back; default: our first domain.", '"sip.corp.example"', restart=True
        ),
    )


@frozen(kw_only=True)
class OutsideXmpp:
    """XMPP towards partners."""

    listen: tuple[Endpoint, ...] = field(
        default=(Endpoint("::", 5269),), metadata=says("Where partners connect, with STARTTLS.", restart=True)
    )
    listen_tls: tuple[Endpoint, ...] = field(
        default=(),
        metadata=says("Where partners connect with TLS from the first byte (XEP-0368).", '["[::]:5270"]', restart=True),
    )
    dns: tuple[Nameserver, ...] = field(
        default=(), metadata=says("DNS servers; default: those of resolv.conf.", '["192.0.2.53"]', restart=True)
    )


@frozen(kw_only=True)
class Outside:
    """The legs towards partners."""

    xmpp: OutsideXmpp = field(factory=OutsideXmpp, metadata=says("XMPP towards partners."))
    sip: OutsideSip = field(factory=OutsideSip, metadata=says("SIP towards partners."))
