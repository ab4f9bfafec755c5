"""The sections of gateway.toml: one class a table, one attribute a setting, one sentence each."""

from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from gateway.config.describing import says
from gateway.config.directories import Directories
from gateway.config.legs import InsideComponent, InsideServer, InsideSip, Outside
from gateway.config.values import (
    Addresses,
    Auth,
    Domain,
    Endpoint,
    LevelName,
    LogLevel,
    Pin,
    Trust,
)
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.policy.access_level import CUSTOM_RANK, Member, Network
from gateway.policy.partners import USUAL_MODALITIES, Modality, Rates, Strangers


@frozen(kw_only=True)
class Gateway:
    """The gateway itself."""

    domains: tuple[Domain, ...] = field(
        metadata=says("The address domains of our own people.", '["corp.example"]', restart=True)
    )
    state: Path = field(
        default=Path("/var/lib/gateway"),
        metadata=says(
            "Folder of the database and of the inside authority; only the gateway may read it.", restart=True
        ),
    )
    control: Path | None = field(
        default=None,
        metadata=says(
            "Socket on which the command line reaches the daemon; default: control.sock in the state folder.",
            '"/run/gateway/control.sock"',
            restart=True,
        ),
    )
    log: LogLevel = field(
        default=LogLevel.INFO, metadata=says("How much is logged: debug, info, warn, error; never what people say.")
    )


@frozen(kw_only=True)
class TlsExtra:
    """Another certificate, for one of our further domains."""

    domain: Domain = field(metadata=says("The domain that it is for.", '"chat.corp.example"'))
    certificate: Path = field(metadata=says("PEM file: certificate and chain, leaf first.", '"/etc/gateway/chat.crt"'))
    key: Path = field(metadata=says("PEM file: its private key, unencrypted.", '"/etc/gateway/chat.key"'))


@frozen(kw_only=True)
class Tls:
    """What the gateway shows to partners, and whom it believes; read again on reload."""

    certificate: Path = field(
        metadata=says("PEM file: certificate and chain for our domains, leaf first.", '"/etc/gateway/corp.crt"')
    )
    key: Path = field(metadata=says("PEM file: its private key, unencrypted.", '"/etc/gateway/corp.key"'))
    ca: Trust = field(
        default=Trust(), metadata=says('Authorities believed for partners: "system", or a PEM file.', '"system"')
    )
    extra: tuple[TlsExtra, ...] = field(default=(), metadata=says("Certificates for further domains of ours."))

    def of(self, domain: str) -> tuple[Path, Path]:
        """Gives the certificate and key files for one of our domains."""
        chosen = next((extra for extra in self.extra if extra.domain == domain), self)
        return chosen.certificate, chosen.key


@frozen(kw_only=True)
class Defaults:
    """What holds for a contact that nobody has named."""

    level: LevelName = field(
        default=LevelName("blocked"),
        metadata=says("His level: blocked, public, company, team, personal, or one of yours."),
    )


@frozen(kw_only=True)
class Level:
    """An access level of your own, beside the five standard ones."""

    fields: frozenset[Field] = field(
        default=frozenset(), metadata=says("Fields that it sees.", '["availability", "note", "phone.work"]')
    )
    inherits: LevelName | None = field(default=None, metadata=says("A level whose fields it sees as well.", '"public"'))
    rank: int = field(
        default=CUSTOM_RANK,
        metadata=says(
            "Of two levels given at the same step the larger rank counts; public 100 ... personal 400.", least=1
        ),
    )


@frozen(kw_only=True)
class Locks:
    """Fields that leave for nobody, whatever people and levels say."""

    fields: frozenset[Field] = field(
        default=frozenset(), metadata=says("The locked fields.", '["phone.home", "address.home"]')
    )


@frozen(kw_only=True)
class Assigned:
    """A level that the administrator gives; a person's own word about the same contact, domain or class comes first."""

    contact: Member = field(
        metadata=says(
            "A contact, a domain, *.domain, a network class (enterprise, federation, public_cloud), or everyone.",
            '"*.ally.example"',
        )
    )
    level: LevelName = field(metadata=says("The level.", '"company"'))
    owner: Address | None = field(
        default=None, metadata=says("The person for whom it holds; default: everybody.", '"alice@corp.example"')
    )


@frozen(kw_only=True)
class RateLimits:
    """What a partner may send us."""

    stanzas_per_second: float = field(
        default=Rates().stanzas_per_second, metadata=says("Stanzas a second, all of its people together.", least=0.1)
    )
    subscriptions_per_minute: float = field(
        default=Rates().subscriptions_per_minute, metadata=says("Subscription requests a minute.", least=0.1)
    )
    burst_seconds: float = field(
        default=Rates().burst_seconds, metadata=says("So many seconds' worth may come at once.", least=1)
    )


