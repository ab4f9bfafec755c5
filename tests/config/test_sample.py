"""The sample file is made from the classes, and is a configuration itself."""

import re
from pathlib import Path

import attrs
import pytest

from gateway.config import InsideComponent, InsideServer, InsideSip, directories, federation, load, sections
from gateway.config.sample import partner, sample

COMMITTED = Path(__file__).parents[2] / "deploy" / "gateway.toml"


def test_the_committed_sample_is_the_generated_one() -> None:
    assert COMMITTED.read_text() == sample(), "run: python -m gateway.config.sample deploy/gateway.toml"


def test_the_committed_sample_of_a_partner_is_the_generated_one_and_is_a_partner(tmp_path: Path) -> None:
    committed = COMMITTED.parent / "conf.d" / "partner.example.toml.sample"
    assert committed.read_text() == partner(), "run: python -m gateway.config.sample deploy/gateway.toml"
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "gateway.toml").write_text(sample())
    (tmp_path / "conf.d" / "partner.toml").write_text(committed.read_text())
    assert set(load(tmp_path / "gateway.toml").partners.by_name) == {"partner.example"}


def test_the_sample_is_a_configuration() -> None:
    config = load(COMMITTED)
    assert config.domains == ("corp.example",)
    assert dict(config.partners.by_name) == {}


@pytest.mark.parametrize("inside", [InsideServer, InsideComponent, InsideSip])
def test_every_setting_of_the_sample_is_accepted(tmp_path: Path, inside: type) -> None:
    for name in ("component", "sip-inside", "ldap", "calendar", "mail", "archive", "archive-key"):
        (tmp_path / name).write_text("canary")
    text = sample(every=True, inside=inside).replace('["corp.example"]', '["corp.example", "chat.corp.example"]')
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    config = load(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert isinstance(config.inside, inside)
    assert set(config.partners.by_name) == {"partner.example"}


MODULES = (sections.__name__, directories.__name__, federation.__name__)
VALUES = (sections.File, directories.Roots, directories.Attributes, federation.Day, federation.Texts, federation.Groups)
SETTINGS = [
    (kind.__name__, setting)
    for kind in (*vars(sections).values(), *vars(directories).values(), *vars(federation).values())
    if isinstance(kind, type) and attrs.has(kind) and kind.__module__ in MODULES
    if kind not in VALUES
    for setting in attrs.fields(kind)
    if setting.name not in ("extra", "rates", "xmpp")
]


@pytest.mark.parametrize(("owner", "setting"), SETTINGS, ids=lambda value: getattr(value, "name", value))
def test_every_setting_has_a_sentence_and_stands_in_the_sample(owner: str, setting: "attrs.Attribute[object]") -> None:
    sentence = setting.metadata["sentence"]
    assert re.fullmatch(r"[A-Z].*\.", sentence)
    assert sentence in sample()
    assert re.search(rf"(?m)^#?{setting.name} = ", sample())
