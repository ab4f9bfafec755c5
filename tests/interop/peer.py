"""A peer that the test plays itself, byte for byte."""

import contextlib
import socket
import ssl
from collections.abc import Iterator

from .lab import Lab

GATE = ("127.0.0.101", 5269)
"""Where the gateway awaits partners."""


def opening(sender: str, recipient: str = "corp.example") -> bytes:
    """The head of a server's stream."""
    return (
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
        f"from='{sender}' to='{recipient}'>"
    ).encode()


def heard_until(peer: socket.socket, text: bytes) -> bytes:
    """What comes up to some text; raises AssertionError when the other side closes first."""
    peer.settimeout(5.0)
    heard = b""
    while text not in heard:
        piece = peer.recv(65536)
        assert piece, heard
        heard += piece
    return heard


def heard_to_the_end(peer: socket.socket, seconds: float = 5.0) -> bytes:
    """Everything until the other side closes; raises TimeoutError when it does not."""
    peer.settimeout(seconds)
    heard = b""
    with contextlib.suppress(ConnectionResetError, ssl.SSLError):
        while piece := peer.recv(65536):
            heard += piece
    return heard


@contextlib.contextmanager
def proven(lab: Lab, domain: str) -> Iterator[ssl.SSLSocket]:
    """A stream on which a domain has proven itself with the lab's certificate for it (SASL EXTERNAL)."""
    leaf = lab.pki.leaf(domain)
    trust = ssl.create_default_context(cafile=str(lab.pki.ca))
    trust.load_cert_chain(leaf.chain, leaf.key)
    with lab.connect(*GATE) as plain:
        plain.sendall(opening(domain))
        heard_until(plain, b"</stream:features>")
        plain.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        heard_until(plain, b"proceed")
        with trust.wrap_socket(plain, server_hostname="corp.example") as secure:
            secure.sendall(opening(domain))
            assert b"EXTERNAL" in heard_until(secure, b"</stream:features>")
            secure.sendall(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
            heard_until(secure, b"success")
            secure.sendall(opening(domain))
            heard_until(secure, b"</stream:features>")
            yield secure
