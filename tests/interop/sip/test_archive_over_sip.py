"""What crosses between two Kamailios is archived first, in a real PostgreSQL; while that is stopped nothing crosses."""

import base64
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from ...store.postgresql_server import Server, missing
from ..lab import Lab
from ..scene import METRICS, table, tell, until
from ..web import request
from .crossing import OUTSIDE, PATIENCE, House, SipPerson, build
from .raw import dial

pytestmark = pytest.mark.interop

ALICE, BOB = "alice@corp.example", "bob@partner.example"
EVE = "sip:eve@partner.example"
KEY = base64.b64encode(bytes(range(32))).decode()


@frozen
class Scene:
    """Alice inside and bob outside, each at a Kamailio, and a database server."""

    house: House
    server: Server
    alice: SipPerson
    bob: SipPerson

    def archived(self, text: str) -> list[str]:
        """The directions of the archived messages with this text."""
        found = tell(self.house.gateway, "archive", "search", text=text)
        return [one["rest"]["direction"] for one in found]

    def healthy(self) -> bool:
        """Whether the metric says that the archive is written."""
        page = request(self.house.gateway.namespace, "GET", METRICS)[1]
        return re.search(r"^gateway_archive_up 1(\.0)?$", page, re.MULTILINE) is not None


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All of them, and an archive of every text that is critical."""
    if reason := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    server = Server()
    try:
        server.make()
        server.start()
        with Lab(tmp_path_factory.mktemp("archive")) as lab:
            archive = {"on": True, "mode": "content", "critical": True, "postgresql": server.address, "key": KEY}
            house = build(lab, "kamailio", {"partner.example": "kamailio"}, tables=(table("archive", **archive),))
            alice, bob = house.person(ALICE), house.person(BOB)
            assert isinstance(alice, SipPerson) and isinstance(bob, SipPerson)
            yield Scene(house, server, alice, bob)
    finally:
        server.remove()


def test_what_crosses_is_archived_with_its_text(scene: Scene) -> None:
    scene.alice.says(scene.bob, "out to bob")
    scene.bob.hears("out to bob")
    scene.bob.says(scene.alice, "back to alice")
    scene.alice.hears("back to alice")
    assert scene.archived("out to bob") == ["out"]
    assert scene.archived("back to alice") == ["in"]
    (said,) = tell(scene.house.gateway, "archive", "search", text="back to alice")
    assert (said["about"], said["to"]) == (ALICE, BOB)
    assert scene.healthy()


def test_while_the_database_is_stopped_nothing_crosses_and_the_sender_is_told_when_to_try_again(scene: Scene) -> None:
    lab = scene.house.lab
    with dial(lab, OUTSIDE, leaf=lab.pki.leaf("partner.example", "sip")) as peer:
        scene.server.stop()
        try:
            # The first finds out: it has been taken for the archive when the commit fails.
            for text in ("first of eve", "second of eve"):
                got = peer.exchange(peer.request("MESSAGE", f"sip:{ALICE}", EVE, body=text))
                assert got.status == 503 and int(got["retry-after"]) > 0, got
            # Their own Kamailios relay it as 500, for nobody else is to be tried (RFC 3261 section 16.7).
            assert scene.bob.ua.message(f"sip:{ALICE}", "first of bob").status in (500, 503)
            assert scene.alice.ua.message(f"sip:{BOB}", "first of alice").status in (500, 503)
            until(lambda: not scene.healthy(), "the metric", PATIENCE)
        finally:
            scene.server.start()
    until(scene.healthy, "a healthy archive", 20.0)
    scene.bob.says(scene.alice, "after the stop")
    scene.alice.hears("after the stop")
    scene.alice.says(scene.bob, "and back")
    scene.bob.hears("and back")
    texts = [one.text for one in (*scene.alice.ua.requests("MESSAGE"), *scene.bob.ua.requests("MESSAGE"))]
    assert not [text for text in texts if text.startswith(("first of", "second of"))]
    assert texts
    assert scene.archived("after the stop") == ["in"] and not scene.archived("of bob")


def test_the_chain_holds(scene: Scene, tmp_path: Path) -> None:
    done = tell(scene.house.gateway, "archive", "export", format="jsonl", file=str(tmp_path / "all.jsonl"))
    assert done["records"] > 4
    verified = scene.house.gateway.command("archive", "verify", "--file", str(tmp_path / "all.jsonl"))
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_crash_leaves_no_memory_behind(scene: Scene) -> None:
    gateway = scene.house.gateway
    limits = Path(f"/proc/{gateway.process.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), limits
    before = set(gateway.folder.rglob("*"))
    os.kill(gateway.process.pid, signal.SIGABRT)
    until(lambda: not gateway.process.running(), "the end", PATIENCE)
    assert gateway.process.exit_code == -signal.SIGABRT
    new = {path.name for path in set(gateway.folder.rglob("*")) - before}
    assert not [name for name in new if "core" in name]
    gateway.start()
