"""Reads gateway.toml and conf.d/*.toml."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from gateway.config.building import Builder, Config
from gateway.config.bundle import FOLDER, Bundle
from gateway.config.federation import Partnership
from gateway.config.lines import Lines
from gateway.config.partnerships import Placed
from gateway.config.reading import Reading
from gateway.config.sections import Assigned, File
from gateway.config.values import Place
from gateway.errors import ConfigError

_Section = TypeVar("_Section")


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Reads a configuration; raises ConfigError with every problem in it, one a line, each with `file:line`.

    `environment` is looked at for CREDENTIALS_DIRECTORY only.
    """
    path = path.absolute()
    problems: list[tuple[str, int, str]] = []
    named = {f"{FOLDER}/{each.name}": each for each in sorted((path.parent / FOLDER).glob("*.toml"))}
    texts = {name: _text(place, name, problems) for name, place in {path.name: path, **named}.items()}
    return _loaded(path, texts, environment, problems)


def load_bundle(bundle: Bundle, path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Reads a configuration as though its texts were those of the file `path` and its conf.d; raises ConfigError."""
    path = path.absolute()
    folder = {f"{FOLDER}/{name}": text for name, text in sorted(bundle.partners.items())}
    return _loaded(path, {path.name: bundle.main, **folder}, environment, [])


def _loaded(
    path: Path,
    texts: Mapping[str, str | None],
    environment: Mapping[str, str],
    problems: list[tuple[str, int, str]],
) -> Config:
    parsed = {
        name: _parsed(path.parent / name, name, text, environment, problems)
        for name, text in texts.items()
        if text is not None
    }
    main = parsed.pop(path.name, None)
    if main is None:
        raise _error(problems)
    reading, tables = main
    single = {name: table for name, table in tables.items() if name not in ("assignment", "partner")}
    file = reading.section(File, single, ()) or File()
    assigned = _placed(reading, tables, "assignment", Assigned)
    partners = _placed(reading, tables, "partner", Partnership)
    for found in parsed.values():
        if found is not None:
            partners += _of_folder(*found)
    config = _built(path, file, Builder(file, reading, assigned, partners))
    if config is None or problems:
        raise _error(problems)
    return config


def _text(path: Path, name: str, problems: list[tuple[str, int, str]]) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        problems.append((name, 0, f"cannot be read: {problem.strerror}"))
    except UnicodeDecodeError:
        problems.append((name, 0, "is not UTF-8"))
    return None


def _parsed(
    path: Path, name: str, text: str, environment: Mapping[str, str], problems: list[tuple[str, int, str]]
) -> tuple[Reading, dict[str, Any]] | None:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        problems.append((name, *_syntax(str(problem), text)))
    except (ValueError, RecursionError) as problem:
        problems.append((name, 0, f"is beyond all measure: {problem}"))
    else:
        return Reading(name, Lines.of(text), Place(path.parent, environment), problems), tables
    return None


def _syntax(message: str, text: str) -> tuple[int, str]:
    """Takes the line out of tomllib's message."""
    found = re.fullmatch(r"(?s)(.*) \(at line (\d+), column (\d+)\)", message)
    if found:
        return int(found[2]), f"{found[1]} (column {found[3]})"
    return text.count("\n") + 1, message.removesuffix(" (at end of document)")


def _placed(reading: Reading, tables: dict[str, Any], name: str, kind: type[_Section]) -> tuple[Placed[_Section], ...]:
    """Gives the tables of one array with their places."""
    listed = tables.get(name, [])
    if not isinstance(listed, list):
        reading.refuse((name,), f"write [[{name}]] with two brackets")
        return ()
    found = [(index, reading.section(kind, table, (name, index))) for index, table in enumerate(listed)]
    return tuple(Placed(reading, (name, index), section) for index, section in found if section is not None)


def _of_folder(reading: Reading, tables: dict[str, Any]) -> tuple[Placed[Partnership], ...]:
    """Gives the partners of one file: one whose settings stand at the top, or [[partner]] tables."""
    if "domain" in tables:
        section = reading.section(Partnership, tables, ())
        return () if section is None else (Placed(reading, (), section),)
    _only_partners(reading, tables)
    return _placed(reading, tables, "partner", Partnership)


def _only_partners(reading: Reading, tables: dict[str, Any]) -> None:
    for name in tables:
        if name != "partner":
            reading.refuse((name,), f"only [[partner]] tables belong here, {name} belongs in the main file")


def _built(path: Path, file: File, builder: Builder) -> Config | None:
    builder.check_house()
    levels = builder.build_levels()
    default = builder.build_default()
    assignments = builder.build_assignments()
    built = builder.build_partners()
    if file.gateway is None or file.tls is None or file.inside is None:
        return None
    return Config(
        path=path,
        gateway=file.gateway,
        tls=file.tls,
        inside=file.inside,
        xmpp=file.outside.xmpp,
        sip=file.outside.sip,
        limits=file.limits,
        metrics=file.metrics,
        ledger=file.ledger,
        archive=file.archive,
        history=file.history,
        notice=file.notice,
        trace=file.trace,
        telemetry=file.telemetry,
        feedback=file.feedback,
        spool=file.spool,
        default_level=default,
        levels=levels,
        locks=built.locks,
        assignments=assignments,
        partners=built.partners,
        routes=built.routes,
        federation=file.federation,
        discovery=file.discovery,
        contracts=built.contracts,
        right=built.right,
        walls=built.walls,
        settings=built.settings,
        groups=file.groups,
        echo=file.echo,
        bot=file.bot,
        directories=file.directory,
        policy=file.policy,
    )


def _error(problems: list[tuple[str, int, str]]) -> ConfigError:
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: problem[:2])
    return ConfigError("\n".join(f"{name}:{line}: {why}" if line else f"{name}: {why}" for name, line, why in ordered))
