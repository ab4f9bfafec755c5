"""The demo's tap: takes note of every disclosure, by the names of its fields."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field, frozen

from gateway.model.address import Address
from gateway.model.envelope import Answer, Envelope, Side
from gateway.model.presence import Field, Presence
from gateway.policy.verdict import Decision, Reason, Verdict


@frozen
class Disclosure:
    """Says which fields left for whom, and which did not, and why."""

    about: Address
    to: Address
    level: str
    by: str
    """'presence', or 'answer' to a question."""
    sent: frozenset[Field]
    withheld: Mapping[Field, Reason]

    def as_json(self) -> dict[str, Any]:
        """Gives names only, in the order of the table."""
        return {
            "about": str(self.about),
            "to": str(self.to),
            "level": self.level,
            "by": self.by,
            "sent": [name.value for name in Field if name in self.sent],
            "withheld": [name.value for name in Field if name in self.withheld],
            "why": {name.value: self.withheld[name].value for name in Field if name in self.withheld},
        }


def _nobody(disclosure: Disclosure) -> None:
    """Is told while nobody listens."""


@define(eq=False)
class Witness:
    """Tells `told` of every disclosure at the moment of the decision."""

    told: Callable[[Disclosure], None] = _nobody
    seen: list[Disclosure] = field(factory=list)
    required: bool = False

    def record(self, received: Envelope, verdict: Verdict) -> None:
        """Records what leaves for the outside; everything else is no disclosure."""
        content = received.content
        if received.side is not Side.INTERNAL or verdict.decision is not Decision.DELIVER:
            return
        if isinstance(content, Presence | Answer):
            by = "presence" if isinstance(content, Presence) else "answer"
            pair = received.sender.bare, received.recipient.bare
            disclosure = Disclosure(*pair, verdict.level, by, verdict.sent, verdict.withheld)
            self.seen.append(disclosure)
            self.told(disclosure)
