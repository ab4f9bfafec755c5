"""What leaves is what is permitted at the moment it leaves, whatever has happened before."""

from hypothesis import given, note

from gateway.model.envelope import QueryKind
from gateway.model.presence import Field
from tests.policy.samples import CANARY
from tests.properties.wire import Event, Player, Said, Wire, histories, profile, staged
from tests.stage import BOB, CAROL, DESK

SEEN = {name: f"{CANARY}:{name.value};" for name in Field}


def leaks(said: Said) -> list[str]:
    """Gives the fields whose canary is in a text although the contact may not see them."""
    found = [name.value for name, mark in SEEN.items() if mark in said.text and name not in said.permitted]
    plain = {Field.SHOW: "<show>", Field.LAST_ACTIVE: "urn:xmpp:idle:1", Field.IDLE: "urn:xmpp:idle:1"}
    both = said.permitted & {Field.IDLE, Field.LAST_ACTIVE}
    shown = [name.value for name, mark in plain.items() if mark in said.text and name not in said.permitted]
    return found + [name for name in shown if name == Field.SHOW.value or not both]


def internals(wire: Wire) -> list[str]:
    """Gives the texts in which a resource of our people stands."""
    return [said.text for said in wire.said if "desk" in said.text or "phone-99" in said.text]


@profile
@given(histories)
def test_no_field_leaves_that_is_not_permitted_when_it_leaves(history: list[Event]) -> None:
    stage, wire = staged()
    for contact in (BOB, CAROL):
        stage.befriend(contact)
    player = Player(stage, wire)
    for event in history:
        player.play(event)
        for said in wire.said:
            assert not leaks(said), (event, said)
    assert not internals(wire), "no resource of our people leaves"


def test_the_canaries_are_seen_when_they_may_be() -> None:
    """Proves that the property above could fail: at level personal most canaries do leave."""
    stage, wire = staged()
    stage.befriend()
    stage.level("personal")
    player = Player(stage, wire)
    player.play(("card", frozenset(Field) - {Field.PHOTO}))
    player.play(("presence", BOB, DESK, frozenset({Field.NOTE, Field.SHOW})))
    for name in (Field.LOCATION, Field.MOOD, Field.ACTIVITY, Field.DISPLAY_NAME):
        player.play(("event", name, True))
    player.play(("query", BOB, QueryKind.CARD))
    text = " ".join(said.text for said in wire.said)
    assert {name for name, mark in SEEN.items() if mark in text} >= {Field.NOTE, Field.TITLE, Field.PHONE_HOME}
    said = Said(BOB, 0.0, text, frozenset())
    assert "note" in leaks(said) and "show" in leaks(said)


@profile
@given(histories)
def test_in_the_end_a_contact_believes_no_more_than_he_may(history: list[Event]) -> None:
    """After every history, with the link up, what was last told equals what there is to tell now."""
    stage, wire = staged()
    stage.befriend()
    player = Player(stage, wire)
    for event in history:
        player.play(event)
    player.play(("up",))
    pair = stage.pairs.of(DESK, BOB)
    note(str(pair.last))
    now = stage.house.presence.presence_of(pair)
    visible = frozenset(name for name in now if name in pair.permission.fields)
    expected = visible if now.available and Field.AVAILABILITY in visible else frozenset()
    assert (pair.last.names if pair.last is not None else frozenset()) == expected
    assert not pair.waiting and pair.revoking_since is None


def test_what_was_told_before_a_restart_is_withdrawn_after_it() -> None:
    """The house does not know what the contact was told: he may believe a mood that he must not see any longer."""
    stage, wire = staged()
    pair = stage.befriend()
    stage.house.roster.rebuild(pair)
    Player(stage, wire).play(("presence", BOB, DESK, frozenset()))
    told = " ".join(said.text for said in wire.said)
    for node in ("mood", "activity", "geoloc"):
        assert f"<items node='http://jabber.org/protocol/{node}'>" in told
    wire.said.clear()
    Player(stage, wire).play(("presence", BOB, DESK, frozenset({Field.SHOW})))
    assert "items" not in wire.said[0].text, "once is enough"
