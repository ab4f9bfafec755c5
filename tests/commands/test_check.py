import os
import socket
import time
from pathlib import Path

import pytest

from gateway.commands import check as checks
from gateway.commands.check import certificate_findings, check, contract_findings, dns_findings, locate, reach
from gateway.config import load
from gateway.errors import CommandError
from gateway.transport.authority import CertificateAuthority
from gateway.transport.certificate import read_certificate
from gateway.transport.dane import Association
from gateway.transport.queries import Failed
from gateway.transport.tls import Credentials

from ..config.files import write
from .places import Names, made

DAY = 86400
PARTNER = '[[partner]]\ndomain = "partner.example"\n'


@pytest.fixture
def place(tmp_path, monkeypatch):
    # A server of this machine may hold the usual port: that is not what these tests are about.
    really = checks.unusable
    monkeypatch.setattr(checks, "unusable", lambda host, port, *kind: "" if port == 5269 else really(host, port, *kind))
    prepared = made(tmp_path)
    yield prepared
    prepared.inside.close()


@pytest.fixture
def names(monkeypatch):
    def use(**tables):
        known = Names(**tables)
        monkeypatch.setattr(checks, "_queries", lambda config: known)
        return known

    return use


def outcomes(result, name=None):
    return [each["outcome"] for each in result["checks"] if name in (None, each["name"])]


def test_all_is_well(place, names):
    names(
        services={"_xmpp-server._tcp.corp.example": [(0, 5, 5269, "gw.corp.example")]},
        addresses={"gw.corp.example": ["192.0.2.7"]},
    )
    port = place.inside.getsockname()[1]
    result = check(place.write(f'{PARTNER}route = "127.0.0.1:{port}"\n'))
    assert outcomes(result) == ["ok"] * 6
    assert [each["name"] for each in result["checks"]] == list(checks.SECTIONS)


def test_only_what_was_asked_for_is_checked(place):
    assert {each["name"] for each in check(place.write(), ["state", "certs"])["checks"]} == {"certs", "state"}


def test_every_mistake_in_the_file_is_told_with_its_line(place):
    path = place.write("[defaults]\nlevel = 'companny'\n[gatewai]\n")
    result = check(path)
    assert len(result["checks"]) >= 2
    assert set(outcomes(result)) == {"fail"}
    assert any('Did you mean "company"?' in each["text"] for each in result["checks"])
    assert all(each["text"].startswith("gateway.toml:") for each in result["checks"])


def test_a_file_that_is_not_there_is_a_failure(tmp_path):
    assert outcomes(check(tmp_path / "nothing.toml")) == ["fail"]


def test_no_file_at_all_says_what_to_do():
    with pytest.raises(CommandError, match="--config"):
        check(None)


# -- certificates


def findings(folder, domain="corp.example", now=None):
    chain, key = folder / "corp.example.crt", folder / "corp.example.key"
    return list(certificate_findings(domain, chain, key, time.time() if now is None else now))


def test_a_good_certificate(place):
    [found] = findings(place.folder)
    assert found["outcome"] == "ok"


@pytest.mark.parametrize(("days", "outcome"), [(60, "ok"), (75, "warn"), (91, "fail")])
def test_expiry(place, days, outcome):
    [found] = findings(place.folder, now=time.time() + days * DAY)
    assert found["outcome"] == outcome
    assert "expire" in found["text"] or outcome == "ok"


def test_a_certificate_for_another_domain_says_which_name_is_missing(place):
    [found] = findings(place.folder, "other.example")
    assert found["outcome"] == "fail"
    assert "corp.example" in found["text"]
    assert found["paste"] == "subjectAltName = DNS:other.example"


def test_a_key_that_belongs_to_another_certificate(place):
    CertificateAuthority.open(place.folder / "ca").write_leaf("corp.example", place.folder / "new")
    os.replace(place.folder / "new" / "corp.example.key", place.folder / "corp.example.key")
    [found] = findings(place.folder)
    assert found["outcome"] == "fail"
    assert "does not belong" in found["text"]


