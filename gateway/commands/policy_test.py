"""`gateway policy test`: sentences of an administrator, held against a configuration."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.config import Config, load
from gateway.config.policing import Mode
from gateway.errors import CommandError
from gateway.federation.neighbours import rules_of
from gateway.log import escape
from gateway.policy.access_level import Assignment
from gateway.policy.assertions import Assertion, read_assertions
from gateway.policy.guarantees import Ground, unmet
from gateway.policy.settings import Subject
from gateway.store.reading import decided

STATE = "state.db"
"""The name of the database in the state folder."""


def run(config: Path | None, file: str, state: str | None) -> dict[str, Any]:
    """Gives `{"held": n, "failures": [{"line", "text", "why"}], "errors": [...]}` for the sentences in a text."""
    if config is None:
        raise CommandError("no configuration: name one with --config F")
    loaded = load(config).at(time.time())
    assertions, wrong = read_assertions(file)
    ground = ground_of(loaded, *_kept(state))
    failures: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = [{"line": line, "text": "", "why": why} for line, why in wrong]
    for assertion in assertions:
        try:
            why = unmet(assertion, ground)
        except ValueError as problem:
            errors.append(_told(assertion, str(problem)))
        else:
            failures += [_told(assertion, why)] if why is not None else []
    held = len(assertions) - len(failures) - (len(errors) - len(wrong))
    return {"held": held, "failures": failures, "errors": sorted(errors, key=lambda each: int(each["line"]))}


def ground_of(
    config: Config,
    kept: tuple[Assignment, ...] = (),
    own: Mapping[str, Mapping[Subject, bool]] | None = None,
) -> Ground:
    """Gives the policy of a configuration, with what people have decided if that is known."""
    rules, switched = rules_of(config), own or {}
    return Ground(
        rules.partners,
        rules.levels,
        rules.default_level,
        rules.domains,
        rules.locks,
        (*rules.assignments, *kept),
        rules.right,
        rules.walls,
        config.settings,
        lambda person: switched.get(person, {}),
        config.groups.members,
        bool(config.directories),
        config.gateway.mode is Mode.OBSERVE,
        rules.apart,
        time.time(),
    )


def _kept(state: str | None) -> tuple[tuple[Assignment, ...], Mapping[str, Mapping[Subject, bool]]]:
    if state is None:
        return (), {}
    path = Path(state)
    return decided(path / STATE if path.is_dir() else path)


def _told(assertion: Assertion, why: str) -> dict[str, Any]:
    return {"line": assertion.line, "text": assertion.text, "why": why}


def show(result: Mapping[str, Any]) -> str:
    """Shows what does not hold, a line each."""
    lines = []
    for kind, told in (("ERROR", result["errors"]), ("FAIL", result["failures"])):
        for each in told:
            lines.append(f"line {each['line']}: {kind}  {escape(each['text'] or each['why'], 1000)}")
            lines += [f"        {escape(each['why'], 1000)}"] if each["text"] else []
    counts = f"{len(result['failures'])} fail" + (f", {len(result['errors'])} errors" if result["errors"] else "")
    return "\n".join([*lines, f"{result['held']} hold, {counts}"])


def grade(result: Mapping[str, Any]) -> int:
    """Gives 0 when all holds, 1 when something does not, 2 when a line makes no sense."""
    return 2 if result["errors"] else int(bool(result["failures"]))
