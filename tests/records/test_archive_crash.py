"""kill -9 while messages are archived: whatever was delivered is in the archive, and the chain is whole."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.model.records import verify_records
from gateway.store.archive import Place
from gateway.store.archive_reading import ArchiveSearch, lines, search
from gateway.store.sealing import Keys
from tests.records.test_archive import KEY
from tests.store.postgresql_server import Server
from tests.store.postgresql_server import missing as no_server

PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from twisted.internet import reactor
from gateway.model.message import Message, MessageKind
from gateway.store.archive import Place
from tests.stage import ALICE, BOB, DESK, TABLET, FakeLeg
from tests.records.test_archive import CRITICAL, kept_in

place, when, number = Place(Path(sys.argv[1]), sys.argv[2]), sys.argv[3], 0
kept = kept_in(place, CRITICAL)
stage = kept.stage

class Telling(FakeLeg):
    def deliver(self, envelope):
        os.write(1, (json.dumps(envelope.content.id) + "\\n").encode())
        if when == "delivered" and envelope.content.id == "m50":
            os.kill(os.getpid(), signal.SIGKILL)
        return True

stage.house.relay._legs.update({name: Telling(name) for name in ("inside", "xmpp")})
written, commits = kept.archive.written, 0

def committed(entries, first):
    global commits
    commits += 1
    if when == "committed" and commits == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    written(entries, first)

kept.archive.written = committed

def say():
    global number
    for _ in range(5):
        number += 1
        said = Message(MessageKind.CHAT, f"m{number}", bodies=(("", f"text {number}"),))
        if number % 2:
            stage.from_inside(DESK, BOB, said)
        else:
            stage.from_outside(TABLET, ALICE, said)
    reactor.callLater(0.005, say)

reactor.callWhenRunning(say)
reactor.callLater(30, reactor.stop)
reactor.run()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place(tmp_path / "archive.db")
        return
    if no_server():
        pytest.skip(no_server())
    server = Server()
    try:
        server.make()
        server.start()
        yield Place(tmp_path / "archive.db", server.address)
    finally:
        server.remove()


@pytest.mark.parametrize("when", ["committed", "delivered"])
def test_what_was_delivered_before_a_crash_is_archived(place: Place, when: str) -> None:
    command = [sys.executable, "-c", PROGRAM, str(place.path), place.address, when]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == -9, done.stderr.decode()
    delivered = {json.loads(line) for line in done.stdout.splitlines()}
    keys = Keys.parse(KEY)
    recorded = {each["text"]["id"] for each in search(place, keys, ArchiveSearch(kind="message"), 10_000)}
    assert len(delivered) >= 10 and delivered <= recorded
    if when == "committed":  # what the last commit has kept had not been delivered, and nobody was told that it was
        assert recorded - delivered
    found, closed = verify_records(lines(place, keys))
    assert closed == 0 and found.entries >= len(recorded)
