"""Invariants of what leaves, each by its number (I12 to I14), over whole histories and both legs."""

import re
from itertools import product

import pytest

from gateway.model.presence import Field
from gateway.model.subscription import INBOUND, OUTBOUND, Ask, State
from gateway.protocols.xmpp.stanzas.presences import ReadPresence, read_presence, write_presence
from tests.properties.histories import RESOURCES, Run, Story
from tests.properties.world import ALICE, BOB, CAROL, World
from tests.protocols.xmpp.stanzas.parsing import NOW, parse

SPACES = frozenset(
    {
        "http://jabber.org/protocol/activity",
        "http://jabber.org/protocol/caps",
        "http://jabber.org/protocol/chatstates",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/geoloc",
        "http://jabber.org/protocol/mood",
        "http://jabber.org/protocol/nick",
        "http://jabber.org/protocol/pubsub",
        "http://jabber.org/protocol/pubsub#event",
        "jabber:client",
        "jabber:iq:last",
        "urn:ietf:params:xml:ns:pidf",
        "urn:ietf:params:xml:ns:pidf:cipid",
        "urn:ietf:params:xml:ns:pidf:data-model",
        "urn:ietf:params:xml:ns:pidf:rpid",
        "urn:ietf:params:xml:ns:pidf:timed-status",
        "urn:ietf:params:xml:ns:xmpp-stanzas",
        "urn:xmpp:avatar:data",
        "urn:xmpp:avatar:metadata",
        "urn:xmpp:idle:1",
        "urn:xmpp:receipts",
        "urn:xmpp:time",
        "vcard-temp",
        "vcard-temp:x:update",
    }
)
"""Every namespace that may leave in presence, answers and messages without more; no other is ever written."""


def heard(seed: int) -> tuple[Run, dict[str, str]]:
    """Plays a story; gives all that each domain was told."""
    story = Story.of(seed)
    run = Run(World(story.ledger), story.watcher, None)
    run.begin()
    for event in story.events:
        run.play(event)
    run.play(("wait", 6.0))
    return run, {domain: "".join(one.text for one in said) for domain, said in run.world.heard.said.items()}


@pytest.mark.parametrize("seed", range(40))
def test_i12_no_internal_identifier_crosses(seed: int) -> None:
    """No resource of a client; names that are made for a partner differ from those of any other."""
    run, told = heard(seed)
    for text in told.values():
        assert not [name for name in RESOURCES if name in text]
        assert not re.search(r"\b(?:127|10|192\.168)\.\d+\.\d+", text)
    tokens = {contact.domain: run.world.pairs.of(ALICE, contact).token for contact in (BOB, CAROL)}
    for domain, token in tokens.items():
        assert not [other for other, text in told.items() if other != domain and token in text]
    assert tokens[BOB.domain] in told[BOB.domain], "it is looked for where it is"


@pytest.mark.parametrize("seed", range(40))
def test_i13_no_namespace_leaves_that_is_not_listed(seed: int) -> None:
    _, told = heard(seed)
    found = {space for text in told.values() for space in re.findall(r"xmlns(?::\w+)?=['\"]([^'\"]+)", text)}
    assert found and found <= SPACES, found - SPACES


def test_i13_an_element_that_nobody_knows_cannot_leave() -> None:
    """Whatever a client adds, in a namespace of its own or in one that we know, what is written has no place for it."""
    strange = "<x xmlns='urn:example:secret' a='canary'>canary</x><c:y xmlns:c='jabber:server'>canary</c:y>"
    read = read_presence(parse(f"<presence><show>dnd</show>{strange}<status>out</status></presence>"), NOW)
    assert isinstance(read, ReadPresence)
    text = write_presence(read.presence.document, "alice@corp.example/t", "bob@partner.example")
    assert "canary" not in text and "urn:example" not in text and "<status>out</status>" in text


@pytest.mark.parametrize("table", [INBOUND, OUTBOUND])
def test_i14_the_table_of_subscriptions_is_total_and_closed(table: dict[tuple[State, Ask], object]) -> None:
    """Each request in each state leads to one of the nine states, and from none can anything lead out of them."""
    requests = [ask for ask in Ask if ask is not Ask.PROBE]
    assert set(table) == set(product(State, requests)) and len(State) == 9
    assert {step.state for step in table.values()} <= set(State)  # type: ignore[attr-defined]
    assert all(step.reply in (None, *requests) for step in table.values())  # type: ignore[attr-defined]


@pytest.mark.parametrize("second", range(0, 60, 7))
def test_i10_since_when_somebody_is_idle_is_told_in_quarters_of_an_hour(second: int) -> None:
    """The exact second would tell when a hand was at the keyboard; that is LAST_ACTIVE, a field of its own."""
    since = f"2026-11-23T10:{second:02}:{second:02}Z"
    read = read_presence(parse(f"<presence><idle xmlns='urn:xmpp:idle:1' since='{since}'/></presence>"), NOW)
    assert isinstance(read, ReadPresence)
    document = read.presence.document
    assert document[Field.IDLE] % 900 == 0 and document[Field.LAST_ACTIVE] % 60 == second
