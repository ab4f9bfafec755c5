"""Counts what happens on the way of an envelope; the parts of the house are seen by their shape only."""

from collections.abc import Collection, Iterable
from enum import Enum
from typing import Any, Protocol

from gateway.metrics.cells import Counter
from gateway.metrics.table import Rows


class Named(Protocol):
    """Is a federation partner, of whom only the name counts here."""

    @property
    def name(self) -> str:
        """Gives the label that the partner has in metrics."""


class Judged(Protocol):
    """Is an envelope: its content's class is the kind, its side the direction."""

    @property
    def content(self) -> object:
        """Gives what is said."""

    @property
    def side(self) -> Enum:
        """Gives 'internal' or 'external'."""


class Decided(Protocol):
    """Is a verdict."""

    @property
    def decision(self) -> Enum:
        """Gives 'deliver', 'refuse' or 'ignore'."""

    @property
    def reason(self) -> Enum:
        """Gives one of the closed set of reasons."""

    @property
    def level(self) -> str:
        """Gives the name of an access level."""

    @property
    def sent(self) -> frozenset[Any]:
        """Gives the fields that go on."""

    @property
    def withheld(self) -> Collection[Any]:
        """Gives the fields that do not."""


_DIRECTION = {"internal": "out", "external": "in"}
_OUTCOME = {"deliver": "accepted", "refuse": "refused", "ignore": "ignored"}


class Metrics(Rows):
    """Holds all numbers of one gateway: `metrics.messages("partner.example", "out", "accepted").value += 1`.

    Get a cell once and keep it; after `configure` get it again: what is no longer configured is dropped.
    """

    def configure(self, partners: Iterable[str], domains: Iterable[str] = (), levels: Iterable[str] = ()) -> None:
        """Says which partners, domains of ours and levels have series of their own; drops those of all others."""
        super().configure(partners, domains, levels)
        self._decided: dict[tuple[object, ...], tuple[Counter, ...]] = {}
        self._shown: dict[tuple[object, ...], tuple[Counter, ...]] = {}
        self._before: tuple[object, object, object, object] | None = None
        self._cells: tuple[Counter, ...] = ()

    def decided(self, envelope: Judged, partner: Named | None, verdict: Decided) -> None:
        """Counts one decision, and field by field what it lets out (about 1 microsecond, 3 with fields)."""
        kind, side, before = envelope.content.__class__, envelope.side, self._before
        if (
            before is None
            or before[0] is not verdict
            or before[1] is not partner
            or before[2] is not kind
            or before[3] is not side
        ):
            self._cells = self._cells_of(kind, side, None if partner is None else partner.name, verdict)
            self._before = (verdict, partner, kind, side)
        for cell in self._cells:
            cell.value += 1

    def _cells_of(self, kind: type, side: Enum, partner: str | None, verdict: Decided) -> tuple[Counter, ...]:
        key = (partner, kind, side, verdict.decision, verdict.reason, verdict.level)
        cells = self._decided.get(key)
        if cells is None:
            cells = self._decided[key] = self._decision_cells(partner, kind.__name__.lower(), side, verdict)
        if verdict.sent:
            cells += self._field_cells(partner, verdict.sent, "sent")
        if verdict.withheld:
            cells += self._field_cells(partner, frozenset(verdict.withheld), "withheld")
        return cells

    def bounced(self, partner: Named | None, problem: Enum) -> None:
        """Counts one error reply."""
        self.bounces(None if partner is None else partner.name, problem).value += 1

    def rate_limited(self, partner: Named | None, limit: str = "stanzas") -> None:
        """Counts one stanza or connection over a limit; the limits are those of the table's row."""
        self.limited(None if partner is None else partner.name, limit).value += 1

    def revoked(self, seconds: float) -> None:
        """Takes the time from a change that takes something away to the presence that says so, in seconds."""
        self.revoke_seconds().observe(seconds)

    def _decision_cells(self, partner: str | None, kind: str, side: Enum, verdict: Decided) -> tuple[Counter, ...]:
        direction, decision = _DIRECTION[side.value], str(verdict.decision.value)
        cells = [self.decisions(partner, kind, verdict.level, decision, verdict.reason)]
        if kind == "message":
            cells.append(self.messages(partner, direction, _OUTCOME[decision]))
        if kind == "presence" and decision == "deliver":
            cells.append(self.presence_updates(partner, direction))
        return tuple(cells)

    def _field_cells(self, partner: str | None, names: frozenset[Any], action: str) -> tuple[Counter, ...]:
        key = (partner, names, action)
        cells = self._shown.get(key)
        if cells is None:
            if len(self._shown) >= _MOST_PATTERNS:
                self._shown.clear()
            cells = self._shown[key] = tuple(self.fields(partner, name, action) for name in names)
        return cells


_MOST_PATTERNS = 10_000
"""Combinations of partner and fields whose cells are kept at hand."""
