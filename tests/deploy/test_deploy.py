"""What stands in deploy/ and in the documents fits the program."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import program
from gateway.commands.offline import table
from gateway.commands.render import table as rendered
from gateway.config import load
from gateway.errors import ConfigError
from gateway.metrics import Metrics
from gateway.metrics.cells import Row
from gateway.metrics.table import Rows

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
FOREIGN = frozenset({"up", "process_open_fds", "process_max_fds", "process_cpu_seconds_total"}) | {
    "process_resident_memory_bytes",
    "gateway_build_info",
}
"""Series that are not in the table: Prometheus's own, the client library's, and the version."""


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: its check is left out")
    return found


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _names() -> dict[str, frozenset[str]]:
    """Every series that the table makes, with its labels."""
    names = {}
    for family in Metrics().families():
        labels = frozenset(family.labels)
        names[family.name] = labels
        for ending in ("_bucket", "_count", "_sum", "_info", "_total"):
            names[family.name + ending] = labels | ({"le"} if ending == "_bucket" else frozenset())
    return names


def _dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    return found


def _expressions() -> Iterator[str]:
    for expression in re.findall(r"^ +expr: (?:\|\n((?: {10,}.*\n)+)|(.+))$", ALERTS.read_text() + "\n", re.M):
        yield "".join(expression)
    for panel in _dashboard()["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_alerts_and_dashboard_name_only_metrics_that_exist() -> None:
    known = _names()
    used = {name for text in _expressions() for name in re.findall(r"\b(?:gateway|process)_[a-z_]+|\bup\b", text)}
    assert {"gateway_partner_up", "gateway_fields_total", "up"} <= used, "the expressions were not found"
    assert used - FOREIGN - known.keys() == set()


def test_alerts_and_dashboard_select_only_labels_that_exist() -> None:
    known = _names()
    for text in _expressions():
        for name, selectors in re.findall(r"\b(gateway_[a-z_]+)\{([^}]*)\}", text):
            for label in re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", selectors):
                assert label in known[name], f"{name} has no label {label}: {text}"


def test_alerts_and_dashboard_use_only_metrics_that_something_feeds() -> None:
    source = "\n".join(path.read_text() for house in ("gateway", "plugins") for path in (ROOT / house).rglob("*.py"))
    rows = {name: row.name.removesuffix("_total") for name, row in vars(Rows).items() if isinstance(row, Row)}
    for text in _expressions():
        for name in re.findall(r"\bgateway_[a-z_]+", text):
            found = [attribute for attribute, series in rows.items() if name.removesuffix("_total") == series]
            assert all(f".{attribute}(" in source for attribute in found), f"nothing feeds {name}"


def test_every_alert_is_explained_where_it_says() -> None:
    headings = {line.removeprefix("### ").lower() for line in (DEPLOY / "README.md").read_text().splitlines()}
    runbooks = re.findall(r"runbook: deploy/README\.md#(\S+)", ALERTS.read_text())
    assert len(runbooks) == ALERTS.read_text().count("- alert:")
    assert set(runbooks) <= headings


def test_promtool_accepts_the_alerts_and_they_fire() -> None:
    promtool = _program("promtool")
    _run(promtool, "check", "rules", str(ALERTS))
    _run(promtool, "test", "rules", str(Path(__file__).with_name("alerts_test.yml")))


def test_dashboard_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert taken.isdisjoint(cells), panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def _unit() -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {}
    for line in (DEPLOY / "gateway.service").read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            lines.setdefault(name, []).append(value)
    return lines


@pytest.mark.parametrize("setting", ["ExecStart", "ExecReload"])
def test_the_unit_calls_a_command_that_there_is(setting: str) -> None:
    (line,) = _unit()[setting]
    path, *words = shlex.split(line)
    assert Path(path).name == "gateway"
    done = CliRunner().invoke(program(), [*words, "--help"])
    assert done.exit_code == 0, done.output


def test_the_unit_is_hardened_and_gives_what_the_daemon_needs() -> None:
    unit = _unit()
    assert unit["Type"] == ["notify"]
    assert float(unit["WatchdogSec"][0]) > 0
    assert unit["User"] == ["gateway"]
    assert "MemoryDenyWriteExecute" not in unit
    (credential,) = unit["LoadCredential"]
    assert f'{{ credential = "{credential.partition(":")[0]}" }}' in (DEPLOY / "gateway.toml").read_text()
    assert unit["CapabilityBoundingSet"] == [""]


def test_the_unit_is_as_tight_as_the_document_says() -> None:
    analyze = _program("systemd-analyze")
    unit = str(DEPLOY / "gateway.service")
    done = subprocess.run([analyze, "security", "--offline=true", unit], capture_output=True, text=True, check=False)
    score = re.search(r"Overall exposure level for gateway\.service: ([0-9.]+) ", done.stdout)
    assert score is not None, done.stdout + done.stderr
    assert f"`systemd-analyze security` gives {score[1]}" in (DEPLOY / "README.md").read_text()


@pytest.mark.parametrize("path", sorted((DEPLOY / "prosody").glob("*.lua")), ids=lambda path: path.name)
def test_lua_files_are_lua(path: Path) -> None:
    _run(_program("luac"), "-p", str(path))


@pytest.mark.parametrize("name", ["s2s.cfg.lua", "component.cfg.lua"])
def test_prosody_has_nothing_to_say_against_its_configuration(name: str, tmp_path: Path) -> None:
    whole = tmp_path / "prosody.cfg.lua"
    before = ["run_as_root = true", 'modules_enabled = { "roster"; "saslauth"; "tls"; "disco"; "pep" }']
    included = [f'data_path = "{tmp_path}"', f'Include "{DEPLOY / "prosody" / name}"']
    whole.write_text("\n".join([*before, *included, ""]))
    _run(_program("prosodyctl"), "--config", str(whole), "check", "config")


def test_dns_configurations_are_accepted() -> None:
    _run(_program("dnsmasq"), "--test", "-C", str(DEPLOY / "dns" / "dnsmasq.conf"))
    if unbound := shutil.which("unbound-checkconf"):
        _run(unbound, str(DEPLOY / "dns" / "unbound.conf"))


def _blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.M | re.S)


def test_settings_in_the_readme_exist(tmp_path: Path) -> None:
    blocks = _blocks(ROOT / "README.md", "toml")
    assert blocks
    for block in blocks:
        path = tmp_path / "gateway.toml"
        path.write_text(block)
        try:
            load(path)
        except ConfigError as problem:  # parts are not the whole, but every name and value in them must be right
            wrong = [line for line in str(problem).splitlines() if "unknown" in line or "must be" in line]
            assert wrong == [], block


def test_commands_in_the_readme_exist() -> None:
    lines = [line for block in _blocks(ROOT / "README.md", "console") for line in block.splitlines()]
    commands = [shlex.split(line[2:]) for line in lines if line.startswith(("$ gateway ", "# gateway "))]
    assert len(commands) > 5
    for _, *words in commands:
        done = CliRunner().invoke(program(), [*words, "--help"])
        assert done.exit_code == 0, f"{words}: {done.output}"


def test_the_table_of_levels_in_the_readme_is_the_program_s() -> None:
    begin, end = "<!-- gateway table -->\n```\n", "\n```\n<!-- end -->"
    text = (ROOT / "README.md").read_text()
    shown = text.partition(begin)[2].partition(end)[0]
    assert shown == rendered(table(None))


DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/README.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_the_documents_name_exist(document: Path) -> None:
    houses = [path for house in ("gateway", "plugins", "tests", "deploy") for path in (ROOT / house).rglob("*")]
    known = {f"/{path.relative_to(ROOT)}" for path in [*houses, *ROOT.iterdir()]}
    for named in re.findall(r"`([\w./]+\.(?:py|sql|lua)|[\w./]+/)`", document.read_text()):
        ending = "/" + named.removeprefix("../").replace("plugins/.../", "plugins/legs/xmpp/").strip("/")
        outside = ending.startswith(("/etc", "/var", "/opt", "/run", "/usr"))
        assert outside or any(path.endswith(ending) for path in known), f"{document.name} names {named}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_the_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name}: {target}"
