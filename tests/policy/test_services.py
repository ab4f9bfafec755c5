"""Who may be traced, may send feedback, and so on: off by default, the locked word of the stronger layer counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.precedence import Layer
from gateway.policy.services import Concerned, Scope, decided

ALICE = Concerned("alice@corp.example", frozenset({"council"}), frozenset({"partner.example"}))
NOW = 1000.0
EVERYBODY = Scope(True)
PARTNER = Scope(True, partner="partner.example")
COUNCIL = Scope(False, group="council")
HER = Scope(True, person="alice@corp.example")


@pytest.mark.parametrize(
    ("scopes", "on", "layer"),
    [
        ((), False, Layer.DEFAULT),
        ((EVERYBODY,), True, Layer.ADMINISTRATOR),
        ((PARTNER,), True, Layer.PARTNER),
        ((PARTNER, COUNCIL), False, Layer.GROUP),
        ((PARTNER, COUNCIL, HER), True, Layer.NAMED),
        ((Scope(False, True, group="council"), HER), False, Layer.GROUP),
        ((Scope(False, True), PARTNER, HER), False, Layer.ADMINISTRATOR),
        ((Scope(True, person="carol@corp.example"),), False, Layer.DEFAULT),
        ((Scope(True, partner="ally.example"),), False, Layer.DEFAULT),
        ((Scope(True, group="board"),), False, Layer.DEFAULT),
        ((HER, Scope(False, person="alice@corp.example")), False, Layer.NAMED),
        ((Scope(True, until=NOW),), False, Layer.DEFAULT),
        ((Scope(True, until=NOW + 1),), True, Layer.ADMINISTRATOR),
    ],
)
def test_who_decides(scopes: tuple[Scope, ...], on: bool, layer: Layer) -> None:
    for order in (scopes, scopes[::-1]):
        found = decided(order, ALICE, NOW)
        assert (found.value, found.layer) == (on, layer)


def test_while_groups_are_not_known_he_is_in_those_that_are_off() -> None:
    unknown = Concerned("alice@corp.example", None)
    assert not decided((EVERYBODY, COUNCIL), unknown, NOW).value
    assert not decided((Scope(True, group="council"),), unknown, NOW).value


def test_whom_a_value_is_for_is_said_by_the_narrowest_of_what_it_names() -> None:
    assert (EVERYBODY.whom, PARTNER.whom, COUNCIL.whom) == ("everybody", "partner.example", "group council")
    assert Scope(True, group="board", partner="partner.example").whom == "group board"
    assert Scope(True, person="alice@corp.example", group="board").whom == "alice@corp.example"


def test_a_value_for_one_person_is_about_nobody_else() -> None:
    assert Concerned() == Concerned("", frozenset(), frozenset())
    assert not decided((HER,), Concerned(), NOW).value


_SCOPES = st.lists(
    st.builds(
        Scope,
        st.booleans(),
        st.booleans(),
        st.sampled_from(["", "partner.example", "ally.example"]),
        st.sampled_from(["", "council", "board"]),
        st.sampled_from(["", "alice@corp.example"]),
    ),
    max_size=6,
).map(tuple)


@given(_SCOPES)
def test_nobody_below_lifts_a_lock_for_everybody(scopes: tuple[Scope, ...]) -> None:
    assert not decided((*scopes, Scope(False, True)), ALICE, NOW).value


@given(_SCOPES)
def test_it_is_off_unless_somebody_said_on(scopes: tuple[Scope, ...]) -> None:
    if decided(scopes, ALICE, NOW).value:
        assert any(scope.on and ALICE.by(scope) for scope in scopes)
