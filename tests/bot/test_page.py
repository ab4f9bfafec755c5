"""The page for people says what the bot understands."""

import re
from pathlib import Path

import pytest

from gateway.bot.catalogue import load
from gateway.bot.reading import field_of, read
from gateway.policy.access_level import STANDARD

PAGE = (Path(__file__).parents[2] / "deploy" / "for-people.md").read_text(encoding="utf-8")
SAID = [line for line in re.findall(r"`([^`]+)`", PAGE) if "@gateway" not in line and not line.startswith("gateway ")]
ENGLISH = load()["en"]


@pytest.mark.parametrize("line", SAID)
def test_every_line_of_the_page_is_understood(line: str) -> None:
    assert read(line, ENGLISH, STANDARD).verb, line


def test_fields_that_the_page_hides_exist() -> None:
    assert all(field_of(line.removeprefix("hide "), ENGLISH) for line in SAID if line.startswith("hide "))
