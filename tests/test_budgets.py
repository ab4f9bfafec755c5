"""The project's budgets, measured: sizes, forbidden words, forbidden parameter names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from attrs import field, frozen

ROOT = Path(__file__).parent.parent
HOUSES = ("gateway", "plugins")
FORBIDDEN_WORDS = frozenset({"engine", "manager", "handler", "processor", "helper", "util", "common", "core", "base"})
FORBIDDEN_PARAMETERS = frozenset({"data", "info", "context"})
FILE_MEDIAN, FILE_MAX, PARSER_MAX = 150, 400, 500
FUNCTION_MEDIAN, FUNCTION_MAX = 10, 70

Function = ast.FunctionDef | ast.AsyncFunctionDef
_WORD = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])\d*")


@frozen
class Source:
    """Is one source file: where it is, how long, and its tree."""

    path: Path
    lines: int
    tree: ast.Module = field(repr=False)

    def at(self, node: Function | ast.ClassDef | ast.Lambda) -> str:
        """Gives the place of a definition as `file:line`."""
        return f"{self.path}:{node.lineno}"


def sources(*houses: str) -> list[Source]:
    """Reads every Python file below these folders."""
    found = []
    for house in houses:
        for path in sorted((ROOT / house).rglob("*.py")):
            text = path.read_text("utf-8")
            found.append(Source(path.relative_to(ROOT), len(text.splitlines()), ast.parse(text)))
    return found


def functions(source: Source) -> Iterator[Function]:
    """Walks every function and method, inner ones included."""
    return (node for node in ast.walk(source.tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Counts the lines from `def` to the last one, docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def forbidden_words(name: str) -> set[str]:
    """Gives the forbidden words in a snake_case or CamelCase name, in the singular or the plural."""
    words = {word.lower() for word in _WORD.findall(name)}
    return {word for word in words if word in FORBIDDEN_WORDS or word.removesuffix("s") in FORBIDDEN_WORDS}


def parameters(node: Function | ast.Lambda) -> set[str]:
    """Gives the names of all parameters."""
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return {argument.arg for argument in every if argument is not None}


def longest_allowed(path: Path) -> int:
    """A parser may be longer than the rest."""
    return PARSER_MAX if path.parts[:2] == ("gateway", "protocols") else FILE_MAX


@pytest.fixture(scope="module")
def house() -> list[Source]:
    return sources(*HOUSES)


def test_there_is_something_to_measure(house: list[Source]) -> None:
    assert {source.path.parts[0] for source in house} == set(HOUSES)
    assert sum(1 for source in house for _ in functions(source)) > 50


def test_median_file_is_short(house: list[Source]) -> None:
    assert median(source.lines for source in house if source.lines > 3) <= FILE_MEDIAN


def test_no_file_is_too_long(house: list[Source]) -> None:
    too_long = [f"{s.path}: {s.lines} lines" for s in house if s.lines > longest_allowed(s.path)]
    assert not too_long, "\n".join(too_long)


def test_median_function_is_short(house: list[Source]) -> None:
    assert median(length(function) for source in house for function in functions(source)) <= FUNCTION_MEDIAN


def test_no_function_is_too_long(house: list[Source]) -> None:
    too_long = [
        f"{source.at(function)} {function.name}: {length(function)} lines"
        for source in house
        for function in functions(source)
        if length(function) > FUNCTION_MAX
    ]
    assert not too_long, "\n".join(too_long)


def test_no_file_or_folder_has_a_forbidden_word(house: list[Source]) -> None:
    named = [str(s.path) for s in house if any(forbidden_words(part) for part in s.path.with_suffix("").parts)]
    assert not named, "\n".join(named)


def test_no_class_or_function_has_a_forbidden_word(house: list[Source]) -> None:
    named = [
        f"{source.at(node)} {node.name}"
        for source in house
        for node in ast.walk(source.tree)
        if isinstance(node, Function | ast.ClassDef) and forbidden_words(node.name)
    ]
    assert not named, "\n".join(named)


def test_no_parameter_has_a_name_that_says_nothing(house: list[Source]) -> None:
    named = [
        f"{source.at(node)} {', '.join(sorted(parameters(node) & FORBIDDEN_PARAMETERS))}"
        for source in house
        for node in ast.walk(source.tree)
        if isinstance(node, Function | ast.Lambda) and parameters(node) & FORBIDDEN_PARAMETERS
    ]
    assert not named, "\n".join(named)


def test_proportion_of_tests_is_printed(house: list[Source], capsys: pytest.CaptureFixture[str]) -> None:
    code, tests = (sum(source.lines for source in group) for group in (house, sources("tests")))
    with capsys.disabled():
        print(f"\ntest:code {tests}:{code} = {tests / code:.2f}")  # noqa: T201
    assert code


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("StreamHandler", {"handler"}),
        ("handlers", {"handlers"}),
        ("core", {"core"}),
        ("_base_url", {"base"}),
        ("XMLUtils", {"utils"}),
        ("database", set()),
        ("from_base64", set()),
        ("score", set()),
        ("BasementLight", set()),
    ],
)
def test_forbidden_words_are_found_as_words(name: str, found: set[str]) -> None:
    assert forbidden_words(name) == found


def test_measures_measure() -> None:
    text = "class A:\n    def f(self, data, *info, x=lambda context: 1, **kept):\n        return 1\n"
    source = Source(Path("gateway/protocols/a.py"), 3, ast.parse(text))
    (function,) = functions(source)
    assert length(function) == 2
    assert parameters(function) == {"self", "data", "info", "x", "kept"}
    assert (longest_allowed(source.path), longest_allowed(Path("gateway/relay.py"))) == (500, 400)
