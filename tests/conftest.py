"""Holds for every test: the output guard has nothing to refuse, unless the test is about that."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.guarding import OutputGuard

_places: list[str] = []
_alarm = OutputGuard._alarm


def _noted(guard: Any, place: str) -> None:
    _places.append(place)
    _alarm(guard, place)


OutputGuard._alarm = _noted  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fails a test in which the guard has refused anything, unless it is marked `guard_refuses`."""
    _places.clear()
    outcome = yield
    if _places and item.get_closest_marker("guard_refuses") is None:
        pytest.fail(f"the output guard refused: {sorted(set(_places))}")
    return outcome
