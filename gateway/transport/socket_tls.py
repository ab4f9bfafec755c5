"""What a link does to its socket: options, the start of TLS, and the words for its errors."""

from __future__ import annotations

import contextlib
import socket
import struct

from OpenSSL import SSL

from gateway.transport.names import a_label

WAIT = (SSL.WantReadError, SSL.WantWriteError, BlockingIOError, InterruptedError)
"""What a socket raises that has nothing to give or no room now."""
BROKEN = (SSL.Error, OSError)
"""What it raises when it is of no use any more."""


def describe(error: Exception) -> str:
    """Says in a few words what broke a connection, without any of its bytes."""
    if isinstance(error, SSL.SysCallError):
        return "closed by peer without TLS close" if error.args[0] == -1 else str(error.args[1])
    if isinstance(error, SSL.Error):
        reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
        return "TLS: " + ("; ".join(reason[-1] for reason in reasons) or "protocol error")
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__


def tune(sock: socket.socket, stall_seconds: float) -> tuple[str, int]:
    """Sets the TCP options of a link and returns the peer's address."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The stall timer sees only what the kernel has not taken; this one sees what the peer has not confirmed.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stall_seconds * 1000))
        host, port = sock.getpeername()[:2]
    except OSError:
        return "unknown", 0
    return str(host), int(port)


def reset_on_close(sock: socket.socket) -> None:
    """Makes the coming close drop unsent bytes and send RST."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def tls_connection(
    tls_context: SSL.Context, sock: socket.socket, server: bool, server_name: str | None, alpn: tuple[str, ...]
) -> SSL.Connection:
    """Returns TLS on the socket, with a set for the chain's errors as its application value."""
    tls = SSL.Connection(tls_context, sock)
    tls.set_app_data(set())
    if server:
        tls.set_accept_state()
        return tls
    tls.set_connect_state()
    if server_name is not None:
        tls.set_tlsext_host_name(a_label(server_name).encode("ascii"))
    if alpn:
        tls.set_alpn_protos([name.encode("ascii") for name in alpn])
    return tls
