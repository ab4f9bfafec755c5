"""The gateway with SIP on one side or both, and people who are moved alike whatever they speak."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from attrs import define, field

from ..client import Client
from ..gateway import Gateway
from ..lab import Lab
from ..scene import READY, configuration, inside_server, inside_trust, partner, table, until
from .ua import Subscription, Ua, user_agent
from .wire import SipMessage

CORP = "corp.example"
INSIDE, OUTSIDE = "127.0.0.100", "127.0.0.101"
"""Where the gateway awaits our own server and partners."""
GATE = 5061
PATIENCE = 8.0
"""Seconds within which anything arrives: a notification waits up to 5 for its turn (RFC 3856 6.10)."""
ADDRESSES = {"partner.example": "127.0.0.20", "ally.example": "127.0.0.30", "stranger.example": "127.0.0.40"}


class Person(Protocol):
    """Somebody of the lab, with whatever client."""

    @property
    def name(self) -> str:
        """His address, without a scheme."""

    def says(self, other: "Person", text: str) -> None:
        """Send a message."""

    def hears(self, text: str) -> Any:
        """The message with this text, once it is there."""

    def shows(self, activity: str, note: str) -> None:
        """Publish "busy" or "away" and a note."""

    def watches(self, other: "Person") -> None:
        """Ask to see somebody's presence."""

    def lets(self, other: "Person") -> None:
        """Let somebody who asked see the own presence."""

    def sees(self, other: "Person", *words: str) -> str:
        """The latest that he is told of somebody, once it has all these words."""

    def sees_gone(self, other: "Person") -> None:
        """Wait until somebody looks offline."""

    def latest(self, other: "Person") -> str:
        """The latest that he was told of somebody, "" for nothing."""


@define(eq=False)
class SipPerson:
    """Somebody with a scripted user agent."""

    ua: Ua
    watched: dict[str, Subscription] = field(factory=dict)

    @property
    def name(self) -> str:
        """His address."""
        return self.ua.aor.partition(":")[2]

    def says(self, other: Person, text: str) -> None:
        """Send a message outside of any session."""
        got = self.ua.message(f"sip:{other.name}", text)
        assert got.status in (200, 202), got

    def hears(self, text: str) -> SipMessage:
        """The message with this text."""
        return self.ua.wait_for("MESSAGE", lambda got: got.text == text, PATIENCE)

    def shows(self, activity: str, note: str) -> None:
        """Publish with PUBLISH."""
        assert self.ua.publish(activity=activity, person_note=note).status == 200

    def watches(self, other: Person) -> None:
        """Subscribe."""
        made = self.ua.subscribe(f"sip:{other.name}")
        assert made.opened.status in (200, 202), made.opened
        self.watched[other.name] = made

    def lets(self, other: Person) -> None:
        """Kamailio lets everybody."""

    def sees(self, other: Person, *words: str) -> str:
        """The latest NOTIFY."""
        until(lambda: all(word in self.latest(other) for word in words), f"{words} in a NOTIFY", PATIENCE)
        return self.latest(other)

    def sees_gone(self, other: Person) -> None:
        """Wait for a closed document."""
        self.sees(other, "<basic>closed</basic>")

    def latest(self, other: Person) -> str:
        """What the latest NOTIFY about somebody says."""
        got = self.watched[other.name].notifications()
        return got[-1].text if got else ""


@define(eq=False)
class XmppPerson:
    """Somebody with an XMPP client."""

    client: Client

    @property
    def name(self) -> str:
        """His address."""
        return self.client.bare

    def says(self, other: Person, text: str) -> None:
        """Send a chat message."""
        self.client.message(other.name, text)

    def hears(self, text: str) -> Any:
        """The message with this text."""
        return self.client.wait_for(f"message[body='{text}']", PATIENCE)

    def shows(self, activity: str, note: str) -> None:
        """Send presence to everybody."""
        self.client.presence("dnd" if activity == "busy" else activity, note)

    def watches(self, other: Person) -> None:
        """Ask, without waiting for the answer."""
        self.client.subscribe(other.name)

    def lets(self, other: Person) -> None:
        """Wait for the request and say yes."""
        self.client.wait_for(f"presence[@type='subscribe'][@from='{other.name}']", PATIENCE)
        self.client.approve(other.name)

    def sees(self, other: Person, *words: str) -> str:
        """The latest presence of somebody."""
        wanted = ["dnd" if word == "busy" else word for word in words]
        until(lambda: all(word in self.latest(other) for word in wanted), f"{wanted} in presence", PATIENCE)
        return self.latest(other)

    def sees_gone(self, other: Person) -> None:
        """Wait for unavailable."""
        self.sees(other, 'type="unavailable"')

    def latest(self, other: Person) -> str:
        """The latest presence, subscriptions aside."""
        got = [
            one.xml
            for one in self.client.stanzas("presence")
            if one["from"].split("/")[0] == other.name and one["type"] in ("", "unavailable")
        ]
        return got[-1] if got else ""


