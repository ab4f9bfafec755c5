"""Presence to partners: the stanza for what it carries, events for the rest, and never what another was told."""

from attrs import evolve

from gateway.model.presence import OFFLINE, Activity, Field, Photo, Presence, PresenceDocument, Show
from gateway.protocols.xmpp.stanzas.presences import write_presence
from plugins.legs.xmpp.outward import OutwardPresence

ALICE, BOB, CAROL = "alice@corp.example/x", "bob@partner.example", "carol@partner.example"
AWAY = PresenceDocument({Field.AVAILABILITY: True, Field.SHOW: Show.AWAY, Field.ACTIVITY: Activity("working")})


def alone(presence: Presence, sender: str, recipient: str) -> str:
    """Writes it with nothing written before."""
    return OutwardPresence().write(presence, sender, recipient)


def test_the_same_to_another_contact_differs_in_the_addresses_only() -> None:
    out, told = OutwardPresence(), Presence(AWAY, changed=frozenset({Field.SHOW}))
    first = out.write(told, ALICE, BOB)
    assert first == write_presence(AWAY, ALICE, BOB)
    assert out.write(told, ALICE, CAROL) == first.replace(BOB, CAROL)
    assert out.write(told, "dan@corp.example/y", "e'&<@partner.example/z") == write_presence(
        AWAY, "dan@corp.example/y", "e'&<@partner.example/z"
    )


def test_what_follows_something_else_is_as_if_nothing_had_been_written() -> None:
    out = OutwardPresence()
    photo = Photo("image/png", b"x", "d8b1a0a3d29ab15e4c3e2ab1ea0a3b3a6d1f3c11")
    told = [
        Presence(AWAY),
        Presence(AWAY, changed=frozenset({Field.SHOW})),
        Presence(AWAY, changed=frozenset({Field.ACTIVITY})),
        Presence(AWAY, changed=frozenset({Field.PHOTO})),
        Presence(AWAY, changed=frozenset({Field.EMAIL})),
        Presence(AWAY.with_fields({Field.PHOTO: photo}), changed=frozenset({Field.PHOTO})),
        Presence(AWAY.with_fields({Field.CAPABILITIES: frozenset({"im"}), Field.DEVICE: "phone"})),
        Presence(OFFLINE, changed=frozenset({Field.AVAILABILITY})),
        Presence(OFFLINE),
    ]
    for presence in (*told, *reversed(told), *(evolve(one) for one in told)):
        for recipient in (BOB, CAROL):
            assert out.write(presence, ALICE, recipient) == alone(presence, ALICE, recipient)


def test_a_stanza_is_written_for_what_it_carries_and_an_event_for_each_item() -> None:
    only_event = alone(Presence(AWAY, changed=frozenset({Field.ACTIVITY})), ALICE, BOB)
    assert "<presence" not in only_event and "<working/>" in only_event
    assert only_event.startswith(f"<message from='alice@corp.example' to='{BOB}'")
    assert alone(Presence(AWAY, changed=frozenset({Field.EMAIL})), ALICE, BOB) == ""
    unknown = alone(Presence(AWAY), ALICE, BOB)
    assert unknown.startswith("<presence") and unknown.count("<event ") == 3 and "<photo/>" in unknown
