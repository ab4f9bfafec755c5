"""The ready configuration of an internal Kamailio is one that Kamailio takes, and its gateway half one of ours."""

import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from gateway.config import Config, InsideSip, load
from tests.interop.conftest import missing
from tests.interop.lab import Lab
from tests.interop.sip.crossing import SipPerson, build
from tests.interop.sip.kamailio import Kamailio
from tests.interop.sip.ua import user_agent

DEPLOY = Path(__file__).parents[2] / "deploy" / "kamailio"
PASSWORD = "open sesame"
TABLES = Path("/usr/share/kamailio/db_sqlite/auth_db-create.sql")
LAB = Path(__file__).parents[1] / "interop" / "sip" / "kamailio.cfg.in"


def _local(tmp_path: Path) -> Path:
    """Copies the configuration with the paths and addresses of this machine."""
    text = (DEPLOY / "kamailio.cfg").read_text("utf-8")
    for old, new in {
        "/etc/kamailio/tls.cfg": str(tmp_path / "tls.cfg"),
        "sqlite:////var/lib/kamailio/kamailio.sqlite": f"sqlite:///{tmp_path}/kamailio.sqlite",
        "192.0.2.10": "127.0.0.1",
    }.items():
        assert old in text, f"kamailio.cfg no longer holds {old}"
        text = text.replace(old, new)
    (tmp_path / "tls.cfg").write_text((DEPLOY / "tls.cfg").read_text("utf-8"))
    path = tmp_path / "kamailio.cfg"
    path.write_text(text)
    return path


@pytest.mark.skipif(shutil.which("kamailio") is None, reason="left out: apt-get install kamailio")
def test_kamailio_takes_the_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        ["kamailio", "-c", "-E", "-f", str(_local(tmp_path))], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.skipif(shutil.which("kamailio") is None, reason="left out: apt-get install kamailio")
def test_it_would_say_what_is_wrong(tmp_path: Path) -> None:
    path = _local(tmp_path)
    path.write_text(path.read_text("utf-8").replace("route(PRESENCE);", "route(PRESENCE"))
    done = subprocess.run(
        ["kamailio", "-c", "-E", "-f", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0


def _routes(path: Path) -> dict[str, str]:
    found = re.findall(r"^route\[(\w+)\] \{\n(.*?)^\}", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return {name: re.sub(r"#.*", "", text) for name, text in found}


@pytest.mark.parametrize("name", ["RELAY", "PRESENCE"])
def test_the_routing_is_that_of_the_lab(name: str) -> None:
    ours, theirs = _routes(DEPLOY / "kamailio.cfg"), _routes(LAB)
    assert ours[name] == theirs[name]


def test_both_halves_fit(tmp_path: Path) -> None:
    text = (DEPLOY / "gateway.toml").read_text("utf-8")
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    config: Config = load(path)
    assert isinstance(config.inside, InsideSip)
    kamailio = (DEPLOY / "kamailio.cfg").read_text("utf-8")
    inside = config.inside.listen[0]
    assert f"sip:{inside.host}:{inside.port};transport=tls" in kamailio
    target = config.inside.connect.of(config.gateway.domains[0])
    assert target is not None and f"listen=tls:{target.host}:{target.port}" in kamailio
    assert f'alias="{config.gateway.domains[0]}"' in kamailio


def _deployed(server: Kamailio) -> str:
    """Gives the configuration with the lab's places; its people have a password."""
    text = (DEPLOY / "kamailio.cfg").read_text("utf-8")
    folder = server.site.folder
    control = f'loadmodule "ctl.so"\nmodparam("ctl", "binrpc", "unix:{folder}/control")\n'
    for old, new in {
        "/etc/kamailio/tls.cfg": f"{folder}/tls.cfg",
        "sqlite:////var/lib/kamailio/kamailio.sqlite": f"sqlite:///{folder}/kamailio.db",
        "192.0.2.10": server.address,
        "listen=tls:127.0.0.1": f"listen=tls:{server.address}",
        'loadmodule "auth.so"': f'{control}loadmodule "auth.so"',
    }.items():
        assert old in text, f"kamailio.cfg no longer holds {old}"
        text = text.replace(old, new)
    with sqlite3.connect(folder / "kamailio.db") as database:
        database.executescript(TABLES.read_text("utf-8"))
        rows = [(user, server.domain, PASSWORD) for user in server.plan.users]
        database.executemany("INSERT INTO subscriber (username, domain, password) VALUES (?, ?, ?)", rows)
    database.close()
    return text


def _registered(lab: Lab, user: str, transport: str = "tcp") -> SipPerson:
    ua = user_agent(lab, f"{user}@corp.example", transport=transport, password=PASSWORD)
    assert ua.register().status == 200
    asked = [got.status for got in ua.messages(lambda got: not got.sent and got["cseq"].endswith("REGISTER"))]
    assert asked == [401, 200]
    return SipPerson(ua)


@pytest.mark.interop
def test_presence_and_messages_cross_with_it_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := missing() or ("" if shutil.which("kamailio") else "left out: apt-get install kamailio"):
        pytest.skip(reason)
    monkeypatch.setattr(Kamailio, "_configuration", _deployed)
    with Lab(tmp_path) as lab:
        house = build(lab, "kamailio", {"ally.example": "prosody"}, people=("alice", "dave"))
        alice, bob = _registered(lab, "alice"), house.person("bob@ally.example")
        alice.shows("busy", "over Kamailio")
        bob.watches(alice)
        bob.sees(alice, "over Kamailio")
        alice.watches(bob)
        bob.lets(alice)
        bob.shows("away", "over Prosody")
        alice.sees(bob, "over Prosody")
        alice.says(bob, "there")
        bob.hears("there")
        bob.says(alice, "and back")
        alice.hears("and back")
        assert [got.status for got in alice.ua.responses("MESSAGE")] == [407, 202]
        _passwords_count(lab, alice)


def _passwords_count(lab: Lab, alice: SipPerson) -> None:
    """Nobody gets in without one, with a wrong one, or as somebody else."""
    for password in ("", "wrong"):
        stranger = user_agent(lab, "dave@corp.example", transport="tcp", password=password)
        assert stranger.register().status == 401
        assert stranger.message("sip:bob@ally.example", "never told").status == 407
    assert alice.ua._ask("REGISTER", "sip:corp.example", to="sip:dave@corp.example").status == 403