def test_a_certificate_that_cannot_be_read(place):
    (place.folder / "corp.example.crt").unlink()
    [found] = findings(place.folder)
    assert found["outcome"] == "fail"
    assert "corp.example.crt" in found["text"]


def test_a_key_that_everybody_can_read(place):
    (place.folder / "corp.example.key").chmod(0o644)
    assert [found["outcome"] for found in findings(place.folder)] == ["ok", "warn"]
    assert findings(place.folder)[1]["paste"].startswith("chmod 600 ")


# -- DNS


SERVICE = "_xmpp-server._tcp.corp.example"


@pytest.mark.parametrize(
    ("services", "addresses", "outcome", "part"),
    [
        ({}, {}, "fail", "has no SRV record"),
        ({SERVICE: None}, {}, "warn", "cannot tell"),
        ({SERVICE: [(0, 0, 0, "")]}, {}, "fail", "no such service"),
        ({SERVICE: [(0, 5, 5269, "gw.corp.example")]}, {}, "fail", "has no address"),
        ({SERVICE: [(0, 5, 5269, "gw.corp.example")]}, {"gw.corp.example": None}, "warn", "no answer"),
        ({SERVICE: [(0, 5, 5999, "gw.corp.example")]}, {"gw.corp.example": ["192.0.2.7"]}, "warn", "port 5999"),
        ({SERVICE: [(0, 5, 5269, "gw.corp.example")]}, {"gw.corp.example": ["192.0.2.7"]}, "ok", "192.0.2.7"),
    ],
)
def test_our_own_records(place, services, addresses, outcome, part):
    [found] = dns_findings("corp.example", place.config(), Names(services, addresses))
    assert found["outcome"] == outcome
    assert part in found["text"]


def test_a_missing_record_is_given_to_paste(place):
    [found] = dns_findings("corp.example", place.config(), Names())
    assert found["paste"] == "_xmpp-server._tcp.corp.example. 3600 IN SRV 0 5 5269 gateway.corp.example."


def test_a_domain_beyond_ascii_is_asked_for_in_a_labels(place):
    [found] = dns_findings("büro.example", place.config(), Names())
    assert "_xmpp-server._tcp.xn--bro-hoa.example." in found["paste"]


def test_direct_tls_is_advised_when_we_listen_for_it(place):
    config = place.config('[outside.xmpp]\nlisten_tls = ["127.0.0.1:5270"]\n')
    records = {SERVICE: [(0, 5, 5269, "gw.corp.example")]}
    first, second = dns_findings("corp.example", config, Names(records, {"gw.corp.example": ["192.0.2.7"]}))
    assert (first["outcome"], second["outcome"]) == ("ok", "warn")
    assert second["paste"].startswith("_xmpps-server._tcp.corp.example. 3600 IN SRV 0 5 5270 ")


def test_the_record_of_sip_is_needed_when_we_listen_for_it(place):
    config = place.config('[outside.sip]\nlisten = ["127.0.0.1:5061"]\n')
    records = {SERVICE: [(0, 5, 5269, "gw.corp.example")]}
    addresses = {"gw.corp.example": ["192.0.2.7"]}
    first, second = dns_findings("corp.example", config, Names(records, addresses))
    assert (first["outcome"], second["outcome"]) == ("ok", "fail")
    assert second["paste"] == "_sips._tcp.corp.example. 3600 IN SRV 0 5 5061 gateway.corp.example."
    records["_sips._tcp.corp.example"] = [(0, 5, 5061, "gw.corp.example")]
    assert [each["outcome"] for each in dns_findings("corp.example", config, Names(records, addresses))] == ["ok"] * 2


# -- connections


def test_an_inside_server_that_is_down(place):
    place.inside.close()
    place.inside = socket.create_server(("127.0.0.1", 0))
    path = place.write()
    place.inside.close()
    [found] = check(path, ["inside"])["checks"]
    assert found["outcome"] == "fail"
    assert "refused" in found["text"]


