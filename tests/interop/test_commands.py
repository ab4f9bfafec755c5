"""The command line against the running daemon: what it says is what really happens on the wire."""

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from attrs import frozen

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .scene import (
    ACTIVITY,
    METRICS,
    MOOD,
    NICK,
    READY,
    befriend,
    configuration,
    give,
    inside_trust,
    of,
    partner,
    publication,
    run,
)

pytestmark = pytest.mark.interop

ALICE, BOB = "alice@corp.example", "bob@partner.example"
LEVELS = ("blocked", "public", "company", "team", "personal")


@frozen
class Scene:
    """The lab with everybody in it."""

    lab: Lab
    gateway: Gateway
    alice: Client
    bob: Client


def _config(lab: Lab, *more: str) -> str:
    return configuration(lab, partner("partner.example"), partner("gone.example", route="127.0.0.99:5269"), *more)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """alice and bob, friends; alice publishes a note, a name, an activity and a mood."""
    with Lab(tmp_path_factory.mktemp("commands")) as lab:
        gateway = lab.gateway(_config(lab), ready=READY)
        lab.prosody("corp.example", users={"alice": "pw"}, view="inside", trust=inside_trust(lab, gateway))
        lab.prosody("partner.example", users={"bob": "pw"}, view="public", dialback=False)
        lab.ready()
        alice, bob = lab.online(ALICE, BOB)
        befriend(alice, bob)
        give(gateway, ALICE, BOB, "personal")
        _publish(alice)
        bob.wait_for(lambda got: "reading the news" in got.xml)
        bob.wait_for(lambda got: "over the moon" in got.xml)
        yield Scene(lab, gateway, alice, bob)


def _publish(alice: Client) -> None:
    idle = "<idle xmlns='urn:xmpp:idle:1' since='2024-02-03T04:05:06Z'/>"
    alice.presence("away", "in the garden & <out>", extra=f"{idle}<nick xmlns='{NICK}'>Alice A.</nick>")
    mood = f"<mood xmlns='{MOOD}'><happy/><text>over the moon</text></mood>"
    activity = f"<activity xmlns='{ACTIVITY}'><relaxing><reading/></relaxing><text>reading the news</text></activity>"
    for node, payload in ((MOOD, mood), (ACTIVITY, activity)):
        assert alice.iq("", publication(node, payload), type="set")["type"] == "result"


def _parsed(element: ElementTree.Element) -> tuple[object, ...]:
    """An element without its addresses to full resources, its ids, its language and its namespace prefix."""
    name = element.tag.removeprefix("{jabber:client}").removeprefix("{jabber:server}")
    kept = {key: value for key, value in element.items() if key not in ("id", "to") and not key.endswith("}lang")}
    return name, tuple(sorted(kept.items())), (element.text or "").strip(), tuple(map(_parsed, element))


def _stanzas(text: str) -> list[tuple[object, ...]]:
    return [_parsed(element) for element in ElementTree.fromstring(f"<all xmlns='jabber:client'>{text}</all>")]


@pytest.mark.parametrize("level", LEVELS[1:])
def test_view_shows_the_bytes_that_the_change_puts_on_the_wire(scene: Scene, level: str) -> None:
    bob = scene.bob
    give(scene.gateway, ALICE, BOB, "blocked")
    bob.iq(ALICE, "<ping xmlns='urn:xmpp:ping'/>")
    mark = bob.mark()
    give(scene.gateway, ALICE, BOB, level)
    bob.iq(ALICE, "<ping xmlns='urn:xmpp:ping'/>")
    got = [_parsed(stanza.element) for stanza in bob.stanzas(after=mark) if stanza.name in ("presence", "message")]
    view = run(scene.gateway, "view", ALICE, BOB)
    assert view["level"] == level
    assert got == _stanzas(view["presence"]["xmpp"]) != []


def test_view_of_the_blocked_is_what_takes_it_back(scene: Scene) -> None:
    give(scene.gateway, ALICE, BOB, "public")
    mark = scene.bob.mark()
    give(scene.gateway, ALICE, BOB, "blocked")
    got = scene.bob.wait_for(of(ALICE, type="unavailable"), after=mark)
    assert _stanzas(run(scene.gateway, "view", ALICE, BOB)["presence"]["xmpp"])[:1] == [_parsed(got.element)]


def test_view_shows_the_card_that_a_question_brings(scene: Scene) -> None:
    give(scene.gateway, ALICE, BOB, "personal")
    got = scene.bob.iq(ALICE, "<vCard xmlns='vcard-temp'/>")
    (shown,) = _stanzas(run(scene.gateway, "view", ALICE, BOB)["card"]["xmpp"])
    assert shown == _parsed(got.element)


@pytest.mark.parametrize("level", LEVELS)
def test_explain_says_of_each_field_what_became_of_it(scene: Scene, level: str) -> None:
    bob = scene.bob
    give(scene.gateway, ALICE, BOB, "blocked")
    bob.iq(ALICE, "<ping xmlns='urn:xmpp:ping'/>")
    mark = bob.mark()
    give(scene.gateway, ALICE, BOB, level)
    bob.iq(ALICE, "<ping xmlns='urn:xmpp:ping'/>")
    text = "".join(got.xml for got in bob.stanzas(after=mark))
    told = run(scene.gateway, "explain", ALICE, BOB)
    fates = {row["field"]: row["outcome"] for row in told["fields"]}
    signs = {
        "note": "in the garden",
        "show": "<show>away",
        "display_name": "Alice A.",
        "last_active": "04:05:06",
        "activity": "reading the news",
        "mood": "over the moon",
    }
    assert {name: fates[name] == "sent" for name in signs} == {name: sign in text for name, sign in signs.items()}
    assert {fates[name] for name in ("phone.home", "location", "title")} <= {"not-published"}
    assert told["level"] == level
    for row in told["fields"]:
        assert (row["would_allow"] is None) is (row["outcome"] in ("sent", "coarsened")), row


