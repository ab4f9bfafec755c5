"""A signal has no place for what somebody said: every other type is refused when it is made."""

import json
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.address import Address
from gateway.model.envelope import Problem, Side
from gateway.model.presence import Field
from gateway.model.subscription import State
from gateway.policy.verdict import Reason
from gateway.records.signalling import About, Mark, Route, Signal, Way, Wire, Word, party, word_of

CANARY = "canary-4711"
ALICE, BOB = Address.parse("alice@corp.example/desk"), Address.parse("bob@partner.example/phone")
NAMES = [name for name in Signal.__slots__ if not name.startswith("_")]
LEAST = {"wire": Wire.XMPP, "side": Side.EXTERNAL, "way": Way.IN, "word": Word.MESSAGE}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [CANARY, CANARY.encode(), [CANARY], {CANARY: CANARY}, ValueError(CANARY)], ids=repr)
def test_nothing_takes_a_text_or_anything_that_could_hold_one(name: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Signal(**{**LEAST, name: value})


class Foreign(Enum):
    SAYS = CANARY


@pytest.mark.parametrize("name", NAMES)
def test_nothing_takes_a_word_of_somebody_else(name: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        Signal(**{**LEAST, name: Foreign.SAYS})


@pytest.mark.parametrize("name", ["fields", "withheld"])
def test_fields_are_names_and_not_texts(name: str) -> None:
    with pytest.raises(TypeError):
        Signal(**{**LEAST, name: frozenset({CANARY})})


def test_a_list_of_all_that_can_be_shown() -> None:
    route = Route.to(("192.0.2.7", 5269), True)
    shown = Signal(
        **LEAST,
        sender=BOB,
        recipient=ALICE,
        about=About.PRESENCE,
        route=route,
        status=200,
        size=7,
        problem=Problem.GONE,
        reason=Reason.LEVEL,
        state=State.BOTH,
        fields=frozenset({Field.NOTE}),
        withheld=frozenset({Field.PHONE_HOME}),
    ).plain()
    assert shown == {
        "wire": "xmpp",
        "side": "external",
        "way": "in",
        "word": "message",
        "about": "presence",
        "problem": "gone",
        "reason": "level",
        "state": "both",
        "from": "bob@partner.example",
        "to": "alice@corp.example",
        "route": "192.0.2.7:5269 tls",
        "status": 200,
        "size": 7,
        "fields": ["note"],
        "withheld": ["phone.home"],
    }


@given(st.text())
def test_an_id_leaves_nothing_but_a_digest(text: str) -> None:
    mark = Mark.of(text)
    assert len(mark.digest) == 8 and mark == Mark.of(text)
    if len(text) > 8:
        assert text not in repr(mark) and text not in json.dumps(Signal(**LEAST, mark=mark).plain())


@pytest.mark.parametrize("text", [CANARY, "0123abcg", "0123abcd4", ""])
def test_a_mark_holds_no_text(text: str) -> None:
    with pytest.raises(ValueError):
        Mark(text)


@given(st.text())
def test_a_word_of_a_peer_is_one_of_ours_or_other(text: str) -> None:
    assert word_of(text) in Word and (word_of(text) is Word.OTHER or word_of(text).value == text)


def test_a_route_is_an_ip_address() -> None:
    assert Route.to((CANARY, 1), True) is None and Route.to(None, True) is None
    assert str(Route.to(("2001:db8::1%eth0", 5061), False)) == "[2001:db8::1]:5061"


def test_a_party_is_a_bare_address_or_nothing() -> None:
    assert party("bob@partner.example/phone") == "bob@partner.example"
    assert party("not an address at all") is None
