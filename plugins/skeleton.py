"""A leg and a tap with nothing in them but their shape: copy this file, then fill it in (see README.md)."""

from collections.abc import Callable
from typing import Any

from gateway.books.presence_book import IN_PRESENCE
from gateway.interfaces import Leg, LegReport, Surroundings
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, QueryKind, Side
from gateway.model.presence import PresenceDocument
from gateway.policy.verdict import Decision, Verdict


def build(surroundings: Surroundings) -> Leg:
    """Builds the leg; raises GatewayError when the configuration does not suffice for it."""
    return SkeletonLeg(surroundings)


class SkeletonLeg:
    """Speaks no protocol: what is handed to it cannot be delivered, and its sender is told so."""

    name = "skeleton"
    carries = IN_PRESENCE
    confirms = False

    def __init__(self, surroundings: Surroundings) -> None:
        self._house = surroundings.house

    async def start(self) -> None:
        """Opens listening sockets here, never at import."""

    def received(self, sender: Address, recipient: Address, content: Any, side: Side) -> None:
        """Hands in what a peer has said, once it has proved the sender's domain."""
        self._house.receive(Envelope(sender, recipient, content, side))

    def deliver(self, envelope: Envelope) -> bool:
        """Writes `envelope.content` for `envelope.recipient`, who is on the other side of `envelope.side`."""
        self._house.undeliverable(envelope, Problem.REMOTE_SERVER_NOT_FOUND)
        return False

    async def ask(self, person: Address, contact: Address, kind: QueryKind) -> PresenceDocument | None:
        """Asks the inside server, in the contact's name; a leg towards partners alone has nobody to ask."""
        return None

    def preview(self, envelope: Envelope) -> str:
        """Shows what `deliver` would write, for `gateway view`."""
        return ""

    def question(self, kind: QueryKind) -> object:
        """Gives what stands in `Query.form` when a client of this protocol asks; only this leg reads it."""
        return kind

    def prepare(self, config: Any) -> Callable[[], None]:
        """Reads what a new configuration names, or raises GatewayError; what it gives takes it into use."""
        return lambda: None

    def report(self) -> LegReport:
        """Says how the links are; a problem here makes the gateway not ready."""
        return LegReport(problem="the skeleton has no links")

    async def offers(self, domain: str) -> bool:
        """Says whether a domain names servers for this protocol in DNS."""
        return False

    async def test(self, remote: str) -> list[dict[str, Any]]:
        """Gives one row for each step on the way to a domain."""
        return [{"name": "connect", "outcome": "fail", "text": "the skeleton cannot connect", "paste": None}]

    async def stop(self) -> None:
        """Says good-bye on every link, and gives up after a moment."""


class RefusalCount:
    """Is a tap that counts what did not pass; it could be a ledger or an archive."""

    required = False

    def __init__(self) -> None:
        self.refused = 0

    def record(self, received: Envelope, verdict: Verdict) -> None:
        """Sees one decision; of content it keeps nothing."""
        self.refused += verdict.decision is not Decision.DELIVER