@frozen(kw_only=True)
class Partnership:
    """One federation partner; nobody else is spoken to. Partners may also stand in conf.d/*.toml beside this file."""

    domain: Domain = field(
        metadata=says("Its domain, which is also its name in commands and metrics.", '"partner.example"')
    )
    aliases: tuple[Domain, ...] = field(default=(), metadata=says("Its further domains.", '["chat.partner.example"]'))
    via: str = field(default="xmpp", metadata=says("The leg that speaks to it."))
    network: Network = field(
        default=Network.FEDERATION, metadata=says("Its class: enterprise (our own group), federation, public_cloud.")
    )
    ceiling: LevelName | None = field(
        default=None, metadata=says("Its people never see more than this level, whatever anybody gives them.", '"team"')
    )
    ceiling_fields: frozenset[Field] | None = field(
        default=None, metadata=says("Instead of a ceiling level: the fields themselves.", '["availability", "show"]')
    )
    modalities: frozenset[Modality] = field(
        default=USUAL_MODALITIES,
        metadata=says(f"What may pass, of: {', '.join(kind.value for kind in Modality)}."),
    )
    strangers: Strangers = field(
        default=Strangers.ASK,
        metadata=says("A request from a contact that nobody knows: accept, ask the person, or refuse in silence."),
    )
    locks: frozenset[Field] = field(
        default=frozenset(), metadata=says("Fields that never leave for this partner.", '["phone.mobile"]')
    )
    rates: RateLimits = field(factory=RateLimits, metadata=says("What it may send us."))
    auth: frozenset[Auth] = field(
        default=frozenset({Auth.EXTERNAL}),
        metadata=says("How it may prove its domain: external (certificate), dialback (weaker, still inside TLS)."),
    )
    pins: frozenset[Pin] = field(
        default=frozenset(),
        metadata=says(
            "Public keys that it may have; then no authority needs to vouch for it.", f'["sha256:{"0" * 64}"]'
        ),
    )
    ca: Trust | None = field(
        default=None,
        metadata=says("Authorities believed for it instead of those in [tls].", '"/etc/gateway/partner-ca.crt"'),
    )
    route: Endpoint | None = field(
        default=None, metadata=says("Where it is dialled, instead of asking DNS.", '"192.0.2.10:5269"')
    )
    direct_tls: bool = field(
        default=False, metadata=says("Whether the route speaks TLS from the first byte (XEP-0368); needs a route.")
    )
    addresses: Addresses = field(
        default=Addresses.PUBLIC,
        metadata=says("Which addresses from DNS are dialled: public, or any (private and loopback too)."),
    )
    server_only_certificates: bool = field(
        default=True,
        metadata=says(
            "Whether a certificate for servers only (all that public authorities now issue) proves it to us."
        ),
    )
    sessions: bool = field(
        default=False,
        metadata=says("With SIP: whether messages go in sessions (INVITE), as Office Communicator and Lync want."),
    )
    bidi: bool = field(default=True, metadata=says("Whether one connection may serve both directions (XEP-0288)."))


@frozen(kw_only=True)
class Limits:
    """Bounds; what goes beyond them is refused aloud."""

    queue_stanzas: int = field(default=1000, metadata=says("Stanzas that wait for one partner.", least=1))
    queue_bytes: int = field(default=4 * 1024 * 1024, metadata=says("Bytes that wait for one partner.", least=65536))
    queue_seconds: float = field(
        default=60.0, metadata=says("Seconds that a message waits before its sender is told.", least=1)
    )
    stanza_bytes: int = field(
        default=256 * 1024, metadata=says("Bytes of one stanza from a partner that has proved itself.", least=10_000)
    )
    connections_per_address: int = field(default=20, metadata=says("Connections from one IP address.", least=1))
    connections: int = field(default=10_000, metadata=says("Connections from partners in all.", least=1))
    pairs_per_partner: int = field(
        default=100_000, metadata=says("Subscriptions between our people and one partner's that are kept.", least=1)
    )
    handshake_seconds: float = field(
        default=10.0, metadata=says("Seconds in which a connection must prove itself.", least=1)
    )
    connect_seconds: float = field(default=10.0, metadata=says("Seconds in which one address must answer.", least=1))
    idle_seconds: float = field(
        default=3600.0, metadata=says("Seconds without a stanza after which a stream is closed.", least=10)
    )
    presence_seconds: float = field(
        default=60.0,
        metadata=says("Seconds after a broken link until its contacts are shown as gone to our people.", least=1),
    )
    ping_seconds: float = field(
        default=30.0, metadata=says("Seconds of silence after which a partner is pinged.", least=1)
    )
    ping_timeout_seconds: float = field(
        default=30.0, metadata=says("Seconds without an answer to a ping after which a link is dead.", least=1)
    )
    stall_seconds: float = field(
        default=30.0,
        metadata=says("Seconds in which a partner must take some of what waits for it on the wire.", least=1),
    )
    write_buffer_bytes: int = field(
        default=1024 * 1024, metadata=says("Bytes on one connection that the partner has not taken.", least=65536)
    )
    retry_seconds: float = field(
        default=1.0, metadata=says("Seconds before the first new attempt; they grow.", least=0.1)
    )
    retry_max_seconds: float = field(default=300.0, metadata=says("Seconds between attempts at most.", least=1))


@frozen(kw_only=True)
class MetricsPage:
    """Metrics and health over HTTP, without authentication: keep it on a local address."""

    listen: Endpoint | None = field(
        default=Endpoint("127.0.0.1", 8920),
        metadata=says('Where /metrics, /healthz and /readyz are served, or "off".', restart=True),
    )


@frozen(kw_only=True)
class File:
    """The whole file; conf.d/*.toml beside it may hold more [[partner]] tables and nothing else."""

    gateway: Gateway | None = None
    tls: Tls | None = None
    inside: InsideServer | InsideComponent | InsideSip | None = None
    outside: Outside = field(factory=Outside)
    defaults: Defaults = field(factory=Defaults)
    levels: Mapping[str, Level] = field(factory=dict)
    locks: Locks = field(factory=Locks)
    assignment: tuple[Assigned, ...] = ()
    partner: tuple[Partnership, ...] = ()
    directory: tuple[Directories, ...] = ()
    limits: Limits = field(factory=Limits)
    metrics: MetricsPage = field(factory=MetricsPage)
