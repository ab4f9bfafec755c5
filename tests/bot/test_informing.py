"""Feedback and the privacy statement by way of the bot, in each language."""

from collections.abc import Mapping
from typing import Any

import pytest
import pytest_twisted

from gateway.bot.catalogue import load
from gateway.bot.dialogue import Dialogue
from gateway.commands import execute
from gateway.model.address import Address
from tests.commands.house import House

ALICE = Address.parse("alice@corp.example/desk")


def talk(house: House, language: str) -> Dialogue:
    async def ask(words: str, arguments: Mapping[str, Any]) -> Any:
        return await execute(house, words.split(), arguments, ALICE)  # type: ignore[arg-type]

    return Dialogue(ask, lambda: 0.0, "corp.example", lambda: ["blocked", "public"], load(), language)


@pytest.mark.parametrize(
    ("language", "verb", "yes"), [("en", "feedback", "yes"), ("de", "rückmeldung", "ja"), ("fr", "avis", "oui")]
)
@pytest_twisted.ensureDeferred
async def test_feedback_is_shown_and_goes_after_a_yes(language: str, verb: str, yes: str) -> None:
    house = House()
    bot = talk(house, language)
    shown = await bot.reply(f"{verb} it is slow")
    assert "it is slow" in shown and "alice@corp.example" in shown and "it@corp.example" in shown
    assert house.asked == [("feedback", "it is slow", "alice@corp.example", None)]
    assert "it@corp.example" in await bot.reply(yes)
    assert house.asked[-1] == ("feedback", "it is slow", "alice@corp.example", "yes")


@pytest.mark.parametrize(("language", "verb"), [("en", "privacy"), ("de", "datenschutz"), ("fr", "confidentialité")])
@pytest_twisted.ensureDeferred
async def test_the_statement_is_about_who_asks(language: str, verb: str) -> None:
    house = House()
    bot = talk(house, language)
    assert await bot.reply(verb) == "# Privacy"
    await bot.reply(f"{verb} since 3")
    assert house.asked == [
        ("privacy_statement", "alice@corp.example", None, "text", language),
        ("privacy_statement", "alice@corp.example", "3", "text", language),
    ]
