"""What waits in the spool from or to somebody: shown, and ended so that nobody waits for ever."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from gateway.config import SpoolTerms
from gateway.errors import StoreError
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.message import Message, MessageKind
from gateway.offices.spooling import Spooled
from gateway.queues.spool import Spool
from gateway.queues.spool_books import settled
from gateway.store.spool import SpoolStore, entries

ALICE, BOB, CAROL = (Address.parse(f"{name}.example") for name in ("alice@corp", "bob@partner", "carol@corp"))
CANARY = "canary7f3a"


@define(eq=False)
class Scene:
    """Is a spool on a disk whose legs take what they are told to, and an office over it."""

    spool: Spool
    office: Spooled
    out: list[Envelope] = field(factory=list)
    returned: list[Envelope] = field(factory=list)

    def undeliverable(self, envelope: Envelope, problem: Problem) -> None:
        assert envelope.ticket is not None and self.spool.done(envelope.ticket)
        assert problem is Problem.SERVICE_UNAVAILABLE
        self.returned.append(envelope)

    async def take(self, sender: Address, recipient: Address, content: Message | Bounce | None = None) -> Envelope:
        """Takes a message over; its leg has it then."""
        said = content or Message(MessageKind.CHAT, "m1", bodies=(("", f"{CANARY} of {sender}"),))
        side = Side.INTERNAL if sender.domain == "corp.example" else Side.EXTERNAL
        envelope = Envelope(sender, recipient, said, side)
        promise = self.spool.accept(envelope, envelope, "partner.example")
        assert promise is not None and await settled(promise)
        await deferLater(reactor, 0)
        return self.out[-1]

    async def wait(self, sender: Address, recipient: Address, content: Message | Bounce | None = None) -> None:
        """Takes a message over that its leg gives back, or that never gets there, so that it waits."""
        before = len(self.out)
        await self.take(sender, recipient, content)
        for each in self.out[before:]:
            assert each.ticket is not None
            self.spool.postponed(each.ticket)

    def left(self) -> list[str]:
        return [row[5] for row in entries(self.office.path)]


@pytest_twisted.async_yield_fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    path = tmp_path / "spool.db"
    spool = Spool(SpoolStore(path, reactor), SpoolTerms(), Metrics(), reactor, lambda: 7.0)
    made = Scene(spool, Spooled(spool, path, lambda envelope, problem: made.undeliverable(envelope, problem), reactor))
    spool.deliver = made.out.append
    yield made
    await spool.close()


@pytest_twisted.ensureDeferred
async def test_what_waits_from_and_to_somebody_is_shown_whoever_else_writes(scene: Scene) -> None:
    assert await scene.office.records(ALICE) == []
    await scene.wait(ALICE, BOB)
    await scene.wait(BOB, ALICE)
    await scene.wait(CAROL, BOB)
    first, second = await scene.office.records(ALICE)
    assert (first["from"], first["to"], first["since"], first["kind"]) == (ALICE, BOB, 7.0, "message")
    assert first["bodies"] == (("", f"{CANARY} of {ALICE}"),)
    assert (second["from"], second["to"]) == (BOB, ALICE)
    assert len(await scene.office.records(BOB)) == 3


@pytest_twisted.ensureDeferred
async def test_what_he_wrote_is_ended_and_what_was_written_to_him_goes_back(scene: Scene) -> None:
    await scene.wait(ALICE, BOB)
    await scene.wait(BOB, ALICE)
    await scene.wait(CAROL, BOB)
    await scene.wait(BOB, ALICE, Bounce("message", "m0", Problem.REMOTE_SERVER_TIMEOUT))
    assert len(scene.spool) == 4
    assert await scene.office.erase(ALICE) == (3, "")
    assert [(each.sender, each.recipient) for each in scene.returned] == [(BOB, ALICE)]
    (left,) = scene.left()
    assert CAROL in left and len(scene.spool) == 1
    remains = b"".join(path.read_bytes() for path in scene.office.path.parent.glob("spool.db*"))
    assert f"{CANARY} of {ALICE}".encode() not in remains and f"{CANARY} of {CAROL}".encode() in remains
    assert await scene.office.erase(ALICE) == (0, "")


@pytest_twisted.ensureDeferred
async def test_what_a_link_has_cannot_be_called_back_and_is_said_to_stay(scene: Scene) -> None:
    under_way = await scene.take(ALICE, BOB)
    await scene.wait(ALICE, BOB)
    assert await scene.office.erase(ALICE) == (1, "1 just handed to a link: ask again")
    assert len(scene.left()) == 1 and under_way.ticket is not None
    scene.spool.postponed(under_way.ticket)
    assert await scene.office.erase(ALICE) == (1, "")
    assert scene.left() == [] and len(scene.spool) == 0


@pytest_twisted.ensureDeferred
async def test_what_is_left_goes_on_in_its_order(scene: Scene) -> None:
    for sender in (CAROL, ALICE, CAROL):
        await scene.wait(sender, BOB)
    await scene.office.erase(ALICE)
    before = len(scene.out)
    scene.spool.wake("partner.example")
    scene.spool.tick()
    assert [each.sender for each in scene.out[before:]] == [CAROL, CAROL]
    for each in scene.out[before:]:
        assert each.ticket is not None and scene.spool.done(each.ticket)
    assert len(scene.spool) == 0


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_written_is_no_erasure(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await scene.wait(ALICE, BOB)
    failed: Deferred[None] = Deferred()
    monkeypatch.setattr(SpoolStore, "change", lambda *_: failed)
    erasing = scene.office.erase(ALICE)
    reactor.callLater(0.6, failed.errback, StoreError("the disk is full"))
    with pytest.raises(StoreError, match="cannot be written"):
        await erasing
    monkeypatch.undo()
