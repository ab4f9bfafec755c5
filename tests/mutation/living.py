"""Puts changed code into a program that runs: into its functions, or into a module that is imported anew."""

import functools
import gc
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType, ModuleType

from attrs import define, field

OURS = ("gateway", "plugins", "tests")


def codes(code: CodeType) -> Iterator[CodeType]:
    """Goes through a code object and all that is inside it."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from codes(inner)


@define
class Functions:
    """Knows every function of one source file that is alive, wherever it is kept."""

    path: str
    _found: dict[tuple[str, int], list[FunctionType]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and one.__code__.co_filename == self.path:
                code = one.__code__
                self._found.setdefault((code.co_qualname, code.co_firstlineno), []).append(one)

    def become(self, changed: CodeType) -> bool:
        """Gives them the code of a changed module; False when some function cannot take it in place."""
        taken = False
        for code in codes(changed):
            for one in self._found.get((code.co_qualname, code.co_firstlineno), ()):
                if len(code.co_freevars) != len(one.__code__.co_freevars):
                    return False
                one.__code__ = code
                taken = True
        return taken


def forget_answers() -> None:
    """Empties every cache of answers: they were given by the code as it was."""
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper):
            one.cache_clear()


@define
class Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from changed code."""

    name: str
    path: str
    code: CodeType

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Finds that module, and no other."""
        if name != self.name:
            return None
        spec = importlib.machinery.ModuleSpec(name, self, origin=self.path)
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Runs the changed code."""
        exec(self.code, module.__dict__)  # noqa: S102 it is our own

    @classmethod
    def begin(cls, name: str, path: str, code: CodeType) -> None:
        """Forgets all of our modules, so that what is imported next is made with the changed one."""
        for known in list(sys.modules):
            if known.partition(".")[0] in OURS and not known.startswith("tests.mutation"):
                del sys.modules[known]
        sys.meta_path.insert(0, cls(name, path, code))
