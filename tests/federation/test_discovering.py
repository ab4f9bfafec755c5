"""What goes to a domain that nobody has listed goes by the protocol that it speaks."""

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from gateway.federation.discovering import FOUND_SECONDS, MISSING_SECONDS, MOST_KNOWN, Discovery
from gateway.interfaces import Meeting
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Problem
from gateway.model.message import Message, MessageKind
from gateway.policy.partners import Discovery as Terms
from gateway.policy.partners import Partner, Partners
from tests.stage import DESK, EVE, FakeLeg, Stage, here

TEXT = Message(MessageKind.CHAT, "m1", bodies=(("", "hello"),))
TERMS = Partner("", frozenset(), via="discovery")


@pytest.fixture
def stage() -> Stage:
    """A house that speaks with anybody."""
    made = Stage(partners=Partners(discovery=Terms(on=True, terms=TERMS), ours=frozenset({"corp.example"})))
    made.sip = FakeLeg("sip")  # type: ignore[attr-defined]
    legs = made.house.relay._legs
    legs["sip"] = made.sip  # type: ignore[index, attr-defined]
    legs["discovery"] = Discovery(legs, ("xmpp", "sip"), made.house, made.clock, made.clock.seconds)  # type: ignore[index]
    return made


def speaks(leg: FakeLeg, *domains: str) -> None:
    """Lets DNS name servers for these domains."""
    leg.domains = frozenset(domains)


def test_the_first_protocol_that_dns_names_is_taken(stage: Stage) -> None:
    speaks(stage.outside, "stranger.example", "both.example")
    speaks(stage.sip, "voice.example", "both.example")  # type: ignore[attr-defined]
    for domain, leg in (("stranger.example", "xmpp"), ("voice.example", "sip"), ("both.example", "xmpp")):
        stage.from_inside(DESK, Address.parse(f"eve@{domain}"), TEXT)
        assert stage.house.relay._legs["discovery"].protocol_of(domain) == leg  # type: ignore[attr-defined]
    assert [each.recipient for each in stage.sip.taken()] == ["eve@voice.example"]  # type: ignore[attr-defined]


def test_what_comes_from_a_domain_decides_how_it_is_answered(stage: Stage) -> None:
    speaks(stage.outside, "both.example")
    discovery = stage.house.relay._legs["discovery"]
    discovery.met(Meeting("sip", "corp.example", "both.example", "mutual TLS"))  # type: ignore[attr-defined]
    assert not stage.from_inside(DESK, Address.parse("eve@both.example"), TEXT)
    assert stage.sip.taken()  # type: ignore[attr-defined]


def test_a_domain_without_servers_is_told_and_asked_about_again_later(stage: Stage) -> None:
    assert not stage.from_inside(DESK, EVE, TEXT)
    (bounce,) = stage.inside.taken()
    assert bounce.content == Bounce("message", "m1", Problem.REMOTE_SERVER_NOT_FOUND)
    speaks(stage.outside, "stranger.example")
    assert not stage.from_inside(DESK, EVE, TEXT), "that there is none is believed for a while"
    stage.clock.advance(MISSING_SECONDS)
    assert stage.from_inside(DESK, EVE, TEXT)


def test_what_was_found_is_looked_up_again_after_its_time(stage: Stage) -> None:
    speaks(stage.outside, "stranger.example")
    assert stage.from_inside(DESK, EVE, TEXT)
    speaks(stage.outside)
    stage.clock.advance(FOUND_SECONDS - 1)
    assert stage.from_inside(DESK, EVE, TEXT)
    stage.clock.advance(1)
    assert not stage.from_inside(DESK, EVE, TEXT)


def test_what_waits_for_the_answer_goes_in_order_and_presence_is_the_present(stage: Stage) -> None:
    asked: Deferred[bool] = Deferred()
    stage.outside.lookups.append(asked)
    pair = stage.befriend(EVE)
    for number in range(3):
        assert not stage.from_inside(DESK, EVE, Message(MessageKind.CHAT, f"m{number}", bodies=(("", "x"),)))
    assert not stage.online(EVE) and not pair.waiting
    stage.from_inside(DESK, EVE, here(note=(("", "later"),)))
    asked.callback(True)
    left = stage.outside.taken()
    assert [each.content.id for each in left if isinstance(each.content, Message)] == ["m0", "m1", "m2"]
    assert [type(each.content).__name__ for each in left].count("Presence") == 1


def test_a_look_up_that_fails_answers_who_waits(stage: Stage) -> None:
    asked: Deferred[bool] = Deferred()
    stage.outside.lookups.append(asked)
    stage.from_inside(DESK, EVE, TEXT)
    asked.errback(ValueError("a defect"))
    assert [each.content.problem for each in stage.inside.taken()] == [Problem.REMOTE_SERVER_NOT_FOUND]


def test_the_memory_is_bounded(stage: Stage) -> None:
    discovery = stage.house.relay._legs["discovery"]
    for number in range(MOST_KNOWN + 1):
        discovery.met(SimpleNamespace(remote=f"d{number}.example", leg="sip"))  # type: ignore[attr-defined]
    assert discovery.protocol_of("d0.example") is None  # type: ignore[attr-defined]
    assert discovery.protocol_of("d1.example") == "sip"  # type: ignore[attr-defined]
