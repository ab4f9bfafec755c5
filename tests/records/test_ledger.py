"""The ledger as a tap: what leaves is on the disk before, and what cannot be written does not leave."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from gateway.errors import LedgerError, StoreError
from gateway.metrics import Metrics
from gateway.model.chain import START, Anchor, Verified, verify
from gateway.model.disclosure import Kind, Note
from gateway.model.envelope import Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import ChatState, EncryptedPayload, Message
from gateway.model.presence import OFFLINE, Activity, Field, Mood, Photo, Place, PostalAddress, PresenceDocument
from gateway.model.subscription import Ask
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.records import ledger as ledger_module
from gateway.records.journal import MOST_WAITING, STALL_SECONDS
from gateway.records.ledger import Ledger, LedgerRules
from gateway.store.ledger import LedgerStore, Search, anchors, lines, search
from tests.stage import ALICE, BOB, CAROL, DESK, TABLET, Stage, ask, away, documents, here

NOTE = (("", "in a meeting"),)
HELLO = Message(id="m1", bodies=NOTE)
SENT = Envelope(ALICE, BOB, here(note=NOTE), Side.INTERNAL)
SEEN = Verdict(Decision.DELIVER, Reason.ALLOWED, "team", SENT.content, sent=frozenset({Field.AVAILABILITY}))
DAY = 86_400.0


@define
class Kept:
    """Is a ledger on a disk, and a stage whose house records in it."""

    path: Path
    store: LedgerStore
    ledger: Ledger
    stage: Stage

    async def until(self, done: Callable[[], object]) -> None:
        """Waits until something is so, a few seconds at most."""
        end = time.monotonic() + 10
        while not done():
            assert time.monotonic() < end, "it does not come"
            await deferLater(reactor, 0.01)

    async def quiet(self) -> None:
        """Waits until nothing waits for the disk."""
        await self.until(lambda: self.ledger.journal.newest is None)

    def verified(self) -> Verified:
        return verify(lines(self.path), anchors(self.path))

    def found(self, **wanted: Any) -> list[dict[str, Any]]:
        return search(self.path, Search(**wanted), 1000)


YEAR = LedgerRules(365)


def kept_in(folder: Path, rules: LedgerRules = YEAR) -> Kept:
    """Opens a ledger in a folder."""
    path = folder / "ledger.db"
    store = LedgerStore(path, reactor)
    metrics = Metrics()
    ledger = Ledger(store, rules, metrics, reactor, time.time)
    stage = Stage(taps=[ledger])
    stage.befriend()
    stage.level("team")
    ledger.attach(lambda envelope: stage.house.relay.pair_of(envelope).facts, lambda: stage.pairs.epoch)
    return Kept(path, store, ledger, stage)


@pytest_twisted.async_yield_fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    opened = kept_in(tmp_path)
    yield opened
    await opened.ledger.close()


@pytest_twisted.ensureDeferred
async def test_presence_is_on_the_disk_before_it_leaves(kept: Kept) -> None:
    assert kept.stage.online(note=NOTE, mood=Mood("happy")) == []
    await kept.until(lambda: kept.stage.outside.out)
    (entry,) = kept.found()
    assert entry == {
        "seq": 1,
        "at": entry["at"],
        "seal": entry["seal"],
        "kind": "presence",
        "outcome": "sent",
        "rule": "allowed",
        "level": "team",
        "by": "person contact",
        "policy": f"1.{kept.stage.pairs.epoch}",
        "partner": "partner.example",
        "protocol": "xmpp",
        "sent": ["availability", "note"],
        "withheld": {"mood": "level"},
        "what": "",
        "size": 0,
        "about": "alice@corp.example",
        "to": "bob@partner.example",
    }
    assert abs(entry["at"] / 1000 - time.time()) < 10
    assert documents(kept.stage.outside.taken()) == [here(note=NOTE).document]


@pytest_twisted.ensureDeferred
async def test_everything_that_leaves_has_its_entry(kept: Kept) -> None:
    stage = kept.stage
    stage.inside.cards[ALICE] = PresenceDocument({Field.EMAIL: ("alice@corp.example",)})
    stage.online(note=NOTE)
    stage.from_inside(DESK, BOB, HELLO)
    stage.from_inside(DESK, BOB, Message(id="m2", chat_state=ChatState.COMPOSING))
    stage.from_outside(TABLET, ALICE, Query(QueryKind.CARD, "q1"))
    stage.from_inside(DESK, BOB, Query(QueryKind.CARD, "q2"))
    stage.from_inside(ALICE, CAROL, ask(Ask.SUBSCRIBE))
    stage.from_inside(DESK, TABLET, Bounce("message", "m9", Problem.GONE))
    await kept.quiet()
    assert len(stage.outside.taken()) == 7
    assert documents(stage.from_inside(DESK, BOB, away())) == [OFFLINE]
    await kept.quiet()
    shapes = {(entry["kind"], entry["what"], entry["outcome"], entry["size"]) for entry in kept.found()}
    assert shapes >= {
        ("presence", "", "sent", 0),
        ("presence", "", "empty", 0),
        ("message", "normal", "sent", len("in a meeting")),
        ("message", "typing", "sent", 0),
        ("answer", "card", "sent", 0),
        ("query", "card", "sent", 0),
        ("subscription", "subscribe", "sent", 0),
        ("bounce", "", "sent", 0),
    }
    assert kept.verified().entries == len(kept.found())


@pytest_twisted.ensureDeferred
async def test_what_is_refused_is_recorded_with_its_rule_and_what_comes_in_is_not(kept: Kept) -> None:
    kept.stage.level("blocked")
    kept.stage.from_inside(DESK, BOB, HELLO)
    kept.stage.from_outside(TABLET, ALICE, HELLO)
    await kept.quiet()
    assert [(entry["kind"], entry["outcome"], entry["rule"]) for entry in kept.found(about=str(ALICE))][-1] == (
        "message",
        "refused",
        "blocked",
    )
    assert not kept.found(about=str(BOB))


CANARY = "canary7f3a"
VALUES: dict[str, Any] = {
    "note": (("", CANARY),),
    "activity": Activity("working", "meeting", CANARY),
    "mood": Mood("happy", CANARY),
    "display_name": CANARY,
    "email": (CANARY,),
    "title": CANARY,
    "phone_mobile": (CANARY,),
    "phone_home": (CANARY,),
    "address_home": PostalAddress(CANARY),
    "photo": Photo("image/png", CANARY.encode(), CANARY),
    "location": Place({"room": CANARY}),
    "device": CANARY,
}


@pytest_twisted.ensureDeferred
async def test_no_value_and_no_text_is_ever_in_the_file(kept: Kept) -> None:
    stage, told = kept.stage, list[Any]()
    for level in ("personal", "public"):
        stage.level(level)
        stage.online(**VALUES)
        await kept.quiet()
        told += [document.get(Field.NOTE) for document in documents(stage.outside.taken())]
        stage.house.published(ALICE, {Field.NOTE: ((("", CANARY),)), Field.MOOD: Mood("sad", CANARY)})
        stage.from_inside(DESK, BOB, Message(id=CANARY, bodies=(("", CANARY),), thread=CANARY))
        stage.from_inside(DESK, BOB, Message(id=CANARY, encrypted=(EncryptedPayload(CANARY, CANARY),)))
        stage.from_inside(DESK, TABLET, Bounce("message", CANARY, Problem.GONE, CANARY))
        stage.from_outside(TABLET, ALICE, Query(QueryKind.CARD, CANARY))
        await kept.quiet()
    assert VALUES["note"] in told, "the canaries were really there"
    assert len(kept.found()) >= 8
    for file in kept.path.parent.iterdir():
        assert CANARY.encode() not in file.read_bytes(), file


@pytest_twisted.ensureDeferred
async def test_while_another_process_locks_the_file_nothing_leaves_and_then_it_does(kept: Kept) -> None:
    other = sqlite3.connect(kept.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    kept.stage.online(note=NOTE)
    kept.stage.from_inside(DESK, BOB, HELLO)
    await deferLater(reactor, 0.3)
    assert kept.stage.outside.out == []
    other.execute("ROLLBACK")
    other.close()
    await kept.until(lambda: len(kept.stage.outside.out) == 2)
    assert len(kept.found()) == 2


@pytest_twisted.ensureDeferred
async def test_on_a_full_disk_nothing_leaves_and_with_room_it_heals(kept: Kept) -> None:
    """SQLite's own bound on pages gives the error that a full disk gives."""
    stage = kept.stage
    stage.online(note=NOTE)
    await kept.until(lambda: stage.outside.out)
    stage.outside.taken()
    kept.store._database.write("PRAGMA max_page_count = 1")
    number = 0
    while kept.ledger.check() is None:
        number += 1
        assert number < 1000
        stage.house.receive(Envelope(DESK, BOB, Message(id=f"m{number}", bodies=NOTE), Side.INTERNAL))
        await kept.quiet()
    left, refused = stage.outside.taken(), stage.inside.taken()
    assert [one.content for one in refused] == [Bounce("message", f"m{number}", Problem.RESOURCE_CONSTRAINT)]
    assert len(left) == number - 1, "each that was written has left"

    assert stage.online(note=(("", "other"),)) != [] and stage.pairs.of(ALICE, BOB).last == OFFLINE
    stage.from_inside(DESK, BOB, HELLO)
    assert isinstance(stage.inside.taken()[-1].content, Bounce)
    assert "full" in str(kept.ledger.check())
    kept.ledger.tick()
    stage.house.tick()
    assert stage.outside.taken() == []

    kept.store._database.write("PRAGMA max_page_count = 100000")
    await kept.until(lambda: kept.ledger.tick() or kept.ledger.check() is None)
    stage.house.tick()
    await kept.until(lambda: stage.outside.out)
    assert documents(stage.outside.taken()) == [here(note=(("", "other"),)).document]
    await kept.quiet()
    assert kept.verified().entries == number + 2, "number - 1 messages, two presences, and that it goes on"


