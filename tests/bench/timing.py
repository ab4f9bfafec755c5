"""Whether the time of an answer tells why there is nothing to see: blocked, offline, unknown, not allowed.

    python -m tests.bench.timing [--samples 10000] [--no-slots]

Each question is asked of people of the four classes in random order, over XMPP and SIP, in one process. What is timed
is the work from a question to the bytes of its answer, by the real code; it is then rounded up to the end of the slot
at which the legs let answers go (gateway/transport/slots.py), the question having come at a random moment of one. For
each pair of classes the AUC says how well that time tells them apart: 0.5 is not at all. Exit status 1: some answer
differs in its bytes, or some AUC is above 0.52.
"""

import argparse
import gc
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from random import Random

from attrs import define, field

from gateway.model.address import Address
from gateway.model.envelope import Envelope, Query, QueryKind, Side
from gateway.model.subscription import Ask, State, Subscription
from gateway.policy.access_level import Assignment, Member
from gateway.policy.walls import Right
from gateway.protocols.xmpp.stanzas.queries import question_of
from gateway.transport.slots import SLOT_SECONDS, next_slot
from tests.properties.world import BOB, DAN, World
from tests.protocols.sip.talk import request

CLASSES = ("blocked", "offline", "unknown", "not allowed")
EACH = 50
"""People of each class."""
MOST = 0.52


def auc(one: Sequence[float], other: Sequence[float]) -> float:
    """Gives the chance that a sample of one is below one of the other, equal ones counted half; never below 0.5."""
    ordered = sorted(other)
    wins = sum(len(ordered) - (bisect_left(ordered, each) + bisect_right(ordered, each)) / 2 for each in one)
    share = wins / (len(one) * len(other))
    return max(share, 1 - share)


@define
class Asker:
    """Asks about people of each class and takes the time."""

    random: Random
    world: World = field(init=False)
    people: dict[str, list[Address]] = field(init=False)
    number: int = 0

    def __attrs_post_init__(self) -> None:
        self.world = World(ledger=False)
        self.people = {name: [Address.parse(f"{name[0]}{n:03}@corp.example") for n in range(EACH)] for name in CLASSES}
        barred = frozenset(str(one) for one in self.people["not allowed"])
        for contact in (BOB, DAN):
            for people in self.people.values():
                for person in people:
                    self.world.states.set(person, contact, State.FROM)
            for person in self.people["blocked"]:
                self.world.assignments.set(Assignment(str(person), Member.parse(str(contact)), "blocked"))
        self.world.change_rules(right=Right(barred=barred))

    def sample(self, ask: Callable[["Asker", Address], None], name: str) -> tuple[float, str]:
        """Asks about somebody; gives the seconds until the answer was written, and the answer without the address."""
        person = self.random.choice(self.people[name])
        heard = self.world.heard.said
        heard.clear()
        self.world.heard._names.clear()
        begin = time.perf_counter()
        ask(self, person)
        self.world.sip.turn()
        seconds = time.perf_counter() - begin
        text = "".join(one.text for said in heard.values() for one in said)
        token = self.world.pairs.of(person, BOB).token
        self.world.inside.taken()
        return seconds, text.replace(person, "somebody").replace(token, "token").replace(f"{self.number:08}", "call")

    def send(self, method: str, person: Address, body: bytes, **fields: str) -> None:
        """Lets dan's server send a request."""
        self.number += 1
        call = f"{self.number:08}"
        made = request(
            method,
            f"sip:{person}",
            body,
            Call_ID=call,
            Via=f"SIP/2.0/TLS sip.wave.example:5061;branch=z9hG4bK{call}",
            From=f"<sip:{DAN}>;tag={call}",
            To=f"<sip:{person}>",
            Contact="<sip:sip.wave.example:5061;transport=tls>",
            **fields,
        )
        self.world.sip.hear(DAN.domain, made)


def _query(kind: QueryKind) -> Callable[[Asker, Address], None]:
    query = Query(kind, "q", question_of(kind))
    return lambda asker, person: asker.world.house.receive(Envelope(BOB.at("x"), person, query, Side.EXTERNAL))


def _probe(asker: Asker, person: Address) -> None:
    asker.world.house.receive(Envelope(BOB, person, Subscription(Ask.PROBE), Side.EXTERNAL))


def _subscribe(asker: Asker, person: Address) -> None:
    asker.world.house.receive(Envelope(BOB, person, Subscription(Ask.SUBSCRIBE, "s"), Side.EXTERNAL))


QUESTIONS: dict[str, Callable[[Asker, Address], None]] = {
    "xmpp vCard": _query(QueryKind.CARD),
    "xmpp disco": _query(QueryKind.CAPABILITIES),
    "xmpp last activity": _query(QueryKind.LAST_ACTIVITY),
    "xmpp time": _query(QueryKind.TIME),
    "xmpp probe": _probe,
    "xmpp subscribe": _subscribe,
    "sip fetch": lambda asker, person: asker.send("SUBSCRIBE", person, b"", Event="presence", Expires="0"),
    "sip message": lambda asker, person: asker.send("MESSAGE", person, b"hello", Content_Type="text/plain"),
}


def measured(question: str, samples: int, slots: bool, random: Random) -> Iterator[tuple[str, str, float, bool]]:
    """Gives for each pair of classes the AUC, and whether the answers were the same bytes."""
    asker, ask = Asker(random), QUESTIONS[question]
    times: dict[str, list[float]] = {name: [] for name in CLASSES}
    said: dict[str, set[str]] = {name: set() for name in CLASSES}
    gc.disable()
    for turn in range(samples + EACH * 4):
        for name in random.sample(CLASSES, len(CLASSES)):
            seconds, text = asker.sample(ask, name)
            if turn < EACH * 4:
                continue
            arrived = random.random() * SLOT_SECONDS
            times[name].append(next_slot(arrived + seconds) - arrived if slots else seconds)
            said[name].add(text)
    gc.enable()
    for one, other in combinations(CLASSES, 2):
        yield one, other, auc(times[one], times[other]), said[one] == said[other]


def main() -> int:
    """Runs the command."""
    reader = argparse.ArgumentParser(prog="python -m tests.bench.timing", description=__doc__)
    reader.add_argument("--samples", type=int, default=10_000)
    reader.add_argument("--no-slots", action="store_true", help="time the work itself, which is not seen on the wire")
    given = reader.parse_args()
    bad = False
    for question in QUESTIONS:
        found = list(measured(question, given.samples, not given.no_slots, Random(0)))
        worst = max(found, key=lambda each: each[2])
        same = all(each[3] for each in found)
        bad = bad or worst[2] > MOST or not same
        bytes_are = "the same bytes" if same else "OTHER BYTES"
        sys.stdout.write(f"{question:20} AUC at most {worst[2]:.3f} ({worst[0]}, {worst[1]}), {bytes_are}\n")
        sys.stdout.flush()
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
