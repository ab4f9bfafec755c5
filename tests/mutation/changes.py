"""Small changes to a source text, one at a time: each is a mutant that some test must notice."""

import ast
import copy
from collections.abc import Callable, Iterator

from attrs import field, frozen

_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.Continue: ast.Break,
    ast.Break: ast.Continue,
}
_NAMES = {"any": "all", "all": "any", "min": "max", "max": "min"}
_Change = tuple[tuple[str, str], Callable[[], object]]
"""What stood there and what stands there now, in words, and what puts it back."""
_UNSEEN = ("annotation", "returns", "decorator_list", "type_params")
"""What says nothing about what a program does."""


@frozen
class Mutant:
    """Is one change: where it is, what it is in words, and the changed tree."""

    line: int
    inside: str
    """The name of the function, with its class, that is changed; '' for what is done at import."""
    change: str
    tree: ast.Module = field(repr=False, eq=False)

    @property
    def key(self) -> str:
        """Names the change in a way that lasts when lines move."""
        return f"{self.inside or '-'}: {self.change}"


def mutants(source: str) -> Iterator[Mutant]:
    """Gives every change of a source text."""
    tree = ast.parse(source)
    for node, inside, line in list(_walk(tree, "", 0)):
        for change, undo in _changes(node):
            before, after = change
            made = ast.fix_missing_locations(copy.deepcopy(tree))
            undo()
            yield Mutant(line, inside, f"{before} -> {after}", made)


def _walk(node: ast.AST, inside: str, line: int) -> Iterator[tuple[ast.AST, str, int]]:
    """Goes through all that can be changed, with the function that it is in; defaults belong to the import."""
    here = getattr(node, "lineno", line)
    yield node, inside, here
    for name, value in ast.iter_fields(node):
        if name in _UNSEEN or isinstance(node, ast.Raise):
            continue
        deeper = inside
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and name == "body":
            deeper = f"{inside}.<locals>.{node.name}" if inside and not inside.endswith(".") else f"{inside}{node.name}"
        elif isinstance(node, ast.ClassDef) and name == "body":
            deeper = f"{inside}{node.name}."
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _silent(child):
                yield from _walk(child, deeper, here)


def _silent(node: ast.AST) -> bool:
    """Says whether a statement is there for readers only, or for the log."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).startswith("log.")
    )


def _changes(node: ast.AST) -> Iterator[_Change]:
    """Makes each change of one node in place, in turn; whoever takes it undoes it."""
    yield from _of_operators(node)
    yield from _of_values(node)
    yield from _of_statements(node)


def _set(node: ast.AST, name: str, value: object) -> Iterator[_Change]:
    before, old = _text(node), getattr(node, name)
    setattr(node, name, value)
    yield (before, _text(node)), _restoring(node, name, old)


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
    return text if len(text) <= 90 else f"{text[:87]}..."


def _of_operators(node: ast.AST) -> Iterator[_Change]:
    if isinstance(node, ast.Compare):
        for place, sign in enumerate(node.ops):
            if type(sign) in _SWAPPED:
                others = [*node.ops[:place], _SWAPPED[type(sign)](), *node.ops[place + 1 :]]
                yield from _set(node, "ops", others)
    elif isinstance(node, ast.BoolOp | ast.BinOp | ast.AugAssign) and type(node.op) in _SWAPPED:
        yield from _set(node, "op", _SWAPPED[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield from _set(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
    elif isinstance(node, ast.Name) and node.id in _NAMES and isinstance(node.ctx, ast.Load):
        yield from _set(node, "id", _NAMES[node.id])


def _of_values(node: ast.AST) -> Iterator[_Change]:
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield from _set(node, "value", not value)
    elif isinstance(value, int | float):
        yield from _set(node, "value", value + 1)
    elif isinstance(value, bytes):
        yield from _set(node, "value", value + b"XX")
    elif isinstance(value, str) and value.count("\n") > 1:
        yield from _of_table(node, value)
    elif isinstance(value, str) and not _prose(value):
        yield from _set(node, "value", value + "XX")


def _prose(text: str) -> bool:
    """Says whether a text is part of a sentence for people: a test that repeats sentences would prove nothing."""
    return " " in text and not any(sign in text for sign in "<>='&")


def _of_table(node: ast.Constant, value: str) -> Iterator[_Change]:
    """Takes the last word of each line away."""
    rows = value.split("\n")
    for place, row in enumerate(rows):
        if row.strip():
            node.value = "\n".join([*rows[:place], " ".join(row.split()[:-1]), *rows[place + 1 :]])
            yield (" ".join(row.split()), "without its last word"), _restoring(node, "value", value)


def _of_statements(node: ast.AST) -> Iterator[_Change]:
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare | ast.UnaryOp):
        before, old = _text(node.test), node.test
        node.test = ast.UnaryOp(ast.Not(), old)
        yield (f"if {before}", f"if not {before}"), _restoring(node, "test", old)
    elif isinstance(node, ast.comprehension):
        for place, test in enumerate(node.ifs):
            before_all = node.ifs
            node.ifs = [*before_all[:place], *before_all[place + 1 :]]
            yield (f"for ... if {_text(test)}", "without the condition"), _restoring(node, "ifs", before_all)
    elif isinstance(node, ast.Return) and node.value is not None and not _falsy(node.value):
        yield from _set(node, "value", ast.Constant(None))
    for name in ("body", "orelse"):
        statements = getattr(node, name, None)
        if isinstance(statements, list) and not isinstance(node, ast.Module | ast.ClassDef):
            yield from _without(node, name, statements)


def _without(node: ast.AST, name: str, statements: list[ast.stmt]) -> Iterator[_Change]:
    """Leaves out a call, or an assignment to something that lasts."""
    for place, one in enumerate(statements):
        lasting = isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Attribute | ast.Subscript)
        called = isinstance(one, ast.Expr) and not _silent(one)
        if lasting or called or isinstance(one, ast.AugAssign | ast.Delete):
            before = _text(one)
            setattr(node, name, [*statements[:place], ast.Pass(), *statements[place + 1 :]])
            yield (before, "left out"), _restoring(node, name, statements)


def _restoring(node: ast.AST, name: str, old: object) -> Callable[[], object]:
    return lambda: setattr(node, name, old)


def _falsy(node: ast.AST) -> bool:
    """Says whether a value is one that callers cannot tell from None, as they ask for its truth."""
    return isinstance(node, ast.Constant) and not node.value
