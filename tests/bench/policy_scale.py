"""What a decision costs with few and with very many stored contacts, and what withdrawing from all watchers costs.

`python -m tests.bench.policy_scale`: about a minute; microseconds and seconds of CPU of this process.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from twisted.internet import reactor

from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import State
from gateway.policy.access_level import Assignment, Member, MemberKind
from gateway.policy.authorization import authorize
from gateway.store.contacts import AssignmentStore
from gateway.store.database import Database
from tests.stage import ALICE, Stage

DOCUMENT = PresenceDocument(
    {Field.AVAILABILITY: True, Field.NOTE: (("", "busy"),), Field.TITLE: "Dr", Field.PHONE_MOBILE: ("+12025550143",)}
)
WATCHERS = 10_000


def stored(count: int, folder: Path) -> AssignmentStore:
    """Gives a store with so many assignments of many people, a hundred contacts each, and ten thousand of alice's."""
    store = AssignmentStore(Database(folder / f"{count}.db", reactor))
    for number in range(count):
        owner = str(ALICE) if number < WATCHERS else f"p{number // 100}@corp.example"
        member = Member(MemberKind.CONTACT, f"c{number}@partner.example")
        store._keep(Assignment(owner, member, "team"))
    return store


def decisions(count: int, folder: Path) -> tuple[float, float]:
    """Gives the median microseconds of a decision with warm facts, and of looking facts up anew."""
    stage = Stage()
    stage.assignments = stored(count, folder)
    stage.pairs._assignments = stage.assignments
    contacts = [Address.parse(f"c{number}@partner.example") for number in range(min(count, 2000))]
    pairs = [stage.pairs.of(ALICE, contact) for contact in contacts]
    envelopes = [Envelope(pair.alias, pair.contact, Presence(DOCUMENT), Side.INTERNAL) for pair in pairs]
    warm, anew = [], []
    for _ in range(5):
        begun = time.process_time_ns()
        for envelope, pair in zip(envelopes, pairs, strict=True):
            authorize(envelope, pair.facts, pair.permission)
        warm.append((time.process_time_ns() - begun) / len(pairs) / 1000)
        begun = time.process_time_ns()
        for pair in pairs:
            stage.pairs.refresh(pair)
        anew.append((time.process_time_ns() - begun) / len(pairs) / 1000)
    return statistics.median(warm), statistics.median(anew)


def withdrawal() -> float:
    """Gives the seconds of CPU after which ten thousand watchers of one person have been told that he is gone."""
    stage = Stage(level="team")
    for number in range(WATCHERS):
        contact = Address.parse(f"c{number}@partner.example")
        stage.befriend(contact, State.BOTH)
        stage.online(contact, note=(("", "busy"),))
    stage.outside.taken()
    stage.assignments.set(Assignment(str(ALICE), Member(MemberKind.EVERYONE), "blocked"))
    begun = time.process_time()
    stage.house.facts_changed(stage.pairs.of_person(ALICE))
    spent = time.process_time() - begun
    told = stage.outside.taken()
    assert len(told) == WATCHERS and not any(envelope.content.document.available for envelope in told)
    return spent


def main() -> int:
    """Prints the figures; status 1 when a target is missed."""
    with tempfile.TemporaryDirectory() as folder:
        few = decisions(1_000, Path(folder))
        many = decisions(1_000_000, Path(folder))
    gone = withdrawal()
    lines = [
        f"decision, warm facts: {few[0]:.1f} us at 1,000 contacts, {many[0]:.1f} us at 1,000,000 (target 15)",
        f"facts looked up anew: {few[1]:.1f} us at 1,000 contacts, {many[1]:.1f} us at 1,000,000",
        f"withdrawn from {WATCHERS} watchers: {gone:.2f} s of CPU (target 2)",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(many[0] > 15 or many[1] > 3 * few[1] or gone > 2)


if __name__ == "__main__":
    sys.exit(main())
