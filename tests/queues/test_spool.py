"""The spool: taken means on the disk; each message ends once, in its order, whatever happens in between."""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from gateway.config import SpoolTerms
from gateway.errors import StoreError
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.message import Message
from gateway.queues.spool import MOST_OUT, Spool
from gateway.store.spool import SCHEMA, Kept, Row

BOB = Address.parse("bob@partner.example")
PEOPLE = [Address.parse(f"{name}@corp.example") for name in ("alice", "carol")]


@define(eq=False)
class Disk:
    """Stands for SpoolStore: rows that are committed when the test says so; a crash forgets the others."""

    path: Path
    waiting: list[tuple[list[Row], set[int], "Deferred[None]"]] = field(factory=list)
    free: int = 10**12
    problem: str | None = None
    swept: int = 0
    file: sqlite3.Connection = field(init=False)

    def __attrs_post_init__(self) -> None:
        new = not self.path.exists()
        self.file = sqlite3.connect(self.path, isolation_level=None)
        if new:
            self.file.executescript((SCHEMA / "001.sql").read_text())

    def newest(self) -> int:
        return int(self.file.execute("SELECT coalesce(max(seq), 0) FROM entry").fetchone()[0])

    def kept(self) -> list[Kept]:
        sql = "SELECT route, partner, count(*), sum(size) FROM entry GROUP BY route, partner"
        return [Kept(*row) for row in self.file.execute(sql)]

    def change(self, added: list[Row], removed: Any) -> "Deferred[None]":
        done: Deferred[None] = Deferred()
        self.waiting.append((list(added), set(removed), done))
        return done

    def commit(self) -> bool:
        if not self.waiting:
            return False
        added, removed, done = self.waiting.pop(0)
        self.file.executemany("DELETE FROM entry WHERE seq = ?", [(number,) for number in removed])
        self.file.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", added)
        done.callback(None)
        return True

    def break_down(self) -> None:
        _, _, done = self.waiting.pop(0)
        done.errback(StoreError("the disk is full"))

    def after(self, route: str, number: int, through: int, most: int) -> list[Row]:
        sql = "SELECT * FROM entry WHERE route = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        return list(self.file.execute(sql, (route, number, through, most)))

    def check(self) -> str | None:
        return self.problem

    def spare(self) -> int:
        return self.free

    def sweep(self) -> None:
        self.swept += 1


@define(eq=False)
class World:
    """Is a spool with a leg that keeps what it gets until the test decides about it."""

    folder: Path
    terms: SpoolTerms = SpoolTerms()
    accepted: list[str] = field(factory=list)
    refused: list[str] = field(factory=list)
    expired: list[str] = field(factory=list)
    leg: list[Envelope] = field(factory=list)
    withdrawn: set[str] = field(factory=set)
    clock: Clock = field(factory=Clock)
    epoch: float = 1_000_000.0
    disk: Disk = field(init=False)
    metrics: Metrics = field(init=False)
    spool: Spool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.disk = Disk(self.folder / "spool.db")
        self.clock = Clock()
        self.metrics = Metrics(["partner.example"])
        self.spool = Spool(self.disk, self.terms, self.metrics, self.clock, self.now)  # type: ignore[arg-type]
        self.spool.deliver = self.leg.append
        self.spool.refuse = lambda envelope, problem: self.refused.append(_id(envelope))
        self.spool.reconsider = self.reconsider
        self.spool.expired = self.expire
        self.spool.begin()

    def now(self) -> float:
        return self.epoch + self.clock.seconds()

    def reconsider(self, envelope: Envelope) -> Envelope | None:
        if _id(envelope) in self.withdrawn:
            self.expire(envelope, Problem.SERVICE_UNAVAILABLE)
            return None
        return envelope

    def expire(self, envelope: Envelope, problem: Problem) -> None:
        assert envelope.ticket is not None
        if self.spool.done(envelope.ticket):
            self.expired.append(_id(envelope))

    def crash(self) -> None:
        """Ends the process: what is not committed is gone, and so is all that a leg had."""
        self.epoch += self.clock.seconds()
        self.disk.waiting.clear()
        self.disk.file.close()
        self.leg.clear()
        self.start()

    def put(self, number: str, person: int = 0, text: str = "hello") -> bool:
        envelope = Envelope(PEOPLE[person], BOB, Message(id=number, bodies=(("", text),)), Side.INTERNAL)
        promise = self.spool.accept(envelope, envelope, "partner.example")
        if promise is None:
            return False
        promise.then(lambda kept: self.accepted.append(number) if kept else None)
        return True

    def run(self, seconds: float = 0.0) -> None:
        """Lets time pass and the disk do all that it was asked."""
        self.clock.advance(seconds)
        for _ in range(1000):
            self.clock.advance(0)
            if not self.disk.commit():
                break
        self.clock.advance(0)

    def confirm(self, place: int = 0) -> str:
        envelope = self.leg.pop(place)
        assert envelope.ticket is not None
        self.spool.delivered(envelope.ticket)
        return _id(envelope)

    @property
    def out(self) -> list[str]:
        return [_id(envelope) for envelope in self.leg]


