"""The story that the demo tells: six short acts, and then alice's day for as long as somebody watches."""

import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Any

from attrs import define, field
from twisted.internet.task import deferLater

from gateway.demo.person import Heard, Person
from gateway.demo.stage import INSIDE, Stage
from gateway.demo.telling import Teller
from gateway.demo.witness import Disclosure, Witness
from gateway.model.address import Address
from gateway.model.presence import (
    Activity,
    Field,
    Mood,
    Place,
    PostalAddress,
    PresenceDocument,
    Show,
)

CARD = PresenceDocument(
    {
        Field.DISPLAY_NAME: "Alice Example",
        Field.EMAIL: ("alice@corp.example",),
        Field.TITLE: "Controller",
        Field.COMPANY: "Corp",
        Field.PHONE_WORK: ("+1-202-555-0101",),
        Field.PHONE_MOBILE: ("+1-202-555-0102",),
        Field.PHONE_HOME: ("+1-202-555-0103",),
        Field.ADDRESS_HOME: PostalAddress("1 Example Street", "Springfield"),
    }
)
"""What stands on alice's card at the inside server."""

DAY = (
    ("dnd", "Budget call", "working"),
    ("", "Back at my desk", "working"),
    ("away", "At lunch", "eating"),
    ("xa", "On the train home", "traveling"),
)
"""Show, note and activity of alice, in turn."""

LIVE_SECONDS = 6.0
"""How often alice's presence changes once the story is told."""


def moment(show: str, note: str, activity: str) -> PresenceDocument:
    """Gives what alice publishes at one moment of her day."""
    fields: dict[Field, Any] = {
        Field.AVAILABILITY: True,
        Field.NOTE: (("", note),),
        Field.ACTIVITY: Activity(activity),
        Field.MOOD: Mood("calm"),
        Field.LOCATION: Place({"building": "HQ", "room": "12"}),
    }
    if show:
        fields[Field.SHOW] = Show(show)
    return PresenceDocument(fields)


