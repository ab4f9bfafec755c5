"""What all XML streams share: framing, closing, errors and the cache of judged stanzas (RFC 6120 section 4)."""

from __future__ import annotations

import re
from typing import Final

from attrs import define, field

from gateway.protocols.element import Element
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp import names
from gateway.protocols.xmpp.acks import Heard, Said
from gateway.protocols.xmpp.events import Event, Failed, PeerClosed
from gateway.protocols.xmpp.limits import AFTER_AUTHENTICATION, BEFORE_AUTHENTICATION, Limits
from gateway.protocols.xmpp.reader import Reader, StreamEnded, StreamOpened, XmlFault
from gateway.protocols.xmpp.stream_error import StreamError, read_stream_error

LANG: Final = "en"
"""What our stream headers say about texts that carry no language of their own."""
NEGOTIATION_SECONDS: Final = 10.0
"""Time from the connection to authentication."""
DIALBACK_SECONDS: Final = 30.0
"""Time for a peer, or for us, to ask the authoritative server about a key."""
_VERSION: Final = re.compile(r"([0-9]{1,4})\.[0-9]{1,4}")
_OPENED_BY: Final = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'"
    " xmlns:db='jabber:server:dialback'"
)


class NotAuthenticated(RuntimeError):
    """A stanza was to be sent on a stream that may not carry it, or no longer."""


def open_tag(sender: str | None, recipient: str | None, stream_id: str | None) -> str:
    """Returns an XML declaration and a server-to-server stream header (RFC 6120 section 4.7)."""
    written = _OPENED_BY
    for key, value in (("from", sender), ("to", recipient), ("id", stream_id)):
        if value is not None:
            written += f" {key}='{escape_attribute(value, replace_illegal=True)}'"
    return f"{written} version='1.0' xml:lang='{LANG}'>"


def domain_of(jid: str | None) -> str | None:
    """Returns the domain part of an address as it is written, or None when it cannot be an address."""
    if not jid:
        return None
    bare, slash, resource = jid.partition("/")
    local, at, domain = bare.rpartition("@")
    if (slash and not resource) or (at and not local) or "@" in local:
        return None
    return domain or None


def header_fault(header: StreamOpened, content_ns: str) -> StreamError | None:
    """Returns what is wrong with the namespaces or the version of a stream header, if anything is."""
    if header.ns != names.STREAMS:
        return StreamError("invalid-namespace", "the stream namespace is http://etherx.jabber.org/streams")
    if header.name != "stream":
        return StreamError("bad-format", "a stream begins with the element stream")
    # a header whose default is the stream namespace itself is "prefix-free": RFC 6120 section 4.8.5
    if header.namespaces.get("", "") not in ("", names.STREAMS, content_ns):
        return StreamError("invalid-namespace", f"the content namespace of this stream is {content_ns}")
    return None


def speaks_version_1(header: StreamOpened) -> bool:
    """Says whether the peer knows stream features: version 1.0 or higher (RFC 6120 section 4.7.5)."""
    found = _VERSION.fullmatch(header.attributes.get("version", ""))
    return found is not None and int(found[1]) >= 1