@define
class House:
    """A lab with the gateway in it."""

    lab: Lab
    gateway: Gateway
    inside: str
    outside: Mapping[str, str]
    """Domain to kind."""

    def person(self, name: str, *, transport: str = "tcp") -> Person:
        """Somebody of one of the servers, there and ready."""
        domain = name.partition("@")[2]
        kind = self.inside if domain == CORP else self.outside[domain]
        if kind != "kamailio":
            return XmppPerson(self.lab.online(name)[0])
        ua = user_agent(self.lab, name, transport=transport)
        assert ua.register().status == 200
        return SipPerson(ua)

    def restart(self, *, kill: bool = False) -> None:
        """Stop the gateway in order, or as a power cut would, and start it again."""
        if kill:
            self.gateway.kill()
            self.gateway.start()
        else:
            self.gateway.restart()


def sip_partner(domain: str, **settings: object) -> str:
    """A partner who speaks SIP."""
    return partner(domain, **{"via": "sip", "route": f"{ADDRESSES[domain]}:{GATE}", **settings})


def sip_inside(lab: Lab, transport: str = "tls", **settings: object) -> str:
    """The inside as a Kamailio."""
    port = GATE if transport == "tls" else 5060
    own = {"connect": f"127.0.0.10:{port}", "listen": [f"{INSIDE}:{port}"], "transport": transport}
    return table("inside", kind="sip", **{**own, "ca": lab.pki.ca, **settings})


def sip_configuration(lab: Lab, *sections: str, **more: Any) -> str:
    """gateway.toml with SIP towards partners."""
    leaf = lab.pki.leaf(CORP, "sip")
    outside = table("outside.sip", listen=[f"{OUTSIDE}:{GATE}"], name=OUTSIDE)
    return configuration(
        lab, outside, *sections, **{"level": "company", "tls": {"certificate": leaf.chain, "key": leaf.key}, **more}
    )


def build(
    lab: Lab,
    inside: str,
    outside: Mapping[str, str],
    *,
    transport: str = "tls",
    people: tuple[str, ...] = ("alice", "dave"),
    contacts: tuple[str, ...] = ("bob", "bill"),
    own: Mapping[str, object] | None = None,
    theirs: Mapping[str, object] | None = None,
    server: Mapping[str, object] | None = None,
    tables: tuple[str, ...] = (),
    **more: Any,
) -> House:
    """Start servers of these kinds and the gateway between them; `own` are settings of the inside, `theirs` of SIP,
    `server` of a Kamailio inside, `tables` stand in the gateway's configuration besides."""
    sections = [
        sip_partner(domain, **(theirs or {})) if kind == "kamailio" else partner(domain)
        for domain, kind in outside.items()
    ]
    sections += tables
    where = sip_inside(lab, transport, **(own or {})) if inside == "kamailio" else inside_server(lab)
    gateway = lab.gateway(sip_configuration(lab, *sections, inside=where, **more), ready=READY)
    _start(lab, CORP, inside, people, f"{transport}:{INSIDE}:{GATE if transport == 'tls' else 5060}", gateway, server)
    for domain, kind in outside.items():
        _start(lab, domain, kind, contacts, f"tls:{OUTSIDE}:{GATE}", None)
    lab.ready()
    return House(lab, gateway, inside, outside)


def _start(
    lab: Lab,
    domain: str,
    kind: str,
    names: tuple[str, ...],
    hop: str,
    gateway: Gateway | None,
    server: Mapping[str, object] | None = None,
) -> None:
    view = "inside" if gateway else "public"
    if kind == "kamailio":
        lab.kamailio(domain, users=dict.fromkeys(names, ""), next_hop=hop, peer_check=gateway is None, **(server or {}))
        return
    trust: list[Path] = inside_trust(lab, gateway) if gateway else [lab.pki.ca]
    users = dict.fromkeys(names, "pw")
    if kind == "prosody":
        lab.prosody(domain, users=users, view=view, trust=trust, dialback=False)
    else:
        lab.ejabberd(domain, users=users, view=view, trust=trust, dialback=False)


def anonymous(text: str) -> str:
    """A document without the names of people: what is left must be equal for whoever is not to be told apart."""
    return re.sub(r"[\w.]+@", "somebody@", text)
