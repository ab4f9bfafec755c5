"""A mailbox of a real Dovecot: every way to log in, the folder, no message twice, certificates always verified."""

import imaplib
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from attrs import evolve

from gateway.model.address import Address
from gateway.model.envelope import Side
from gateway.protocols.mail import Line, Transcript, message_id, write_conversation
from plugins.taps.history import mailbox
from plugins.taps.history.mailbox import Letter, Login, carry, encoded

from ....interop.dovecot import MASTER, MASTER_PASSWORD, PASSWORD, Dovecot
from ....interop.pki import Flavour, Pki

ALICE, BOB = "alice@corp.example", "bob@corp.example"
START = 1_790_000_000.0


def letter(name: str, uncertain: bool = False) -> Letter:
    lines = (Line(START, Side.EXTERNAL, "grüße\n<b>"),)
    contact = Address.parse("bob@partner.example")
    said = Transcript(name, Address.parse(ALICE), contact, Side.EXTERNAL, START, START + 60, lines)
    return Letter(name, message_id(said), write_conversation(said), START, uncertain)


@pytest.fixture
def login(dovecot: Dovecot, pki: Pki) -> Login:
    return Login("localhost", dovecot.port, False, pki.ca, ALICE, PASSWORD)


def names(dovecot: Dovecot, folder: str, user: str = ALICE) -> list[str]:
    return [str(each["Message-ID"]) for each in dovecot.messages(user, folder)]


def test_a_conversation_arrives_in_a_folder_that_is_made(dovecot: Dovecot, login: Login) -> None:
    assert dovecot.messages(ALICE) == []
    outcome = carry(login, [letter("one")])
    assert (outcome.done, outcome.problem) == (["one"], "")
    (found,) = dovecot.messages(ALICE)
    assert parsedate_to_datetime(str(found["Date"])).timestamp() == START
    assert (str(found["From"]), str(found["To"])) == ("bob@partner.example", ALICE)
    body = found.get_body(("plain",))
    assert body is not None and "grüße\n    <b>" in str(body.get_content()).replace("\r\n", "\n")
    assert "Conversation History" in dovecot.subscriptions(ALICE)
    assert not found.defects


@pytest.mark.parametrize(
    ("folder", "changes"),
    [
        ("Master", lambda dovecot: {"user": f"{ALICE}*{MASTER}", "secret": MASTER_PASSWORD}),
        ("Token", lambda dovecot: {"secret": dovecot.token(ALICE), "xoauth2": True}),
        ("STARTTLS", lambda dovecot: {"starttls": True, "port": dovecot.plain_port}),
    ],
)
def test_each_way_to_log_in(
    dovecot: Dovecot, login: Login, folder: str, changes: Callable[[Dovecot], dict[str, object]]
) -> None:
    outcome = carry(evolve(login, folder=folder, **changes(dovecot)), [letter("two")])
    assert (outcome.done, outcome.problem) == (["two"], ""), dovecot.log[-2000:]
    assert len(names(dovecot, folder)) == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"secret": "wrong"}, "login"),
        ({"secret": "wrong", "xoauth2": True}, "login"),
        ({"user": f"{ALICE}*{MASTER}", "secret": PASSWORD}, "login"),
        ({"port": 1}, "connection"),
        ({"host": "127.0.0.1"}, "certificate"),
        ({"host": "127.0.0.1", "starttls": True, "port": 10143}, "certificate"),
        ({"authorities": None}, "certificate"),
    ],
)
def test_what_goes_wrong_is_told_in_a_word(
    dovecot: Dovecot, login: Login, changes: dict[str, object], problem: str
) -> None:
    outcome = carry(evolve(login, folder="Never", **changes), [letter("three")])
    assert (outcome.done, outcome.problem) == ([], problem)
    assert dovecot.messages(ALICE, "Never") == []


def test_a_certificate_that_nobody_signed_is_not_believed(pki: Pki) -> None:
    for port, flavour in ((10994, Flavour.SELF_SIGNED), (10995, Flavour.EXPIRED), (10996, Flavour.WRONG_NAME)):
        leaf = pki.leaf("localhost", flavour)
        server = Dovecot(Path(leaf.chain), Path(leaf.key), port=port, plain_port=port - 800)
        try:
            server.start()
            found = carry(Login("localhost", port, False, pki.ca, ALICE, PASSWORD), [letter("four")])
            assert found.problem == "certificate", flavour
        finally:
            server.kill()


def test_an_uncertain_message_is_looked_for_first(dovecot: Dovecot, login: Login) -> None:
    login = evolve(login, folder="Twice")
    assert carry(login, [letter("five")]).done == ["five"]
    assert carry(login, [letter("five", uncertain=True), letter("six", uncertain=True)]).done == ["five", "six"]
    assert sorted(names(dovecot, "Twice")) == sorted([letter("five").message_id, letter("six").message_id])


def test_a_connection_that_breaks_between_two_tells_which_are_there(
    dovecot: Dovecot, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, adding = evolve(login, folder="Broken"), mailbox._add

    def breaks(server: imaplib.IMAP4, folder: str, given: Letter) -> None:
        adding(server, folder, given)
        if given.name == "eight":
            raise OSError

    monkeypatch.setattr(mailbox, "_add", breaks)
    outcome = carry(login, [letter("seven"), letter("eight"), letter("nine")])
    assert (outcome.done, outcome.problem) == (["seven"], "connection")
    monkeypatch.undo()
    again = carry(login, [letter("eight", uncertain=True), letter("nine", uncertain=True)])
    assert again.done == ["eight", "nine"]
    assert len(names(dovecot, "Broken")) == 3


@pytest.mark.parametrize("folder", ["Gesprächsverlauf", 'a & "b"', "会話"])
def test_any_name_of_a_folder(dovecot: Dovecot, login: Login, folder: str) -> None:
    assert carry(evolve(login, folder=folder), [letter("ten")]).done == ["ten"]
    assert len(names(dovecot, encoded(folder))) == 1


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("Plain", "Plain"),
        ("a&b", "a&-b"),
        ("é&", "&AOk-&-"),
        ("台北", "&U,BTFw-"),
        ("~peter/日本語", "~peter/&ZeVnLIqe-"),
    ],
)
def test_names_of_folders_as_rfc_3501_writes_them(folder: str, expected: str) -> None:
    assert encoded(folder) == expected


def test_a_login_does_not_show_its_secret(login: Login) -> None:
    assert PASSWORD not in repr(login)
