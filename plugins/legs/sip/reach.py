"""Whether the peers of one side can be reached: asked when they are silent, told when they are gone and back again."""

from collections.abc import Callable, Collection
from typing import Any, Final

from attrs import define, field, frozen

from gateway.log import Log
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.pager import Delivered, Undelivered

log = Log("sip")

FORGET_SECONDS: Final = 7200.0
"""A peer with whom nothing has passed for so long has no subscription, which lasts an hour, and is not asked for."""
SOONEST: Final = 5.0
"""Seconds between two attempts at first; they double."""


@frozen(eq=False)
class Probe:
    """Is what stands for one OPTIONS of ours until its end."""

    domain: str


@define(eq=False)
class _Peer:
    """Is what is known of one domain."""

    used_at: float
    """When something else than our asking passed."""
    heard_at: float
    asked: Probe | None = None
    answers: bool = False
    """It has answered such a question once: then silence means something."""
    broken_since: float | None = None
    failures: int = 0
    ask_at: float = 0.0
    lost: bool = False


@define(eq=False)
class Reach:
    """Asks a silent peer with OPTIONS, and tells when nothing has come for `patience` seconds, and when it is back.

    Who cannot be connected to, or no longer answers what he did answer, is broken; one that never answers OPTIONS is
    believed to be there as long as he can be connected to.
    """

    ask: Callable[[str, Probe], None]
    """Sends OPTIONS to a domain."""
    lost: Callable[[str], None]
    back: Callable[[str, bool], None]
    """Takes a domain that is heard again, and whether it had been told to be lost."""
    clock: Callable[[], float]
    silence: float
    """Seconds without a word after which a peer is asked."""
    patience: float
    _peers: dict[str, _Peer] = field(init=False, factory=dict)

    def received(self, message: Request | Response, flow: Any) -> None:
        """Takes note of a message, of a peer who is entitled to it."""
        domain = getattr(flow, "domain", "")
        if not domain:
            try:
                who = message.from_ if isinstance(message, Request) else message.to
                domain = who.uri.host
            except SipSyntaxError:
                return
            if not _may(flow.certified, domain):
                return
        asked_for = isinstance(message, Response) and message.cseq.method == "OPTIONS"
        self.heard(domain, used=not asked_for)

    def heard(self, domain: str, used: bool = True) -> None:
        """Takes note that a domain is there."""
        now = self.clock()
        peer = self._peers.get(domain)
        if peer is None:
            if used:
                self._peers[domain] = _Peer(now, now)
            return
        peer.heard_at = now
        if used:
            peer.used_at = now
        if peer.broken_since is not None:
            was_lost, peer.lost, peer.broken_since, peer.failures = peer.lost, False, None, 0
            log.info("link up", domain=domain)
            self.back(domain, was_lost)

    def suspect(self, domain: str) -> None:
        """Takes note that a connection is lost or a request has had no answer: the peer is asked next."""
        peer = self._peers.get(domain)
        if peer is not None:
            peer.ask_at = min(peer.ask_at, self.clock())
            peer.heard_at = min(peer.heard_at, self.clock() - self.silence)

    def ended(self, probe: Probe, outcome: Delivered | Undelivered) -> None:
        """Takes the end of one OPTIONS; any status is an answer."""
        peer = self._peers.get(probe.domain)
        if peer is None or peer.asked is not probe:
            return
        peer.asked = None
        now = self.clock()
        if isinstance(outcome, Delivered):
            peer.answers = True
            self.heard(probe.domain, used=False)
            return
        peer.ask_at = now + min(SOONEST * 2.0**peer.failures, self.silence)
        if outcome.reason == "transport" or peer.answers:
            peer.failures += 1
            if peer.broken_since is None:
                peer.broken_since = now
        else:
            peer.heard_at = now

    @property
    def gone(self) -> list[str]:
        """Gives the domains that have been told to be lost."""
        return sorted(domain for domain, peer in self._peers.items() if peer.lost)

    def forget(self, domain: str) -> None:
        """Forgets a domain that is nobody's any more."""
        self._peers.pop(domain, None)

    def tick(self) -> None:
        """Asks who is silent, and gives up who has been for long."""
        now = self.clock()
        for domain, peer in list(self._peers.items()):
            if peer.broken_since is not None and not peer.lost and now - peer.broken_since >= self.patience:
                peer.lost = True
                log.warn("link down", domain=domain)
                self.lost(domain)
            if peer.asked is None and now >= peer.ask_at and now - peer.heard_at >= self.silence:
                if now - peer.used_at > FORGET_SECONDS and not peer.lost:
                    del self._peers[domain]
                    continue
                peer.asked = Probe(domain)
                self.ask(domain, peer.asked)


def _may(certified: Collection[str] | None, domain: str) -> bool:
    return certified is None or domain in certified
