"""What an administrator reads when the file is wrong: every problem, each with its line."""

from pathlib import Path

import pytest

from gateway.config import load
from gateway.errors import ConfigError

from .files import HOUSE, write


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value).splitlines()


def test_all_problems_are_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    more = """
[defaults]
level = "companny"

[[partner]]
domain = "partner.example"
ceilin = "team"
strangers = "maybe"

[[partner]]
ceiling = "gold"
domain = "ally.example"
auth = []

[limits]
queue_stanzas = "many"
stanza_bytes = 100
"""
    assert problems(write(tmp_path, more, broken='[[partner]]\ndomain = "partner.example"\n[limits]\n')) == [
        "conf.d/broken.toml:2: [[partner]] partner.example domain: partner.example belongs to [[partner]] "
        "partner.example already",
        "conf.d/broken.toml:3: only [[partner]] tables belong here, limits belongs in the main file",
        'gateway.toml:15: [defaults] level = "companny": not a level. Did you mean "company"?',
        'gateway.toml:19: unknown key "ceilin" in [[partner]] partner.example. Did you mean "ceiling"?',
        'gateway.toml:20: [[partner]] partner.example strangers = "maybe": must be one of accept, ask, refuse',
        'gateway.toml:23: [[partner]] ally.example ceiling = "gold": not a level',
        "gateway.toml:25: [[partner]] ally.example auth is empty: it could never prove its domain",
        'gateway.toml:28: [limits] queue_stanzas = "many": must be a whole number',
        "gateway.toml:29: [limits] stanza_bytes = 100: must be at least 10000",
    ]


def partner(line: str) -> str:
    return f'[[partner]]\ndomain = "partner.example"\n{line}\n'


WRONG = [
    (
        '[[partner]]\ndomain = "corp.example"',
        "gateway.toml:14: [[partner]] corp.example domain: corp.example is our own",
    ),
    (
        partner('aliases = ["corp.example"]'),
        "gateway.toml:15: [[partner]] partner.example aliases: corp.example is our",
    ),
    ('[[partner]]\nvia = "xmpp"', "gateway.toml:13: [[partner]] number 1 needs domain: Its domain"),
    ('[[partner]]\ndomain = "*.partner.example"', "gateway.toml:14: [[partner]] *.partner.example domain = "),
    ('[partner]\ndomain = "partner.example"', "gateway.toml:13: write [[partner]] with two brackets"),
    (partner('locks = ["phone.hom"]'), '"phone.hom": is not known. Did you mean "phone.home"?'),
    (partner('modalities = ["imm"]'), '"imm": is not known. Did you mean "im"?'),
    (partner('pins = ["sha256:12"]'), 'gateway.toml:15: [[partner]] partner.example pins = ["sha256:12"]: "sha256:12"'),
    (partner('ca = "none"'), 'gateway.toml:15: [[partner]] partner.example ca = "none" needs pins'),
    (partner("direct_tls = true"), "gateway.toml:15: [[partner]] partner.example direct_tls = true needs a route"),
    (partner('ceiling = "team"\nceiling_fields = []'), "gateway.toml:16: [[partner]] partner.example has both"),
    (partner('route = "192.0.2.1"'), 'route = "192.0.2.1": must be "host:port"'),
    (partner('route = "192.0.2.1:70000"'), 'must be "host:port"'),
    (partner("bidi = 1"), "bidi = 1: must be true or false"),
    (
        partner("rates = { burst_secs = 1 }"),
        'gateway.toml:15: unknown key "burst_secs" in [partner.rates]. Did you mean',
    ),
    (partner("rates = 5"), "gateway.toml:15: [[partner]] partner.example rates = 5: must be a table"),
    ("[levels.team]\nfields = []", "gateway.toml:13: [levels.team] is a standard level"),
    ("[levels.Gold]\nfields = []", "gateway.toml:13: [levels.Gold]: a name has"),
    ('[levels.gold]\ninherits = "teem"', 'gateway.toml:14: [levels.gold] inherits = "teem": not a level. Did you mean'),
    (
        '[levels.a]\ninherits = "a"\n[levels.b]\ninherits = "a"',
        "gateway.toml:13: [levels.a] inherits itself: a > a",
    ),
    ("[levels.gold]\nrank = 32000", "gateway.toml:14: [levels.gold] rank must be below 32000"),
    ("[levels.gold]\nrank = 0", "gateway.toml:14: [levels.gold] rank = 0: must be at least 1"),
    (
        '[[assignment]]\ncontact = "ally.example"\nlevel = "best"',
        'gateway.toml:15: [[assignment]] ally.example level = "',
    ),
    ('[[assignment]]\ncontact = "federaton"\nlevel = "team"', 'network class. Did you mean "federation"?'),
    (
        '[[assignment]]\ncontact = "corp.example"\nlevel = "team"',
        "gateway.toml:14: [[assignment]] corp.example: corp.ex",
    ),
    (
        '[[assignment]]\ncontact = "ally.example"\nlevel = "team"\nowner = "eve@stranger.example"',
        'gateway.toml:16: [[assignment]] ally.example owner = "eve@stranger.example": not one of our domains',
    ),
    (
        '[[assignment]]\ncontact = "everyone"\nlevel = "team"\n' * 2,
        "gateway.toml:17: [[assignment]] everyone is there twice",
    ),
    ('[locks]\nfields = "email"', 'gateway.toml:14: [locks] fields = "email": must be a list in brackets'),
    ('[[tls.extra]]\ndomain = "lab.example"\ncertificate = "c"\nkey = "k"', "gateway.toml:14: [[tls.extra]] domain"),
    ("[limts]\nqueue_stanzas = 1", 'gateway.toml:13: unknown key "limts" in the file. Did you mean "limits"?'),
    ("limits = 5", "gateway.toml:13: unknown key"),
    ("[limits]\nidle_seconds = nan", "gateway.toml:14: [limits] idle_seconds = nan: is out of range"),
    ("[limits]\nqueue_bytes = 99999999999999999999", "is out of range"),
    ("[limits]\nidle_seconds = true", "gateway.toml:14: [limits] idle_seconds = true: must be a number"),
    ('[outside.xmpp]\ndns = ["dns.example"]', "must be an IP address"),
    ("[gateway]\ndomains = []", "gateway.toml:13: Cannot declare"),
    ("[limits]\nqueue_stanzas = ", "gateway.toml:14: Invalid value"),
    ('[limits]\nqueue = """', "gateway.toml:15: Unterminated string"),
]