@pytest_twisted.ensureDeferred
async def test_a_file_that_may_not_be_written_lets_nothing_leave(kept: Kept) -> None:
    kept.store._database.write("PRAGMA query_only = ON")
    kept.stage.online(note=NOTE)
    await kept.until(kept.ledger.check)
    assert "readonly" in str(kept.ledger.check())
    assert kept.stage.outside.out == []
    assert kept.stage.online(note=(("", "x"),)) == []


@pytest_twisted.ensureDeferred
async def test_a_file_that_is_gone_lets_nothing_leave(kept: Kept) -> None:
    kept.path.rename(kept.path.with_name("taken"))
    kept.ledger.tick()
    assert kept.stage.online(note=NOTE) == []
    await kept.quiet()
    assert kept.stage.outside.out == []
    assert kept.ledger._metrics.ledger_up().value == 0
    kept.path.with_name("taken").rename(kept.path)
    kept.ledger.tick()
    assert kept.ledger.check() is None and kept.ledger._metrics.ledger_up().value == 1


@pytest_twisted.ensureDeferred
async def test_what_is_too_old_is_removed_and_the_chain_says_so(tmp_path: Path) -> None:
    kept = kept_in(tmp_path, LedgerRules(retention_days=30))
    now = time.time()
    kept.ledger._now = lambda: now - 40 * DAY
    for _ in range(5):
        kept.ledger.record(SENT, SEEN)
    await kept.quiet()
    old = kept.verified().head
    kept.ledger._now = lambda: now
    kept.ledger.record(SENT, SEEN)
    await kept.quiet()
    assert kept.ledger.prune() is not None
    assert kept.ledger.prune() is None, "one removal at a time"
    await kept.quiet()
    found = kept.verified()
    assert (found.start, found.entries) == (old, 2)
    assert kept.ledger.prune() is None
    assert [entry["kind"] for entry in kept.found()] == ["presence", "prune"]
    kept.ledger.record(SENT, SEEN)
    await kept.quiet()
    assert verify(lines(kept.path), [old, found.head]).entries == 3
    await kept.ledger.close()


