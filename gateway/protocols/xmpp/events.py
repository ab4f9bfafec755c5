"""What a stream tells its owner, and what it asks of its host."""

from typing import Protocol

from attrs import field, frozen

from gateway.protocols.element import Element
from gateway.protocols.xmpp.dialback import Outcome


@frozen
class StartTls:
    """TLS starts now: write take_output(), start TLS, then call tls_established(); bytes until then are dropped."""


@frozen
class Authenticated:
    """The pair is proven: the remote domain may send to the local one, or is ready to receive from it."""

    local: str
    remote: str
    method: str
    """external, dialback or handshake."""


@frozen
class Verify:
    """A peer claims the remote domain: ask that domain's server over another connection (XEP-0220 section 2.1.2).

    The answer goes to verification_finished().
    """

    local: str
    remote: str
    stream_id: str
    key: str = field(repr=False)


@frozen
class VerifyAnswer:
    """The authoritative server of the remote domain has judged a key that local received on stream_id."""

    local: str
    remote: str
    stream_id: str
    outcome: Outcome
    condition: str | None = None


@frozen
class AuthenticationRefused:
    """No way of authenticating is left for the pair; reason is fit for an administrator and for metrics text."""

    local: str | None
    remote: str | None
    reason: str


@frozen
class Counting:
    """From here on the owner counts the peer's stanzas in `heard` (XEP-0198 section 3)."""


@frozen
class AckAsked:
    """The peer asks how many of its stanzas are in safe hands (XEP-0198 section 4); all before this event count."""


@frozen
class Acknowledged:
    """The peer has so many of the stanzas that were sent since stream management was asked for."""

    count: int


@frozen
class PeerClosed:
    """The peer has closed its stream without an error."""


@frozen
class Failed:
    """A stream error (RFC 6120 section 4.9) has ended the stream; ours says who sent it."""

    condition: str
    text: str = field(repr=False)
    ours: bool


Event = (
    StartTls
    | Authenticated
    | Verify
    | VerifyAnswer
    | AuthenticationRefused
    | Counting
    | AckAsked
    | Acknowledged
    | PeerClosed
    | Failed
    | Element
)
"""Anything in the list that receive() returns; a stanza comes as the Element itself."""


@frozen
class StreamTerms:
    """How streams between one local and one remote domain are to be secured; by default the strict way."""

    require_tls: bool = True
    external: bool = True
    """A certificate for the remote domain authenticates it (SASL EXTERNAL)."""
    dialback: bool = False
    """A dialback key authenticates it, and its certificate need not prove anything."""
    bidi: bool = True
    """One stream may carry both directions (XEP-0288)."""


class Host(Protocol):
    """Answers a stream's questions about names and policy at once and without I/O."""

    def canonical(self, domain: str) -> str | None:
        """Returns the one spelling under which a domain is compared, or None when it is not a domain."""
        ...

    def serves(self, domain: str) -> bool:
        """Says whether the canonical domain is one of ours on this leg."""
        ...

    def terms(self, local: str, remote: str) -> StreamTerms | None:
        """Returns the terms for a pair of canonical domains, or None when they are not to be connected."""
        ...

    def proves(self, certificate: object, remote: str) -> bool:
        """Says whether the peer's verified certificate names the canonical remote domain (RFC 6120 section 13.7)."""
        ...