@pytest.mark.parametrize(("more", "expected"), WRONG)
def test_a_problem_is_told_with_its_line(tmp_path: Path, more: str, expected: str) -> None:
    found = problems(write(tmp_path, more + "\n"))
    assert len(found) == 1, found
    assert expected in found[0]


HOUSES = [
    ('domains = ["corp.example"]', "domains = []", "gateway.toml:2: [gateway] domains is empty"),
    ('domains = ["corp.example"]', "", "gateway.toml:1: [gateway] needs domains: The address domains"),
    ("[tls]", "[tsl]", 'gateway.toml:5: unknown key "tsl" in the file. Did you mean "tls"?'),
    (
        'kind = "xmpp-server"',
        'kind = "xmpp-servr"',
        'needs kind = "xmpp-server" or "xmpp-component" or "sip". Did you mean "xmpp-s',
    ),
    ('kind = "xmpp-server"', "", 'gateway.toml:9: [inside] needs kind = "xmpp-server" or "xmpp-component"'),
    ('kind = "xmpp-server"', 'kind = "xmpp-server"\nname = "x"', 'gateway.toml:11: unknown key "name" in [inside]'),
    ('kind = "xmpp-server"', 'kind = "xmpp-server"\nca = "none"', 'gateway.toml:11: [inside] ca = "none" needs pins'),
    ('"127.0.0.1:5269"', '{ "lab.example" = "[::1]:5269" }', "gateway.toml:11: [inside] connect names lab.example"),
    (
        '"127.0.0.1:5269"',
        '{ "lab.example" = "[::1]:5269" }',
        "gateway.toml:11: [inside] connect says nothing about corp",
    ),
    ("[tls]\n", '[tls]\nca = "none"\n', 'gateway.toml:6: [tls] ca = "none" would believe nobody'),
]


@pytest.mark.parametrize(("old", "new", "expected"), HOUSES)
def test_a_problem_of_the_house_is_told(tmp_path: Path, old: str, new: str, expected: str) -> None:
    found = problems(write(tmp_path, "", HOUSE.replace(old, new)))
    assert any(expected in line for line in found), found


def test_a_circle_of_levels_is_told_at_each_of_them(tmp_path: Path) -> None:
    more = '[levels.a]\ninherits = "b"\n[levels.b]\ninherits = "a"\n[levels.c]\ninherits = "a"\n'
    assert problems(write(tmp_path, more)) == [
        "gateway.toml:13: [levels.a] inherits itself: a > b > a",
        "gateway.toml:15: [levels.b] inherits itself: b > a > b",
    ]


@pytest.mark.parametrize("name", ["gateway", "tls", "inside", "limits", "levels", "outside"])
def test_a_section_that_is_no_table_is_told(tmp_path: Path, name: str) -> None:
    assert f"gateway.toml:1: [{name}] = 5: must be a table" in problems(write(tmp_path, "", f"{name} = 5\n"))


def test_an_empty_file_is_told_what_it_needs(tmp_path: Path) -> None:
    found = problems(write(tmp_path, "", ""))
    assert found == [f"gateway.toml:1: a [{name}] table is needed" for name in ("gateway", "tls", "inside")]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path / "gateway.toml") == ["gateway.toml: cannot be read: No such file or directory"]
    (tmp_path / "gateway.toml").write_bytes(b"\xff\xfe")
    assert problems(tmp_path / "gateway.toml") == ["gateway.toml: is not UTF-8"]


def test_a_broken_file_in_conf_d_stops_the_start(tmp_path: Path) -> None:
    assert problems(write(tmp_path, ally="[[partner]\n"))[0].startswith("conf.d/ally.toml:1: ")
