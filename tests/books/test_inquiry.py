"""Questions about people: answered from what is published, fetched once, and never left without an answer."""

import pytest
from twisted.internet.defer import Deferred, fail

from gateway.model.address import Address
from gateway.model.envelope import Answer, Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.presence import Field, PresenceDocument
from tests.stage import ALICE, BOB, DESK, TABLET, Stage

CARD = PresenceDocument(
    {Field.DISPLAY_NAME: "Alice", Field.TITLE: "Ms", Field.PHONE_HOME: ("555-0100",), Field.PHONE_WORK: ("555-0101",)}
)
VCARD = Query(QueryKind.CARD, "v1")


def answers(envelopes: list[Envelope]) -> list[object]:
    return [one.content.document for one in envelopes if isinstance(one.content, Answer)]


def asked(stage: Stage, query: Query = VCARD, person: Address = ALICE) -> list[object]:
    stage.from_outside(TABLET, person, query)
    return answers(stage.outside.taken())


def test_a_card_is_fetched_once_and_cut_to_the_level() -> None:
    stage = Stage()
    stage.inside.cards[ALICE] = CARD
    public = PresenceDocument({Field.DISPLAY_NAME: "Alice", Field.TITLE: "Ms"})
    assert asked(stage) == asked(stage) == [public]
    assert stage.inside.asked == [(ALICE, BOB, QueryKind.CARD)]
    stage.level("personal")
    assert asked(stage) == [CARD]
    stage.clock.advance(601)
    asked(stage)
    assert len(stage.inside.asked) == 2


@pytest.mark.parametrize("announced", [Field.TITLE, Field.PHONE_WORK])
def test_a_card_is_asked_for_again_when_part_of_it_is_announced(announced: Field) -> None:
    """Prosody announces a card of a name alone as one in which nothing is known."""
    stage = Stage()
    assert asked(stage) == [None]
    stage.inside.cards[ALICE] = CARD
    stage.house.published(ALICE, {announced: None})
    assert asked(stage) != [None]
    asked(stage)
    assert len(stage.inside.asked) == 2


def test_a_mood_that_is_announced_is_no_news_of_a_card() -> None:
    stage = Stage()
    stage.inside.cards[ALICE] = CARD
    asked(stage)
    stage.house.published(ALICE, {Field.MOOD: "happy"})
    asked(stage)
    assert len(stage.inside.asked) == 1


def test_an_answer_that_was_overtaken_by_another_card_is_not_believed() -> None:
    stage = Stage()
    waiting: Deferred[PresenceDocument] = Deferred()
    stage.inside.answers.append(waiting)
    asked(stage)
    stage.inside.cards[ALICE] = CARD.with_fields({Field.TITLE: "Dr"})
    stage.house.published(ALICE, {Field.TITLE: "Dr"})
    waiting.callback(CARD)
    stage.outside.taken()
    stage.level("personal")
    assert asked(stage) == [stage.inside.cards[ALICE]]
    asked(stage)
    assert len(stage.inside.asked) == 2


def test_the_blocked_the_unknown_and_the_silent_are_answered_alike_after_the_same_question_inside() -> None:
    seen = []
    for level, card in (("blocked", CARD), ("public", None), ("public", PresenceDocument())):
        stage = Stage()
        stage.inside.cards[ALICE] = card
        stage.level(level)
        seen.append((asked(stage), len(stage.inside.asked)))
    assert seen == [([None], 1)] * 3


def test_many_questions_at_once_become_one_and_all_are_answered() -> None:
    stage = Stage()
    waiting: Deferred[PresenceDocument] = Deferred()
    stage.inside.answers.append(waiting)
    assert [asked(stage) for _ in range(5)] == [[]] * 5
    assert len(stage.inside.asked) == 1
    waiting.callback(CARD)
    assert len(answers(stage.outside.taken())) == 5


