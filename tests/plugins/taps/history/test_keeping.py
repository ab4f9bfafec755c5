"""What is said is on disk at once, survives the end of the process, and leaves the queue only for the mailbox."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater

from gateway.config.recording import HistoryTerms, MailLogin
from gateway.config.values import Endpoint, Secret
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.message import ChatState, EncryptedPayload, Message
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.records.conversations import Conversations
from gateway.store.history import HistoryStore, Kept
from plugins.taps.history import carrying, collecting
from plugins.taps.history.carrying import Carrier, filled, login_of
from plugins.taps.history.collecting import Collector
from plugins.taps.history.mailbox import Carried
from plugins.taps.history.tap import build

from ....stage import ALICE, BOB, CAROL, DESK, TABLET, away

TERMS = HistoryTerms(server=Endpoint("imap.corp.example", 993), secret=Secret("pw"), retry_seconds=10, keep_days=1)
PASSES = Verdict(Decision.DELIVER, Reason.ALLOWED, "public")
REFUSED = Verdict(Decision.REFUSE, Reason.LEVEL, "public", problem=Problem.SERVICE_UNAVAILABLE)


def said(text: str, number: str = "", **more: Any) -> Message:
    return Message(id=number, bodies=(("", text),), **more)


@define
class Desk:
    """A collector and a carrier over one store, with a mailbox that does as it is told."""

    folder: Path
    now: float = 1000.0
    outcome: Carried | None = None
    """What the next attempts bring; None: everything arrives."""
    carried: list[list[tuple[str, bool]]] = field(factory=list)
    terms: HistoryTerms = TERMS
    metrics: Metrics = field(factory=Metrics)
    store: HistoryStore = field(init=False)
    collector: Collector = field(init=False)
    carrier: Carrier = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Starts as the tap does."""
        self.store = HistoryStore(self.folder / "history.db", reactor)
        self.carrier = Carrier(self.store, self.terms, self.metrics, lambda: self.now, self._in_thread)
        tracker = Conversations(idle_seconds=60)
        self.collector = Collector(self.store, tracker, lambda: self.now, self.carrier.put, lambda: None)
        for kept in self.store.all():
            (self.collector.resume if kept.ended is None else self.carrier.put)(kept)

    def _in_thread(self, call: Any) -> "Deferred[Carried]":
        letters = next(cell.cell_contents for cell in call.__closure__ if isinstance(cell.cell_contents, list))
        self.carried.append([(each.name, each.uncertain) for each in letters])
        return succeed(self.outcome or Carried([each.name for each in letters]))

    def take(self, content: Any, inward: bool = False, verdict: Verdict = PASSES, keeps: bool = True) -> None:
        """Lets something pass."""
        sides = (TABLET, ALICE, Side.EXTERNAL) if inward else (DESK, BOB, Side.INTERNAL)
        envelope = Envelope(sides[0], sides[1], content, sides[2])
        self.collector.take(envelope, evolve(verdict, content=content), lambda: keeps)

    async def lines(self) -> list[str]:
        """What stands on disk, of all conversations."""
        await self.written()
        return [line.text for kept in self.store.all() for line in self.store.transcript(kept).lines]

    async def written(self) -> None:
        """Waits for what was written, and what that brings about."""
        for _ in range(2):
            await self.store.attempt(["nobody"])
            await deferLater(reactor, 0.0)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    pytest_twisted.blockon(made.store.close())


@pytest_twisted.ensureDeferred
async def test_each_thing_said_is_on_disk_at_once_and_only_the_owner_may_read_it(desk: Desk) -> None:
    desk.take(said("hello"))
    desk.take(said("hi"), inward=True)
    assert await desk.lines() == ["hello", "hi"]
    assert (desk.folder / "history.db").stat().st_mode & 0o777 == 0o600


@pytest_twisted.ensureDeferred
async def test_what_is_not_kept_or_does_not_pass_is_not_there(desk: Desk) -> None:
    desk.take(said("not kept"), keeps=False)
    desk.take(said("refused"), verdict=REFUSED)
    desk.take(Message(chat_state=ChatState.COMPOSING))
    assert await desk.lines() == [] and not list(desk.store.all())


