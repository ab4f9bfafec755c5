"""What a partner has shown is remembered; what it has never shown before raises an alarm."""

import json
from pathlib import Path

import pytest
from attrs import evolve

from gateway.federation.contracts import MOST_KNOWN, Contracts
from gateway.interfaces import Meeting
from gateway.metrics import Metrics

FIRST = Meeting("xmpp", "corp.example", "partner.example", "external", "aa", "CN=One", "TLSv1.3")


def contracts(folder: Path) -> tuple[Contracts, Metrics]:
    """An empty memory, or what was kept in a folder."""
    metrics = Metrics()
    metrics.configure(["partner.example"])
    return Contracts(folder / "contracts.json", metrics), metrics


def test_the_first_connection_is_believed_and_the_same_again_is_no_drift(tmp_path: Path) -> None:
    known, metrics = contracts(tmp_path)
    assert known.met(FIRST, "partner.example") == [] == known.met(FIRST, "partner.example")
    assert not metrics.drift.cells


@pytest.mark.parametrize(
    ("what", "value"), [("method", "dialback"), ("key", "bb"), ("issuer", "CN=Two"), ("tls", "TLSv1.2")]
)
def test_each_change_is_an_alarm_once_also_after_a_restart(tmp_path: Path, what: str, value: str) -> None:
    contracts(tmp_path)[0].met(FIRST, "partner.example")
    known, metrics = contracts(tmp_path)
    changed = evolve(FIRST, **{what: value})
    assert known.met(changed, "partner.example") == [what]
    assert metrics.drift("partner.example", what).value == 1
    assert known.met(changed, "partner.example") == [] == known.met(FIRST, "partner.example")


def test_each_direction_and_leg_has_a_first_connection(tmp_path: Path) -> None:
    known, _ = contracts(tmp_path)
    known.met(FIRST, "partner.example")
    assert known.met(evolve(FIRST, direction="out", key="bb"), "partner.example") == []
    assert known.met(evolve(FIRST, leg="sip", key="cc"), "partner.example") == []
    assert known.met(evolve(FIRST, key="bb"), "partner.example") == ["key"]


def test_what_was_not_shown_is_not_compared(tmp_path: Path) -> None:
    known, _ = contracts(tmp_path)
    known.met(FIRST, "partner.example")
    assert known.met(evolve(FIRST, key="", issuer=""), "partner.example") == []


def test_the_memory_is_bounded_and_forgets_former_partners(tmp_path: Path) -> None:
    known, _ = contracts(tmp_path)
    for number in range(MOST_KNOWN + 3):
        known.met(evolve(FIRST, key=f"k{number}"), "partner.example")
    kept = json.loads((tmp_path / "contracts.json").read_text())
    assert len(kept["partner.example"]["xmpp in key"]) == MOST_KNOWN
    known.keep_only([])
    assert json.loads((tmp_path / "contracts.json").read_text()) == {}
    assert (tmp_path / "contracts.json").stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {"b": 3}}', "\udcff"])
def test_a_broken_memory_is_begun_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "contracts.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert contracts(tmp_path)[0].met(FIRST, "partner.example") == []
