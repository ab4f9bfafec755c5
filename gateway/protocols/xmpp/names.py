"""Namespaces of XMPP, by the name that the house uses for them."""

from typing import Final

STREAMS: Final = "http://etherx.jabber.org/streams"
SERVER: Final = "jabber:server"
CLIENT: Final = "jabber:client"
COMPONENT: Final = "jabber:component:accept"
DIALBACK: Final = "jabber:server:dialback"
DIALBACK_FEATURE: Final = "urn:xmpp:features:dialback"
TLS: Final = "urn:ietf:params:xml:ns:xmpp-tls"
SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
STREAM_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-streams"
STANZA_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
BIDI: Final = "urn:xmpp:bidi"
BIDI_FEATURE: Final = "urn:xmpp:features:bidi"
SM: Final = "urn:xmpp:sm:3"
LIMITS: Final = "urn:xmpp:stream-limits:0"
XML: Final = "http://www.w3.org/XML/1998/namespace"

CONTENT: Final = frozenset({CLIENT, SERVER, COMPONENT})
"""The namespaces in which stanzas live; the writer moves a stanza from one to the other (RFC 6120 section 4.8.2)."""

STANZAS: Final = frozenset({"message", "presence", "iq"})
"""The three local names of stanzas (RFC 6120 section 8)."""
