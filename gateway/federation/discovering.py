"""The way to domains that nobody has listed: which protocol each of them speaks is found out before anything goes."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import define, frozen
from twisted.internet.defer import ensureDeferred, succeed

from gateway.errors import GatewayError
from gateway.interfaces import House, Leg, LegReport, Meeting
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, QueryKind, Side
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.queues.outbox import Outbox, OutboxLimits

log = Log("discovery")

NAME = "discovery"
FOUND_SECONDS = 3600.0
MISSING_SECONDS = 60.0
MOST_KNOWN = 4096
MOST_WAITING = 512
"""Domains that are asked about at once."""
LIMITS = OutboxLimits(50, 60.0, 256 * 1024)
"""What waits for one domain until it is known how it is reached."""


@frozen
class _Known:
    leg: str
    """Its name; '' when the domain speaks no protocol of ours."""
    until: float
    """Seconds of the reactor."""


@define(eq=False)
class _Asked:
    outbox: Outbox


class Discovery:
    """Carries what goes to unlisted domains to the leg that reaches them; our own protocol is tried first."""

    name = NAME
    confirms = True

    def __init__(
        self,
        legs: Mapping[str, Leg],
        protocols: Sequence[str],
        house: House,
        reactor: Any,
        now: Callable[[], float],
    ) -> None:
        self._legs = legs
        self._protocols = protocols
        self._house = house
        self._reactor = reactor
        self._now = now
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asked: dict[str, _Asked] = {}

    @property
    def carries(self) -> frozenset[Field]:
        """Gives what every protocol carries."""
        sets = [self._legs[name].carries for name in self._protocols if name in self._legs]
        return frozenset.intersection(*sets) if sets else frozenset()

    def met(self, meeting: Meeting) -> None:
        """Takes note of how a domain has come to us: that is how it is answered."""
        self._keep(meeting.remote, meeting.leg, FOUND_SECONDS)

    def protocol_of(self, domain: str) -> str | None:
        """Gives the leg that reaches a domain, '' for none, None when that is not known."""
        known = self._known.get(domain)
        return known.leg if known is not None and self._reactor.seconds() < known.until else None

    def deliver(self, envelope: Envelope) -> bool:
        """Hands an envelope to the leg of its domain, or keeps it until it is known which one that is."""
        domain = envelope.recipient.domain
        leg = self.protocol_of(domain)
        if leg:
            return self._legs[leg].deliver(envelope)
        if leg == "" or (domain not in self._asked and len(self._asked) >= MOST_WAITING):
            self._house.undeliverable(envelope, Problem.REMOTE_SERVER_NOT_FOUND)
            return True
        asked = self._asked.get(domain)
        if asked is None:
            outbox = Outbox(LIMITS, self._house.reconsider, self._house.undeliverable, self._now)
            asked = self._asked[domain] = _Asked(outbox)
            asked.outbox.put(envelope)  # before the question, whose answer may be at hand
            ensureDeferred(self._find(domain, asked))
        else:
            asked.outbox.put(envelope)
        # Presence is looked up again when it goes; should it never go, nothing must wait for it.
        return isinstance(envelope.content, Presence)

    async def look_up(self, domain: str) -> str:
        """Asks DNS which protocol a domain speaks; '' when it speaks none of ours."""
        for name in self._protocols:
            leg = self._legs.get(name)
            if leg is not None and await leg.offers(domain):
                return name
        return ""

    async def _find(self, domain: str, asked: _Asked) -> None:
        try:
            leg = self.protocol_of(domain) or await self.look_up(domain)
        except Exception:  # noqa: BLE001 whatever happened, what waits must get an answer
            log.failure("discovery failed")
            leg = ""
        leg = self.protocol_of(domain) or leg  # it may have come to us meanwhile
        self._keep(domain, leg, FOUND_SECONDS if leg else MISSING_SECONDS)
        log.info("discovered", peer=domain, protocol=leg or "none")
        del self._asked[domain]
        if leg:
            asked.outbox.opened(lambda envelope: self._pass_on(leg, envelope))
        else:
            asked.outbox.clear(Problem.REMOTE_SERVER_NOT_FOUND)

    def _pass_on(self, leg: str, envelope: Envelope) -> None:
        self._legs[leg].deliver(envelope)

    def _keep(self, domain: str, leg: str, seconds: float) -> None:
        self._known[domain] = _Known(leg, self._reactor.seconds() + seconds)
        self._known.move_to_end(domain)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    # -- the rest of a leg -----------------------------------------------------------------------------------------

    def start(self) -> Awaitable[None]:
        """Needs nothing."""
        return succeed(None)

    def ask(self, person: Address, contact: Address, kind: QueryKind) -> Awaitable[PresenceDocument | None]:
        """Is never the inside."""
        nothing: Any = succeed(None)
        found: Awaitable[PresenceDocument | None] = nothing
        return found

    def preview(self, envelope: Envelope) -> str:
        """Shows what would be sent, in the protocol that would be tried first."""
        domain = envelope.recipient.domain if envelope.side is Side.INTERNAL else envelope.sender.domain
        return self._legs[self.protocol_of(domain) or self._protocols[0]].preview(envelope)

    def question(self, kind: QueryKind) -> object:
        """Gives the form of the protocol that would be tried first."""
        return self._legs[self._protocols[0]].question(kind)

    def offers(self, domain: str) -> Awaitable[bool]:
        """Is no protocol."""
        return succeed(False)

    def prepare(self, config: Any) -> Callable[[], None]:
        """Has nothing to read; what was found out may be another thing under new contracts."""
        return self._known.clear

    def report(self) -> LegReport:
        """Gives the links of the protocols: one domain's are among them, wherever they are."""
        links = tuple(
            link for name in self._protocols if name in self._legs for link in self._legs[name].report().links
        )
        return LegReport("", links)

    async def test(self, remote: str) -> list[Any]:
        """Says which protocol the domain speaks, and tries that."""
        leg = self.protocol_of(remote) or await self.look_up(remote)
        if not leg:
            text = f"{remote} has no SRV record for any of {', '.join(self._protocols)}: nobody can find it."
            paste = f"_xmpp-server._tcp.{remote}. 3600 IN SRV 0 5 5269 xmpp.{remote}."
            return [{"name": "discovery", "outcome": "fail", "text": text, "paste": paste}]
        row = {"name": "discovery", "outcome": "ok", "text": f"{remote} speaks {leg.upper()}", "paste": None}
        return [row, *await self._legs[leg].test(remote)]

    def stop(self) -> Awaitable[None]:
        """Tells the senders of all that waits."""
        for asked in list(self._asked.values()):
            try:
                asked.outbox.clear(Problem.REMOTE_SERVER_TIMEOUT)
            except GatewayError:
                log.failure("outbox not emptied")
        return succeed(None)
