"""The archive in a real PostgreSQL: while it is stopped, locked or full, what is critical is refused, never lost."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater

from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.message import Message, MessageKind
from gateway.store.archive import Place
from tests.records.test_archive import CRITICAL, HELLO, Kept, kept_in
from tests.stage import ALICE, BOB, DESK, TABLET
from tests.store.postgresql_server import Server, missing


@pytest.fixture
def server() -> Iterator[Server]:
    if reason := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    made = Server()
    try:
        made.make()
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture
def kept(server: Server, tmp_path: Path) -> Iterator[Kept]:
    opened = kept_in(Place(tmp_path / "archive.db", server.address), CRITICAL)
    yield opened
    pytest_twisted.blockon(ensureDeferred(opened.archive.close()))


async def until(done: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it does not come"
        await deferLater(reactor, 0.05)


async def both_are_refused(kept: Kept, said: Message = HELLO) -> None:
    """Lets each side write, and waits until both messages have come back and none has gone on."""
    kept.stage.house.receive(Envelope(DESK, BOB, said, Side.INTERNAL))
    kept.stage.house.receive(Envelope(TABLET, ALICE, said, Side.EXTERNAL))

    def ticked() -> bool:
        kept.archive.tick()
        return bool(kept.stage.inside.out and kept.stage.outside.out)

    await until(ticked)
    refused = Bounce("message", said.id, Problem.RESOURCE_CONSTRAINT)
    assert [envelope.content for envelope in kept.stage.inside.taken()] == [refused]
    assert [envelope.content for envelope in kept.stage.outside.taken()] == [refused]


async def passes_again(kept: Kept) -> None:
    def well() -> bool:
        kept.archive.tick()
        return kept.archive.check() is None

    await until(well)
    kept.stage.from_inside(DESK, BOB, HELLO)
    await until(lambda: kept.stage.outside.out)
    await kept.quiet()
    assert kept.kinds()[-2:] == ["conversation", "message"]
    assert kept.verified() == len(kept.found())


@pytest_twisted.ensureDeferred
async def test_it_keeps_finds_and_verifies_as_a_file_does(kept: Kept) -> None:
    kept.stage.from_inside(DESK, BOB, HELLO)
    await until(lambda: kept.stage.outside.out)
    kept.stage.from_outside(TABLET, ALICE, HELLO)
    await kept.quiet()
    assert kept.kinds(about=str(ALICE), to="partner.example") == ["conversation", "message", "message"]
    assert [each["text"]["id"] for each in kept.found(text="CANARY")] == ["m1", "m1"]
    assert kept.found(to="artner.example") == [] and kept.found(kind="end") == []
    assert kept.verified() == 3


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_stopped_refuses_what_is_critical_until_it_is_back(kept: Kept, server: Server) -> None:
    kept.stage.from_inside(DESK, BOB, HELLO)
    await until(lambda: kept.stage.outside.taken())
    server.stop("immediate")
    await both_are_refused(kept)
    assert len(kept.stage.online()) == 1
    server.start()
    await passes_again(kept)


@pytest_twisted.ensureDeferred
async def test_a_table_that_is_locked_refuses_what_is_critical_until_it_is_free(kept: Kept, server: Server) -> None:
    with psycopg.connect(server.address) as other:
        other.execute("LOCK TABLE record IN ACCESS EXCLUSIVE MODE")
        await both_are_refused(kept)
        assert "does not answer" in (kept.archive.check() or "")
        assert len(kept.stage.online()) == 1
    await passes_again(kept)


@pytest_twisted.ensureDeferred
async def test_a_disk_that_is_full_refuses_what_is_critical_until_there_is_room(kept: Kept, server: Server) -> None:
    server.stop()
    server.start(small=True)
    large = Message(MessageKind.CHAT, "m0", bodies=(("", "x" * 60_000),))
    await until(lambda: (kept.archive.tick(), kept.archive.check())[1] is None)
    for _ in range(200):
        kept.stage.from_inside(DESK, BOB, large)
        await until(lambda: kept.stage.outside.out or kept.stage.inside.out)
        kept.stage.outside.taken()
        if kept.stage.inside.taken():
            break
    assert "cannot be written" in (kept.archive.check() or "")
    kept.stage.inside.taken()
    await both_are_refused(kept, large)
    server.stop("immediate")
    server.start()
    await passes_again(kept)
