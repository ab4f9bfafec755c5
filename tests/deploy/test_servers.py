"""The ready configurations of the inside server, each with the real server, the gateway and a partner."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import missing
from tests.interop.lab import Lab

pytestmark = pytest.mark.interop
DEPLOY = Path(__file__).parents[2] / "deploy"
COMPONENT = "gateway.corp.example"
ADDRESS = {'"127.0.0.1"': '"127.0.0.10"'}
"""Where the inside server listens, in the file and in the lab."""
SECRET = "0123456789abcdef0123456789abcdef"
PATIENCE = 20.0
"""Seconds; the machine may be busy with other tests."""
READY = "http://127.0.0.1:8920/readyz"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    if reason := missing():
        pytest.skip(reason)
    with Lab(tmp_path) as opened:
        yield opened


def _config(lab: Lab, inside: str) -> str:
    ours = lab.pki.leaf("corp.example")
    return f"""
[gateway]
domains = ["corp.example"]
state = "state"
[tls]
certificate = "{ours.chain}"
key = "{ours.key}"
ca = "{lab.pki.ca}"
[inside]
{inside}
[outside.xmpp]
listen = ["127.0.0.101:5269"]
dns = ["127.0.0.53"]
[[partner]]
domain = "ally.example"
addresses = "any"
"""


def _as_server(lab: Lab) -> tuple[Any, Path]:
    inside = f"""kind = "xmpp-server"
connect = "127.0.0.10:5269"
listen = ["127.0.0.100:5269"]
ca = "{lab.pki.ca}"
"""
    gateway = lab.gateway(_config(lab, inside), ready=READY)
    return gateway, gateway.folder / "state" / "inside-ca" / "ca.crt"


def _as_component(lab: Lab) -> Any:
    inside = f"""kind = "xmpp-component"
connect = "127.0.0.10:5347"
name = "{COMPONENT}"
secret = "{SECRET}"
"""
    return lab.gateway(_config(lab, inside), ready=READY)


def _exchange(lab: Lab, gateway: Any, shown: str = "carol@ally.example") -> None:
    """Carol subscribes, sees what her level allows, and both write; `shown` is Carol's address inside."""
    lab.prosody("ally.example", users={"carol": "pw"}, view="public", dialback=False)
    lab.ready()
    assert gateway.command("levels", "set", "alice@corp.example", "carol@ally.example", "company").returncode == 0
    alice, carol = lab.online("alice@corp.example", "carol@ally.example")
    carol.subscribe("alice@corp.example")
    alice.wait_for(f"presence[@type='subscribe'][@from='{shown}']", PATIENCE)
    alice.approve(shown)
    carol.wait_for("presence[@type='subscribed']", PATIENCE)
    alice.presence("dnd", "in a meeting")
    carol.wait_for("presence/status", PATIENCE)
    carol.wait_for(f"message[@id='{alice.message(shown, 'there')}']/body", PATIENCE)
    alice.wait_for(f"message[@id='{carol.message('alice@corp.example', 'and back')}']/body", PATIENCE)


def _lua(name: str, **replaced: object) -> str:
    text = (DEPLOY / "prosody" / name).read_text()
    for old, new in replaced.items():
        assert old in text, f"{name} no longer holds {old}"
        text = text.replace(old, str(new))
    return text


def test_prosody_with_the_module_needs_no_dns(lab: Lab) -> None:
    gateway, authority = _as_server(lab)
    text = _lua(
        "s2s.cfg.lua",
        **{"/etc/prosody/modules": DEPLOY / "prosody", "/etc/prosody/gateway-ca.crt": authority, **ADDRESS},
    )
    lab.prosody("corp.example", users={"alice": "pw"}, view="direct", dialback=False, extra=text)
    _exchange(lab, gateway)
    assert "invalid-from" not in gateway.log


def test_a_prosody_that_cannot_reach_the_gateway_says_so(lab: Lab) -> None:
    text = _lua(
        "s2s.cfg.lua",
        **{"/etc/prosody/modules": DEPLOY / "prosody", "/etc/prosody/gateway-ca.crt": lab.pki.ca, **ADDRESS},
    )
    lab.prosody("corp.example", users={"alice": "pw"}, view="direct", dialback=False, extra=text)
    lab.ready()
    (alice,) = lab.online("alice@corp.example")
    sent = alice.message("carol@ally.example", "anybody there")
    alice.wait_for(f"message[@id='{sent}'][@type='error']/error/{{urn:ietf:params:xml:ns:xmpp-stanzas}}*")


def test_prosody_with_the_gateway_as_component(lab: Lab) -> None:
    # the lab waits for the port of other servers
    text = _lua("component.cfg.lua", **{"replace this by 32 random characters": SECRET, '"s2s"': '"csi"'})
    lab.prosody("corp.example", users={"alice": "pw"}, dialback=False, components={COMPONENT: SECRET}, extra=text)
    lab.servers["corp.example"].await_ready()
    _exchange(lab, _as_component(lab), rf"carol\40ally.example@{COMPONENT}")


def _included(lab: Lab, name: str, **replaced: object) -> str:
    """The options of a configuration for ejabberd to read itself, without what the lab sets."""
    text, _, listeners = (DEPLOY / "ejabberd" / name).read_text().partition("\nlisten:")
    assert listeners, f"{name} no longer ends with its listeners"
    for old, new in replaced.items():
        assert old in text, f"{name} no longer holds {old}"
        text = text.replace(old, str(new))
    kept = [
        line for line in text.splitlines() if line.partition(":")[0] not in ("s2s_use_starttls", "s2s_max_retry_delay")
    ]
    path = lab.pki.folder / name
    path.write_text("\n".join(kept))
    return json.dumps({"include_config_file": [str(path)]})


def test_ejabberd_with_split_horizon_dns(lab: Lab) -> None:
    gateway, authority = _as_server(lab)
    trust = lab.pki.bundle("inside", (authority,))  # a copy that ejabberd's user may read
    text = _included(lab, "s2s.yml", **{"/etc/ejabberd/gateway-ca.crt": trust})
    lab.ejabberd("corp.example", users={"alice": "pw"}, view="inside", dialback=False, extra=text)
    _exchange(lab, gateway)


def test_ejabberd_with_the_gateway_as_component(lab: Lab) -> None:
    text = _included(lab, "component.yml")
    lab.ejabberd("corp.example", users={"alice": "pw"}, dialback=False, components={COMPONENT: SECRET}, extra=text)
    lab.servers["corp.example"].await_ready()
    _exchange(lab, _as_component(lab), rf"carol\40ally.example@{COMPONENT}")
