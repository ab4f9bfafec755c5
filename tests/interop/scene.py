"""What the scenarios share: a configuration for the gateway, people who are friends, questions and their answers."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.web.control_client import ask

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .stanza import Stanza

SPOOLED = 4.0
"""Seconds after which a message that cannot be delivered comes back; an hour would be long for a test."""
READY = "http://127.0.0.1:8920/readyz"
METRICS = "http://127.0.0.1:8920/metrics"


def table(header: str, **settings: object) -> str:
    """A table of gateway.toml; JSON texts, numbers, booleans and lists are TOML too."""
    lines = [
        f"{key} = {json.dumps(str(value) if isinstance(value, Path) else value)}" for key, value in settings.items()
    ]
    return "\n".join([f"[{header}]", *lines, ""])


def partner(domain: str, **settings: object) -> str:
    """A partner that stands on a loopback address."""
    return table("[partner]", domain=domain, **{"addresses": "any", **settings})


def inside_server(lab: Lab, **settings: object) -> str:
    """The inside as a server that hands foreign domains over server to server."""
    own = {"connect": "127.0.0.10:5269", "listen": ["127.0.0.100:5269"], "ca": lab.pki.ca}
    return table("inside", kind="xmpp-server", **{**own, **settings})


def configuration(
    lab: Lab,
    *sections: str,
    domain: str = "corp.example",
    inside: str = "",
    level: str = "public",
    tls: Mapping[str, object] | None = None,
    limits: Mapping[str, object] | None = None,
    direct_tls: bool = False,
) -> str:
    """gateway.toml for the lab: its own certificate, its resolver, quick new attempts, everything logged."""
    leaf = lab.pki.leaf(domain)
    outside = {"listen_tls": ["127.0.0.101:5270"]} if direct_tls else {}
    return "\n".join(
        [
            table("gateway", domains=[domain], state="state", log="debug"),
            table("tls", **{"certificate": leaf.chain, "key": leaf.key, "ca": lab.pki.ca, **(tls or {})}),
            inside or inside_server(lab),
            table("outside.xmpp", listen=["127.0.0.101:5269"], dns=["127.0.0.53"], **outside),
            table("metrics", listen="127.0.0.1:8920"),
            table("defaults", level=level),
            table("limits", **{"retry_seconds": 0.2, "retry_max_seconds": 1.0, **(limits or {})}),
            *sections,
            *([] if any(section.startswith("[spool]") for section in sections) else [table("spool", seconds=SPOOLED)]),
        ]
    )


def inside_trust(lab: Lab, gateway: Gateway) -> list[Path]:
    """What the server inside trusts: the lab's CA, and the gateway's own for the certificates that it mints."""
    return [lab.pki.ca, gateway.folder / "state" / "inside-ca" / "ca.crt"]


def subscribe(watcher: Client, person: Client, *, known_as: str = "", seen_as: str = "", timeout: float = 8.0) -> None:
    """Let `watcher` see `person`; the names are those under which each knows the other, if not the real ones."""
    target, asker = known_as or person.bare, seen_as or watcher.bare
    marks = watcher.mark(), person.mark()
    watcher.subscribe(target)
    person.wait_for(f"presence[@type='subscribe'][@from='{asker}']", timeout, after=marks[1])
    person.approve(asker)
    watcher.wait_for(f"presence[@type='subscribed'][@from='{target}']", timeout, after=marks[0])


def befriend(one: Client, other: Client) -> None:
    """Let both see each other."""
    subscribe(one, other)
    subscribe(other, one)


def reaches(sender: Client, reader: Client) -> bool:
    """Whether a message arrives (True) or comes back as an error (False)."""
    mark = reader.mark()
    name = sender.message(reader.bare, "it is me")

    def back(got: Stanza) -> bool:
        return got.name == "message" and got["id"] == name and got["type"] == "error"

    def arrived() -> bool:
        return bool(reader.stanzas(f"message[@id='{name}']/body", after=mark))

    for _ in range(60):
        if arrived():
            return True
        if sender.stanzas(back):
            return arrived()
        reader.never(back, 0.2)
    raise AssertionError(f"{sender.bare} to {reader.bare}: neither arrived nor came back")


def of(person: str, kind: str = "presence", **attributes: str) -> Callable[[Stanza], bool]:
    """Matches what comes from a person, any resource; attributes as given, type "" means available."""

    def matches(got: Stanza) -> bool:
        wanted = {"type": "", **attributes} if kind == "presence" else attributes
        return (
            got.name == kind
            and got["from"].split("/")[0] == person
            and all(got[name] == value for name, value in wanted.items())
        )

    return matches


def run(gateway: Gateway, *words: str) -> Any:
    """The answer of a command in JSON; raises AssertionError with what it complains of."""
    done = gateway.command(*words, "--json")
    assert done.returncode == 0, f"{' '.join(words)}: {done.returncode} {done.stdout} {done.stderr}"
    return json.loads(done.stdout)


def tell(gateway: Gateway, *words: str, **arguments: str) -> Any:
    """The answer of a command over the control socket: what `run` asks, without starting Python for it."""
    return ask(gateway.folder / "state" / "control.sock", words, arguments)


def give(gateway: Gateway, owner: str, contact: str, level: str) -> None:
    """Give a level on the running daemon."""
    tell(gateway, "levels", "set", owner=owner, contact=contact, level=level)


def until(holds: Callable[[], object], what: str, timeout: float = 8.0) -> None:
    """Wait until something holds; raises AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.05)


def pubsub(node: str) -> str:
    """The payload that asks for the items of a node."""
    return f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub>"


def publication(node: str, payload: str) -> str:
    """The payload that publishes the one item of a node, for contacts to see (XEP-0163)."""
    return (
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'>"
        f"<publish node='{node}'><item id='current'>{payload}</item></publish></pubsub>"
    )


NICK = "http://jabber.org/protocol/nick"
MOOD = "http://jabber.org/protocol/mood"
ACTIVITY = "http://jabber.org/protocol/activity"
GEOLOC = "http://jabber.org/protocol/geoloc"
AVATAR = "urn:xmpp:avatar"
VCARD4 = "urn:ietf:params:xml:ns:vcard-4.0"
QUESTIONS = {
    "card": "<vCard xmlns='vcard-temp'/>",
    "card4": pubsub("urn:xmpp:vcard4"),
    "disco": "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    "items": "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    "last": "<query xmlns='jabber:iq:last'/>",
    "version": "<query xmlns='jabber:iq:version'/>",
    "time": "<time xmlns='urn:xmpp:time'/>",
    "mood": pubsub(MOOD),
    "activity": pubsub(ACTIVITY),
    "geoloc": pubsub(GEOLOC),
    "nick": pubsub(NICK),
    "avatar": pubsub(f"{AVATAR}:metadata"),
    "picture": pubsub(f"{AVATAR}:data"),
    "unknown": "<query xmlns='urn:example:never-heard-of'/>",
}
"""Every way to ask about a person."""


def answers(asker: Client, about: str) -> Iterator[Stanza]:
    """The answers to every question about an address."""
    for payload in QUESTIONS.values():
        yield asker.iq(about, payload)
