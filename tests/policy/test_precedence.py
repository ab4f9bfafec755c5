"""Which layer decides: a locked one, the strongest first; else whoever stands closest to the person."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.presence import Field
from gateway.model.publication import Origin, Publication
from gateway.policy.precedence import Effective, Layer, Setting, composed, effective

A, P, G, U = Layer.ADMINISTRATOR, Layer.PARTNER, Layer.GROUP, Layer.PERSON


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], Effective("off", Layer.DEFAULT, False)),
        ([Setting(A, 1)], Effective(1, A, False)),
        ([Setting(A, 1), Setting(U, 2)], Effective(2, U, False)),
        ([Setting(A, 1, True), Setting(U, 2)], Effective(1, A, True)),
        ([Setting(A, 1, True), Setting(P, 3, True), Setting(U, 2, True)], Effective(1, A, True)),
        ([Setting(A, 1), Setting(P, 3, True), Setting(U, 2)], Effective(3, P, True)),
        ([Setting(A, 1), Setting(P, 3), Setting(G, 4)], Effective(4, G, False)),
        ([Setting(A, False, True), Setting(U, True)], Effective(False, A, True)),
        ([Setting(A, None), Setting(P, 0)], Effective(0, P, False)),
    ],
)
def test_effective_value(settings: list[Setting], expected: Effective) -> None:
    for order in itertools.permutations(settings):
        assert effective(order, "off") == expected


_settings = st.lists(
    st.builds(Setting, st.sampled_from(list(Layer)), st.integers(), st.booleans()),
    unique_by=lambda setting: setting.layer,
)


@given(_settings)
def test_a_locked_value_of_the_administrator_cannot_be_changed_below(settings: list[Setting]) -> None:
    below = [setting for setting in settings if setting.layer is not A]
    assert effective([*below, Setting(A, "closed", True)], None) == Effective("closed", A, True)


@given(_settings)
def test_no_weaker_layer_changes_a_locked_value(settings: list[Setting]) -> None:
    locked = [setting for setting in settings if setting.locked]
    if locked:
        strongest = min(locked, key=lambda setting: setting.layer)
        assert effective(settings, None) == Effective(strongest.value, strongest.layer, True)


def said(value: str, origin: Origin, since: float) -> dict[Field, Publication]:
    return {Field.TITLE: Publication(value, origin, since)}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_of_several_origins_the_administrator_counts_then_the_person(order: tuple[int, ...]) -> None:
    everything = [
        said("directory", Origin.ADMINISTRATOR, 1.0),
        said("own", Origin.PERSON, 9.0),
        said("card", Origin.LEG, 9.0),
        said("calendar", Origin.CALENDAR, 9.0),
    ]
    for least in range(4):
        found = composed(everything[place] for place in order if place >= least)
        assert found == everything[least]


def test_of_one_origin_the_latest_counts() -> None:
    older, newer = said("old", Origin.CALENDAR, 1.0), said("new", Origin.CALENDAR, 2.0)
    assert composed([older, newer]) == composed([newer, older]) == newer


def test_of_one_origin_and_one_moment_what_is_said_first_stays() -> None:
    first, second = said("first", Origin.CALENDAR, 1.0), said("second", Origin.CALENDAR, 1.0)
    assert composed([first, second]) == first and composed([second, first]) == second


def test_origins_are_chosen_field_by_field() -> None:
    phone = {Field.PHONE_WORK: Publication(("+15550100",), Origin.LEG, 1.0)}
    assert composed([said("directory", Origin.ADMINISTRATOR, 1.0), phone]).keys() == {Field.TITLE, Field.PHONE_WORK}


def test_a_publication_does_not_show_its_value() -> None:
    assert "secret" not in repr(Publication("secret", Origin.PERSON, 1.0))
