"""A host with a literal table of terms, and short ways to let streams talk in memory."""

from attrs import Factory, define

from gateway.protocols.xmpp.dialback import DialbackSecret
from gateway.protocols.xmpp.events import Event, StreamTerms
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.receiving import ReceivingStream
from gateway.protocols.xmpp.stream import Stream

CORP = "corp.example"
PARTNER = "partner.example"
STRICT = StreamTerms()
DIALBACK = StreamTerms(external=False, dialback=True, bidi=False)
OURS = DialbackSecret(b"s3cr3tf0rd14lb4ck")
THEIRS = DialbackSecret(b"another secret of theirs")
NS = "xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'"
SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
TLS = "xmlns='urn:ietf:params:xml:ns:xmpp-tls'"
ERRORS = "xmlns='urn:ietf:params:xml:ns:xmpp-streams'"


@define
class TableHost:
    """Serves some domains under one set of terms; a certificate is the set of names that it proves."""

    served: set[str]
    partners: dict[str, StreamTerms] = Factory(dict)

    def canonical(self, domain: str) -> str | None:
        return None if " " in domain or not domain else domain.lower()

    def serves(self, domain: str) -> bool:
        return domain in self.served

    def terms(self, local: str, remote: str) -> StreamTerms | None:
        return self.partners.get(remote)

    def proves(self, certificate: object, remote: str) -> bool:
        return isinstance(certificate, frozenset) and remote in certificate


def header(sender: str | None = PARTNER, recipient: str | None = CORP, rest: str = "version='1.0'") -> bytes:
    """Returns a stream header as a peer writes it."""
    addressed = "".join(f" {k}='{v}'" for k, v in (("from", sender), ("to", recipient)) if v is not None)
    return f"<?xml version='1.0'?><stream:stream {NS}{addressed} {rest}>".encode()


def receiving(terms: StreamTerms | None = STRICT, *, secure: bool = True, proves: str = PARTNER) -> ReceivingStream:
    """Returns a stream of corp.example that has just been connected to, with id1, id2, ... as its ids."""
    ids = iter(f"id{n}" for n in range(1, 9))
    host = TableHost({CORP, "sub.corp.example"}, {} if terms is None else {PARTNER: terms})
    certificate = frozenset({proves}) if secure else None
    return ReceivingStream(
        host=host, secret=OURS, now=0.0, secure=secure, certificate=certificate, new_id=lambda: next(ids)
    )


def initiating(
    terms: StreamTerms = STRICT, *, secure: bool = True, proves: str = PARTNER, verify_only: bool = False
) -> InitiatingStream:
    """Returns a stream from corp.example to partner.example that has just connected."""
    return InitiatingStream(
        host=TableHost({CORP}, {PARTNER: terms}),
        secret=OURS,
        now=0.0,
        local=CORP,
        remote=PARTNER,
        secure=secure,
        certificate=frozenset({proves}) if secure else None,
        verify_only=verify_only,
    )


def say(stream: Stream, text: str | bytes, now: float = 1.0) -> tuple[list[Event], str]:
    """Returns the events of some bytes, and what the stream answers."""
    events = stream.receive(text.encode() if isinstance(text, str) else text, now)
    return events, stream.take_output().decode()


def shuttle(one: Stream, other: Stream) -> tuple[list[Event], list[Event]]:
    """Carries bytes between two streams until both are silent; returns the events of each."""
    events: tuple[list[Event], list[Event]] = ([], [])
    while True:
        there, back = one.take_output(), other.take_output()
        if not there and not back:
            return events
        events[1].extend(other.receive(there, 1.0) if there else [])
        events[0].extend(one.receive(back, 1.0) if back else [])
