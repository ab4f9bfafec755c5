"""Partners in full against real servers: a file of its own, deny list, walls, discovery, the echo."""

import json
from collections.abc import Iterator

import pytest

from .gateway import Gateway
from .lab import Lab
from .scene import READY, inside_trust, of, run, table, tell
from .sip.crossing import CORP, House, Person, sip_configuration

pytestmark = pytest.mark.interop

ALLY, STRANGER, VOICE = "ally.example", "stranger.example", "partner.example"
DISCOVERY = table("discovery", on=True, addresses="any", verification="marked")
ALLY_FILE = """\
domain = "ally.example"
addresses = "any"
contacts = ["Dana Duty, +1 202 555 0143"]
expires = 2999-12-31
"""
RESEARCH = '[groups]\nresearch = ["alice@corp.example"]\n'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Prosody inside; a listed Prosody, an ejabberd and a Kamailio that nobody has listed."""
    with Lab(tmp_path_factory.mktemp("partners")) as lab:
        gateway = lab.gateway(config(lab), ready=READY, start=False)
        (gateway.folder / "conf.d").mkdir()
        (gateway.folder / "conf.d" / "ally.toml").write_text(ALLY_FILE)
        gateway.start()
        users = {"alice": "pw", "dave": "pw"}
        lab.prosody(CORP, users=users, view="inside", trust=inside_trust(lab, gateway), dialback=False)
        lab.prosody(ALLY, users={"carol": "pw"}, view="public", trust=[lab.pki.ca], dialback=False)
        lab.ejabberd(STRANGER, users={"eve": "pw"}, view="public", trust=[lab.pki.ca], dialback=False)
        lab.kamailio(VOICE, users={"bob": ""}, next_hop="tls:127.0.0.101:5061", peer_check=True)
        lab.ready()
        outside = {ALLY: "prosody", STRANGER: "ejabberd", VOICE: "kamailio"}
        yield House(lab, gateway, "prosody", outside)


def config(lab: Lab, *more: str) -> str:
    """gateway.toml with discovery on, and what a test adds."""
    return sip_configuration(lab, DISCOVERY, *more)


@pytest.fixture(scope="module")
def people(house: House) -> dict[str, Person]:
    """Everybody, online."""
    names = ("alice@corp.example", "dave@corp.example", "carol@ally.example", "eve@stranger.example")
    found = {name.partition("@")[0]: house.person(name) for name in names}
    return {**found, "bob": house.person("bob@partner.example")}


@pytest.fixture
def changed(house: House) -> Iterator[Gateway]:
    """The gateway, whose configuration is put back afterwards."""
    yield house.gateway
    house.gateway.config_path.write_text(config(house.lab))
    tell(house.gateway, "reload")


def reload(house: House, *more: str) -> None:
    """Put a changed configuration in force."""
    house.gateway.config_path.write_text(config(house.lab, *more))
    tell(house.gateway, "reload")


def discovered(house: House) -> set[tuple[str, str]]:
    """Which domains were found in DNS, and with which protocol."""
    found = [json.loads(line) for line in house.gateway.log.splitlines() if '"discovered"' in line]
    return {(each["peer"], each["protocol"]) for each in found}


def test_a_partner_from_a_file_of_its_own(house: House, people: dict[str, Person]) -> None:
    shown = run(house.gateway, "partners", "show", ALLY)
    assert shown["file"] == "conf.d/ally.toml" and shown["contacts"] == ["Dana Duty, +1 202 555 0143"]
    people["alice"].says(people["carol"], "hello from a file")
    people["carol"].hears("hello from a file")
    people["carol"].says(people["alice"], "hello to a file")
    people["alice"].hears("hello to a file")


def test_a_discovered_xmpp_domain_is_found_and_its_strangers_may_only_answer(
    house: House, people: dict[str, Person]
) -> None:
    people["eve"].says(people["dave"], "unasked")
    bounced = people["eve"].client.wait_for("message[@type='error']", 10)  # type: ignore[attr-defined]
    assert "service-unavailable" in bounced.xml
    people["alice"].says(people["eve"], "who are you")
    people["eve"].hears("who are you")
    people["eve"].says(people["alice"], "eve, of course")
    people["alice"].hears("eve, of course")
    people["dave"].client.never("message[body='unasked']", 0.5)  # type: ignore[attr-defined]


def test_a_discovered_sip_domain_is_found(house: House, people: dict[str, Person]) -> None:
    people["alice"].says(people["bob"], "over to sip")
    people["bob"].hears("over to sip")
    people["bob"].says(people["alice"], "back from sip")
    people["alice"].hears("back from sip")
    assert (VOICE, "sip") in discovered(house)


def test_the_echo_answers_a_partner(house: House, people: dict[str, Person]) -> None:
    carol = people["carol"].client  # type: ignore[attr-defined]
    carol.message("echo@corp.example", "is anybody there")
    carol.wait_for("message[body='is anybody there']", 8)
    carol.subscribe("echo@corp.example")
    carol.wait_for("presence[@type='subscribed'][@from='echo@corp.example']", 8)
    carol.wait_for(of("echo@corp.example"), 8)
    checks = {each["name"]: each for each in run_test(house.gateway, ALLY)["checks"]}
    assert "answered ally.example" in checks["echo here"]["text"]
    assert checks["round trip"]["outcome"] == "ok" and "key usage" in checks


def test_the_partner_test_finds_out_the_protocol(house: House) -> None:
    checks = run_test(house.gateway, VOICE)["checks"]
    assert checks[0]["text"] == "partner.example speaks SIP" and checks[0]["outcome"] == "ok"
    assert {"tls": "ok", "certificate": "ok"}.items() <= {each["name"]: each["outcome"] for each in checks}.items()


def run_test(gateway: Gateway, domain: str) -> dict[str, list[dict[str, str]]]:
    """What `partners test` says, whatever its exit status."""
    done = gateway.command("partners", "test", domain, "--json", timeout=40)
    found: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return found


def test_a_denied_domain_is_cut_off_both_ways_at_once(
    house: House, people: dict[str, Person], changed: Gateway
) -> None:
    carol, alice = people["carol"].client, people["alice"].client  # type: ignore[attr-defined]
    reload(house, table("federation", deny=["*.bad.example", ALLY, STRANGER]))
    marks = carol.mark(), alice.mark()
    alice.message("carol@ally.example", "may not leave")
    alice.wait_for("message[@type='error'][@from='carol@ally.example']", 12, after=marks[1])
    carol.message("alice@corp.example", "may not come")
    carol.wait_for("message[@type='error'][@from='alice@corp.example']", 40, after=marks[0])
    alice.never("message[body='may not come']", 0.5, after=marks[1])
    carol.never("message[body='may not leave']", 0.1, after=marks[0])
    found = run(changed, "explain", "alice@corp.example", "carol@ally.example")["fields"][0]
    assert found["reason"] == "denied-domain"


def test_a_wall_stands_between_a_group_and_a_partner(house: House, people: dict[str, Person], changed: Gateway) -> None:
    alice = people["alice"].client  # type: ignore[attr-defined]
    wall = table("[wall]", group="research", partner=ALLY, modalities=["im", "presence"])
    reload(house, RESEARCH, wall)
    mark = alice.mark()
    alice.message("carol@ally.example", "against the wall")
    refused = alice.wait_for("message[@type='error'][@from='carol@ally.example']", 12, after=mark)
    assert "policy-violation" in refused.xml
    people["dave"].says(people["carol"], "around the wall")
    people["carol"].hears("around the wall")
    people["alice"].says(people["eve"], "to somebody else")
    people["eve"].hears("to somebody else")
    assert (STRANGER, "xmpp") in discovered(house), "a reload has what was found out looked up again"
    found = run(changed, "explain", "alice@corp.example", "carol@ally.example")["fields"][0]
    assert found["reason"] == "wall"


def test_a_contract_that_has_ended_lets_nothing_through(house: House, people: dict[str, Person]) -> None:
    file = house.gateway.folder / "conf.d" / "ally.toml"
    try:
        file.write_text(ALLY_FILE.replace("2999", "2020"))
        tell(house.gateway, "reload")
        alice = people["alice"].client  # type: ignore[attr-defined]
        mark = alice.mark()
        alice.message("carol@ally.example", "after the end")
        alice.wait_for("message[@type='error'][@from='carol@ally.example']", 12, after=mark)
        found = run(house.gateway, "explain", "alice@corp.example", "carol@ally.example")["fields"][0]
        assert found["reason"] == "contract-expired"
        kept = json.loads((house.gateway.folder / "state" / "contracts.json").read_text())
        assert set(kept) == {ALLY} and "xmpp in key" in kept[ALLY], "what the listed partner has shown"
    finally:
        file.write_text(ALLY_FILE)
        tell(house.gateway, "reload")
    people["alice"].says(people["carol"], "prolonged")
    people["carol"].hears("prolonged")