def test_an_inside_server_that_fails_leaves_nobody_without_an_answer() -> None:
    stage = Stage()
    stage.inside.answers.append(fail(RuntimeError("broken")))
    assert asked(stage) == [None]
    assert asked(stage) == [None] and len(stage.inside.asked) == 1
    stage.clock.advance(61)
    stage.inside.cards[ALICE] = CARD
    assert asked(stage) != [None]


def test_a_card_that_is_no_longer_given_is_not_believed_for_ever() -> None:
    stage = Stage()
    stage.inside.cards[ALICE] = CARD
    asked(stage)
    stage.inside.cards[ALICE] = None
    stage.clock.advance(601)
    assert asked(stage) != [None]
    stage.clock.advance(3601)
    assert asked(stage) == [None]


def test_cards_of_people_for_whom_nobody_asks_are_forgotten() -> None:
    stage = Stage()
    stage.inside.cards[ALICE] = CARD
    asked(stage)
    stage.house.tick()
    assert stage.house.presence.published(ALICE)
    stage.clock.advance(5000)
    stage.house.tick()
    assert not stage.house.presence.published(ALICE) and not stage.house.inquiries._cards


def test_guessing_names_does_not_fill_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.books.inquiry.MOST_CARDS", 10)
    stage = Stage()
    for number in range(100):
        asked(stage, person=Address.parse(f"guess{number}@corp.example"))
    assert len(stage.house.inquiries._cards) <= 10


def test_what_presence_tells_only_a_subscribed_contact_may_ask() -> None:
    stage = Stage()
    stage.online()
    query = Query(QueryKind.LAST_ACTIVITY, "l1")
    assert asked(stage, query) == [None]


def test_a_question_from_inside_goes_out_under_another_id_and_comes_back_under_its_own() -> None:
    stage = Stage()
    carried = stage.from_inside(DESK, BOB, VCARD)[0]
    assert carried.sender == stage.pairs.of(ALICE, BOB).alias
    query = carried.content
    assert isinstance(query, Query) and query.id != VCARD.id
    back = stage.from_outside(BOB, carried.sender, Answer(query, CARD))
    assert back == [Envelope(BOB, DESK, Answer(VCARD, CARD), Side.EXTERNAL)]
    assert stage.from_outside(BOB, carried.sender, Answer(query, CARD)) == [], "an answer counts once"


def test_only_who_was_asked_can_answer() -> None:
    stage = Stage()
    carried = stage.from_inside(DESK, BOB, VCARD)[0]
    query = carried.content
    assert isinstance(query, Query)
    mallory = Address.parse("mallory@partner.example")
    assert stage.from_outside(mallory, carried.sender, Answer(query, CARD)) == []
    assert stage.from_outside(BOB, carried.sender, Bounce("query", "q99", Problem.GONE)) == []


def test_who_waits_too_long_is_told() -> None:
    stage = Stage()
    stage.from_inside(DESK, BOB, VCARD)
    stage.clock.advance(31)
    stage.house.tick()
    timeout = Bounce("query", "v1", Problem.REMOTE_SERVER_TIMEOUT)
    assert stage.inside.taken() == [Envelope(BOB, DESK, timeout, Side.EXTERNAL)]
    assert not stage.house.inquiries._asked


def test_what_may_not_be_asked_is_refused_at_once() -> None:
    stage = Stage()
    assert stage.from_inside(DESK, BOB, Query(QueryKind.TIME, "t1")) == []
    assert stage.inside.taken()[0].content == Bounce("query", "t1", Problem.SERVICE_UNAVAILABLE)


def test_too_many_questions_under_way_are_refused_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.books.inquiry.MOST_WAITING", 1)
    stage = Stage()
    stage.from_inside(DESK, BOB, VCARD)
    assert stage.from_inside(DESK, BOB, VCARD) == []
    assert stage.inside.taken()[0].content == Bounce("query", "v1", Problem.RESOURCE_CONSTRAINT)
