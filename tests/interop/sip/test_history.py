"""Conversations in a mailbox of a real Dovecot, and the contact who is told first, over XMPP and over SIP."""

import shutil
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from attrs import frozen

from ...install_peers import MAIL, missing
from ..client import Client
from ..dovecot import MASTER, MASTER_PASSWORD, Dovecot
from ..lab import Lab
from ..scene import of, run, table, tell, until
from .crossing import PATIENCE, House, SipPerson, build

pytestmark = pytest.mark.interop

ALICE, DAVE, BOB = "alice@corp.example", "dave@corp.example", "bob@partner.example"
GONE = "<gone xmlns='http://jabber.org/protocol/chatstates'/>"
DISCLOSURE = "{urn:example:gateway:disclosure}disclosure"
TEXT = "corp.example keeps what is written here."


@frozen
class Scene:
    """Alice and dave inside, bob at a Prosody, and a mail server."""

    house: House
    dovecot: Dovecot
    alice: Client
    bob: Client

    def talk(self, text: str) -> None:
        """Alice writes, and bob reads it."""
        self.alice.message(BOB, text)
        self.bob.wait_for(f"message[body='{text}']", PATIENCE)

    def part(self) -> None:
        """Both close the window."""
        self.alice.message(BOB, extra=GONE)
        self.bob.message(ALICE, extra=GONE)

    def kept(self, text: str) -> list[EmailMessage]:
        """The messages of alice's mailbox in which a text stands."""
        return [each for each in self.dovecot.messages(ALICE) if text in body(each)]

    def waiting(self) -> list[dict[str, object]]:
        """What is not in a mailbox yet."""
        found: list[dict[str, object]] = tell(self.house.gateway, "history", "status")["waiting"]
        return found


