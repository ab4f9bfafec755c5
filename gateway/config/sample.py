"""Writes deploy/gateway.toml: every setting with its sentence, made from the classes that read it.

`python -m gateway.config.sample deploy/gateway.toml` writes it anew; a test compares.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from gateway.config import (
    archiving,
    directories,
    federation,
    informing,
    legs,
    policing,
    recording,
    sections,
    settings,
    spooling,
)
from gateway.config.changes import shown
from gateway.config.reading import sentence_of

WIDTH = 100
_HEAD = """\
# gateway.toml: every setting there is. A line that begins with # and no space shows a default or an example;
# take the # away to change it. Unknown names stop the start: nothing is ignored in silence.
# What is marked (restart) counts after the next start, all else at once with "gateway reload".
# "gateway check" tells every mistake with its line; a reload takes over all of a change or nothing.
"""
_PARTNER_HEAD = """\
# One partner: copy this file to conf.d/NAME.toml beside gateway.toml, and set what differs. A line that begins with #
# and no space shows a default or an example. "gateway check" tells every mistake with its file and line.
"""
_GROUPS = """\
# Groups of our people, for the people of partners, the right to federate, and walls; a directory may name more.
#[groups]
#research = ["alice@corp.example"]
"""
_TABLES: tuple[tuple[str, type, bool], ...] = (
    ("[gateway]", sections.Gateway, True),
    ("[tls]", sections.Tls, True),
    ("[[tls.extra]]", sections.TlsExtra, False),
    ("[inside]", legs.InsideServer, True),
    ("[inside]", legs.InsideComponent, False),
    ("[inside]", legs.InsideSip, False),
    ("[outside.xmpp]", legs.OutsideXmpp, True),
    ("[outside.sip]", legs.OutsideSip, True),
    ("[defaults]", sections.Defaults, True),
    ("[levels.supplier]", sections.Level, False),
    ("[locks]", sections.Locks, True),
    ("[[assignment]]", sections.Assigned, False),
    ("[[partner]]", federation.Partnership, False),
    ("[partner.rates]", federation.RateLimits, False),
    ("[federation]", federation.Federation, True),
    ("[discovery]", federation.Discovering, True),
    ("[[wall]]", federation.Walled, False),
    ("[[setting]]", settings.Switched, False),
    ("[bot]", settings.Bot, True),
    ("[echo]", federation.Echo, True),
    ("[[directory]]", directories.DirectoryFile, False),
    ("[[directory]]", directories.DirectoryLdap, False),
    ("[[directory]]", directories.DirectoryIcal, False),
    ("[[directory]]", directories.DirectoryCaldav, False),
    ("[limits]", sections.Limits, True),
    ("[metrics]", sections.MetricsPage, True),
    ("[ledger]", recording.LedgerTerms, True),
    ("[archive]", archiving.ArchiveTerms, True),
    ("[[archive.rule]]", archiving.Archived, False),
    ("[history]", recording.HistoryTerms, True),
    ("[notice]", recording.NoticeTerms, True),
    ("[trace]", informing.TraceTerms, True),
    ("[[trace.scope]]", informing.Scoped, False),
    ("[telemetry]", informing.TelemetryTerms, True),
    ("[feedback]", informing.FeedbackTerms, True),
    ("[[feedback.scope]]", informing.ScopedPeople, False),
    ("[policy]", policing.PolicyChanges, True),
    ("[spool]", spooling.SpoolTerms, True),
)
"""(header, class, whether the table stands in force) in the order of the file."""


def sample(every: bool = False, inside: type = legs.InsideServer) -> str:
    """Gives the text of the sample; with `every`, each setting stands in force, for one kind of inside server."""
    parts = [_HEAD]
    for header, kind, stands in _TABLES:
        if every and header == "[inside]" and kind is not inside:
            continue
        if header == "[[wall]]":
            parts.append(_GROUPS.replace("\n#", "\n") if every else _GROUPS)
        parts.append("\n".join(_table(header, kind, every or stands, every)))
    return "\n".join(parts) + "\n"


def partner() -> str:
    """Gives the text of a file in conf.d: one partner, every setting."""
    settings = "\n".join(_table("", federation.Partnership, True, False))
    rates = "\n".join(_table("[rates]", federation.RateLimits, True, False))
    return f"{_PARTNER_HEAD}{settings}\n{rates}\n".rstrip() + "\n"


def _table(header: str, kind: type, stands: bool, every: bool) -> Iterator[str]:
    yield f"# {(kind.__doc__ or '').strip()}"
    if header:
        yield header if stands else f"#{header}"
    for setting in attrs.fields(kind):
        # These are tables of their own.
        if setting.name not in ("extra", "rates", "scope", "rule"):
            yield from _setting(setting, stands, every)
    yield ""


def _setting(setting: Any, stands: bool, every: bool) -> Iterator[str]:
    required = setting.default is attrs.NOTHING
    if every and setting.name == "ceiling_fields":
        # It excludes `ceiling`.
        return
    mark = "" if every or (stands and required) else "#"
    note = " (restart)" if setting.metadata.get("restart") else ""
    line = f"{mark}{setting.name} = {_value(setting)}"
    sentence = f"{sentence_of(setting)}{note}"
    if len(line) + len(sentence) + 4 <= WIDTH:
        yield f"{line:<40}  # {sentence}"
    else:
        yield f"# {sentence}"
        yield line


def _value(setting: Any) -> str:
    """Gives the example where there is one, else the default."""
    example = setting.metadata.get("example")
    return example if example else shown(setting.default)


def main(argv: list[str]) -> None:
    """Writes the sample to the named file, and the sample of a partner beside it."""
    Path(argv[1]).write_text(sample(), encoding="utf-8")
    folder = Path(argv[1]).parent / "conf.d"
    folder.mkdir(exist_ok=True)
    (folder / "partner.example.toml.sample").write_text(partner(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv)