@pytest_twisted.ensureDeferred
async def test_a_correction_takes_the_place_of_the_text_and_only_of_ones_own(desk: Desk) -> None:
    desk.take(said("fve", "m1"))
    desk.take(said("mine", "m1"), inward=True)
    desk.take(said("five", "m2", replaces="m1"))
    assert await desk.lines() == ["five", "mine"]
    (kept,) = desk.store.all()
    assert [line.corrected for line in desk.store.transcript(kept).lines] == [1000.0, None]


@pytest_twisted.ensureDeferred
async def test_what_came_back_is_marked(desk: Desk) -> None:
    desk.take(said("lost", "m1"))
    desk.take(Message(id="m2", encrypted=(EncryptedPayload("urn:xmpp:openpgp:0", "<x/>"),)))
    desk.take(Bounce("message", "m1", Problem.SERVICE_UNAVAILABLE), inward=True)
    await desk.written()
    (kept,) = desk.store.all()
    assert [(each.failed, each.encrypted) for each in desk.store.transcript(kept).lines] == [
        (True, False),
        (False, True),
    ]


@pytest_twisted.ensureDeferred
async def test_silence_or_that_both_have_gone_is_the_end(desk: Desk) -> None:
    desk.take(said("one"))
    desk.take(Message(chat_state=ChatState.GONE))
    assert len(desk.carrier) == 0
    desk.take(away(), inward=True)
    assert (len(desk.collector), len(desk.carrier)) == (0, 1)
    desk.take(said("two"))
    desk.now += 59
    desk.collector.tick()
    assert len(desk.carrier) == 1
    desk.now += 1
    desk.collector.tick()
    assert len(desk.carrier) == 2


@pytest_twisted.ensureDeferred
async def test_a_conversation_goes_on_after_the_end_of_the_process(desk: Desk) -> None:
    desk.take(said("befroe", "m1", thread="t1"))
    await desk.store.close()
    desk.open()
    desk.take(said("before", "m2", replaces="m1", thread="t1"))
    desk.take(said("after", "m3", thread="t1"))
    assert await desk.lines() == ["before", "after"]
    assert len(list(desk.store.all())) == 1