def _id(envelope: Envelope) -> str:
    assert isinstance(envelope.content, Message | Bounce)
    return envelope.content.id


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.disk.file.close()


def test_nothing_leaves_and_nothing_is_accepted_before_it_is_on_the_disk(world: World) -> None:
    assert world.put("1") and world.put("2")
    world.clock.advance(0)
    assert (world.accepted, world.out, len(world.disk.waiting)) == ([], [], 1)
    world.disk.commit()
    assert (world.accepted, world.out) == (["1", "2"], ["1", "2"])


def test_what_comes_during_a_commit_shares_the_next_one(world: World) -> None:
    world.put("1")
    world.clock.advance(0)
    for number in "234":
        world.put(number)
    world.clock.advance(1)
    assert len(world.disk.waiting) == 1
    world.disk.commit()
    world.clock.advance(0)
    assert [len(added) for added, _, _ in world.disk.waiting] == [3]


def test_what_is_confirmed_leaves_the_disk_with_the_next_commit(world: World) -> None:
    world.put("1")
    world.run()
    world.confirm()
    assert len(world.spool) == world.spool.bytes == 0
    world.put("2")
    world.run()
    assert [row[0] for row in world.disk.file.execute("SELECT seq FROM entry")] == [2]
    world.confirm()
    world.run(1.0)
    assert world.disk.newest() == 0


def test_after_a_crash_what_was_accepted_goes_again_in_its_order_and_says_when_it_was_sent(world: World) -> None:
    for number in "123":
        world.put(number)
    world.run()
    assert world.confirm() == "1"
    world.run(1.0)
    world.put("4")
    world.clock.advance(10)  # not committed
    world.crash()
    assert world.out == ["2", "3"] and world.accepted == ["1", "2", "3"]
    assert [getattr(one.content, "delayed_since", None) for one in world.leg] == [1_000_000.0] * 2


def test_policy_is_asked_again_after_a_crash(world: World) -> None:
    world.put("1")
    world.put("2")
    world.run()
    world.withdrawn.add("1")
    world.crash()
    assert (world.out, world.expired) == (["2"], ["1"])


def test_what_is_too_old_ends_with_its_sender_told(world: World) -> None:
    world.put("1")
    world.run()
    world.clock.advance(world.terms.seconds + 1)
    world.crash()
    assert (world.out, world.expired, len(world.spool)) == ([], ["1"], 0)


@pytest.mark.parametrize(
    "terms",
    [SpoolTerms(messages=2), SpoolTerms(bytes=65536), SpoolTerms(total_bytes=65536)],
    ids=["messages", "bytes", "in all"],
)
def test_beyond_a_bound_nothing_is_taken(tmp_path: Path, terms: SpoolTerms) -> None:
    world = World(tmp_path, terms)
    text = "x" * 30_000
    assert [world.put(str(number), text=text) for number in range(3)] == [True, True, False]
    world.run()
    world.confirm()
    assert world.put("room again", text=text)
    world.disk.file.close()


def test_a_full_disk_refuses_and_an_emptier_one_takes_again(world: World) -> None:
    world.disk.free = 1
    world.spool.tick()
    assert not world.put("1") and world.spool.check() is not None
    world.disk.free = 10**12
    world.spool.tick()
    assert world.put("2") and world.spool.check() is None