def test_levels_are_listed_shown_and_taken_back(scene: Scene) -> None:
    gateway = scene.gateway
    give(gateway, ALICE, BOB, "team")
    give(gateway, "everyone", "partner.example", "company")
    listed = {(row["owner"], row["contact"]): row["level"] for row in run(gateway, "levels", "list")}
    assert listed == {(ALICE, BOB): "team", ("", "partner.example"): "company"}
    shown = run(gateway, "levels", "show", ALICE, BOB)
    assert shown["level"] == "team" and "phone.mobile" in shown["fields"] and "phone.home" not in shown["fields"]
    changed = run(gateway, "levels", "unset", ALICE, BOB)
    assert (changed["before"], changed["level"]) == ("team", "company")
    run(gateway, "levels", "unset", "everyone", "partner.example")
    assert run(gateway, "levels", "show", ALICE, BOB)["level"] == "public"
    assert run(gateway, "levels", "list") == []


def test_revocation_is_measured(scene: Scene) -> None:
    give(scene.gateway, ALICE, BOB, "personal")
    before = _sample(scene, "revo", "count")
    give(scene.gateway, ALICE, BOB, "public")
    assert _sample(scene, "revo", "count") > before


def _sample(scene: Scene, *words: str) -> float:
    lines = [line for line in scene.lab.http(METRICS)[1].splitlines() if not line.startswith("#")]
    found = [line for line in lines if all(word in line for word in words)]
    assert found, [line for line in lines if "revo" in line]
    return sum(float(line.rpartition(" ")[2]) for line in found)


@pytest.mark.parametrize(
    "words",
    [
        ("levels", "set", ALICE, BOB, "friend"),
        ("levels", "set", "alice@elsewhere.example", BOB, "team"),
        ("view", ALICE, "bob@unknown.example"),
        ("explain", ALICE, BOB, "--field", "shoe.size"),
        ("partners", "show", "unknown.example"),
        ("levels", "set", ALICE),
        ("no-such-command",),
    ],
)
def test_mistake_is_one_line_and_status_2(scene: Scene, words: tuple[str, ...]) -> None:
    done = scene.gateway.command(*words)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("gateway: "), done.stderr


def test_partners_are_listed_shown_and_tested(scene: Scene) -> None:
    gateway = scene.gateway
    rows = {row["partner"]: row for row in run(gateway, "partners", "list")}
    assert rows["partner.example"]["state"] == "up" and "external" in rows["partner.example"]["tls"]
    assert rows["partner.example"]["subscriptions"] == 1
    assert run(gateway, "partners", "show", "partner.example")["auth"] == ["external"]
    good = run(gateway, "partners", "test", "partner.example")
    assert {row["outcome"] for row in good["checks"]} == {"ok"}
    bad = gateway.command("partners", "test", "gone.example")
    assert bad.returncode and "127.0.0.99" in bad.stdout


def test_status_check_and_version(scene: Scene) -> None:
    told = run(scene.gateway, "status")
    assert told["ready"] is True and set(told["checks"].values()) == {None}
    checked = run_all(scene, "check", "--config", "gateway.toml")
    failed = [row["text"] for row in checked["checks"] if row["outcome"] == "fail"]
    assert len(failed) == 1 and "gone.example" in failed[0]
    broken = scene.gateway.folder / "broken.toml"
    broken.write_text(scene.gateway.config_path.read_text().replace("[defaults]\nlevel", "[defaults]\nlevle"))
    done = scene.gateway.command("check", "--config", str(broken))
    assert done.returncode == 2 and "level" in done.stdout + done.stderr
    assert scene.gateway.command("version").stdout.startswith("gateway")


def run_all(scene: Scene, *words: str) -> Any:
    """The answer of a command that may find fault."""
    return json.loads(scene.gateway.command(*words, "--json").stdout)


def test_reload_tells_what_has_changed(scene: Scene) -> None:
    scene.gateway.config_path.write_text(_config(scene.lab, partner("ally.example")))
    told = run(scene.gateway, "reload")
    assert any("ally.example" in line for line in told["changes"])
    assert run(scene.gateway, "reload")["changes"] == []
    scene.gateway.config_path.write_text(_config(scene.lab))
    assert any("ally.example" in line for line in run(scene.gateway, "reload")["changes"])


def test_socket_is_for_its_owner_alone(scene: Scene) -> None:
    path = scene.gateway.folder / "state" / "control.sock"
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_daemon_that_does_not_run_is_told_in_one_line(scene: Scene) -> None:
    done = scene.gateway.command("--socket", "nowhere.sock", "status")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_health_pages(scene: Scene) -> None:
    for page in ("healthz", "readyz"):
        assert scene.lab.http(f"http://127.0.0.1:8920/{page}")[0] == 200
    text = scene.lab.http(METRICS)[1]
    assert 'partner="partner.example"' in text and ALICE not in text and BOB not in text