@define(eq=False)
class Story:
    """Plays the acts on a stage and has them told."""

    stage: Stage
    witness: Witness
    teller: Teller
    _reactor: Any
    pause: float = 0.0
    """Seconds between acts, for who reads along."""
    alice: Person = field(init=False)
    bob: Person = field(init=False)
    carol: Person = field(init=False)
    _number: int = field(init=False, default=0)
    _told: int = field(init=False, default=0)
    _later: Any = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.alice = self.stage.person("alice", INSIDE)
        self.bob = self.stage.person("bob", "partner.example")
        self.carol = self.stage.person("carol", "ally.example")
        self.alice.card = CARD

    async def tell(self) -> None:
        """Tells every act; raises StageFailed when one does not go as it should."""
        acts: tuple[Callable[[], Awaitable[None]], ...] = (
            self._subscribe,
            self._ask_for_cards,
            self._change_level,
            self._raise_to_the_ceiling,
            self._write,
            self._meet_a_stranger,
        )
        for act in acts:
            await act()
            await deferLater(self._reactor, self.pause)

    # -- acts -----------------------------------------------------------------------------------------------------

    async def _subscribe(self) -> None:
        self._act("Alice agrees that bob and carol see her presence. One publication, two views of it.")
        published = moment(*DAY[0])
        self.alice.publish(published)
        self.teller.remark('alice: do not disturb, "Budget call"; activity working, mood calm, location HQ, room 12')
        for contact in (self.bob, self.carol):
            contact.subscribe(self.alice.address)
            await self.stage.until(lambda who=contact: who.address in self.alice.requests, "a request reaches alice")
            self.alice.approve(contact.address)
            await self.stage.until(lambda who=contact: who.watching and self._sees(who), "alice's answer")
        await self._show()

    async def _ask_for_cards(self) -> None:
        self._act("Both ask for her card. The gateway answers from what each may see; alice's server is not asked.")
        for contact in (self.bob, self.carol):
            await self._ask_card(contact)

    async def _change_level(self) -> None:
        self._act("The administrator blocks bob: at once she looks offline to him, as if she had gone home.")
        await self._level(self.bob, "blocked", lambda: not self._sees(self.bob))
        await self._ask_card(self.bob)
        self._act("Bob joins her team: at once he sees more than before. Her location is locked for everybody.")
        await self._level(self.bob, "team", lambda: self._sees(self.bob))
        await self._ask_card(self.bob)

    async def _raise_to_the_ceiling(self) -> None:
        self._act("Carol gets team as well, but nobody at ally.example may see more than level company.")
        await self._level(self.carol, "team", lambda: Field.NOTE in self.carol.sees(self.alice.address))
        await self._ask_card(self.carol)

    async def _write(self) -> None:
        self._act("Messages cross both ways.")
        for writer, reader, text in (
            (self.alice, self.bob, "Can you send me the figures?"),
            (self.bob, self.alice, "They are on their way."),
        ):
            writer.say(reader.address, text)
            heard = await self._next_message(reader, text)
            self.teller.remark(f'{reader.address.local} reads from {heard.sender.bare}: "{heard.message.bodies[0][1]}"')

    async def _meet_a_stranger(self) -> None:
        self._act("eve@stranger.example writes to alice. Nobody has named her domain as a partner.")
        eve = self.stage.person("eve", "stranger.example")
        eve.say(self.alice.address, "Hello, do you know me?")
        await self.stage.until(lambda: eve.refusals, "eve is refused")
        self.teller.remark(f"refused before a single stanza was read: the stream ends with {eve.refusals[-1]}")
        self.alice.say(eve.address, "Who is there?")
        await self.stage.until(lambda: self.alice.refusals, "alice's message comes back")
        self.teller.remark(f"alice writes to her: her own server learns from the gateway: {self.alice.refusals[-1]}")

    # -- what acts are made of --------------------------------------------------------------------------------------

    def _act(self, title: str) -> None:
        self._number += 1
        self.teller.act(self._number, title)

    def _sees(self, contact: Person) -> bool:
        return contact.sees(self.alice.address).available

    async def _level(self, contact: Person, level: str, happened: Callable[[], bool]) -> None:
        began = time.monotonic()
        await self.stage.daemon.levels_set(str(self.alice.address), str(contact.address), level)
        await self.stage.until(happened, f"{contact.address} is told about level {level}")
        took = contact.views[self.alice.address].at - began
        await self._show(f"told after {max(0.0, took) * 1000:.0f} ms")

    async def _ask_card(self, contact: Person) -> None:
        told = len(self.witness.seen)
        card = await contact.ask(self.alice.address)
        found = [each for each in self.witness.seen[told:] if each.by == "answer"]
        seen = card if isinstance(card, PresenceDocument) else PresenceDocument()
        if found:
            self.teller.disclosed(found[-1], seen, "her card")
        self._told = len(self.witness.seen)

    async def _next_message(self, reader: Person, text: str) -> Heard:
        def arrived() -> list[Heard]:
            return [heard for heard in reader.inbox if heard.message.bodies == (("", text),)]

        await self.stage.until(arrived, f"a message reaches {reader.address}")
        return arrived()[-1]

    async def _show(self, note: str = "") -> None:
        """Shows the last disclosure to each contact since the last time, with the values that arrived there."""
        await self.stage.quiet()
        for disclosure in self._latest():
            self.teller.disclosed(disclosure, self._view(disclosure.to), note)

    def _latest(self) -> list[Disclosure]:
        new, self._told = self.witness.seen[self._told :], len(self.witness.seen)
        return list({each.to: each for each in new if each.by == "presence"}.values())

    def _view(self, contact: Address) -> PresenceDocument:
        return self.stage.person(contact.local, contact.domain).sees(self.alice.address)

    # -- afterwards -------------------------------------------------------------------------------------------------

    async def live(self, left: Callable[[], float]) -> None:
        """Lets alice's day go on while seconds are left."""
        for each in cycle(DAY[1:] + DAY[:1]):
            # A long demo must not remember every disclosure of its life.
            self.witness.seen.clear()
            self._told = 0
            await deferLater(self._reactor, max(0.0, min(LIVE_SECONDS, left())))
            if left() <= 0:
                return
            show, note, _ = each
            self.teller.line(f'{time.strftime("%H:%M:%S")}  alice: {show or "available"}, "{note}"')
            self.alice.publish(moment(*each))

    def show_soon(self, disclosure: Disclosure) -> None:
        """Shows what is disclosed, whatever brought it about, as soon as it has arrived with what belongs to it."""
        if self._later is None or not self._later.active():
            self._later = self._reactor.callLater(0.15, self._show_live)

    def _show_live(self) -> None:
        for disclosure in self._latest():
            self.teller.disclosed(disclosure, self._view(disclosure.to), time.strftime("at %H:%M:%S"))
