"""The component's side of a connection to its own server (XEP-0114)."""

from __future__ import annotations

import hashlib
from typing import Final

from attrs import define, field

from gateway.protocols.element import Element
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp import names
from gateway.protocols.xmpp.events import Authenticated, AuthenticationRefused
from gateway.protocols.xmpp.reader import StreamOpened
from gateway.protocols.xmpp.stream import Stream, domain_of, header_fault

_MOST_ACCEPTED: Final = 4096
_OPENED_BY: Final = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept'"
    " xmlns:stream='http://etherx.jabber.org/streams'"
)


def handshake_digest(stream_id: str, secret: str) -> str:
    """Returns the lower-case hexadecimal SHA-1 that proves the shared secret (XEP-0114 section 3)."""
    return hashlib.sha1((stream_id + secret).encode(), usedforsecurity=False).hexdigest()


@define(eq=False, kw_only=True)
class ComponentStream(Stream):
    """Connects one component domain to the server that routes for it; make a new one for each connection.

    The protocol has no TLS of its own: the connection is on loopback, or the transport wraps it.
    """

    domain: str
    """The component's name: the only domain whose stanzas come in, spelled as the server spells it."""
    secret: str = field(repr=False)
    content_ns: str = field(init=False, default=names.COMPONENT)
    _ready: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        Stream.__attrs_post_init__(self)
        self.local = self.domain
        self._out.append(self._header())
        self._header_sent = True

    def _header(self) -> str:
        return f"{_OPENED_BY} to='{escape_attribute(self.domain)}'>"

    def _opened(self, header: StreamOpened) -> None:
        fault = header_fault(header, names.COMPONENT)
        self.stream_id = header.attributes.get("id", "")
        self.remote = header.attributes.get("from")
        if fault is not None:
            self._fail(fault.condition, fault.text)
        elif self.stream_id:  # without an id only an error can follow
            self._out.append(f"<handshake>{handshake_digest(self.stream_id, self.secret)}</handshake>")

    def _other(self, element: Element) -> None:
        if element.ns == names.COMPONENT and element.name == "handshake" and self.stream_id and not self._ready:
            self._ready = True
            self.deadline = None
            self._sendable.add((self.domain, ""))
            self._reader.set_limits(self.limits_after)
            self._events.append(Authenticated(self.domain, self.remote or self.domain, "handshake"))
        elif element.ns == names.STREAMS and element.name == "features":
            return  # some servers send them; XEP-0114 has no use for them
        else:
            self._fail("unsupported-stanza-type", "neither a stanza nor part of the handshake")

    def _error_received(self, condition: str) -> None:
        if not self._ready:
            self._events.append(AuthenticationRefused(self.domain, self.remote, condition))

    def may_send(self, local: str, remote: str) -> bool:
        """Says whether stanzas from this component's domain, to anybody, may go out now."""
        return self._ready and not self._closing and local == self.domain

    def _stanza(self, element: Element) -> None:
        sender, recipient = element.get("from"), element.get("to")
        local = domain_of(recipient)
        if not self._ready:
            self._fail("not-authorized", "stanza before the handshake")
        elif domain_of(sender) is None or local is None:
            self._fail("improper-addressing", "a stanza to a component has from and to")
        elif local.lower() != self.domain.lower():
            self._fail("host-unknown", "the stanza is not for this component")
        else:
            if len(self._accepted) >= _MOST_ACCEPTED:
                self._accepted.clear()
            self._accepted.add((sender, recipient))
            self._events.append(element)