def test_reach_measures():
    with socket.create_server(("127.0.0.1", 0)) as server:
        problem, milliseconds = reach("127.0.0.1", server.getsockname()[1])
    assert problem == ""
    assert 0 < milliseconds < 4000
    assert reach("nothing.invalid", 5269)[0]


def test_partners_are_looked_up_and_dialled(place, names):
    port = place.inside.getsockname()[1]
    names(services={"_xmpp-server._tcp.partner.example": [(9, 0, 1, "127.0.0.1"), (1, 0, port, "127.0.0.1")]})
    [found] = check(place.write(PARTNER), ["partners"])["checks"]
    assert found["outcome"] == "ok"
    assert f"127.0.0.1:{port}" in found["text"]


@pytest.mark.parametrize(
    ("services", "part"),
    [
        ({"_xmpp-server._tcp.partner.example": None}, "no answer"),
        ({"_xmpp-server._tcp.partner.example": [(0, 0, 0, "")]}, "no XMPP servers"),
    ],
)
def test_a_partner_that_cannot_be_found(place, names, services, part):
    names(services=services)
    [found] = check(place.write(PARTNER), ["partners"])["checks"]
    assert found["outcome"] == "fail"
    assert part in found["text"]


def test_a_domain_without_records_is_tried_itself():
    assert locate("partner.example", Names()) == [("partner.example", 5269)]
    with pytest.raises(Failed):
        locate("partner.example", Names({"_xmpp-server._tcp.partner.example": None}))


# -- DANE


def test_our_own_records_fit_our_certificate_or_partners_refuse_us(place, names):
    here = {"_xmpp-server._tcp.corp.example": [(0, 5, 5269, "gw.corp.example")]}
    shown = read_certificate(
        Credentials.load(place.folder / "corp.example.crt", place.folder / "corp.example.key").chain[0]
    )
    right, wrong = Association(3, 1, 1, bytes.fromhex(shown.spki_sha256)), Association(3, 1, 1, bytes(32))
    addresses = {"gw.corp.example": ["192.0.2.7"]}
    names(services=here, addresses=addresses, associations={"gw.corp.example:5269": [wrong, right]})
    first, second = check(place.write(), ["dns"])["checks"]
    assert (first["outcome"], second["outcome"]) == ("ok", "ok")
    assert "gw.corp.example:5269: our certificate fits DANE-EE (3 1 1)" in second["text"]
    names(services=here, addresses=addresses, associations={"gw.corp.example:5269": [wrong]})
    _, found = check(place.write(), ["dns"])["checks"]
    assert found["outcome"] == "fail" and found["text"].startswith("corp.example: partners refuse us. DANE: no TLSA")
    assert found["paste"] == f"_5269._tcp.gw.corp.example. 3600 IN TLSA 3 1 1 {shown.spki_sha256}"


def test_records_that_nobody_can_use_and_names_that_fail_say_nothing_of_ours(place, names):
    here = {"_xmpp-server._tcp.corp.example": [(0, 5, 5269, "gw.corp.example")]}
    for answer in ([Association(9, 1, 1, bytes(32))], None, []):
        addresses = {"gw.corp.example": ["192.0.2.7"]}
        names(services=here, addresses=addresses, associations={"gw.corp.example:5269": answer})
        assert len(check(place.write(), ["dns"])["checks"]) == 1


# -- state and configuration


def test_a_state_folder_that_is_missing_or_open(place):
    folder = place.folder / "state"
    folder.chmod(0o755)
    first, second = check(place.write(), ["state"])["checks"]
    assert (first["outcome"], first["paste"]) == ("warn", f"chmod 700 {folder}")
    assert second["outcome"] == "ok"
    folder.rmdir()
    [found] = check(place.write(), ["state"])["checks"]
    assert found["outcome"] == "fail"
    assert found["paste"].startswith("install -d -m 700")
    folder.write_text("")
    [found] = check(place.write(), ["state"])["checks"]
    assert "not a folder" in found["text"]


def test_a_house_without_partners_is_told(place):
    result = check(place.write(), ["config"])
    assert outcomes(result) == ["ok", "warn"]
    assert "[[partner]]" in result["checks"][1]["paste"]


