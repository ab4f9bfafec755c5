"""The ready configuration of an internal Kamailio is one that Kamailio takes, and its gateway half one of ours."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.config import Config, InsideSip, load
from tests.interop.conftest import missing
from tests.interop.lab import Lab
from tests.interop.sip.crossing import build
from tests.interop.sip.kamailio import Kamailio

DEPLOY = Path(__file__).parents[2] / "deploy" / "kamailio"
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
    """Gives the configuration with the lab's places; the lab's clients have no passwords, so they are not asked."""
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
    open_door = r"\1    return;\n}\n"
    text, found = re.subn(r"(^route\[FROM_CLIENT\] \{\n).*?^\}\n", open_door, text, flags=re.MULTILINE | re.DOTALL)
    assert found == 1
    return text


@pytest.mark.interop
def test_presence_and_messages_cross_with_it_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := missing() or ("" if shutil.which("kamailio") else "left out: apt-get install kamailio"):
        pytest.skip(reason)
    monkeypatch.setattr(Kamailio, "_configuration", _deployed)
    with Lab(tmp_path) as lab:
        house = build(lab, "kamailio", {"ally.example": "prosody"})
        alice, bob = house.person("alice@corp.example"), house.person("bob@ally.example")
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