@pytest_twisted.ensureDeferred
async def test_an_erased_person_is_nowhere_in_the_file_and_the_chain_is_whole(tmp_path: Path) -> None:
    kept = kept_in(tmp_path, LedgerRules(365, hold_days=10))
    now = time.time()
    kept.ledger._now = lambda: now - 20 * DAY
    for contact in (BOB, CAROL, BOB):
        kept.ledger.record(Envelope(ALICE, contact, SENT.content, Side.INTERNAL), SEEN)
    await kept.quiet()
    kept.ledger._now = lambda: now
    kept.ledger.record(SENT, SEEN)
    await kept.quiet()
    promises, erased, held = kept.ledger.erase(str(BOB))
    await kept.quiet()
    assert [promise.kept for promise in promises] == [True] and (erased, held) == (2, 1)
    assert kept.verified().erased == 2
    assert [(entry["to"], entry["seal"] != "") for entry in kept.found()] == [
        (None, True),
        ("carol@ally.example", True),
        (None, True),
        ("bob@partner.example", True),
        (None, False),
    ]
    kept.ledger.rules = LedgerRules(365)
    kept.ledger.erase(str(BOB))
    await kept.ledger.close()
    assert b"bob@" not in kept.path.read_bytes()
    assert kept.verified().erased == 3


