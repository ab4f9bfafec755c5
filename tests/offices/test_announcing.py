"""Telling people what concerns them: a few a second, the newest word only, again later for who has heard enough."""

from typing import Any

from gateway.model.address import Address
from gateway.offices.announcing import AGAIN_SECONDS, PACE, Announcer

PEOPLE = [Address.parse(f"person{number}@corp.example") for number in range(25)]


class Bot:
    """Tells everybody but those who have heard enough."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Any]] = []
        self.full: set[str] = set()
        self.now = 0.0
        self.announcer = Announcer(lambda: self.now, self.tell)

    def tell(self, person: Address, sentence: str, **parts: Any) -> bool:
        if person in self.full:
            return False
        self.told.append((str(person), sentence, parts))
        return True


def test_a_few_a_second_until_all_are_told() -> None:
    bot = Bot()
    assert bot.announcer.announce(PEOPLE, "statement_changed", count=1) == 25
    for expected in (PACE, 2 * PACE, 25, 25):
        bot.announcer.tick()
        assert len(bot.told) == expected


def test_a_newer_word_overtakes_one_that_waits() -> None:
    bot = Bot()
    bot.announcer.announce(PEOPLE[:1], "statement_changed", count=1)
    bot.announcer.announce(PEOPLE[:1], "statement_changed", count=2)
    bot.announcer.tick()
    assert [parts for _, _, parts in bot.told] == [{"count": 2}]


def test_who_has_heard_enough_is_told_later_and_holds_nobody_up() -> None:
    bot = Bot()
    bot.full = set(PEOPLE[:15])
    bot.announcer.announce(PEOPLE, "trace_begun", until="x")
    for _ in range(3):
        bot.announcer.tick()
    assert len(bot.told) == 10 and len(bot.announcer) == 15
    bot.full.clear()
    bot.now = AGAIN_SECONDS
    for _ in range(2):
        bot.announcer.tick()
    assert len(bot.told) == 25


def test_without_a_bot_nobody_waits() -> None:
    announcer = Announcer(lambda: 0.0)
    assert announcer.announce(PEOPLE, "trace_begun") == 0 and len(announcer) == 0
    announcer.tick()
