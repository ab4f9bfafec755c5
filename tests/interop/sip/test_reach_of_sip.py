"""A SIP server that is gone takes its people along, and brings them back: our own, and a partner's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..lab import Lab
from .crossing import build

pytestmark = pytest.mark.interop

LIMITS = {"ping_seconds": 2, "presence_seconds": 3}
PATIENCE = 40.0
"""Seconds: an attempt each five, three in which it must stay away, and a time out of a connection."""


def _goes_and_comes_back(lab: Lab, inside: str, kind: str, domain: str, gone: str) -> None:
    house = build(lab, inside, {domain: kind}, limits=LIMITS)
    alice, bob = house.person("alice@corp.example"), house.person(f"bob@{domain}")
    for one, other in ((alice, bob), (bob, alice)):
        other.shows("busy", f"{other.name} is there")
        one.watches(other)
        other.lets(one)
        one.sees(other, "busy", "is there")
    seen, seer = (alice, bob) if gone == "corp.example" else (bob, alice)
    server = lab.servers[gone]
    server.kill()
    seer.sees_gone(seen)
    server.start()
    seer.sees(seen, "busy", "is there")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of its own for each test."""
    with Lab(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets people wait as long as this takes."""
    monkeypatch.setattr("tests.interop.sip.crossing.PATIENCE", PATIENCE)


def test_contacts_are_told_when_our_own_server_is_gone_and_when_it_is_back(lab: Lab) -> None:
    _goes_and_comes_back(lab, "kamailio", "prosody", "ally.example", "corp.example")


def test_our_people_are_told_when_a_partners_server_is_gone_and_when_it_is_back(lab: Lab) -> None:
    _goes_and_comes_back(lab, "prosody", "kamailio", "partner.example", "partner.example")
