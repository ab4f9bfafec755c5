"""The lab itself, without the gateway: what these tests show broken, the gateway's tests cannot be blamed for."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .client import Client
from .dns import INSIDE_FACE, OUTSIDE_FACE
from .ejabberd import Ejabberd
from .lab import Lab
from .namespace import remove_orphans
from .process import LabError

pytestmark = pytest.mark.interop

_RESOLVE = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three partners that trust each other, one with a certificate for servers only, one that lives inside."""
    with Lab(tmp_path_factory.mktemp("lab")) as built:
        built.ejabberd("partner.example", users={"bob": "pw"}, dialback=False)
        built.prosody("corp.example", users={"alice": "pw"})
        built.prosody("ally.example", users={"carol": "pw"}, dialback=False)
        built.prosody("stranger.example", users={"eve": "pw"}, flavour="server-only", dialback=False)
        built.prosody("hq.example", address="127.0.0.12", view="inside", users={"frank": "pw"})
        built.ready()
        yield built


@pytest.fixture(scope="module")
def people(lab: Lab) -> dict[str, Client]:
    """alice, bob and carol, logged in."""
    jids = ("alice@corp.example", "bob@partner.example", "carol@ally.example")
    return dict(zip(("alice", "bob", "carol"), lab.online(*jids), strict=True))


def _befriend(one: Client, other: Client) -> None:
    for asks, answers in ((one, other), (other, one)):
        asks.subscribe(answers.bare)
        answers.wait_for(f"presence[@type='subscribe'][@from='{asks.bare}']")
        answers.approve(asks.bare)
        asks.wait_for(f"presence[@type='subscribed'][@from='{answers.bare}']")


@pytest.mark.parametrize(("one", "other"), [("alice", "bob"), ("alice", "carol"), ("carol", "bob")])
def test_contacts_see_and_reach_each_other(people: dict[str, Client], one: str, other: str) -> None:
    first, second = people[one], people[other]
    _befriend(first, second)
    for sender, receiver in ((first, second), (second, first)):
        status = f"{sender.bare} for {receiver.bare}"
        sender.presence("away", status)
        seen = receiver.wait_for(f"presence[status='{status}']")
        assert seen["from"].startswith(sender.bare + "/") and seen.text("show") == "away"
        name = sender.message(
            receiver.bare, f"<hello> & {other}", "<active xmlns='http://jabber.org/protocol/chatstates'/>"
        )
        got = receiver.wait_for(f"message[@id='{name}']")
        assert got.text("body") == f"<hello> & {other}"
        assert got.find("{http://jabber.org/protocol/chatstates}active") is not None


def test_server_only_certificate_satisfies_prosody_and_not_ejabberd(lab: Lab) -> None:
    (eve,) = lab.online("eve@stranger.example")
    (carol,) = lab.online("carol@ally.example")
    reached = eve.message("carol@ally.example", "to Prosody")
    carol.wait_for(f"message[@id='{reached}']/body")
    refused = eve.message("bob@partner.example", "to ejabberd")
    eve.wait_for(f"message[@id='{refused}'][@type='error']", 10.0)
    lab.servers["partner.example"].wait_for_log("unsupported certificate purpose")


@pytest.mark.parametrize(
    ("view", "name", "address"),
    [
        ("direct", "corp.example", "127.0.0.10"),
        ("direct", "partner.example", "127.0.0.20"),
        ("inside", "corp.example", "127.0.0.10"),
        ("inside", "partner.example", INSIDE_FACE),
        ("inside", "never-seen.example", INSIDE_FACE),
        ("public", "corp.example", OUTSIDE_FACE),
        ("public", "partner.example", "127.0.0.20"),
    ],
)
def test_a_name_depends_on_the_view(lab: Lab, view: str, name: str, address: str) -> None:
    done = lab.run("python3", "-c", _RESOLVE, name, view=view)
    assert done.stdout.strip() == address, done.stderr


