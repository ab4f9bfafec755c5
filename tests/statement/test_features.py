"""No feature that records, keeps or sends is without its paragraph: the program itself is searched for them."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import attrs
import pytest

from gateway.bot.catalogue import parts_of
from gateway.config import load
from gateway.config.sections import File
from gateway.metrics.labels import words
from gateway.statement.features import FEATURES, NOTHING, Facts, gathered
from gateway.statement.wording import TEXTS

ROOT = Path(__file__).parents[2]
SENDERS = words("""
    smtplib imaplib poplib ftplib urllib.request http.client requests psycopg ldap twisted.web.client twisted.mail
    twisted.names.client twisted.internet.endpoints gateway.transport.web_fetch gateway.transport.connector
""")
CALLS = words("""
    connectTCP connectSSL connectUNIX connectUDP listenTCP listenSSL listenUDP create_connection
""")
WRITES = words("write_text write_bytes mkstemp")
TABLES = {
    entry.name.removesuffix(".toml"): tomllib.loads(entry.read_text(encoding="utf-8"))
    for entry in (files("gateway.statement") / "catalogues").iterdir()
    if entry.name.endswith(".toml")
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Gives every module of the program."""
    for house in ("gateway", "plugins"):
        for path in sorted((ROOT / house).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            yield name, ast.parse(path.read_text("utf-8"))


def imported(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def called(tree: ast.Module) -> set[str]:
    """Gives the last names of all that is called; `open` when it is to write."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            text = ast.unparse(node)
            if name == "open" and re.search(r"^os\.open|, '[wax]b?'|^\w+\.open\('[wax]", text):
                found.add("open to write")
            if name == "connect" and "sqlite3" in text:
                found.add("sqlite3.connect")
            found.add(name)
    return found


def keepers() -> dict[str, str]:
    """Gives every module that sends, writes or records, and by what that is seen."""
    found = {}
    for name, tree in trees():
        signs = [*(imported(tree) & SENDERS), *(called(tree) & (CALLS | WRITES | {"open to write", "sqlite3.connect"}))]
        taps = [
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            and any(isinstance(one, ast.FunctionDef) and _records(one) for one in node.body)
            and not any(getattr(each, "id", "") == "Protocol" for each in node.bases)
        ]
        if signs or taps:
            found[name] = ", ".join([*sorted(signs), *(f"tap {tap}" for tap in taps)])
    return found


def _records(function: ast.FunctionDef) -> bool:
    return function.name == "record" and [each.arg for each in function.args.args][1:] == ["received", "verdict"]


def described(module: str) -> bool:
    named = [*(each for feature in FEATURES for each in feature.modules), *NOTHING]
    return any(module == each or module.startswith(f"{each}.") for each in named)


def test_the_search_finds_what_there_is() -> None:
    found = keepers()
    assert "smtplib" in found["gateway.offices.feedback"] and "open to write" in found["gateway.records.trace_file"]
    assert "tap Tracing" in found["gateway.records.tracing"] and "tap Ledger" in found["gateway.records.ledger"]


def test_every_module_that_sends_writes_or_records_belongs_to_a_feature() -> None:
    missing = [f"{name}: {signs}" for name, signs in keepers().items() if not described(name)]
    assert not missing, "no paragraph says what these do:\n" + "\n".join(missing)


def test_every_section_of_the_configuration_belongs_to_a_feature() -> None:
    known = {each for feature in FEATURES for each in feature.sections} | set(NOTHING)
    missing = {section.name for section in attrs.fields(File)} - known
    assert not missing, f"no paragraph speaks of [{'], ['.join(sorted(missing))}]"


def test_every_table_of_every_database_belongs_to_a_feature() -> None:
    known = {each for feature in FEATURES for each in feature.tables} | set(NOTHING)
    found = {
        f"{path.parent.name.removesuffix('_postgresql')}.{name}"
        for path in (ROOT / "gateway" / "store").rglob("*.sql")
        for name in re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", path.read_text("utf-8"))
    }
    assert found and not found - known, f"no paragraph speaks of the tables {sorted(found - known)}"


def test_nothing_is_named_that_is_not_there() -> None:
    modules = {name for name, _ in trees()}
    named = {each for feature in FEATURES for each in feature.modules}
    assert not {each for each in named if not any(m == each or m.startswith(f"{each}.") for m in modules)}
    sections = {section.name for section in attrs.fields(File)}
    assert not {each for feature in FEATURES for each in feature.sections} - sections


@pytest.mark.parametrize("language", sorted(TABLES))
def test_every_feature_has_every_sentence_in_every_language(language: str) -> None:
    table, english = TABLES[language], TABLES["en"]
    assert {feature.name for feature in FEATURES} == set(table) - {"page", "labels", "states", "words"}
    for feature in FEATURES:
        assert set(table[feature.name]) - {"level"} == {"title", *TEXTS}
    for part, sentences in english.items():
        assert table[part].keys() == sentences.keys()
        for name, sentence in sentences.items():
            assert parts_of(table[part][name]) == parts_of(sentence), (part, name)


def test_every_sentence_can_be_filled_in() -> None:
    for paragraph in gathered(Facts(load(ROOT / "deploy" / "gateway.toml"))):
        for table in TABLES.values():
            for name in TEXTS:
                assert parts_of(table[paragraph.feature][name]) <= set(paragraph.parts), (paragraph.feature, name)


def test_there_is_more_than_one_language() -> None:
    assert len(TABLES) >= 3
