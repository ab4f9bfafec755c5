"""Real servers on loopback for tests: HTTPS that keeps what it is sent, and SMTP with TLS (aiosmtpd)."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.web.resource import Resource
from twisted.web.server import Site

from gateway.transport.authority import CertificateAuthority

HOST = "localhost"


@define(eq=False)
class Certified:
    """Is a certificate for localhost, and the authority that vouches for it."""

    folder: Path
    ca: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        authority = CertificateAuthority.open(self.folder / "ca")
        authority.write_leaf(HOST, self.folder)
        self.ca = authority.ca_file

    @property
    def files(self) -> tuple[str, str]:
        """Gives key and certificate."""
        return str(self.folder / f"{HOST}.key"), str(self.folder / f"{HOST}.crt")


class _Collector(Resource):
    isLeaf = True

    def __init__(self, web: "WebServer") -> None:
        super().__init__()
        self._web = web

    def render_POST(self, request: Any) -> bytes:
        self._web.heard.append(request.content.read())
        request.setResponseCode(self._web.status)
        return b"ok"


@define(eq=False)
class WebServer:
    """Is an HTTPS server that takes what is posted."""

    certified: Certified
    status: int = 200
    heard: list[bytes] = field(init=False, factory=list)
    _port: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        site = Site(_Collector(self))
        self._port = reactor.listenSSL(  # type: ignore[attr-defined]
            0, site, DefaultOpenSSLContextFactory(*self.certified.files), interface="127.0.0.1"
        )

    @property
    def url(self) -> str:
        """Gives where it takes it."""
        return f"https://{HOST}:{self._port.getHost().port}/report"

    def close(self) -> Any:
        """Stops listening."""
        return self._port.stopListening()


@define(eq=False)
class MailServer:
    """Is an SMTP server in threads of its own; without `offers_tls` it takes mail in clear text."""

    certified: Certified
    offers_tls: bool = True
    implicit: bool = False
    password: str = ""
    refuses: str = ""
    heard: list[Any] = field(init=False, factory=list)
    secure: list[bool] = field(init=False, factory=list)
    port: int = field(init=False)
    _controller: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        key, certificate = self.certified.files
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        terms: dict[str, Any] = {"hostname": "127.0.0.1", "port": self.port}
        if self.implicit:
            terms["ssl_context"] = tls
        elif self.offers_tls:
            terms |= {"tls_context": tls, "require_starttls": True}
        if self.password:
            # aiosmtpd does not count TLS from the first byte as TLS.
            needs = not self.implicit
            terms |= {"auth_required": True, "authenticator": self._checker(), "auth_require_tls": needs}
        self._controller = Controller(self, **terms)
        self._controller.start()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Is called by aiosmtpd with a mail."""
        if self.refuses:
            return self.refuses
        self.heard.append(envelope)
        self.secure.append(session.ssl is not None or self.implicit)
        return "250 OK"

    def _checker(self) -> Callable[..., Any]:
        from aiosmtpd.smtp import AuthResult

        def check(server: Any, session: Any, envelope: Any, mechanism: str, said: Any) -> Any:
            return AuthResult(success=said.password == self.password.encode())

        return check

    def close(self) -> None:
        """Stops it."""
        self._controller.stop()