@pytest_twisted.ensureDeferred
async def test_too_much_is_cut_into_two(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MOST_TURNS", 2)
    for number in range(5):
        desk.now += 1
        desk.take(said(str(number)))
    assert await desk.lines() == ["0", "1", "2", "3", "4"]
    assert (len(desk.collector), len(desk.carrier)) == (1, 2)


async def finished(desk: Desk) -> Kept:
    """Lets a conversation end."""
    desk.take(said("over"))
    desk.now += 60
    desk.collector.tick()
    await desk.written()
    return next(each for each in desk.store.all() if each.ended is not None)


@pytest_twisted.ensureDeferred
async def test_what_has_arrived_leaves_the_disk(desk: Desk) -> None:
    kept = await finished(desk)
    desk.carrier.tick()
    await desk.written()
    assert desk.carried == [[(kept.name, False)]]
    assert (len(desk.carrier), list(desk.store.all())) == (0, [])


@pytest_twisted.ensureDeferred
async def test_a_failed_attempt_is_repeated_later_and_looks_first(desk: Desk) -> None:
    kept = await finished(desk)
    desk.outcome = Carried([], "connection")
    for pause in (0, 10, 20, 40):
        desk.now += pause
        desk.carrier.tick()
        await desk.written()
        desk.carrier.tick()
        await desk.written()
    assert desk.carried == [[(kept.name, False)], *[[(kept.name, True)]] * 3]
    assert [(each.problem, each.kept.tries) for each in desk.carrier.of()] == [("connection", 4)]
    assert desk.carrier.retry(str(BOB)) == 0 and desk.carrier.retry(str(ALICE)) == 1
    desk.outcome = None
    desk.carrier.tick()
    await desk.written()
    assert len(desk.carrier) == 0


@pytest_twisted.ensureDeferred
async def test_an_attempt_is_on_disk_before_it_begins(desk: Desk) -> None:
    await finished(desk)
    seen: list[int] = []

    def attempt(call: Any) -> "Deferred[Carried]":
        seen.extend(each.tries for each in desk.store.all())
        return Deferred()

    desk.carrier.in_thread = attempt
    desk.carrier.tick()
    await desk.written()
    assert seen == [1]
    await desk.store.close()
    desk.open()
    desk.now += 5
    desk.carrier.tick()
    await desk.written()
    assert [uncertain for ((_, uncertain),) in desk.carried] == [True]


@pytest_twisted.ensureDeferred
async def test_what_is_too_old_is_given_up_and_counted(desk: Desk) -> None:
    await finished(desk)
    desk.outcome = Carried([], "login")
    desk.carrier.tick()
    await desk.written()
    desk.now += 86_401
    desk.carrier.tick()
    await desk.written()
    assert (len(desk.carrier), list(desk.store.all())) == (0, [])
    assert desk.metrics.history("expired").value == 1


@pytest_twisted.ensureDeferred
async def test_the_queue_is_bounded(desk: Desk) -> None:
    desk.carrier.terms = evolve(TERMS, most=1)
    for _ in range(2):
        desk.take(said("over"))
        desk.now += 60
        desk.collector.tick()
    await desk.written()
    assert len(desk.carrier) == 1 and len(list(desk.store.all())) == 1
    assert desk.metrics.history("dropped").value == 1


def test_logins(tmp_path: Path) -> None:
    master = login_of(evolve(TERMS, login="{address}*gateway"), ALICE)
    assert not isinstance(master, str)
    assert (master.user, master.secret, master.xoauth2) == ("alice@corp.example*gateway", "pw", False)
    (tmp_path / "alice@corp.example").write_text("token\n")
    tokens = evolve(TERMS, secret_file=f"{tmp_path}/{{address}}", method=MailLogin.XOAUTH2)
    mine = login_of(tokens, ALICE)
    assert not isinstance(mine, str) and (mine.secret, mine.xoauth2) == ("token", True)
    assert login_of(tokens, Address.parse("dave@corp.example")) == "secret"
    assert filled("{local} at {domain}", ALICE) == "alice at corp.example"


def test_nobody_chooses_a_master_user_by_his_address() -> None:
    assert login_of(evolve(TERMS, login="{address}*gateway"), Address.parse("a*b@corp.example")) == "address"


@pytest_twisted.ensureDeferred
async def test_all_of_somebody_can_be_forgotten(tmp_path: Path) -> None:
    config = SimpleNamespace(history=evolve(TERMS, idle_minutes=1), state=tmp_path)
    around: Any = SimpleNamespace(config=config, reactor=reactor, metrics=Metrics(), now=lambda: 1000.0)
    tap = build(around)
    tap.attach(lambda envelope: True)
    tap.record(Envelope(DESK, BOB, said("to bob"), Side.INTERNAL), evolve(PASSES, content=said("to bob")))
    tap.record(Envelope(DESK, CAROL, said("to carol"), Side.INTERNAL), evolve(PASSES, content=said("to carol")))
    await deferLater(reactor, 0.2)
    assert [each["contact"] for each in tap.records(str(BOB))] == [str(BOB)] and len(tap.records(str(ALICE))) == 2
    assert (await tap.erase(str(BOB)), tap.records(str(BOB)), tap.shown().open) == (1, [], 1)
    assert await tap.erase(str(ALICE)) == 1
    tap.record(Envelope(DESK, BOB, said("anew"), Side.INTERNAL), evolve(PASSES, content=said("anew")))
    await tap.close()
    assert b"to carol" not in (tmp_path / "history.db").read_bytes()


@pytest_twisted.ensureDeferred
async def test_one_that_cannot_be_written_keeps_none_of_the_others_here(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("bad", "good"):
        desk.take(said(text))
        desk.now += 100
        desk.collector.tick()
    await desk.written()
    bad, good = desk.store.all()

    def write(said: Any) -> bytes:
        if said.key == bad.name:
            raise ValueError("no mail can hold this")
        return b"mail"

    monkeypatch.setattr(carrying, "write_conversation", write)
    desk.carrier.tick()
    await desk.written()
    assert desk.carried == [[(good.name, False)]]
    (waiting,) = desk.carrier.of()
    assert (waiting.kept.name, waiting.problem, waiting.due > desk.now) == (bad.name, "unexpected", True)
    desk.now += 10 * 86_400
    desk.carrier.tick()
    assert not desk.carrier.of()