def test_no_secret_is_shown(place):
    path = place.folder / "gateway.toml"
    path.write_text(
        place.write().read_text().partition("[inside]")[0]
        + '[inside]\nkind = "xmpp-component"\nconnect = "127.0.0.1:1"\nname = "gw.corp.example"\nsecret = "Canary"\n'
    )
    path.chmod(0o644)
    result = check(path, ["config", "inside"])
    assert "Canary" not in str(result)
    assert "warn" in outcomes(result, "config")
    assert outcomes(result, "inside") == ["fail"]


def test_a_port_that_another_program_holds_is_told_before_the_start(place):
    port = place.inside.getsockname()[1]
    path = place.write(f'[metrics]\nlisten = "127.0.0.1:{port}"\n{PARTNER}')
    found = [each for each in check(path, ["config"])["checks"] if each["outcome"] == "fail"]
    assert [each["text"] for each in found] == [f"cannot listen on 127.0.0.1:{port}: Address already in use"]
    assert str(port) in found[0]["paste"]


def test_the_ports_of_the_gateway_that_runs_are_well(place):
    port = place.inside.getsockname()[1]
    path = place.write(f'[metrics]\nlisten = "127.0.0.1:{port}"\n{PARTNER}')
    with socket.socket(socket.AF_UNIX) as running:
        running.bind(str(checks.load(path).control))
        running.listen(1)
        assert outcomes(check(path, ["config"])) == ["ok"]


def taken(path):
    return [each["text"] for each in check(path, ["config"])["checks"] if each["outcome"] == "fail"]


def test_the_port_for_sip_partners_is_checked(place):
    port = place.inside.getsockname()[1]
    path = place.write(f'[outside.sip]\nlisten = ["127.0.0.1:{port}"]\n{PARTNER}')
    assert taken(path) == [f"cannot listen on 127.0.0.1:{port}: Address already in use"]


@pytest.mark.parametrize(("transport", "kind"), [("tls", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
def test_the_port_for_our_own_sip_server_is_checked(place, transport, kind):
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            holder.listen(1)
        port = holder.getsockname()[1]
        path = place.write(
            PARTNER,
            **{
                '"xmpp-server"': f'"sip"\ntransport = "{transport}"',
                '["127.0.0.100:5269"]\nauth = "dialback"': f'["127.0.0.1:{port}"]',
            },
        )
        assert taken(path) == [f"cannot listen on 127.0.0.1:{port}: Address already in use"]
    assert taken(path) == []


def test_a_partner_who_speaks_sip_is_looked_up_as_such(place, names):
    port = place.inside.getsockname()[1]
    names(services={"_sips._tcp.partner.example": [(1, 0, port, "127.0.0.1")]})
    [found] = check(place.write(f'{PARTNER}via = "sip"\n'), ["partners"])["checks"]
    assert found["outcome"] == "ok" and f"127.0.0.1:{port}" in found["text"]


def test_contracts_that_end_and_partners_that_are_denied_are_told(tmp_path: Path) -> None:
    """What stands in conf.d is named with its file and with whom to call."""
    ally = 'domain = "ally.example"\nexpires = 2027-06-30\ncontacts = ["Dana Duty"]\n'
    config = load(write(tmp_path, '[federation]\ndeny = ["*.example"]\n', ally=ally))
    ends = config.contracts["ally.example"].ends
    assert ends is not None

    def told(now: float) -> list[tuple[str, str]]:
        return [(each["outcome"], each["text"]) for each in contract_findings(config, now)]

    denied = ("warn", "ally.example: [federation] deny keeps ally.example out")
    assert told(ends - 31 * 86400) == [denied]
    soon = "ally.example: the contract (conf.d/ally.toml) expires in 29 days; call Dana Duty"
    assert told(ends - 29.5 * 86400) == [("warn", soon), denied]
    assert told(ends)[0] == ("fail", "ally.example: the contract (conf.d/ally.toml) has expired; call Dana Duty")
