"""The last known presence: which endpoint speaks, what is published beside it, and whom a change concerns."""

from attrs import evolve

from gateway.books.pairs import Pair
from gateway.books.presence_book import PresenceBook
from gateway.model.address import Address
from gateway.model.presence import OFFLINE, Field, Mood, Photo, Presence, PresenceDocument, Show
from gateway.model.publication import Origin
from gateway.policy.partners import Lock
from tests.stage import ALICE, BOB, CAROL, Stage, away, documents, here


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


def test_between_equals_the_name_decides_and_not_who_came_first() -> None:
    presence, _, stage = book()
    pair = stage.pairs.of(ALICE, BOB)
    for order in (("a", "b"), ("b", "a")):
        presence.note(pair, "", away())
        for name in order:
            presence.note(pair, name, here(note=(("", name),)))
        assert presence.presence_of(pair)[Field.NOTE] == (("", "b"),)


def test_who_may_not_see_the_show_does_not_learn_it_from_which_endpoint_speaks() -> None:
    presence, _, stage = book()
    stage.pairs.take(evolve(stage.pairs.rules, locks=(Lock(Field.SHOW),)))
    pair = stage.pairs.of(ALICE, BOB)
    seen = []
    for show in Show:
        presence.note(pair, "a", here(display_name="Alice", show=show))
        presence.note(pair, "b", here(display_name="Ally", show=Show.AWAY))
        seen.append(presence.presence_of(pair)[Field.DISPLAY_NAME])
    assert set(seen) == {"Ally"}


def test_who_may_not_know_that_somebody_is_there_gets_no_answer_from_presence() -> None:
    presence, _, stage = book()
    stage.pairs.take(evolve(stage.pairs.rules, locks=(Lock(Field.AVAILABILITY),)))
    pair = stage.pairs.of(ALICE, BOB)
    presence.publish(ALICE, {Field.TITLE: "Ms"})
    presence.note(pair, "a", here(display_name="Alice"))
    assert presence.everything_of(pair).names == {Field.TITLE}


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


def test_what_is_put_together_for_one_contact_is_the_same_for_the_next_until_a_part_changes() -> None:
    carried = {BOB: frozenset({Field.MOOD, Field.DISPLAY_NAME, Field.NOTE}), CAROL: frozenset({Field.MOOD})}
    stage = Stage()
    presence = PresenceBook(stage.pairs, lambda *_: None, lambda pair: carried.get(pair.contact, carried[BOB]))
    dan = Address.parse("dan@partner.example")
    pairs = {contact: stage.pairs.of(ALICE, contact) for contact in (BOB, dan, CAROL)}
    other = stage.pairs.of(Address.parse("dave@corp.example"), BOB)
    said = here()
    presence.publish(ALICE, {Field.MOOD: Mood("sad"), Field.DISPLAY_NAME: "A"})
    for pair in (*pairs.values(), other):
        presence.note(pair, "a", said)
    first = presence.presence_of(pairs[BOB])
    assert first[Field.DISPLAY_NAME] == "A" and presence.presence_of(pairs[dan]) is first
    assert presence.presence_of(pairs[CAROL]).names == {Field.AVAILABILITY, Field.MOOD}
    assert presence.presence_of(other) == said.document
    presence.publish(ALICE, {Field.MOOD: None})
    assert presence.presence_of(pairs[BOB]).names == {Field.AVAILABILITY, Field.DISPLAY_NAME}
    presence.publish("dave@corp.example", {Field.DISPLAY_NAME: "D"})
    assert [presence.presence_of(pair)[Field.DISPLAY_NAME] for pair in (pairs[BOB], other, pairs[dan])] == [
        "A",
        "D",
        "A",
    ]
    presence.say(ALICE, "calendar", Origin.CALENDAR, {Field.NOTE: (("", "in a meeting"),)})
    assert presence.presence_of(pairs[BOB])[Field.NOTE] == (("", "in a meeting"),)
    presence.note(pairs[BOB], "a", here(note=(("", "x"),)))
    assert presence.presence_of(pairs[BOB])[Field.NOTE] == (("", "x"),)
    assert presence.presence_of(pairs[dan])[Field.NOTE] == (("", "in a meeting"),)


def test_the_picture_is_that_of_the_person() -> None:
    presence, _, _ = book()
    photo = Photo("image/png", b"x", "d8b1a0a3d29ab15e4c3e2ab1ea0a3b3a6d1f3c11")
    presence.publish(ALICE, {Field.PHOTO: photo, Field.MOOD: Mood("sad")})
    assert presence.picture(ALICE) is photo and presence.picture("dave@corp.example") is None
    presence.publish(ALICE, {Field.PHOTO: None})
    assert presence.picture(ALICE) is None


def test_a_contact_who_cannot_be_told_leaves_nobody_behind_him_with_what_is_taken_back() -> None:
    stage, told = Stage(), list[str]()

    def disclose(pair: Pair, presence: Presence, again: bool) -> None:
        if pair.contact == BOB:
            raise RuntimeError("a leg with a defect")
        told.append(pair.contact)

    presence = PresenceBook(stage.pairs, disclose)
    dora = Address.parse("dora@partner.example")
    for contact in (BOB, dora):
        stage.pairs.of(ALICE, contact).endpoints["desk"] = here()
    presence.publish(ALICE, {Field.MOOD: Mood("happy")})
    presence.publish(ALICE, {Field.MOOD: None})
    assert told == [dora, dora]


def test_when_a_directory_says_what_an_event_said_the_client_speaks_for_now_at_once() -> None:
    stage = Stage()
    stage.befriend()
    stage.house.published(ALICE, {Field.SHOW: Show.CHAT})
    stage.online(show=Show.XA)
    stage.outside.taken()
    stage.house.presence.say(ALICE, "staff", Origin.ADMINISTRATOR, {Field.SHOW: Show.CHAT})
    assert [one[Field.SHOW] for one in documents(stage.outside.taken())] == [Show.XA]
