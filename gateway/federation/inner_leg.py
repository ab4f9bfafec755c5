"""What is the same for every leg that ends in the gateway itself: it has no links and no form of its own."""

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from gateway.interfaces import LegReport
from gateway.model.address import Address
from gateway.model.envelope import Envelope, QueryKind
from gateway.model.presence import PresenceDocument


class InnerLeg:
    """Is most of a leg that speaks with nobody but the house."""

    confirms = False

    def start(self) -> Awaitable[None]:
        """Needs nothing."""
        return succeed(None)

    def ask(self, person: Address, contact: Address, kind: QueryKind) -> Awaitable[PresenceDocument | None]:
        """Publishes nothing."""
        nothing: Deferred[PresenceDocument | None] = succeed(None)
        return nothing

    def preview(self, envelope: Envelope) -> str:
        """Has no form of its own."""
        return ""

    def question(self, kind: QueryKind) -> object:
        """Has no form of its own."""
        return None

    def offers(self, domain: str) -> Awaitable[bool]:
        """Speaks with nobody by itself."""
        return succeed(False)

    def report(self) -> LegReport:
        """Has no links."""
        return LegReport()

    def test(self, remote: str) -> Awaitable[list[Any]]:
        """Has nothing to test."""
        return succeed([])

    def stop(self) -> Awaitable[None]:
        """Has nothing to close."""
        return succeed(None)
