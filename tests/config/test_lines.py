"""Where each key stands."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.lines import Lines
from gateway.config.sample import sample

TEXT = '''\
# a comment with = and [brackets]
top = 1

[one]            # the first
plain = "a # no comment"
"quoted key" = """
[not.a.table]
nor = 'a key'
"""
after = [
  "[[x]]", # another
  { inline = 1 },
]
dotted.key = 2

[one.two]
deep = \'\'\'
x = 1\'\'\'
[[many]]
first = 1
[many.below]
under = 1
[[many.inner]]
leaf = 1
[[many]]
second = { a = 1, b = { c = 2 } }
[[many.inner]]
leaf = 2
last = true
'''
PLACES = {
    ("top",): 2,
    ("one",): 4,
    ("one", "plain"): 5,
    ("one", "quoted key"): 6,
    ("one", "after"): 10,
    ("one", "dotted", "key"): 14,
    ("one", "two", "deep"): 17,
    ("many", 0): 19,
    ("many", 0, "first"): 20,
    ("many", 0, "below", "under"): 22,
    ("many", 0, "inner", 0, "leaf"): 24,
    ("many", 1): 25,
    ("many", 1, "second"): 26,
    ("many", 1, "second", "b", "c"): 26,
    ("many", 1, "inner", 0, "leaf"): 28,
    ("many", 1, "inner", 0, "last"): 29,
}


@pytest.mark.parametrize(("path", "line"), PLACES.items())
def test_a_path_is_found_on_its_line(path: tuple[str | int, ...], line: int) -> None:
    assert Lines.of(TEXT).at(path) == line


def test_what_stands_nowhere_is_found_at_what_is_around_it() -> None:
    lines = Lines.of(TEXT)
    assert lines.at(("many", 1, "absent")) == 25
    assert lines.at(("absent",)) == 1
    assert not lines.has(("absent",))
    assert lines.has(("many", 1))


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_setting_of_the_sample_stands_on_the_line_that_is_found(ending: str) -> None:
    text = sample(every=True).replace("\n", ending)
    lines, written = Lines.of(text), text.splitlines()
    paths = list(leaves(tomllib.loads(text)))
    assert len(paths) > 50
    for path in paths:
        keys = [step for step in path if isinstance(step, str)]
        assert any(written[lines.at(path) - 1].startswith(f"{key} = ") for key in keys[1:]), path


@given(st.text(alphabet="ab=[]{}\"'#\\\n., 1", max_size=60))
def test_no_accepted_text_breaks_the_scanner(text: str) -> None:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = Lines.of(text)
    for path in leaves(tables):
        assert 1 <= lines.at(path) <= text.count("\n") + 1
