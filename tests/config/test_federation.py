"""Partners in files of their own, lists of domains, discovery, groups and walls; mistakes are told with their place."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.config import Auth, changes, load
from gateway.errors import ConfigError
from gateway.policy.partners import Modality, Rates, Start, Verification
from gateway.policy.verdict import Reason
from gateway.policy.walls import Right, Wall

from .files import write

ALLY = """\
# the whole file is one partner
domain = "ally.example"
aliases = ["chat.ally.example"]
ceiling = "team"
people = ["sales", "alice@corp.example"]
start = "ours"
verification = "never"
expires = 2027-06-30
contacts = ["Dana Duty, +1 202 555 0143"]
disclosure = { en = "May be recorded.", de = "Wird vielleicht aufgezeichnet." }

[rates]
stanzas_per_second = 5
"""


def problems(path: Path) -> list[str]:
    """Every problem of a configuration."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value).splitlines()


def test_a_partner_has_a_file_of_its_own(tmp_path: Path) -> None:
    config = load(write(tmp_path, ally=ALLY))
    partner = config.partners.of("chat.ally.example")
    assert partner is not None and partner.name == "ally.example"
    assert partner.people == {"sales", "alice@corp.example"}
    assert (partner.start, partner.verification) == (Start.OURS, Verification.NEVER)
    assert partner.rates == Rates(5.0)
    contract = config.contracts["ally.example"]
    assert contract.file == "conf.d/ally.toml"
    assert contract.contacts == ("Dana Duty, +1 202 555 0143",)
    assert contract.disclosure.by_language == {"en": "May be recorded.", "de": "Wird vielleicht aufgezeichnet."}


def test_a_contract_holds_to_the_end_of_its_last_day(tmp_path: Path) -> None:
    config = load(write(tmp_path, ally=ALLY))
    last = datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC).timestamp()
    assert config.at(last) is config
    after = config.at(last + 1)
    assert after.partners.of("ally.example") is None
    assert after.partners.against("ally.example") is Reason.CONTRACT_EXPIRED
    assert after.route_of("ally.example") is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ceilin = 1", 'conf.d/ally.toml:2: unknown key "ceilin" in partner ally.example. Did you mean "ceiling"?'),
        ('ceiling = "gold"', 'conf.d/ally.toml:2: [[partner]] ally.example ceiling = "gold": not a level'),
        ('expires = "2027-06-30"', "conf.d/ally.toml:2: partner ally.example expires = "),
        ("expires = 2027-06-30T10:00:00Z", "conf.d/ally.toml:2: partner ally.example expires = "),
        ('people = ["a b"]', 'conf.d/ally.toml:2: partner ally.example people = ["a b"]: "a b": must be name@domain'),
        ('people = ["x@"]', "conf.d/ally.toml:2: partner ally.example people = "),
        ('start = "nobody"', "conf.d/ally.toml:2: partner ally.example start = "),
        ('disclosure = "x"', "conf.d/ally.toml:2: partner ally.example disclosure = "),
        ('disclosure = { "?" = "x" }', "conf.d/ally.toml:2: partner ally.example disclosure = "),
        ('aliases = ["corp.example"]', "conf.d/ally.toml:2: [[partner]] ally.example aliases: corp.example is our own"),
    ],
)
def test_a_mistake_in_such_a_file_is_told_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    found = problems(write(tmp_path, ally=f'domain = "ally.example"\n{line}\n'))
    assert len(found) == 1 and found[0].startswith(problem), found


LISTS = """
[federation]
deny = ["bad.example", "*.bad.example"]
people = ["staff"]
barred = ["eve@corp.example"]
[groups]
research = ["Alice@corp.example"]
[[wall]]
group = "research"
partner = "chat.ally.example"
modalities = ["im"]
[[wall]]
"""


def test_lists_groups_and_walls(tmp_path: Path) -> None:
    config = load(write(tmp_path, LISTS, ally=ALLY))
    assert config.partners.against("bad.example") is Reason.DENIED_DOMAIN
    assert config.partners.against("x.bad.example") is Reason.DENIED_DOMAIN
    assert config.right == Right(frozenset({"staff"}), frozenset({"eve@corp.example"}))
    assert config.groups.of("alice@corp.example") == {"research"}
    assert config.groups.of("bob@corp.example") == frozenset()
    assert config.walls == (Wall("research", "chat.ally.example", frozenset({Modality.IM})), Wall())


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('[federation]\ndeny = ["a*.example"]', "gateway.toml:14: [federation] deny = "),
        ('[federation]\ndeny = ["x.example"]\nallow = ["x.example"]', "gateway.toml:15: [federation] allow and deny"),
        ('[[wall]]\npartner = "nobody.example"', "gateway.toml:14: [[wall]] partner = "),
        ('[groups]\n"a@b" = []', "gateway.toml:13: [groups] = "),
        ('[groups]\nstaff = ["x"]', "gateway.toml:13: [groups] = "),
        ('[discovery]\nceiling = "gold"', "gateway.toml:14: [discovery] ceiling = "),
        ("[discovery]\npeople = 0", "gateway.toml:14: [discovery] people = 0: must be at least 1"),
        ('[echo]\nname = "a@b"', "gateway.toml:14: [echo] name is what stands before the @"),
    ],
)
def test_mistakes_in_lists_are_told(tmp_path: Path, more: str, problem: str) -> None:
    found = problems(write(tmp_path, f"{more}\n"))
    assert len(found) == 1 and found[0].startswith(problem), found