@pytest_twisted.ensureDeferred
async def test_many_scattered_entries_are_erased(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "RANGES", 3)
    for place in range(20):
        contact = BOB if place % 2 else CAROL
        kept.ledger.record(Envelope(ALICE, contact, SENT.content, Side.INTERNAL), SEEN)
    await kept.quiet()
    promises, erased, _ = kept.ledger.erase(str(BOB))
    assert (len(promises), erased) == (4, 10)
    await kept.quiet()
    assert kept.verified().erased == 10 and not kept.found(to=str(BOB)) and len(kept.found(to=str(CAROL))) == 10


@pytest_twisted.ensureDeferred
async def test_a_ledger_goes_on_where_it_ended(tmp_path: Path) -> None:
    first = kept_in(tmp_path)
    first.ledger.begin({"config": "a"})
    first.ledger.record(SENT, SEEN)
    await first.ledger.close()
    again = kept_in(tmp_path)
    again.ledger.begin({"config": "b"})
    again.ledger.record(SENT, SEEN)
    await again.quiet()
    again.ledger.begin({"config": "c"})
    await again.quiet()
    again.ledger.record(SENT, SEEN)
    await again.ledger.close()
    policies = [entry["policy"].split(".")[0] for entry in again.found() if entry["kind"] == "presence"]
    assert policies == ["1", "3", "5"], "the entry that names the configuration"
    assert again.verified().head.seq == 6
    assert [anchor.seq for anchor in anchors(again.path)] == [2, 6]


@pytest_twisted.ensureDeferred
async def test_what_waits_when_it_is_closed_is_written(tmp_path: Path) -> None:
    kept = kept_in(tmp_path)
    promises = [kept.ledger.record(SENT, SEEN) for _ in range(1200)]
    await kept.ledger.close()
    assert all(promise is not None and promise.kept for promise in promises)
    assert kept.verified().entries == 1200


@pytest_twisted.ensureDeferred
async def test_a_ledger_that_was_cut_is_found_by_its_anchors(tmp_path: Path) -> None:
    kept = kept_in(tmp_path)
    for _ in range(5):
        kept.ledger.record(SENT, SEEN)
    await kept.ledger.close()
    with sqlite3.connect(kept.path) as connection:
        connection.execute("DELETE FROM entry WHERE seq > 3")
    connection.close()
    assert verify(lines(kept.path)).entries == 3, "in itself it is whole"
    with pytest.raises(LedgerError, match="there was an entry 5"):
        kept.verified()


@define
class SlowStore:
    """Stands for a disk that answers when it is told to."""

    path: Path
    problem: str | None = None
    writes: list[tuple[list[Any], "Deferred[None]"]] = field(factory=list)
    top: Anchor = START

    def head(self) -> Anchor:
        return self.top

    def start(self) -> Anchor:
        return START

    def older(self, moment: float) -> None:
        return None

    def check(self) -> str | None:
        return self.problem

    def append(self, rows: list[Any], changes: Any = ()) -> "Deferred[None]":
        self.writes.append((rows, Deferred()))
        return self.writes[-1][1]


@pytest.fixture
def slow(tmp_path: Path) -> tuple[Ledger, SlowStore, Clock]:
    store, clock = SlowStore(tmp_path / "ledger.db"), Clock()
    return Ledger(store, LedgerRules(365), Metrics(), clock, lambda: 1e9), store, clock  # type: ignore[arg-type]


def test_what_comes_in_one_turn_goes_to_the_disk_together(slow: tuple[Ledger, SlowStore, Clock]) -> None:
    ledger, store, clock = slow
    promises = {id(ledger.record(SENT, SEEN)) for _ in range(10)}
    assert len(promises) == 1 and store.writes == []
    clock.advance(0)
    ledger.record(SENT, SEEN)
    clock.advance(0)
    assert [len(rows) for rows, _ in store.writes] == [10], "one commit at a time"
    store.writes[0][1].callback(None)
    clock.advance(0)
    assert [len(rows) for rows, _ in store.writes] == [10, 1]
    assert ledger.head.seq == 10


