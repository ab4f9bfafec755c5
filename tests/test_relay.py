"""The way of one envelope: who is answered, from which address, and what a failure in it does."""

import pytest

from gateway import relay as relay_module
from gateway.interfaces import Promise
from gateway.model.address import Address
from gateway.model.envelope import Answer, Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import Message, MessageKind
from gateway.model.presence import PresenceDocument
from gateway.model.subscription import Ask
from gateway.policy.verdict import Decision, Reason
from tests.stage import ALICE, BOB, DESK, EVE, TABLET, Stage, ask, here

HELLO = Message(MessageKind.CHAT, "m1", (("", "hello"),))


def test_a_message_out_hides_the_resource_behind_the_partners_token() -> None:
    stage = Stage()
    sent = stage.from_inside(DESK, BOB, HELLO)
    assert [(one.sender.bare, one.recipient, one.content) for one in sent] == [(ALICE, BOB, HELLO)]
    assert sent[0].sender.resource == stage.pairs.of(ALICE, BOB).token != DESK.resource


def test_an_answer_to_the_token_reaches_the_resource_that_wrote() -> None:
    stage = Stage()
    alias = stage.from_inside(DESK, BOB, HELLO)[0].sender
    assert stage.from_outside(TABLET, alias, HELLO) == [Envelope(TABLET, DESK, HELLO, Side.EXTERNAL)]


def test_a_guessed_resource_reaches_the_bare_address_only() -> None:
    stage = Stage()
    stage.from_inside(DESK, BOB, HELLO)
    assert [one.recipient for one in stage.from_outside(TABLET, DESK, HELLO)] == [ALICE]


def test_an_unknown_partner_is_refused_and_the_sender_told_at_his_own_resource() -> None:
    stage = Stage()
    assert stage.from_inside(DESK, EVE, HELLO) == []
    told = Bounce("message", "m1", Problem.REMOTE_SERVER_NOT_FOUND)
    assert stage.inside.taken() == [Envelope(EVE, DESK, told, Side.EXTERNAL)]


def test_every_error_about_a_message_from_outside_comes_from_the_bare_address() -> None:
    """Refused by us, returned by the inside server, given up in a queue: the contact sees the same bytes."""
    stage = Stage()
    stage.from_inside(DESK, BOB, HELLO)
    alias = stage.pairs.of(ALICE, BOB).alias
    delivered = stage.from_outside(TABLET, alias, HELLO)[0]
    expected = Envelope(ALICE, TABLET, Bounce("message", "m1", Problem.SERVICE_UNAVAILABLE), Side.INTERNAL)

    assert stage.from_inside(DESK, TABLET, Bounce("message", "m1", Problem.ITEM_NOT_FOUND)) == [expected]
    stage.house.undeliverable(delivered, Problem.SERVICE_UNAVAILABLE)
    assert stage.outside.taken() == [expected]
    stage.level("blocked")
    stage.outside.taken()
    assert stage.from_outside(TABLET, alias, HELLO) == []
    assert stage.outside.taken() == [expected]
    assert stage.from_outside(TABLET, ALICE.at("guessed"), HELLO) == []
    assert stage.outside.taken() == [expected]


def test_no_internal_resource_leaves_with_a_bounce() -> None:
    stage = Stage()
    stage.from_inside(DESK, BOB, HELLO)
    delivered = stage.from_outside(TABLET, stage.pairs.of(ALICE, BOB).alias, HELLO)[0]
    assert delivered.recipient == DESK
    stage.house.undeliverable(delivered, Problem.REMOTE_SERVER_TIMEOUT)
    assert "desk" not in repr(stage.outside.taken())