def test_a_discovered_domain_is_proven_by_certificate_only(tmp_path: Path) -> None:
    config = load(write(tmp_path, '[discovery]\non = true\nceiling = "company"\npeople = 7\n'))
    partner = config.partners.of("stranger.example")
    assert partner is not None and partner.via == "discovery" and partner.ceiling_name == "company"
    assert partner.rates.people == 7
    route = config.route_of("stranger.example")
    assert route is not None and route.auth == {Auth.EXTERNAL} and not route.pins
    assert config.partners.of("corp.example") is None and config.route_of("corp.example") is None
    assert load(write(tmp_path)).route_of("stranger.example") is None


def test_every_difference_is_told(tmp_path: Path) -> None:
    old = load(write(tmp_path, LISTS, ally=ALLY))
    new = load(
        write(
            tmp_path,
            LISTS.replace('deny = ["bad.example", "*.bad.example"]', "deny = []").replace("Alice", "carol")
            + "[discovery]\non = true\n",
            ally=ALLY.replace("2027", "2028").replace("Dana", "Dora"),
        )
    )
    assert changes(old, new) == [
        'federation.deny ["*.bad.example", "bad.example"] -> []',
        "discovery.on false -> true",
        "partner ally.example changed: ends, contacts",
        "group member research: alice@corp.example removed",
        "group member research: carol@corp.example added",
    ]
    fewer = load(write(tmp_path, LISTS.removesuffix("[[wall]]\n"), ally=ALLY))
    every = ", ".join(sorted(kind.value for kind in Modality))
    assert changes(old, fewer) == [f"wall between everybody and all partners for {every} removed"]


def test_the_echo_has_an_address_at_each_of_our_domains(tmp_path: Path) -> None:
    assert load(write(tmp_path)).echoes == {"echo@corp.example", "echo-test@corp.example"}
    assert load(write(tmp_path, '[echo]\nname = ""\n')).echoes == frozenset()


SECURE = '[outside.xmpp]\ndns = ["127.0.0.1", "[::1]:5353"]\n'


def test_secure_names_count_where_the_contract_and_a_resolver_on_loopback_say_so(tmp_path: Path) -> None:
    ally = 'domain = "ally.example"\ndane = true\n'
    config = load(write(tmp_path, SECURE, ally=ally, other='domain = "other.example"\n'))
    assert config.routes["ally.example"].dane and not config.routes["other.example"].dane


@pytest.mark.parametrize(
    ("more", "line", "why"),
    [
        ("", "", "the word of a resolver counts only over loopback"),
        ('[outside.xmpp]\ndns = ["192.0.2.53"]\n', "", "the word of a resolver counts only over loopback"),
        ('[outside.xmpp]\ndns = ["127.0.0.1", "192.0.2.53"]\n', "", "the word of a resolver counts only over loopback"),
        (SECURE, 'route = "192.0.2.10:5269"\n', "has a route, so that DNS is not asked"),
        (SECURE, 'via = "sip"\n', "dane = true is for XMPP"),
    ],
)
def test_secure_names_that_could_not_count_are_refused(tmp_path: Path, more: str, line: str, why: str) -> None:
    (found,) = problems(write(tmp_path, more, ally=f'domain = "ally.example"\ndane = true\n{line}'))
    assert found.startswith("conf.d/ally.toml:2: [[partner]] ally.example ") and why in found


def test_a_web_server_may_vouch_where_somebody_vouches_for_it(tmp_path: Path) -> None:
    config = load(write(tmp_path, ally='domain = "ally.example"\nposh = true\n', other='domain = "other.example"\n'))
    assert config.routes["ally.example"].posh and not config.routes["other.example"].posh
    pin = f'pins = ["sha256:{"0" * 64}"]\n'
    for line, why in (('via = "sip"\n', "posh = true is for XMPP"), (f'ca = "none"\n{pin}', "needs authorities")):
        (found,) = problems(write(tmp_path, ally=f'domain = "ally.example"\nposh = true\n{line}'))
        assert found.startswith("conf.d/ally.toml:2: [[partner]] ally.example ") and why in found
