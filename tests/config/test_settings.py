"""The [[setting]] tables."""

from pathlib import Path

import pytest

from gateway.config import changes, load
from gateway.errors import ConfigError
from gateway.model.presence import Field
from gateway.policy.settings import Feature, Rule

from .files import write

TWO = """
[[setting]]
of = ["phone.mobile", "typing"]
on = false
group = "board"
locked = true

[[setting]]
of = ["title"]
on = false
partner = "ally.example"
"""


def test_settings_are_rules_of_their_layer(tmp_path: Path) -> None:
    config = load(write(tmp_path, TWO, ally='domain = "ally.example"\n'))
    assert config.settings == (
        Rule(Field.PHONE_MOBILE, False, group="board", locked=True),
        Rule(Feature.TYPING, False, group="board", locked=True),
        Rule(Field.TITLE, False, partner="ally.example"),
    )


def test_a_misspelt_field_and_an_unknown_partner_are_told_with_their_lines(tmp_path: Path) -> None:
    text = TWO.replace("phone.mobile", "phone.mobil")
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    told = str(caught.value)
    assert 'did you mean "phone.mobile"' in told.lower() or '"phone.mobile"' in told
    assert "no [[partner]] has this domain" in told


def test_a_change_of_a_setting_is_told(tmp_path: Path) -> None:
    old = load(write(tmp_path, TWO, ally='domain = "ally.example"\n'))
    new = load(write(tmp_path, "", ally='domain = "ally.example"\n'))
    assert "typing off for group board, locked" in " ".join(changes(old, new))