def test_a_disk_that_does_not_answer_counts_as_one_that_fails(slow: tuple[Ledger, SlowStore, Clock]) -> None:
    ledger, store, clock = slow
    first = ledger.record(SENT, SEEN)
    clock.advance(0)
    second = ledger.record(SENT, SEEN)
    clock.advance(STALL_SECONDS)
    ledger.tick()
    assert ledger.check() is None
    clock.advance(0.5)
    ledger.tick()
    assert first is not None and second is not None
    assert (first.kept, second.kept) == (False, False)
    assert ledger._metrics.ledger_lag().value > STALL_SECONDS
    with pytest.raises(LedgerError, match="does not answer"):
        ledger.record(SENT, SEEN)
    ledger.tick()
    assert ledger.check() is not None, "as long as the commit is under way"
    store.writes[0][1].callback(None)
    store.top = Anchor(1, "a" * 64)
    ledger.tick()
    assert ledger.check() is None and first.kept is False
    assert ledger.record(SENT, SEEN) is not None


def test_only_so_much_may_wait(slow: tuple[Ledger, SlowStore, Clock]) -> None:
    ledger, _, _ = slow
    promise = ledger.record(SENT, SEEN)
    for _ in range(MOST_WAITING - 1):
        ledger.record(SENT, SEEN)
    with pytest.raises(LedgerError, match="wait for the disk"):
        ledger.record(SENT, SEEN)
    assert promise is not None and promise.kept is False


def test_after_a_failure_the_chain_goes_on_from_what_the_disk_has(slow: tuple[Ledger, SlowStore, Clock]) -> None:
    """A commit of which an error was told may have been carried out."""
    ledger, store, clock = slow
    ledger.record(SENT, SEEN)
    clock.advance(0)
    store.writes[0][1].errback(StoreError("disk I/O error"))
    assert ledger.check() == "disk I/O error"
    store.top = Anchor(1, store.writes[0][0][0][-1])
    ledger.tick()
    ledger.add(Note(1e9, Kind.ACCESS, {}))
    clock.advance(0)
    assert [row[0] for row in store.writes[1][0]] == [2, 3]


def test_a_disk_without_room_is_refused_before_it_is_full(slow: tuple[Ledger, SlowStore, Clock]) -> None:
    ledger, store, _ = slow
    store.problem = "only 12 KiB are free"
    ledger.tick()
    with pytest.raises(LedgerError, match="12 KiB"):
        ledger.record(SENT, SEEN)


PROGRAM = """
import sys, time
from pathlib import Path
from twisted.internet import reactor
from gateway.records.ledger import Ledger, LedgerRules
from gateway.metrics import Metrics
from gateway.store.ledger import LedgerStore
from tests.records.test_ledger import SENT, SEEN

ledger = Ledger(LedgerStore(Path(sys.argv[1]), reactor), LedgerRules(365), Metrics(), reactor, time.time)

def write():
    promise = None
    for _ in range(7):
        promise = ledger.record(SENT, SEEN)
    promise.then(said)
    reactor.callLater(0.001, write)

def said(kept):
    print(ledger.head.seq if kept else "lost", flush=True)

reactor.callWhenRunning(write)
reactor.run()
"""


def test_a_process_that_is_killed_leaves_a_whole_chain_with_all_that_it_promised(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.db"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as program:
        assert program.stdout is not None
        told = [int(program.stdout.readline()) for _ in range(20)]
        program.kill()
        told += [int(line) for line in program.stdout.read().split("\n")[:-1]]
    found = verify(lines(path))
    assert found.head.seq >= max(told) >= 140
    assert found.entries == found.head.seq


@pytest_twisted.ensureDeferred
async def test_what_somebody_says_to_the_gateway_itself_is_not_in_it(kept: Kept) -> None:
    facts = kept.stage.pairs.of(ALICE, BOB).facts
    assert facts.partner is not None
    own = evolve(facts, partner=evolve(facts.partner, house=True))
    kept.ledger.attach(lambda envelope: own, lambda: 1)
    assert kept.ledger.record(Envelope(ALICE, BOB, HELLO, Side.INTERNAL), SEEN) is None
    kept.ledger.journal.close("the disk is full")
    assert kept.ledger.record(Envelope(ALICE, BOB, HELLO, Side.INTERNAL), SEEN) is None
    assert kept.found() == []
