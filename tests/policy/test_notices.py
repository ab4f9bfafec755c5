"""When a contact is told that what is said is kept, and in which words."""

import itertools

import pytest

from gateway.policy.notices import NOTHING, WORDS, Keeping, Kept, due, words

HISTORY, ACTIVITY, CONTENT = Keeping.HISTORY, Keeping.ACTIVITY, Keeping.CONTENT


def kept(*kinds: Keeping) -> Kept:
    return frozenset(kinds)


@pytest.mark.parametrize(
    ("now", "told", "expected"),
    [
        (NOTHING, NOTHING, False),
        (kept(HISTORY), NOTHING, True),
        (kept(HISTORY), kept(HISTORY), False),
        (kept(HISTORY, CONTENT), kept(HISTORY), True),
        (kept(CONTENT), kept(ACTIVITY), True),
        (kept(ACTIVITY), kept(CONTENT), False),
        (kept(ACTIVITY), kept(HISTORY), True),
        (NOTHING, kept(HISTORY, CONTENT), False),
    ],
)
def test_who_is_told(now: Kept, told: Kept, expected: bool) -> None:
    assert due(now, told) is expected


def test_whoever_was_told_all_of_it_is_not_told_again() -> None:
    for size in range(4):
        for kinds in itertools.combinations(Keeping, size):
            assert not due(kept(*kinds), kept(*kinds))
            assert due(kept(*kinds), NOTHING) is bool(kinds)


def test_every_text_has_every_language_and_names_the_organisation() -> None:
    assert WORDS[True].keys() == WORDS[False].keys() == {"en", "de", "fr"}
    for kinds in (kept(HISTORY), kept(ACTIVITY), kept(CONTENT)):
        assert all("corp.example" in text for _, text in words(kinds, "corp.example", {}))
    assert words(kept(ACTIVITY), "corp.example", {}) != words(kept(ACTIVITY, HISTORY), "corp.example", {})


def test_the_administrators_text_comes_first() -> None:
    given = {"en": "{domain} records this.", "fr": "Enregistré {x}."}
    found = words(kept(HISTORY), "corp.example", given)
    assert found == (("en", "corp.example records this."), ("fr", "Enregistré {x}."))