def test_a_commit_that_fails_refuses_aloud_and_keeps_what_was_taken_before(world: World) -> None:
    world.put("1")
    world.run()
    world.put("2")
    world.confirm()
    world.clock.advance(0)
    world.disk.break_down()
    assert (world.refused, world.accepted, len(world.spool)) == (["2"], ["1"], 0)
    assert not world.put("3")
    world.spool.tick()
    assert world.put("4")
    world.run(1.0)
    assert world.accepted == ["1", "4"] and world.out == ["4"]
    assert [row[0] for row in world.disk.file.execute("SELECT seq FROM entry")] == [world.leg[0].ticket.number]  # type: ignore[union-attr]


def test_memory_holds_a_window_and_the_disk_the_rest(world: World) -> None:
    for number in range(MOST_OUT + 10):
        world.put(str(number))
    world.run()
    assert len(world.leg) == MOST_OUT and len(world.spool) == MOST_OUT + 10
    seen = []
    while world.leg:
        seen.append(world.confirm())
        world.run()
    assert seen == [str(number) for number in range(MOST_OUT + 10)] and len(world.spool) == 0


def test_what_a_leg_gives_back_is_tried_again_later_and_before_what_came_after(world: World) -> None:
    for number in "123":
        world.put(number)
    world.run()
    for envelope in list(world.leg):
        world.leg.remove(envelope)
        world.spool.postponed(envelope.ticket)  # type: ignore[arg-type]
    world.put("4")
    world.run()
    assert world.out == []
    world.clock.advance(2.0)
    world.spool.tick()
    assert world.out == ["1", "2", "3", "4"]


def test_a_domain_that_shows_itself_is_tried_at_once(world: World) -> None:
    world.put("1")
    world.run()
    for _ in range(8):
        world.spool.postponed(world.leg.pop().ticket)  # type: ignore[arg-type]
        world.spool.tick()
        assert world.out == []
        world.spool.wake("partner.example")
        world.spool.tick()
        assert world.out == ["1"]


def test_a_bounce_is_kept_like_a_message_and_replaces_it_in_one_commit(world: World) -> None:
    world.put("1")
    world.run()
    sent = world.leg.pop()
    back = Envelope(BOB, PEOPLE[0], Bounce("message", "1", Problem.REMOTE_SERVER_TIMEOUT), Side.EXTERNAL)
    assert sent.ticket is not None and world.spool.done(sent.ticket) and not world.spool.done(sent.ticket)
    world.spool.accept(back, back, "partner.example", forced=True)
    world.clock.advance(0)
    ((added, removed, _),) = world.disk.waiting
    assert len(added) == 1 and removed == {sent.ticket.number}
    world.run()
    world.crash()
    assert [one.content for one in world.leg] == [back.content]