def test_an_error_that_answers_a_question_returns_to_the_full_address_that_asked() -> None:
    stage = Stage()
    query = Query(QueryKind.CARD, "v1")
    carried = stage.from_inside(DESK, BOB, query)[0]
    assert carried.sender == stage.pairs.of(ALICE, BOB).alias
    number = carried.content.id  # type: ignore[union-attr]
    refused = Bounce("query", number, Problem.FORBIDDEN)
    assert stage.from_outside(BOB, carried.sender, refused) == [
        Envelope(BOB, DESK, Bounce("query", "v1", Problem.FORBIDDEN), Side.EXTERNAL)
    ]


def test_an_answer_comes_from_the_address_that_was_asked() -> None:
    stage = Stage()
    for asked in (ALICE, ALICE.at("guessed"), stage.pairs.of(ALICE, BOB).alias):
        stage.from_outside(TABLET, asked, Query(QueryKind.LAST_ACTIVITY, "v1"))
        assert [(one.sender, one.recipient) for one in stage.outside.taken()] == [(asked, TABLET)]


def test_a_policy_that_fails_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("broken")

    stage = Stage()
    monkeypatch.setattr(relay_module, "authorize", broken)
    assert stage.from_inside(DESK, BOB, HELLO) == []
    assert stage.inside.taken() == [
        Envelope(BOB, DESK, Bounce("message", "m1", Problem.SERVICE_UNAVAILABLE), Side.EXTERNAL)
    ]
    assert stage.metrics.errors().value == 1
    assert stage.metrics.decisions("partner.example", "message", "", "refuse", Reason.POLICY_ERROR).value == 1


def test_refusals_are_counted_as_bounces() -> None:
    stage = Stage()
    stage.level("blocked")
    stage.from_outside(TABLET, ALICE, HELLO)
    assert stage.metrics.bounces("partner.example", Problem.SERVICE_UNAVAILABLE).value == 1


def test_nobody_is_answered_who_does_not_wait() -> None:
    stage = Stage()
    pair = stage.pairs.of(ALICE, BOB)
    for content in (here(), ask(Ask.UNSUBSCRIBED), Bounce("message", "x", Problem.CONFLICT)):
        stage.house.relay.refuse(Envelope(TABLET, ALICE, content, Side.EXTERNAL), Problem.FORBIDDEN)
        stage.house.relay.refuse(Envelope(DESK, BOB, content, Side.INTERNAL), Problem.FORBIDDEN)
    assert stage.silent() and pair.facts.partner is not None


def test_an_answer_without_the_modality_is_the_same_refusal() -> None:
    stage = Stage()
    answer = Answer(Query(QueryKind.CARD, "v1"), PresenceDocument())
    verdict = stage.house.relay.decide(Envelope(ALICE, EVE, answer, Side.INTERNAL), stage.pairs.of(ALICE, EVE))
    assert verdict.decision is Decision.REFUSE


def test_addresses_of_unknown_partners_are_not_kept() -> None:
    stage = Stage()
    for number in range(5):
        stage.from_inside(DESK, Address.parse(f"eve{number}@stranger.example"), HELLO)
    assert len(stage.pairs) == 0


def test_a_refused_contact_waits_for_the_commit_that_anybody_elses_message_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time of an answer does not tell who is blocked: both promises are of the same commit."""
    stage, commit, decoys = Stage(), Promise(), []

    class Spool:
        def accept(self, *_: object, decoy: bool = False, **__: object) -> Promise:
            decoys.append(decoy)
            return commit

    monkeypatch.setattr(stage.inside, "confirms", True, raising=False)
    stage.house.relay.spool = Spool()  # type: ignore[assignment]
    hello = Envelope(TABLET, ALICE, HELLO, Side.EXTERNAL)
    pair = stage.pairs.of(ALICE, BOB)
    assert stage.house.relay.carry(hello, pair)[1] is not None
    stage.level("blocked")
    stage.outside.taken()
    assert stage.house.relay.carry(hello, pair)[1] is commit
    assert decoys == [False, True] and stage.outside.taken() == []
    commit.settle(True)
    told = Bounce("message", "m1", Problem.SERVICE_UNAVAILABLE)
    assert [one.content for one in stage.outside.taken()] == [told]
