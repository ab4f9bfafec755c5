"""Which layer decides: a locked one, the strongest first; else whoever stands closest to the person."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.precedence import Effective, Layer, Setting, effective

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
