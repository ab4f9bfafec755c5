"""The echo answers what the policy lets in, and finds out whether another gateway's does."""

from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from gateway.federation.echo import TEST_SECONDS, Echo
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.message import Message, MessageKind
from gateway.model.presence import Presence
from gateway.model.subscription import Ask, Subscription
from gateway.policy.access_level import Assignment, Member
from gateway.policy.domains import Domains
from gateway.policy.partners import Modality, Partners, Start
from tests.stage import BOB, PARTNER, TABLET, Stage, ask

ECHO = Address.parse("echo@corp.example")
TEST = Address.parse("echo-test@corp.example")
TEXT = Message(MessageKind.CHAT, "m1", bodies=(("en", "hello"),), thread="t1")


def staged(partner: Any = PARTNER, name: str = "echo", per_minute: float = 30.0, **rules: Any) -> tuple[Stage, Echo]:
    """A house whose default level is Blocked, with an echo."""
    apart = frozenset({str(ECHO), str(TEST)})
    everyone = Member.parse("everyone")
    given = tuple(Assignment(owner, everyone, "public") for owner in apart)
    stage = Stage(partner, level="blocked", assignments=given, apart=apart, **rules)
    config = SimpleNamespace(
        echo=SimpleNamespace(name=name, per_minute=per_minute), gateway=SimpleNamespace(domains=("corp.example",))
    )
    echo = Echo(stage.house, config, stage.clock)
    stage.house.relay._legs["echo"] = echo  # type: ignore[index]
    return stage, echo


def said(stage: Stage, content: Any, sender: Address = TABLET, to: Address = ECHO) -> list[Envelope]:
    """What leaves for a contact who says something to the echo; nothing ever reaches our own server."""
    stage.house.receive(Envelope(sender, to, content, Side.EXTERNAL))
    stage.clock.advance(0)
    assert not stage.inside.taken()
    return stage.outside.taken()


def test_a_message_comes_back_and_is_not_somebody_elses() -> None:
    stage, echo = staged()
    (back,) = said(stage, TEXT)
    assert back.sender.bare == ECHO and back.recipient == TABLET
    assert isinstance(back.content, Message)
    assert (back.content.bodies, back.content.thread, back.content.kind) == (TEXT.bodies, "t1", MessageKind.CHAT)
    assert back.content.id != "m1"
    stage.clock.advance(7)
    assert echo.heard_ago("partner.example") == 7 and echo.heard_ago("ally.example") is None


def test_a_request_is_granted_and_presence_follows_through_the_policy() -> None:
    stage, _ = staged()
    answers = [each.content for each in said(stage, ask(Ask.SUBSCRIBE), BOB)]
    assert [type(each) for each in answers] == [Subscription, Presence]
    assert answers[0].ask is Ask.SUBSCRIBED and answers[1].document.available
    assert [each.content.document.available for each in said(stage, ask(Ask.PROBE), BOB)][:1] == [True]
    ended = [each.content for each in said(stage, ask(Ask.UNSUBSCRIBE), BOB)]
    assert not any(isinstance(each, Presence) and each.document.available for each in ended)
    assert not stage.pairs.of(ECHO, BOB).facts.subscription.contact_watches


@pytest.mark.parametrize(
    "content",
    [
        evolve(TEXT, kind=MessageKind.HEADLINE),
        evolve(TEXT, bodies=()),
        evolve(TEXT, delayed_since=5.0),
        Message(MessageKind.CHAT, receipt_for="m1"),
    ],
)
def test_what_no_person_would_answer_has_no_echo(content: Message) -> None:
    assert not said(staged()[0], content)


def test_two_echoes_do_not_talk_with_each_other_for_ever() -> None:
    stage, _ = staged()
    assert not said(stage, TEXT, Address.parse("echo@partner.example"))
    assert said(stage, TEXT, Address.parse("echo-test@partner.example")), "a test of theirs is answered"
    assert not said(stage, TEXT, BOB, TEST), "who only asks does not answer"


def test_answers_are_bounded_per_domain() -> None:
    stage, _ = staged(per_minute=6)
    assert sum(bool(said(stage, TEXT)) for _ in range(10)) == 6
    stage.clock.advance(10)
    assert [bool(said(stage, TEXT)) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    "partner",
    [evolve(PARTNER, modalities=frozenset({Modality.PRESENCE})), evolve(PARTNER, start=Start.OURS)],
    ids=["modality", "start"],
)
def test_the_echo_is_no_way_around_the_contract(partner: Any) -> None:
    stage, _ = staged(partner)
    assert not any(isinstance(each.content, Message) for each in said(stage, TEXT))


def test_the_echo_is_no_way_around_the_deny_list() -> None:
    stage, _ = staged(partners=Partners([PARTNER], denied=Domains.of(["partner.example"])))
    assert not any(isinstance(each.content, Message) for each in said(stage, TEXT))


def outcome(deferred: "Deferred[float]") -> list[Any]:
    """What a test of an echo has come to, if it has."""
    found: list[Any] = []
    deferred.addCallbacks(found.append, lambda failure: found.append(failure.getErrorMessage()))
    return found


def test_the_others_echo_is_timed() -> None:
    stage, echo = staged()
    found = outcome(echo.try_out("partner.example"))
    (sent,) = stage.outside.taken()
    assert sent.recipient == "echo@partner.example" and isinstance(sent.content, Message)
    stage.clock.advance(0.25)
    said(stage, TEXT, sent.recipient, sent.sender)
    assert not found, "another text is no echo"
    said(stage, sent.content, Address.parse("eve@partner.example"), sent.sender)
    assert not found, "nor is the text from somebody else"
    said(stage, Message(MessageKind.CHAT, "e1", sent.content.bodies), sent.recipient.at("echo"), sent.sender)
    assert found == [0.25]


def test_no_echo_is_told_after_a_while_or_at_once_when_it_bounces() -> None:
    stage, echo = staged()
    silent = outcome(echo.try_out("partner.example"))
    stage.clock.advance(TEST_SECONDS + 1)
    assert silent == [f"no answer in {TEST_SECONDS:.0f} s"]
    refused = outcome(staged(evolve(PARTNER, modalities=frozenset()))[1].try_out("partner.example"))
    assert refused == ["the message came back: policy-violation"]
    assert outcome(staged(name="")[1].try_out("partner.example")) == ["no echo is configured here"]


def test_two_gateways_hear_each_others_echo() -> None:
    """Both houses with the policy between them, and a wire that carries envelopes."""
    (ours, echo), (theirs, other) = staged(), staged()
    theirs.pairs.take(
        evolve(
            theirs.pairs.rules,
            partners=Partners([evolve(PARTNER, name="corp.example", domains=frozenset({"corp.example"}))]),
            domains=frozenset({"partner.example"}),
            apart=frozenset({"echo@partner.example", "echo-test@partner.example"}),
            default_level="public",
        )
    )
    found = outcome(echo.try_out("partner.example"))
    for _ in range(3):
        for here, there in ((ours, theirs), (theirs, ours)):
            for each in here.outside.taken():
                there.house.receive(evolve(each, side=Side.EXTERNAL))
            there.clock.advance(0)
    assert found == [0.0] and other.heard_ago("corp.example") == 0
