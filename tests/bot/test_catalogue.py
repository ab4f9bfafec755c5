"""Every language says everything, and fills in the same parts."""

import tomllib
from importlib.resources import files

import pytest

from gateway.bot.catalogue import FALLBACK, load, parts_of
from gateway.model.presence import Field
from gateway.policy.access_level import STANDARD
from gateway.policy.settings import Feature

TABLES = {
    entry.name.removesuffix(".toml"): tomllib.loads(entry.read_text(encoding="utf-8"))
    for entry in (files("gateway.bot") / "catalogues").iterdir()
    if entry.name.endswith(".toml")
}
ENGLISH = TABLES[FALLBACK]


def test_there_is_more_than_one_language() -> None:
    assert len(load()) >= 3


@pytest.mark.parametrize("language", sorted(TABLES))
def test_a_language_has_every_sentence_with_the_same_parts(language: str) -> None:
    table = TABLES[language]
    for part in ("says", "levels", "fields", "reasons", "words"):
        assert table[part].keys() == ENGLISH[part].keys()
    for name, sentence in table["says"].items():
        assert parts_of(sentence) == parts_of(ENGLISH["says"][name]), name


def test_every_level_field_and_feature_has_a_name() -> None:
    assert ENGLISH["levels"].keys() == STANDARD.keys()
    assert ENGLISH["fields"].keys() == {each.value for kind in (Field, Feature) for each in kind}


@pytest.mark.parametrize("language", sorted(TABLES))
def test_no_word_means_two_things(language: str) -> None:
    words = [word for listed in load()[language].words.values() for word in set(listed)]
    assert len(words) == len(set(words))
