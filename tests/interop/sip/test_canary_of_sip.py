"""A gateway with SIP on both sides that logs and traces all it can: no word of anybody comes out, whatever fails."""

import base64
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress

import pytest
from attrs import define, field

from ..lab import Lab
from ..scene import METRICS, give, table, tell, until
from ..web import request
from .crossing import INSIDE, OUTSIDE, PATIENCE, House, SipPerson, build
from .raw import RawPeer, dial

pytestmark = pytest.mark.interop

ALICE, BOB, BILL = "alice@corp.example", "bob@partner.example", "bill@partner.example"
BODY, NOTE, PHONE = "canary-body-4711", "canary-note-4712", "+12025550143"
PIDF = "application/pidf+xml"
KEY = base64.b64encode(bytes(range(32))).decode()
WHERE = (BODY, NOTE, PHONE, PHONE[2:], base64.b64encode(BODY.encode()).decode(), BODY.encode().hex())
OF_THE_SPOOL = ("spool.db", "archive.db")
"""Files that hold messages because they are to."""


@define
class Scene:
    """Alice and bob at Kamailios, and all that the gateway has answered."""

    house: House
    alice: SipPerson
    bob: SipPerson
    answers: list[str] = field(factory=list)

    def peer(self, domain: str = "partner.example", where: str = OUTSIDE) -> RawPeer:
        """A connection of somebody with a certificate."""
        return dial(self.house.lab, where, leaf=self.house.lab.pki.leaf(domain, "sip"))

    def sends(self, raw: bytes, domain: str = "partner.example", where: str = OUTSIDE) -> None:
        """Sends anything, and takes what comes back, if anything does."""
        with suppress(OSError, AssertionError), self.peer(domain, where) as peer:
            peer.send(raw)
            self.answers.append(peer.receive(1.0).raw.decode(errors="replace"))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All of them, with everything on that records."""
    with Lab(tmp_path_factory.mktemp("canary")) as lab:
        tables = (
            table("archive", on=True, mode="content", critical=True, key=KEY),
            table("ledger", on=True),
            table("spool", seconds=4.0),
        )
        house = build(lab, "kamailio", {"partner.example": "kamailio"}, tables=tables)
        for whom in ("partner.example", ALICE):
            tell(house.gateway, "trace", whom=whom, span="1h", background="yes")
        alice, bob = house.person(ALICE), house.person(BOB)
        assert isinstance(alice, SipPerson) and isinstance(bob, SipPerson)
        yield Scene(house, alice, bob)


def pidf(note: str, end: str = "</presence>") -> str:
    return (
        f'<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:{ALICE}"><tuple id="t">'
        f"<status><basic>open</basic></status><contact>tel:{PHONE}</contact><note>{note}</note></tuple>{end}"
    )


def ordinary(scene: Scene) -> None:
    """What people say and publish every day."""
    give(scene.house.gateway, ALICE, BOB, "personal")
    published = lambda: scene.alice.ua.publish(activity="busy", person_note=NOTE).status == 200  # noqa: E731
    until(published, "a Kamailio whose file is not locked by itself", PATIENCE)
    scene.bob.watches(scene.alice)
    scene.bob.sees(scene.alice, "busy", NOTE)
    scene.alice.ua.publish(pidf(NOTE))
    scene.alice.says(scene.bob, BODY)
    scene.bob.hears(BODY)
    scene.bob.says(scene.alice, f"{BODY} call me at {PHONE}")
    scene.alice.hears(f"{BODY} call me at {PHONE}")
    session = scene.bob.ua.invite_session(f"sip:{ALICE}")
    if session.opened.status == 200:
        session.message(BODY)
        session.bye()


def refused(scene: Scene) -> None:
    """What does not pass: to nobody, from the blocked, of a kind that nobody reads, too much, while nothing is kept."""
    alice, bob = f"sip:{ALICE}", scene.bob.ua
    said = [bob.message("sip:nobody@corp.example", BODY), bob.message(alice, BODY, f"text/x-{BODY}")]
    said.append(bob.message(alice, BODY, "text/plain", [("Subject", BODY), ("Call-Info", f"<tel:{PHONE}>")]))
    said.append(bob.message(alice, f"From: {BODY}\r\n\r\nbroken {BODY}", "message/cpim"))
    said.append(bob.message(f"tel:{PHONE}", BODY))
    give(scene.house.gateway, ALICE, BOB, "blocked")
    said.append(bob.message(alice, BODY))
    give(scene.house.gateway, ALICE, BOB, "personal")
    said.append(scene.alice.ua.publish(pidf(NOTE, end="<broken")))
    for database in OF_THE_SPOOL:
        with sqlite3.connect(scene.house.gateway.folder / "state" / database, isolation_level=None) as lock:
            lock.execute("BEGIN IMMEDIATE")
            with suppress(AssertionError):
                said.append(bob.message(alice, BODY))
            lock.execute("ROLLBACK")
        lock.close()
    scene.answers += [one.raw.decode(errors="replace") for one in said]


def unreadable(scene: Scene) -> None:
    """What no client sends. A number in the place of an address is an address, and stands where addresses do."""
    with scene.peer() as peer:
        whole = [
            peer.request("MESSAGE", f"sip:{ALICE}", f"sip:{BOB}", body=BODY),
            peer.request("NOTIFY", f"sip:{ALICE}", f"sip:{BOB}", body=pidf(NOTE), content_type=PIDF),
            peer.request("PUBLISH", f"sip:{ALICE}", f"sip:{BOB}", body=pidf(NOTE), content_type=PIDF),
            peer.request("SUBSCRIBE", f"sip:{ALICE}", f"sip:{BOB}", body=BODY, headers=[("Event", BODY)]),
            peer.request("MESSAGE", f"tel:{PHONE}", f"tel:{PHONE}", body=BODY),
            peer.request("MESSAGE", "sip:+12025550199@corp.example;user=phone", f"sip:{BOB}", body=BODY),
            peer.request("REGISTER", "sip:corp.example", f"sip:{BOB}", body=BODY),
            peer.request(
                "INVITE", f"sip:{ALICE}", f"sip:{BOB}", body=f"v=0\r\ns={BODY}", content_type="application/sdp"
            ),
        ]
    bent = [
        *(one.replace(b"Max-Forwards: 70", b"Max-Forwards: " + BODY.encode()) for one in whole),
        *(one.replace(b"Content-Length: ", b"Content-Length: -") for one in whole),
        *(re.sub(rb"From: <[^>]*>", f'From: "{NOTE} {PHONE}" <sip:{BOB}>'.encode(), one) for one in whole),
        *(re.sub(rb"Content-Type: .*\r\n", f"Content-Type: {BODY}\r\n".encode(), one) for one in whole),
        f"{BODY} {PHONE} {NOTE}\r\n\r\n".encode(),
        f"SIP/2.0 999 {BODY}\r\nVia: {NOTE}\r\nContent-Length: 0\r\n\r\n".encode(),
        BODY.encode() * 20_000,
    ]
    for raw in (*whole, *bent):
        scene.sends(raw)
    for raw in (whole[0], bent[0]):
        scene.sends(raw, "unknown.example")
        scene.sends(raw, "corp.example", INSIDE)


def test_nothing_that_is_said_or_published_comes_out(scene: Scene) -> None:
    gateway = scene.house.gateway
    ordinary(scene)
    refused(scene)
    unreadable(scene)
    state = gateway.folder / "state"
    until(lambda: (state / "trace.log").stat().st_size > 2_000, "a trace", PATIENCE)
    shown = [
        json.dumps(tell(gateway, *words, **told))
        for words, told in (
            (("status",), {}),
            (("traces", "list"), {}),
            (("archive", "status"), {}),
            (("telemetry", "show"), {}),
            (("ledger", "list"), {"about": ALICE}),
        )
    ]
    page = request(gateway.namespace, "GET", METRICS)[1]
    files = [path for path in gateway.folder.rglob("*") if path.is_file() and not path.name.startswith("spool.db")]
    places = {str(path.relative_to(gateway.folder)): path.read_bytes().decode(errors="replace") for path in files}
    places |= {f"answer {number}": text for number, text in enumerate([*shown, page])}
    places["log"] = gateway.log
    assert {"log", "gateway.log", "state/trace.log", "state/archive.db"} <= set(places)
    found = {f"{secret} in {name}" for name, text in places.items() for secret in WHERE if secret in text}
    assert not found
    assert 'log = "debug"' in gateway.config_path.read_text(), "the most verbose setting"
    assert "Traceback" not in gateway.log
    traced = "".join(path.read_text() for path in state.glob("trace.log*"))
    assert BOB in traced and "message" in traced.lower()


def test_an_answer_repeats_nothing_but_what_the_protocol_has_it_repeat(scene: Scene) -> None:
    assert len(scene.answers) > 20
    for answer in scene.answers:
        rest = re.sub(r"^(Via|From|To|Call-ID|CSeq|v|f|t|i):.*\r\n", "", answer, flags=re.MULTILINE | re.IGNORECASE)
        assert not [secret for secret in WHERE if secret in rest], answer


def test_what_is_to_be_kept_is_kept(scene: Scene) -> None:
    """So that the test above looked for something that was there."""
    assert tell(scene.house.gateway, "archive", "search", text=BODY)