def test_a_message_on_which_something_breaks_ends_with_its_sender_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just taken, and read from the disk after a start: nobody behind it waits."""

    def breaks(envelope: Envelope) -> Envelope:
        if _id(envelope) == "1":
            raise ValueError("a bad envelope")
        world.leg.append(envelope)
        return envelope

    world.spool.deliver = breaks
    world.put("1")
    world.put("2")
    world.run()
    assert (world.expired, world.out, world.accepted, len(world.spool)) == (["1"], ["2"], ["1", "2"], 1)
    world.crash()
    world.expired.clear()
    monkeypatch.setattr(World, "reconsider", lambda world, envelope: breaks(envelope) and None)
    world.crash()
    assert (world.expired, world.out) == (["1"], ["2"])


def _decoy(world: World) -> None:
    envelope = Envelope(PEOPLE[0], BOB, Message(id="decoy", bodies=(("", "secret"),)), Side.INTERNAL)
    promise = world.spool.accept(envelope, envelope, "partner.example", decoy=True)
    assert promise is not None
    promise.then(lambda kept: world.accepted.append("decoy") if kept else None)


def test_a_decoy_takes_the_commit_of_a_message_and_goes_nowhere(world: World) -> None:
    _decoy(world)
    world.put("1")
    world.clock.advance(0)
    ((added, _, _),) = world.disk.waiting
    assert len(added) == 2 and not added[0][-1].strip() and len(added[0][-1]) == added[0][4]
    assert not world.accepted
    world.run()
    assert (world.accepted, world.out, len(world.spool)) == (["decoy", "1"], ["1"], 1)
    world.confirm()
    world.run(1)
    assert world.disk.after("internal corp.example partner.example", 0, 99, 99) == []


def test_a_decoy_from_before_a_crash_goes_nowhere_either(world: World) -> None:
    _decoy(world)
    world.clock.advance(0)
    world.disk.commit()
    world.crash()
    world.run(1)
    assert (world.out, world.expired, len(world.spool)) == ([], [], 0)


def test_a_message_without_id_gets_one_that_stays(world: World) -> None:
    world.put("")
    world.run()
    (name,) = world.out
    world.crash()
    assert name and world.out == [name]


def test_an_empty_spool_leaves_no_text_in_the_files(world: World) -> None:
    world.put("1")
    world.run()
    world.confirm()
    world.run(61)
    world.spool.tick()
    assert world.disk.swept == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 1)),
        st.tuples(st.just("commit"), st.just(0)),
        st.tuples(st.just("confirm"), st.integers(0, 3)),
        st.tuples(st.just("postpone"), st.integers(0, 3)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("break"), st.just(0)),
        st.tuples(st.just("time"), st.integers(0, 4)),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_whatever_happens_each_accepted_message_ends_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    """Confirmed ones come once more only after a crash that the disk did not hear of the confirmation before."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        seen: list[str] = []
        repeatable: set[str] = set()
        number = 0
        for step, value in steps:
            if step == "put":
                number += 1
                world.put(f"{value}:{number}", value)
            elif step == "commit":
                world.clock.advance(0)
                if world.disk.commit():
                    world.clock.advance(0)
            elif step == "confirm" and world.leg:
                name = world.confirm(0)
                assert name not in seen or name in repeatable
                seen.append(name)
            elif step == "postpone" and world.leg:
                # a leg gives back, of one pair, the last ones: it keeps their order itself
                for envelope in list(world.leg):
                    world.leg.remove(envelope)
                    world.spool.postponed(envelope.ticket)  # type: ignore[arg-type]
            elif step == "crash":
                world.crash()
                repeatable |= set(world.out) & set(seen)
            elif step == "break" and world.disk.waiting:
                world.disk.break_down()
            else:
                world.clock.advance(value)
                world.spool.tick()
        for _ in range(200):
            world.run(1.0)
            world.spool.tick()
            while world.leg:
                name = world.confirm()
                assert name not in seen or name in repeatable
                seen.append(name)
        assert set(world.accepted) <= set(seen)
        assert not set(world.refused) & set(seen)
        for person in "01":
            first = list(dict.fromkeys(name for name in seen if name.startswith(person)))
            assert first == sorted(first, key=lambda name: int(name[2:]))
        world.run(10.0)
        assert len(world.spool) == world.spool.bytes == 0 and world.disk.newest() == 0
        world.disk.file.close()


def test_evolving_keeps_the_ticket(world: World) -> None:
    world.put("1")
    world.run()
    assert evolve(world.leg[0], side=Side.EXTERNAL).ticket is world.leg[0].ticket


def test_a_sender_who_cannot_be_told_keeps_nobody_else_waiting(world: World) -> None:
    def refuse(envelope: Envelope, problem: Problem) -> None:
        if _id(envelope) == "1":
            raise RuntimeError("a leg with a defect")
        world.refused.append(_id(envelope))

    world.spool.refuse = refuse
    broken: list[bool] = []
    for number in ("1", "2"):
        envelope = Envelope(PEOPLE[0], BOB, Message(id=number, bodies=(("", "hello"),)), Side.INTERNAL)
        promise = world.spool.accept(envelope, envelope, "partner.example")
        assert promise is not None
        promise.then(broken.append)
    world.clock.advance(0)
    world.disk.break_down()
    assert (world.refused, broken, len(world.spool)) == (["2"], [False, False], 0)
