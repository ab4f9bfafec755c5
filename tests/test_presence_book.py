"""The last known presence: which endpoint speaks, what is published beside it, and whom a change concerns."""

from gateway.model.presence import OFFLINE, Field, Mood, Presence, PresenceDocument, Show
from gateway.pairs import Pair
from gateway.presence_book import PresenceBook
from tests.stage import ALICE, BOB, CAROL, Stage, away, here


class Told(list[tuple[str, Presence, bool]]):
    """Writes down what is to be disclosed."""

    def __call__(self, pair: Pair, presence: Presence, again: bool) -> None:
        self.append((pair.contact, presence, again))


def book() -> tuple[PresenceBook, Told, Stage]:
    stage, told = Stage(), Told()
    return PresenceBook(stage.pairs, told), told, stage


def test_priority_speaks_before_reachability() -> None:
    presence, told, stage = book()
    pair = stage.pairs.of(ALICE, BOB)
    presence.note(pair, "a", Presence(here(show=Show.XA).document, 5))
    presence.note(pair, "b", Presence(here(show=Show.CHAT).document, 0))
    assert told[-1][1].document[Field.SHOW] is Show.XA
    presence.note(pair, "c", Presence(here(show=Show.DND).document, 5))
    assert told[-1][1].document[Field.SHOW] is Show.DND


def test_going_without_a_resource_means_all() -> None:
    presence, told, stage = book()
    pair = stage.pairs.of(ALICE, BOB)
    presence.note(pair, "a", here())
    presence.note(pair, "b", here())
    presence.note(pair, "", away())
    assert told[-1][1].document == OFFLINE and not pair.endpoints


def test_what_is_published_goes_along_only_while_somebody_is_there() -> None:
    presence, _, stage = book()
    pair = stage.pairs.of(ALICE, BOB)
    presence.publish(ALICE, {Field.MOOD: Mood("sad"), Field.TITLE: "Ms"})
    assert presence.presence_of(pair) == OFFLINE
    presence.note(pair, "a", here())
    assert presence.presence_of(pair).names == {Field.AVAILABILITY, Field.MOOD}
    assert presence.everything_of(pair).names == {Field.AVAILABILITY, Field.MOOD, Field.TITLE}


def test_each_contact_hears_of_a_change_and_of_nothing_else() -> None:
    presence, told, stage = book()
    stage.pairs.of(ALICE, BOB)
    stage.pairs.of(ALICE, CAROL)
    presence.publish(ALICE, {Field.MOOD: Mood("sad")})
    assert [contact for contact, _, _ in told] == [BOB, CAROL]
    presence.publish(ALICE, {Field.MOOD: Mood("sad")})
    presence.publish(ALICE, {Field.TITLE: "Ms"})
    presence.publish("dave@corp.example", {Field.MOOD: Mood("sad")})
    assert len(told) == 2


def test_nothing_is_kept_of_who_publishes_nothing() -> None:
    presence, _, _ = book()
    presence.publish(ALICE, {Field.MOOD: None})
    assert not presence.publications.of(ALICE)
    presence.publish(ALICE, {Field.MOOD: Mood("sad"), Field.DISPLAY_NAME: "A"})
    presence.forget_events(ALICE)
    assert dict(presence.published(ALICE)) == {Field.DISPLAY_NAME: "A"}
    presence.publish(ALICE, {Field.DISPLAY_NAME: None})
    assert not presence.publications.of(ALICE)


def test_what_was_published_does_not_change_under_who_reads_it() -> None:
    presence, _, _ = book()
    presence.publish(ALICE, {Field.TITLE: "Ms"})
    before = presence.published(ALICE)
    presence.publish(ALICE, {Field.TITLE: "Dr"})
    assert before[Field.TITLE] == "Ms"
    assert PresenceDocument(presence.published(ALICE))[Field.TITLE] == "Dr"
