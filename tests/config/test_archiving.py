"""The [archive] table: off unless switched on, with a key, in one place; its rules as the policy knows them."""

from pathlib import Path

import pytest

from gateway.config import load
from gateway.errors import ConfigError
from gateway.model.envelope import Side
from gateway.policy.archiving import ArchiveRule, Mode
from tests.config.files import write

KEY = 'key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="'
ON = f"[archive]\non = true\n{KEY}\n"


def test_it_is_off(tmp_path: Path) -> None:
    archive = load(write(tmp_path)).archive
    assert not archive.on and archive.rules == ()


def test_rules_are_what_the_policy_knows(tmp_path: Path) -> None:
    text = f"""{ON}mode = "activity"
locked = false
[[archive.rule]]
mode = "content"
critical = true
person = "alice@corp.example"
direction = "in"
[[archive.rule]]
retention_days = 30
person = "sales"
partner = "partner.example"
locked = true
[[partner]]
domain = "partner.example"
"""
    assert load(write(tmp_path, text)).archive.rules == (
        ArchiveRule(Mode.ACTIVITY, False),
        ArchiveRule(Mode.CONTENT, True, person="alice@corp.example", side=Side.EXTERNAL),
        ArchiveRule(retention_days=30, group="sales", partner="partner.example", locked=True),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[archive]\non = true\n", "[archive] needs a key"),
        (f'{ON}file = "a.db"\npostgresql = "postgresql:///archive"\n', "not in both"),
        (f'{ON}postgresql = "mysql://x"\n', 'must begin with "postgresql://"'),
        (f'{ON}[[archive.rule]]\npartner = "nobody.example"\n', "no [[partner]] has this domain"),
        (f'{ON}[[archive.rule]]\ndirection = "sideways"\n', 'must be "in" or "out"'),
        (f'{ON}mode = "everything"\n', "must be one of none, activity, content"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert why in str(caught.value)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    archive = load(write(tmp_path, f'{ON}postgresql = "postgresql://gateway:canary@db.example/archive"\n')).archive
    assert "canary" not in repr(archive) and "AAEC" not in repr(archive)
