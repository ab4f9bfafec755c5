"""The side of a server-to-server stream that was connected to (RFC 6120, XEP-0178, 0220, 0288, 0478)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from attrs import define, field

from gateway.protocols.element import Element
from gateway.protocols.xmpp import names, sasl_external
from gateway.protocols.xmpp.acks import ENABLED, NOT_EXPECTED, OFFER, Heard, Said
from gateway.protocols.xmpp.dialback import Outcome, write_dialback
from gateway.protocols.xmpp.events import (
    Authenticated,
    AuthenticationRefused,
    Counting,
    Event,
    StartTls,
    StreamTerms,
    Verify,
)
from gateway.protocols.xmpp.reader import StreamOpened
from gateway.protocols.xmpp.server_stream import ServerStream
from gateway.protocols.xmpp.stream import DIALBACK_SECONDS, header_fault, open_tag, speaks_version_1

_MOST_SASL_FAILURES: Final = 2
_MOST_PENDING: Final = 8
_MOST_PAIRS: Final = 256
_DIALBACK: Final = f"<dialback xmlns='{names.DIALBACK_FEATURE}'><errors/></dialback>"
_BIDI: Final = f"<bidi xmlns='{names.BIDI_FEATURE}'/>"
_PROCEED: Final = f"<proceed xmlns='{names.TLS}'/>"
_TLS_FAILURE: Final = f"<failure xmlns='{names.TLS}'/>"


def _random_id() -> str:
    return secrets.token_hex(16)


@define(eq=False, kw_only=True)
class ReceivingStream(ServerStream):
    """Authenticates a peer that connected, and takes its stanzas.

    A pair without terms is refused with policy-violation rather than not-authorized: no credentials would help, and
    a peer that is told not-authorized tries again with others.
    """

    idle_seconds: int | None = None
    """Announced to the peer: after so long without traffic the owner closes (XEP-0478)."""
    new_id: Callable[[], str] = field(default=_random_id, repr=False)
    _external: bool = field(init=False, default=False)
    """SASL EXTERNAL is on offer, so the certificate proves self.remote."""
    _proven: bool = field(init=False, default=False)
    """The stream has been restarted after SASL success."""
    _bidi: bool = field(init=False, default=False)
    _failures: int = field(init=False, default=0)
    _pending: dict[tuple[str, str], tuple[str, str]] = field(init=False, factory=dict)
    """(local, remote) pairs under verification, and the raw from and to of the request."""

    def verification_finished(
        self, local: str, remote: str, outcome: Outcome, error_condition: str | None = None
    ) -> list[Event]:
        """Tells the peer what became of its key; does nothing for a pair that is not waiting (any more)."""
        self._events = []
        request = self._pending.pop((local, remote), None)
        if request is None or self._closing:
            return self._events
        sender, recipient = request
        if outcome is Outcome.ERROR:
            self._answer_result(sender, recipient, outcome, error_condition or "internal-server-error")
            return self._events
        self._answer_result(sender, recipient, outcome)
        if outcome is Outcome.INVALID:
            self._refuse(local, remote, "dialback key is invalid")
            self.close()
        else:
            self._pair_proven(local, remote, "dialback")
        return self._events

    def tls_established(self, certificate: object | None) -> list[Event]:
        """Starts a new XML stream inside TLS; claims and requests made before it are forgotten."""
        self._pending.clear()
        self._bidi = self._external = False
        return ServerStream.tls_established(self, certificate)

    def _header(self) -> str:
        self.stream_id = self.new_id()
        return open_tag(self.local, self.remote, self.stream_id)

    def _opened(self, header: StreamOpened) -> None:
        recipient, sender = header.attributes.get("to"), header.attributes.get("from")
        local, remote = self._canonical(recipient), self._canonical(sender)
        serves = local is not None and self.host.serves(local)
        if self._proven and ((local, remote or self.remote) != (self.local, self.remote)):
            self._fail("invalid-from", "the domains changed after authentication")
            return
        self.local, self.remote = (local if serves else None), remote or (self.remote if self._proven else None)
        fault = header_fault(header, names.SERVER)
        if fault is not None:
            self._fail(fault.condition, fault.text)
        elif not recipient:
            self._fail("improper-addressing", "a stream between servers has to")
        elif local is None or not serves:
            self._fail("host-unknown", "no such domain here")
        elif sender and remote is None:
            self._fail("invalid-from", "from is not a domain")
        elif not speaks_version_1(header):
            self._fail("unsupported-version", "version 1.0 is needed")
        elif self.remote is not None and self.host.terms(local, self.remote) is None:
            self._refuse(local, self.remote, "no terms for these domains")
            self._fail("policy-violation", "these domains are not connected")
        else:
            self._out.append(self._header())
            self._header_sent = True
            self._offer(self._terms(local, self.remote))
            if self._proven:  # many peers open a stream and say nothing: the parser is made again with the first word
                self._reader.hibernate()

    def _offer(self, terms: StreamTerms | None) -> None:
        """Sends the stream features; a peer that no offer could authenticate is refused at once."""
        must_secure = not self.secure and (terms is None or terms.require_tls)
        offers = f"<starttls xmlns='{names.TLS}'><required/></starttls>" if must_secure else self._offers(terms)
        if not must_secure and not self._inbound and terms is not None and not self._external and not terms.dialback:
            self._refuse(self.local, self.remote, "certificate does not prove the domain, and dialback is not allowed")
            self._fail("not-authorized", "the certificate does not prove the domain")
            return
        self._out.append(f"<stream:features>{offers}</stream:features>")

    def _offers(self, terms: StreamTerms | None) -> str:
        offers = "" if self.secure else f"<starttls xmlns='{names.TLS}'/>"
        if terms is not None:
            if not self._proven:
                self._external = (
                    self.secure
                    and terms.external
                    and self.certificate is not None
                    and self.remote is not None
                    and self.host.proves(self.certificate, self.remote)
                )
                offers += sasl_external.MECHANISMS if self._external else ""
                offers += _BIDI if terms.bidi else ""
            offers += _DIALBACK if terms.dialback else ""
            offers += OFFER if self._proven else ""
        idle = "" if self.idle_seconds is None else f"<idle-seconds>{self.idle_seconds}</idle-seconds>"
        most = self.limits_after.stanza_bytes
        return offers + f"<limits xmlns='{names.LIMITS}'><max-bytes>{most}</max-bytes>{idle}</limits>"

    def _negotiate(self, element: Element) -> None:
        match (element.ns, element.name):
            case (names.TLS, "starttls"):
                self._start_tls()
            case (names.SASL, "auth"):
                self._auth(element)
            case (names.SASL, "abort"):
                self._sasl_failure("aborted")
            case (names.BIDI, "bidi"):
                terms = self._terms(self.local, self.remote)
                self._bidi = terms is not None and terms.bidi and (self.secure or not terms.require_tls)
            case _:
                self._fail("unsupported-stanza-type", "neither a stanza nor part of the negotiation")

    def _agree(self, element: Element) -> None:
        """Begins to count; without resumption, for which a server would need no new stream (XEP-0198 section 3)."""
        if element.name != "enable":
            ServerStream._agree(self, element)
        elif not self._inbound or self.heard is not None:
            self._out.append(NOT_EXPECTED)
        else:
            self._out.append(ENABLED)
            self.heard, self.said = Heard(), Said(agreed=True)
            self._events.append(Counting())

    def _start_tls(self) -> None:
        if self.secure or self._inbound:
            self._out.append(_TLS_FAILURE)
            self.close()
            self._deaf = True
            return
        self._out.append(_PROCEED)
        self._deaf = True
        self._events.append(StartTls())

    def _auth(self, element: Element) -> None:
        if not self.secure:
            self._sasl_failure("encryption-required")
        elif not self._external or self.local is None or self.remote is None or self._inbound:
            self._sasl_failure("invalid-mechanism")
        else:
            condition = sasl_external.judge(element, self.remote, self.host.canonical)
            if condition is not None:
                self._sasl_failure(condition)
                return
            self._out.append(sasl_external.SUCCESS)
            self._pair_proven(self.local, self.remote, "external")
            self._proven = True
            self._external = False
            self._restart(self.limits_after)

    def _sasl_failure(self, condition: str) -> None:
        self._out.append(sasl_external.failure(condition))
        self._failures += 1
        if self._failures > _MOST_SASL_FAILURES:
            self._refuse(self.local, self.remote, f"SASL {condition}")
            self._fail("policy-violation", "too many attempts to authenticate")

    def _pair_proven(self, local: str, remote: str, method: str) -> None:
        self._accept(remote, local, method)
        if self._bidi:
            self._sendable.add((local, remote))
        self.deadline = None
        self._events.append(Authenticated(local, remote, method))

    def _refuse(self, local: str | None, remote: str | None, reason: str) -> None:
        self._events.append(AuthenticationRefused(local, remote, reason))

    def _answer_result(
        self, sender: str, recipient: str, outcome: Outcome, condition: str = "internal-server-error"
    ) -> None:
        self._out.append(write_dialback("result", recipient, sender, outcome=outcome, condition=condition))

    def _dialback_request(self, element: Element) -> None:
        """Takes a key and has it verified elsewhere (XEP-0220 section 2.2); one stream may bring several pairs."""
        sender, recipient = element.get("from") or "", element.get("to") or ""
        local, remote = self._canonical(recipient), self._canonical(sender)
        condition = self.dialback_refusal(local, remote)
        if condition is not None or local is None or remote is None:
            self._answer_result(sender, recipient, Outcome.ERROR, condition or "not-acceptable")
            self._refuse(local, remote, f"dialback {condition}")
        elif (remote, local) in self._inbound:
            self._answer_result(sender, recipient, Outcome.VALID)
        elif (local, remote) in self._pending:
            self._answer_result(sender, recipient, Outcome.ERROR, "not-acceptable")
        elif len(self._pending) >= _MOST_PENDING or len(self._inbound) >= _MOST_PAIRS:
            self._answer_result(sender, recipient, Outcome.ERROR, "resource-constraint")
        else:
            self._pending[(local, remote)] = (sender, recipient)
            if self.deadline is not None:
                self.deadline = self.now + DIALBACK_SECONDS
            self._events.append(Verify(local, remote, self.stream_id, element.text.strip()))

    def _dialback_answer(self, element: Element, outcome: Outcome) -> None:
        """Ignores the answer: this side never asks, it has others asked (XEP-0220 section 2.1.2)."""
