"""Plays a dialogue: reads its sentences one by one, does what they say, and holds what they claim against the wire."""

import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from gateway.demo.person import Heard, Person
from gateway.demo.stage import CAST, Policy, Stage, StageFailed
from gateway.errors import GatewayError
from gateway.model.address import Address
from gateway.model.presence import Field

HOMES = {name: domain for domain, people in CAST.items() for name in people} | {"dora": "corp.example"}
PARTS = {
    "person": r"[a-z]+(?:@[a-z.]+)?",
    "other": r"[a-z]+(?:@[a-z.]+)?",
    "who": r"[a-z*.@]+",
    "domain": r"[a-z.]+",
    "level": r"[a-z]+",
    "word": r"[a-z-]+",
    "text": r'"[^"]*"',
    "list": r".+",
}
"""What may stand in each place of a sentence."""
ITEM = re.compile(r'\s*([a-z_.-]+)(?:\s+("[^"]*"|[^",]+?))?\s*(?:,|$)')


class Untrue(Exception):
    """A sentence cannot be understood, or what it claims is not so; the text begins with file and line."""


@frozen
class Item:
    """Is one element of a list: a word, and the value behind it if there is one."""

    word: str
    value: str = ""

    @property
    def field(self) -> Field:
        """Gives the field of that name; raises Untrue when there is none."""
        try:
            return Field(self.word)
        except ValueError:
            raise Untrue(f"there is no field {self.word}") from None


@frozen
class Sentence:
    """Is one form of sentence and what it does."""

    form: str
    pattern: re.Pattern[str]
    act: Callable[..., Awaitable[None]]
    setting: bool
    """Whether it changes gateway.toml: before the first other sentence it is there from the start."""


SENTENCES: list[Sentence] = []


def sentence(form: str, setting: bool = False) -> Callable[[Any], Any]:
    """Registers a coroutine function as what a form of sentence does; {words} in the form become its arguments."""
    pattern = re.sub(r"\\\{([a-z]+)\\\}", lambda found: f"(?P<{found[1]}>{PARTS[found[1]]})", re.escape(form))

    def register(act: Any) -> Any:
        SENTENCES.append(Sentence(form, re.compile(pattern.replace(r"\ ", r"\s+")), act, setting))
        return act

    return register


@define(eq=False)
class Play:
    """Is one dialogue that is being played; the gateway starts with the first sentence that is not about its rules."""

    path: Path
    folder: Path
    reactor: Any
    policy: Policy = field(factory=lambda: Policy(default_level="blocked"))
    patience: float = 2.0
    """Seconds in which a claim may become true."""
    stage: Stage | None = None
    unread: dict[tuple[str, str], list[Heard]] = field(factory=dict)
    """What has come for (reader, writer) and was not looked at by a sentence yet."""
    last: dict[tuple[str, str], Heard] = field(factory=dict)
    """What (reader, writer) was last read."""

    async def run(self) -> None:
        """Plays every sentence; raises Untrue at the first that fails."""
        try:
            for number, line in read(self.path):
                await self._say(number, line)
            if self.stage is None:
                raise Untrue(f"{self.path.name}: nothing happens in it")
        finally:
            if self.stage is not None:
                await self.stage.stop()
                await self.stage.quiet()
                self.stage.close()

    async def _say(self, number: int, line: str) -> None:
        place = f"{self.path.name}:{number}: {line}"
        try:
            known, parts = understood(line)
            if not known.setting and self.stage is None:
                await self._open()
            await known.act(self, **{name: self._part(name, text) for name, text in parts.items()})
            if known.setting and self.stage is not None:
                self.stage.write_config()
                self.stage.daemon.reload()
        except (Untrue, StageFailed, GatewayError) as problem:
            raise Untrue(f"{place}\n  {problem}") from None

    async def _open(self) -> None:
        self.stage = Stage(self.folder, self.policy, self.reactor)
        self.stage.open()
        await self.stage.start()

    def _part(self, name: str, text: str) -> Any:
        if name in ("person", "other"):
            return self._person(text)
        if name == "text":
            return text[1:-1]
        return items(text) if name == "list" else text

    def _person(self, text: str) -> Person:
        local, _, domain = text.partition("@")
        domain = domain or HOMES.get(local, "")
        if self.stage is None or domain not in CAST:
            raise Untrue(f"nobody knows {text}")
        if local == "nobody":
            return Person(Address.of(local, domain), lambda *_: None)
        return self.stage.person(local, domain)

    @property
    def on_stage(self) -> Stage:
        """Gives the stage of a sentence that needs one."""
        if self.stage is None:
            raise Untrue("the gateway does not run yet")
        return self.stage

    async def becomes(self, true: Callable[[], object], otherwise: Callable[[], str]) -> None:
        """Waits until all is quiet, and a little for something to be true; raises Untrue when it is not."""
        await self.on_stage.quiet()
        try:
            await self.on_stage.until(true, "", self.patience)
        except StageFailed:
            raise Untrue(otherwise()) from None

    async def stays(self, true: Callable[[], object], otherwise: Callable[[], str]) -> None:
        """Waits until all is quiet, and raises Untrue when something is not true then."""
        await self.on_stage.quiet()
        await deferLater(self.reactor, 0.05)
        await self.on_stage.quiet()
        if not true():
            raise Untrue(otherwise())

    async def answer(self, asked: "Deferred[Any]") -> Any:
        """Waits for an answer; raises Untrue when there is none in time."""
        got: list[Any] = []
        asked.addCallback(got.append)
        await self.becomes(lambda: got, lambda: "no answer came")
        return got[0]

    def collect(self, reader: Person) -> None:
        """Sorts what has come for somebody by who wrote it."""
        for heard in reader.inbox:
            self.unread.setdefault((reader.address, heard.sender.bare), []).append(heard)
        reader.inbox.clear()

    def take(self, reader: Person, writer: Person, wanted: Callable[[Heard], object]) -> bool:
        """Takes the first message that is wanted out of what is unread."""
        self.collect(reader)
        place = (reader.address, writer.address.bare)
        waiting = self.unread.get(place, [])
        found = next((heard for heard in waiting if wanted(heard)), None)
        if found is None:
            return False
        waiting.remove(found)
        self.last[place] = found
        return True


def read(path: Path) -> Iterator[tuple[int, str]]:
    """Gives the sentences of a file with their line numbers; a line that begins with # is a remark."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, text


def understood(line: str) -> tuple[Sentence, dict[str, str]]:
    """Finds the form of a sentence; raises Untrue when there is none."""
    for known in SENTENCES:
        found = known.pattern.fullmatch(line)
        if found is not None:
            return known, found.groupdict()
    raise Untrue("no sentence has this form; tests/scenarios/README.md shows those that there are")


def items(text: str) -> list[Item]:
    """Reads a list: words, each with a value or without, between commas."""
    found, place = [], 0
    while place < len(text):
        item = ITEM.match(text, place)
        if item is None:
            raise Untrue(f"cannot read {text[place:]!r} as part of a list")
        found.append(Item(item[1], (item[2] or "").strip('"')))
        place = item.end()
    return found