@define(eq=False, kw_only=True)
class Stream:
    """The framing of an XML stream: header, stanzas, errors and end; its kinds negotiate and judge the stanzas."""

    now: float
    """Seconds on the owner's clock: when the connection was made, then when bytes last came in."""
    secure: bool = False
    """TLS protects the stream."""
    content_ns: str = field(init=False, default=names.SERVER)
    limits_before: Limits = BEFORE_AUTHENTICATION
    limits_after: Limits = AFTER_AUTHENTICATION
    local: str | None = field(init=False, default=None)
    remote: str | None = field(init=False, default=None)
    stream_id: str = field(init=False, default="")
    """The id that the receiving side gave to the current XML stream."""
    lang: str = field(init=False, default="")
    """The language of the peer's texts that name none, when it is not the one that ours are in (RFC 6120 4.7.4)."""
    deadline: float | None = field(init=False)
    """When the owner closes the stream with connection-timeout unless it is authenticated; None afterwards."""
    said: Said | None = field(init=False, default=None)
    """What we have sent and the peer has, once stream management was asked for (XEP-0198)."""
    heard: Heard | None = field(init=False, default=None)
    """What the peer has sent, where it has us count; the owner counts, for it knows what is in safe hands."""
    _reader: Reader = field(init=False, repr=False)
    _out: list[str] = field(init=False, factory=list, repr=False)
    _events: list[Event] = field(init=False, factory=list, repr=False)
    _sendable: set[tuple[str, str]] = field(init=False, factory=set)
    """(local, remote) pairs for which stanzas may be sent here."""
    _accepted: set[tuple[str | None, str | None]] = field(init=False, factory=set, repr=False)
    """Raw from and to of stanzas that passed the check: pairs repeat, the check need not."""
    _header_sent: bool = field(init=False, default=False)
    _closing: bool = field(init=False, default=False)
    _peer_ended: bool = field(init=False, default=False)
    _deaf: bool = field(init=False, default=False)
    """Nothing that comes in is read: TLS is starting, or the stream is over."""

    def __attrs_post_init__(self) -> None:
        self._reader = Reader(self.limits_before)
        self.deadline = self.now + NEGOTIATION_SECONDS

    def receive(self, chunk: bytes, now: float) -> list[Event]:
        """Returns what these bytes bring about; whatever the peer sends, nothing is raised."""
        self.now = now
        if self._deaf:
            return []
        reader = self._reader
        fault = None
        try:
            items = reader.feed(chunk)
        except XmlFault as caught:
            fault, items = caught, caught.events
        events: list[Event] = []
        self._events = events
        accepted = self._accepted
        for item in items:
            if item.__class__ is Element:
                attributes = item.attributes
                if (
                    (attributes.get("from"), attributes.get("to")) in accepted
                    and item.ns == self.content_ns
                    and item.name in names.STANZAS
                ):
                    events.append(item)
                    continue
            self._take(item)
            if self._deaf or self._reader is not reader:  # what was pipelined behind a restart is not read
                return events
        if fault is not None:
            self._fail(fault.condition, fault.text)
        return events

    def take_output(self) -> bytes:
        """Returns everything to be written now, and forgets it."""
        written = "".join(self._out).encode()
        self._out.clear()
        return written

    def send(self, stanza_text: str, count: int = 1) -> None:
        """Appends a serialised jabber:server stanza, or several, of a pair that may_send() allows.

        Raises NotAuthenticated.
        """
        if not self._sendable or self._closing:
            raise NotAuthenticated("the stream carries no stanzas in this direction")
        self._out.append(stanza_text)
        if self.said is not None:
            self.said.count += count

    def say_ack(self, text: str) -> None:
        """Appends an element of stream management, unless our side is closed."""
        if text and not self._closing:
            self._out.append(text)

    def may_send(self, local: str, remote: str) -> bool:
        """Says whether stanzas from the local to the remote domain may go out on this stream."""
        return not self._closing and (local, remote) in self._sendable

    def send_whitespace(self) -> None:
        """Appends a whitespace keep-alive (RFC 6120 section 4.6.1), once the header is out."""
        if self._header_sent and not self._closing and not self._deaf:
            self._out.append(" ")

    def close(self, error: StreamError | None = None) -> None:
        """Closes our side; without an error the peer's stanzas still come through until it closes its own."""
        if self._closing:
            return
        if error is not None:
            if not self._header_sent:
                self._out.append(self._header())
                self._header_sent = True
            self._out.append(error.serialise())
            self._deaf = True
        if self._header_sent:
            if self.heard is not None and error is None:
                self._out.append(self.heard.last_word())
            self._out.append("</stream:stream>")
        else:
            self._deaf = True
        self._closing = True

    @property
    def finished(self) -> bool:
        """True when both sides have closed or an error has: the connection can be dropped after take_output()."""
        return self._closing and (self._deaf or self._peer_ended)

    @property
    def ended_by_peer(self) -> bool:
        """True when the peer has closed its side; the owner closes ours if stanzas are not in safe hands yet."""
        return self._peer_ended

    def expired(self, now: float) -> bool:
        """Says whether the peer has failed to authenticate, or to answer, in time."""
        return self.deadline is not None and now >= self.deadline and not self.finished

    def hibernate(self) -> bool:
        """Frees what an idle stream can do without; it wakes by itself."""
        self._accepted.clear()
        return self._reader.hibernate()

    def _restart(self, limits: Limits) -> None:
        self._reader = Reader(limits)
        self.said = self.heard = None
        self._header_sent = False
        self.stream_id = ""

    def _header(self) -> str:
        raise NotImplementedError

    def _opened(self, header: StreamOpened) -> None:
        raise NotImplementedError

    def _stanza(self, element: Element) -> None:
        """Judges a stanza whose from and to are not in _accepted."""
        raise NotImplementedError

    def _other(self, element: Element) -> None:
        """Takes a first-level element that is neither a stanza nor an error."""
        raise NotImplementedError

    def _error_received(self, condition: str) -> None:
        """Takes note of a stream error from the peer, before it is reported."""

    def _fail(self, condition: str, text: str) -> None:
        """Ends the stream with an error of ours."""
        already = self._closing
        self.close(StreamError(condition, text))
        self._deaf = True
        if not already:
            self._events.append(Failed(condition, text, ours=True))

    def _take(self, item: StreamOpened | Element | StreamEnded) -> None:
        if isinstance(item, StreamOpened):
            lang = item.attributes.get("xml:lang", "")
            self.lang = "" if lang == LANG else lang
            self._opened(item)
        elif isinstance(item, StreamEnded):
            self._peer_ended = True
            if self.heard is None or not self.heard.held:
                self.close()
            self._deaf = True
            self._events.append(PeerClosed())
        elif item.ns == self.content_ns and item.name in names.STANZAS:
            self._stanza(item)
        elif item.ns == names.STREAMS and item.name == "error":
            error = read_stream_error(item)
            self._error_received(error.condition)
            self.close()
            self._deaf = True
            self._events.append(Failed(error.condition, error.text, ours=False))
        else:
            self._other(item)
