"""The side of a server-to-server stream that connected (RFC 6120, XEP-0178, 0220, 0288, 0478)."""

from __future__ import annotations

from typing import Final

from attrs import define, field

from gateway.protocols.element import Element
from gateway.protocols.xmpp import names, sasl_external
from gateway.protocols.xmpp.acks import ENABLE, Heard, Said
from gateway.protocols.xmpp.dialback import Outcome, read_condition, write_dialback
from gateway.protocols.xmpp.events import (
    Authenticated,
    AuthenticationRefused,
    Counting,
    Event,
    StartTls,
    StreamTerms,
    VerifyAnswer,
)
from gateway.protocols.xmpp.reader import StreamOpened
from gateway.protocols.xmpp.server_stream import ServerStream
from gateway.protocols.xmpp.stream import DIALBACK_SECONDS, header_fault, open_tag, speaks_version_1

_STARTTLS: Final = f"<starttls xmlns='{names.TLS}'/>"
_BIDI: Final = f"<bidi xmlns='{names.BIDI}'/>"
_MOST_VERIFICATIONS: Final = 64


@define(eq=False, kw_only=True)
class InitiatingStream(ServerStream):
    """Authenticates us to one remote domain, for one local domain, and carries our stanzas there.

    With verify_only it authenticates nobody: it only carries ask_verification() to the authoritative server.
    """

    local: str
    remote: str
    verify_only: bool = False
    send_identity: bool = True
    """Writes our domain into the SASL request; otherwise "=", and the peer goes by the stream header (XEP-0178)."""
    peer_max_bytes: int | None = field(init=False, default=None)
    """The largest stanza, in bytes, that the peer says it takes (XEP-0478)."""
    peer_idle_seconds: int | None = field(init=False, default=None)
    _stage: str = field(init=False, default="features")
    """features, tls, sasl, dialback, ready or refused."""
    _challenged: bool = field(init=False, default=False)
    _proven: bool = field(init=False, default=False)
    """SASL has succeeded; the features that follow complete it."""
    _bidi: bool = field(init=False, default=False)
    _counts: bool = field(init=False, default=False)
    """The peer offers to count stanzas (XEP-0198)."""
    _asked: dict[str, str] = field(init=False, factory=dict, repr=False)
    """Keys under verification by the id of the stream on which they came."""

    def __attrs_post_init__(self) -> None:
        ServerStream.__attrs_post_init__(self)
        if self.secure:
            self._check_certificate()
        if not self._closing:
            self._send_header()

    def ask_verification(self, stream_id: str, key: str, now: float) -> None:
        """Asks whether the remote domain gave that key to a stream towards our local domain; VerifyAnswer tells.

        Never ask over the connection on which the key came. Raises OverflowError when 64 are waiting.
        """
        if stream_id in self._asked or self._closing:
            return
        if len(self._asked) >= _MOST_VERIFICATIONS:
            raise OverflowError("too many verifications on one stream")
        self._asked[stream_id] = key
        if self._stage == "ready":
            self._ask(stream_id, key)
            self.deadline = now + DIALBACK_SECONDS

    def tls_established(self, certificate: object | None) -> list[Event]:
        """Starts the stream again inside TLS; refuses a peer whose certificate its terms do not accept."""
        events = ServerStream.tls_established(self, certificate)
        self._stage, self._bidi = "features", False
        self._check_certificate()
        if not self._closing:
            self._send_header()
        return events

    def start(self) -> list[Event]:
        """Returns what happened while a stream that was secure from the start was made."""
        return self._events

    def _agreed(self) -> StreamTerms | None:
        return self._terms(self.local, self.remote)

    def _peer_proven(self) -> bool:
        return self.certificate is not None and self.host.proves(self.certificate, self.remote)

    def _check_certificate(self) -> None:
        terms = self._agreed()
        if terms is None:
            self._refuse("no terms for these domains")
        elif not terms.dialback and not self._peer_proven():
            self._refuse("the peer's certificate does not prove its domain")

    def _send_header(self) -> None:
        self._out.append(self._header())
        self._header_sent = True

    def _header(self) -> str:
        return open_tag(self.local, self.remote, None)

    def _refuse(self, reason: str) -> None:
        self._stage = "refused"
        self._events.append(AuthenticationRefused(self.local, self.remote, reason))
        self.close()

    def _opened(self, header: StreamOpened) -> None:
        fault = header_fault(header, names.SERVER)
        sender = header.attributes.get("from")
        self.stream_id = header.attributes.get("id", "")
        if fault is not None:
            self._fail(fault.condition, fault.text)
        elif sender and self._canonical(sender) != self.remote:
            self._fail("invalid-from", "another domain answered")
        elif "version" in header.attributes and speaks_version_1(header):
            if not self.stream_id:
                self._fail("bad-format", "the answering stream header has no id")
        elif sender or "id" in header.attributes:
            # a peer that only wants to report an error may send a bare header first: wait for the error
            self._refuse("the peer speaks no version of streams that has features")

    def _negotiate(self, element: Element) -> None:
        match (element.ns, element.name, self._stage):
            case (names.STREAMS, "features", "features"):
                self._read_limits(element)
                self._choose(element)
            case (names.TLS, "proceed", "tls"):
                self._deaf = True
                self._events.append(StartTls())
            case (names.TLS, "failure", "tls"):
                self._refuse("the peer refused STARTTLS")
            case (names.SASL, "challenge", "sasl") if not self._challenged:
                self._challenged = True
                self._out.append(sasl_external.response(self._identity()))
            case (names.SASL, "success", "sasl"):
                self._stage, self._proven = "features", True
                self._restart(self.limits_after)
                self._send_header()
            case (names.SASL, "failure", "sasl"):
                self._sasl_failed(element)
            case _:
                self._fail("unsupported-stanza-type", "neither a stanza nor part of the negotiation")

    def _choose(self, features: Element) -> None:
        """Takes the next step that the terms allow: TLS, then EXTERNAL, then dialback."""
        terms = self._agreed()
        self._counts = features.child("sm", names.SM) is not None
        if terms is None:
            self._refuse("no terms for these domains")
            return
        if not self.secure and (terms.require_tls or features.child("starttls", names.TLS) is not None):
            self._stage = "tls"  # asked for even when not offered: RFC 7590 section 3.1
            self._out.append(_STARTTLS)
            return
        if self._proven:
            self._ready("external")
            return
        if self.verify_only:
            self._stage, self.deadline = "ready", self.now + DIALBACK_SECONDS
            self._ask_all()
            return
        if terms.bidi and features.child("bidi", names.BIDI_FEATURE) is not None:
            self._bidi = True
            self._out.append(_BIDI)
        if self.secure and terms.external and sasl_external.offers_external(features) and self._peer_proven():
            self._stage = "sasl"
            self._out.append(sasl_external.auth(self._identity()))
        elif terms.dialback:
            self._send_key()
        else:
            self._refuse("the peer does not offer SASL EXTERNAL, and dialback is not allowed")

    def _identity(self) -> str:
        return self.local if self.send_identity else ""

    def _sasl_failed(self, failure: Element) -> None:
        terms = self._agreed()
        if terms is not None and terms.dialback:
            self._send_key()
            return
        conditions = [child.name for child in failure.elements() if child.name != "text"]
        known = {"not-authorized", "invalid-authzid", "invalid-mechanism", "incorrect-encoding", "aborted"}
        reason = conditions[0] if conditions and conditions[0] in known else "failure"
        self._refuse(f"the peer refused SASL EXTERNAL: {reason}")

    def _send_key(self) -> None:
        self._stage = "dialback"
        self.deadline = self.now + DIALBACK_SECONDS
        key = self.secret.key(self.remote, self.local, self.stream_id)
        self._out.append(write_dialback("result", self.local, self.remote, key=key))

    def _ready(self, method: str) -> None:
        self._stage, self.deadline = "ready", None
        self._sendable.add((self.local, self.remote))
        if self._counts:
            # what follows is counted by the peer from its side of this element on (section 3)
            self._out.append(ENABLE)
            self.said = Said()
        if self._bidi:
            self._accept(self.remote, self.local, method)
        self._events.append(Authenticated(self.local, self.remote, method))
        self._ask_all()

    def _agree(self, element: Element) -> None:
        if self.said is None or self.said.agreed or element.name not in ("enabled", "failed"):
            ServerStream._agree(self, element)
        elif element.name == "failed":
            self.said = None
        else:
            self.said.agreed, self.heard = True, Heard()
            self._events.append(Counting())

    def _ask_all(self) -> None:
        for stream_id, key in self._asked.items():
            self._ask(stream_id, key)

    def _ask(self, stream_id: str, key: str) -> None:
        self._out.append(write_dialback("verify", self.local, self.remote, stream_id=stream_id, key=key))

    def _is_ours(self, element: Element) -> bool:
        """Says whether an answer is about our own pair (XEP-0220 section 2.2: correlate on from and to)."""
        sender, recipient = self._canonical(element.get("from")), self._canonical(element.get("to"))
        return (sender, recipient) == (self.remote, self.local)

    def _dialback_answer(self, element: Element, outcome: Outcome) -> None:
        if not self._is_ours(element):
            return
        condition = read_condition(element) if outcome is Outcome.ERROR else None
        if element.name == "verify":
            stream_id = element.get("id") or ""
            if self._stage == "ready" and self._asked.pop(stream_id, None) is not None:
                self._events.append(VerifyAnswer(self.local, self.remote, stream_id, outcome, condition))
                if not self._asked:
                    self.deadline = None
        elif self._stage == "dialback":
            if outcome is Outcome.VALID:
                self._ready("dialback")
            else:
                self._refuse(f"the peer refused dialback: {condition or outcome.value}")

    def _dialback_request(self, element: Element) -> None:
        sender, recipient = element.get("from") or "", element.get("to") or ""
        self._out.append(write_dialback("result", recipient, sender, outcome=Outcome.ERROR, condition="not-acceptable"))

    def _read_limits(self, features: Element) -> None:
        limits = features.child("limits", names.LIMITS)
        if limits is not None:
            self.peer_max_bytes = _number(limits.child("max-bytes"))
            self.peer_idle_seconds = _number(limits.child("idle-seconds"))


def _number(element: Element | None) -> int | None:
    text = "" if element is None else element.text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
