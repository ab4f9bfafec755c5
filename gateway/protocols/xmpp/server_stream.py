"""What both ends of a server-to-server stream share: proven pairs, the check of each stanza, the authoritative role."""

from __future__ import annotations

from attrs import define, field

from gateway.protocols.element import Element
from gateway.protocols.xmpp import names
from gateway.protocols.xmpp.acks import AckFault
from gateway.protocols.xmpp.dialback import DialbackSecret, Outcome, read_outcome, write_dialback
from gateway.protocols.xmpp.events import AckAsked, Acknowledged, Event, Host, StreamTerms
from gateway.protocols.xmpp.stream import Stream, domain_of
from gateway.protocols.xmpp.stream_error import StreamError

_MOST_ACCEPTED = 4096


@define(eq=False, kw_only=True)
class ServerStream(Stream):
    """One end of a jabber:server stream."""

    host: Host = field(repr=False)
    secret: DialbackSecret = field(repr=False)
    certificate: object | None = field(default=None, repr=False)
    """The peer's certificate as the transport verified it; only host.proves() looks at it."""
    _inbound: dict[tuple[str, str], str] = field(init=False, factory=dict)
    """(remote, local) pairs whose stanzas are accepted here, and how each was authenticated."""

    @property
    def pairs(self) -> dict[tuple[str, str], str]:
        """The (remote, local) pairs whose stanzas are accepted, and external or dialback for each."""
        return dict(self._inbound)

    def policy_changed(self) -> None:
        """Checks again whether each pair is still to be connected; closes with policy-violation when one is not."""
        self._accepted.clear()
        pairs = [(local, remote) for remote, local in self._inbound] + list(self._sendable)
        if any(not self.host.serves(local) or self.host.terms(local, remote) is None for local, remote in pairs):
            self.close(StreamError("policy-violation", "these domains are no longer connected"))

    def tls_established(self, certificate: object | None) -> list[Event]:
        """Starts a new XML stream inside TLS; nothing that came before is kept (RFC 6120 section 5.4.3.3)."""
        self.secure = True
        self.certificate = certificate
        self._restart(self.limits_before)
        self._deaf = False
        self._events = []
        return self._events

    def _negotiate(self, element: Element) -> None:
        raise NotImplementedError

    def _dialback_request(self, element: Element) -> None:
        raise NotImplementedError

    def _dialback_answer(self, element: Element, outcome: Outcome) -> None:
        raise NotImplementedError

    def _other(self, element: Element) -> None:
        if element.ns == names.DIALBACK and element.name in ("result", "verify"):
            self._dialback(element)
        elif element.ns == names.SM:
            self._manage(element)
        else:
            self._negotiate(element)

    def _manage(self, element: Element) -> None:
        """Takes what the peer says about the counting of stanzas (XEP-0198)."""
        if element.name == "r" and self.heard is not None:
            self._events.append(AckAsked())
        elif element.name == "a" and self.said is not None and self.said.agreed:
            try:
                self._events.append(Acknowledged(self.said.acknowledged(element)))
            except AckFault:
                self._fail("undefined-condition", "handled count too high")
        else:
            self._agree(element)

    def _agree(self, element: Element) -> None:
        """Takes a step of agreeing to count."""
        self._fail("unsupported-stanza-type", "nothing of stream management is expected")

    def _canonical(self, domain: str | None) -> str | None:
        return self.host.canonical(domain) if domain else None

    def _terms(self, local: str | None, remote: str | None) -> StreamTerms | None:
        if local is None or remote is None or not self.host.serves(local):
            return None
        return self.host.terms(local, remote)

    def _stanza(self, element: Element) -> None:
        """Lets a stanza through whose domains are proven on this stream (RFC 6120 section 8.1.2.2)."""
        sender, recipient = element.get("from"), element.get("to")
        remote, local = self._canonical(domain_of(sender)), self._canonical(domain_of(recipient))
        if not self._inbound:
            self._fail("not-authorized", "stanza before authentication")
        elif remote is None or local is None:
            self._fail("improper-addressing", "a stanza between servers has from and to")
        elif (remote, local) not in self._inbound:
            if any(remote == proven for proven, _ in self._inbound) and not self.host.serves(local):
                self._fail("host-unknown", "no such domain here")
            else:
                self._fail("invalid-from", "the sender's domain is not authenticated for this stream")
        elif not self.host.serves(local):
            self._fail("host-unknown", "no such domain here")
        else:
            if len(self._accepted) >= _MOST_ACCEPTED:
                self._accepted.clear()
            self._accepted.add((sender, recipient))
            self._events.append(element)

    def _accept(self, remote: str, local: str, method: str) -> None:
        self._inbound[(remote, local)] = method
        self._accepted.clear()
        self._reader.set_limits(self.limits_after)

    def _dialback(self, element: Element) -> None:
        outcome = read_outcome(element)
        if outcome is not None:
            self._dialback_answer(element, outcome)
        elif element.name == "verify":
            self._answer_verify(element)
        else:
            self._dialback_request(element)

    def _answer_verify(self, element: Element) -> None:
        """Says whether a key is ours: the authoritative role, which needs no state (XEP-0220 section 2.3)."""
        sender, recipient, stream_id = element.get("from") or "", element.get("to") or "", element.get("id")
        receiving, originating = self._canonical(sender), self._canonical(recipient)
        outcome, condition = Outcome.ERROR, self.dialback_refusal(originating, receiving)
        if condition is None:
            key = element.text.strip()
            proven = stream_id is not None and self.secret.proves(key, receiving or "", originating or "", stream_id)
            outcome = Outcome.VALID if proven else Outcome.INVALID
        self._out.append(
            write_dialback(
                "verify", recipient, sender, stream_id=stream_id, outcome=outcome, condition=condition or "forbidden"
            )
        )

    def dialback_refusal(self, local: str | None, remote: str | None) -> str | None:
        """Returns the dialback error condition that the terms of a pair demand here, or None when it may go on."""
        if local is None or not self.host.serves(local):
            return "item-not-found"
        terms = self._terms(local, remote)
        if terms is None:
            return "policy-violation"
        if not terms.dialback:
            return "not-authorized"
        return "policy-violation" if terms.require_tls and not self.secure else None
