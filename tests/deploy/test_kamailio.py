"""The ready configuration of an internal Kamailio is one that Kamailio takes, and its gateway half one of ours."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.config import Config, InsideSip, load

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
