"""Shapes of what the commands of protocol log, usage report, feedback and privacy statement answer."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol, TypedDict


class TraceRun(TypedDict):
    """One trace: of whom, since and until when in posix seconds, by `command` or `configuration`."""

    whom: str
    since: float | None
    until: float | None
    by: str


class Traced(TypedDict):
    """A trace that has begun, or ended: `lines` that were shown, `dropped` ones, where they stand, who is told."""

    whom: str
    until: float | None
    lines: int
    dropped: int
    file: str
    told: int


class TelemetryShown(TypedDict):
    """The report to the byte, and where it would go."""

    report: str
    collector: str


class TelemetryStatus(TypedDict):
    """Whether reports are sent, who says so, and what the next and the last one are (posix seconds)."""

    on: bool
    by: str
    locked: bool
    collector: str
    shown: bool
    next: float | None
    last: float | None
    problem: str


class FeedbackShown(TypedDict):
    """What goes along, to whom, and whether it has gone."""

    to: str
    sent: bool
    document: str


class StatementShown(TypedDict):
    """A privacy statement, or what has changed: the number of the revision, its date and its digest."""

    document: str
    revision: int
    made: float
    digest: str
    since: int


class Informed(Protocol):
    """What the running daemon does for these commands; each raises GatewayError with a text for whoever asked."""

    def trace(self, whom: str, span: str | None, background: str | None) -> Any:
        """Begins a protocol log for a while: an answer in parts, or at once when it runs in the background."""

    def traces_list(self) -> list[TraceRun]:
        """Lists for whom signals are written down."""

    def traces_stop(self, whom: str) -> list[TraceRun]:
        """Ends what a command has begun; gives what goes on."""

    def telemetry_show(self) -> TelemetryShown:
        """Gives the next usage report to the byte."""

    def telemetry_on(self) -> TelemetryStatus:
        """Opts in on this machine."""

    def telemetry_off(self) -> TelemetryStatus:
        """Opts out on this machine."""

    def telemetry_status(self) -> TelemetryStatus:
        """Says whether reports are sent."""

    def feedback(self, text: str, owner: str | None, yes: str | None) -> Awaitable[FeedbackShown] | FeedbackShown:
        """Shows what would be sent to whom; with `yes` sends it."""

    def privacy_statement(
        self, owner: str | None, since: str | None, format: str | None, language: str | None
    ) -> StatementShown:
        """Writes the privacy statement for everybody or one person, or what has changed since a revision."""