def body(letter: EmailMessage) -> str:
    found = letter.get_body(("plain",))
    return str(found.get_content()) if found is not None else ""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All of them, with nothing kept yet."""
    reasons = [need.package for need in missing() if need.leaves_out == MAIL]
    if reasons:
        pytest.skip(f"{MAIL} left out: apt-get install {' '.join(reasons)}")
    with Lab(tmp_path_factory.mktemp("history")) as lab:
        leaf = lab.pki.leaf("corp.example")

        def inside(*argv: str) -> list[str]:
            return lab.namespace.command(lab.dns.resolv_conf("direct"), *argv)

        dovecot = lab.join(Dovecot(leaf.chain, leaf.key, address="127.0.0.10", users=(ALICE, DAVE), inside=inside))
        dovecot.start()
        history = {
            "server": f"corp.example:{dovecot.port}",
            "ca": lab.pki.ca,
            "login": "{address}*" + MASTER,
            "secret": MASTER_PASSWORD,
            "retry_seconds": 0.5,
            "retry_max_seconds": 1.0,
        }
        tables = (
            table("history", **history),
            table("ledger", on=True),
            '[notice]\ntext = { en = "{domain} keeps what is written here." }\n',
        )
        house = build(lab, "prosody", {"partner.example": "prosody", "ally.example": "kamailio"}, tables=tables)
        yield Scene(house, dovecot, *lab.online(ALICE, BOB))


def test_nothing_is_kept_and_nobody_is_told_unless_somebody_chose_it(scene: Scene) -> None:
    scene.talk("off the record")
    scene.part()
    assert not scene.bob.stanzas(f"message/{DISCLOSURE}")
    assert tell(scene.house.gateway, "history", "show", owner=ALICE)["on"] is False


def test_the_contact_is_told_first_and_the_conversation_arrives(scene: Scene) -> None:
    alice, bob, gateway = scene.alice, scene.bob, scene.house.gateway
    assert run(gateway, "publish", "switch", ALICE, "history", "on")["withheld_by"] == ""
    mark = bob.mark()
    scene.talk("hello bob")
    texts = [one.text("body") for one in bob.stanzas(of(ALICE, "message"), after=mark) if one.text("body")]
    assert texts == [TEXT, "hello bob"]
    assert bob.stanzas(f"message/{DISCLOSURE}", after=mark)[0].text("body") == TEXT
    bob.message(ALICE, "hi alice")
    alice.wait_for("message[body='hi alice']", PATIENCE)
    scene.talk("once more")
    assert len(bob.stanzas(f"message/{DISCLOSURE}")) == 1
    scene.part()
    until(lambda: scene.kept("hi alice"), "the conversation in the mailbox", PATIENCE)
    (letter,) = scene.kept("hi alice")
    assert letter["Subject"] == f"Conversation with {BOB}"
    assert (str(letter["From"]), str(letter["To"])) == (ALICE, BOB)
    said = [line.split("] ")[1] for line in body(letter).splitlines() if line.startswith("[")]
    assert said == [f"{ALICE} (notice): {TEXT}", f"{ALICE}: hello bob", f"{BOB}: hi alice", f"{ALICE}: once more"]
    assert not scene.kept("off the record")


def test_the_ledger_has_the_notice(scene: Scene) -> None:
    rows = tell(scene.house.gateway, "ledger", "list", about=ALICE)
    assert [row["what"] for row in rows].count("notice") == 1


def test_a_correction_shows_the_last_text(scene: Scene) -> None:
    number = scene.alice.message(BOB, "meet at fve")
    replace = f"<replace xmlns='urn:xmpp:message-correct:0' id='{number}'/>"
    scene.alice.message(BOB, "meet at five", replace)
    scene.bob.wait_for("message[body='meet at five']", PATIENCE)
    scene.part()
    until(lambda: scene.kept("meet at five"), "the corrected text", PATIENCE)
    assert not scene.kept("meet at fve") and "(corrected" in body(scene.kept("meet at five")[0])


def test_a_conversation_goes_on_over_a_crash_and_its_contact_is_not_told_again(scene: Scene) -> None:
    scene.talk("before the crash")
    scene.house.restart(kill=True)
    scene.talk("after the crash")
    scene.part()
    until(lambda: scene.kept("after the crash"), "the conversation", PATIENCE)
    (letter,) = scene.kept("after the crash")
    assert "before the crash" in body(letter)
    assert len(scene.bob.stanzas(f"message/{DISCLOSURE}")) == 1


def test_what_crashed_behind_the_mailbox_arrives_once(scene: Scene, tmp_path: Path) -> None:
    gateway, state = scene.house.gateway, scene.house.gateway.folder / "state"
    scene.dovecot.stop()
    scene.talk("only once")
    scene.part()
    until(lambda: any(each["problem"] == "connection" for each in scene.waiting()), "a failed attempt", PATIENCE)
    gateway.kill()
    before = [shutil.copy(path, tmp_path) for path in state.glob("history.db*")]
    scene.dovecot.start()
    gateway.start()
    until(lambda: scene.kept("only once"), "the conversation", 15.0)
    gateway.kill()
    for path in state.glob("history.db*"):
        path.unlink()
    for path in before:  # as if the crash had come between the mailbox and the queue
        shutil.copy(path, state)
    gateway.start()
    assert len(scene.waiting()) == 1
    until(lambda: not scene.waiting(), "an empty queue", 15.0)
    assert len(scene.kept("only once")) == 1


def test_over_sip_the_notice_is_a_message_before_the_first(scene: Scene) -> None:
    bob = scene.house.person("bob@ally.example")
    assert isinstance(bob, SipPerson)
    scene.alice.message(bob.name, "over SIP")
    bob.hears("over SIP")
    got = bob.ua.requests("MESSAGE")
    assert [one.text for one in got] == [TEXT, "over SIP"]
    assert got[0]["x-gateway-disclosure"] == "kept" and not got[1]["x-gateway-disclosure"]


def test_a_stranger_who_writes_first_is_told_before_he_is_answered(scene: Scene) -> None:
    gateway = scene.house.gateway
    tell(gateway, "publish", "switch", owner=DAVE, subject="history", state="on")
    (dave,) = scene.house.lab.online(DAVE)
    bill = scene.house.person("bill@ally.example")
    assert isinstance(bill, SipPerson)
    bill.ua.message(f"sip:{DAVE}", "bill begins")
    dave.wait_for("message[body='bill begins']", PATIENCE)
    dave.message(bill.name, "dave answers")
    bill.hears("dave answers")
    got = bill.ua.requests("MESSAGE")
    assert [one.text for one in got] == [TEXT, "dave answers"] and got[0]["x-gateway-disclosure"] == "kept"


def test_a_notice_of_theirs_is_shown(scene: Scene) -> None:
    scene.bob.message(ALICE, "We keep this.", "<disclosure xmlns='urn:example:gateway:disclosure'/>")
    shown = scene.alice.wait_for("message[body='We keep this.']", PATIENCE)
    assert shown.find(DISCLOSURE) is not None