def test_public_view_knows_no_name_of_which_nobody_told_it(lab: Lab) -> None:
    assert lab.run("python3", "-c", _RESOLVE, "never-seen.example", view="public").returncode != 0


def test_inside_server_takes_every_foreign_domain_to_the_gateway(lab: Lab) -> None:
    (frank,) = lab.online("frank@hq.example")
    with lab.listen(INSIDE_FACE, 5269) as face:
        face.settimeout(5.0)
        frank.message("somebody@never-seen.example", "anybody there?")
        stream, _ = face.accept()
        with stream:
            stream.settimeout(5.0)
            assert b"to='never-seen.example'" in stream.recv(4096)


def test_waiting_in_vain_fails_and_says_for_what(people: dict[str, Client]) -> None:
    started = time.monotonic()
    with pytest.raises(AssertionError, match="did not receive 'message/nothing'"):
        people["alice"].wait_for("message/nothing", 0.2)
    assert time.monotonic() - started < 2.0


def test_never_finds_what_came_before(people: dict[str, Client]) -> None:
    people["alice"].message("bob@partner.example", "seen")
    people["bob"].wait_for("message[body='seen']")
    with pytest.raises(AssertionError, match="seen"):
        people["bob"].never("message[body='seen']", 0.0)


def test_iq_answers_are_told_apart(people: dict[str, Client]) -> None:
    answer = people["alice"].iq("partner.example", "<query xmlns='jabber:iq:version'/>")
    assert "ejabberd" in answer.text("{jabber:iq:version}query/{jabber:iq:version}name")


def test_ejabberd_tells_its_administrator(lab: Lab, people: dict[str, Client]) -> None:
    del people
    partner = lab.servers["partner.example"]
    assert isinstance(partner, Ejabberd)
    assert any(jid.startswith("bob@partner.example/") for jid in partner.api("connected_users"))


def test_client_comes_back_after_logging_out(lab: Lab) -> None:
    (carol,) = lab.online("carol@ally.example")
    carol.disconnect()
    carol.connect()
    assert carol.events().count("session_start") == 2


def test_wrong_password_is_an_error_at_once(lab: Lab) -> None:
    mallory = lab.client("alice@corp.example", password="wrong")
    started = time.monotonic()
    with pytest.raises(LabError, match="failed_all_auth"):
        mallory.connect()
    assert time.monotonic() - started < 5.0


def test_nothing_is_left(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        namespace, folder = lab.namespace, lab.folder
        processes = [process.pid for process in lab.dns.processes.values()]
        assert len(namespace.pids()) >= len(processes) == 3
    assert not Path("/run/netns", namespace.name).exists() and not folder.exists()
    assert not [pid for pid in processes if Path("/proc", str(pid)).exists()]
    assert "dns-direct.log" in [path.name for path in tmp_path.iterdir()]


def test_everything_ends_when_the_test_is_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Lab(tmp_path) as lab:
        namespace = lab.namespace
        lab.prosody("corp.example")
        raise KeyboardInterrupt
    assert not Path("/run/netns", namespace.name).exists()


def test_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        broken = lab.prosody("corp.example", extra="this is not Lua")
        with pytest.raises(LabError, match="prosody corp.example ended"):
            broken.await_ready()


def test_what_a_killed_run_left_is_swept() -> None:
    namespace, folder = Path("/run/netns/xlab-999999999-0"), Path(tempfile.gettempdir(), "xlab-999999999-0-x")
    subprocess.run(["ip", "netns", "add", namespace.name], check=True)
    folder.mkdir()
    remove_orphans()
    assert not namespace.exists() and not folder.exists()


def test_sockets_of_the_test_stay_outside(lab: Lab) -> None:
    with lab.listen("127.0.0.77", 5999):
        assert lab.namespace.answers("127.0.0.77", 5999)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.77", 5999), 1.0)
