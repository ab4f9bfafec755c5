"""Sealed classes: equal by value, closed to new attributes, and never assigned to, as the type checker sees."""

from pathlib import Path

import pytest
from mypy import api

from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument

POINT = """
from gateway.model.sealed import sealed
@sealed
class Point:
    x: int
"""


def test_they_compare_and_hash_by_value_and_take_no_other_attribute() -> None:
    here = PresenceDocument({Field.AVAILABILITY: True})
    assert Presence(here) == Presence(here) != Presence(OFFLINE)
    assert len({Presence(here), Presence(here), Presence(OFFLINE)}) == 2
    with pytest.raises(AttributeError):
        Presence(here).note = "x"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("used", "refused"), [("Point(1).x = 2", True), ("y: int = Point(1).x", False)])
def test_the_type_checker_refuses_an_assignment(tmp_path: Path, used: str, refused: bool) -> None:
    code = tmp_path / "point.py"
    code.write_text(POINT + used + "\n")
    told, problems, status = api.run(["--strict", "--config-file=", f"--cache-dir={tmp_path}", str(code)])
    assert (status, "read-only" in told) == (int(refused), refused), told + problems
