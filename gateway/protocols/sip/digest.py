"""Digest authentication of our own requests (RFC 3261 section 22, RFC 7616, RFC 2617)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

from attrs import define, field, frozen

from gateway.protocols.sip.headers import quote, unquote
from gateway.protocols.sip.message import Request, Response

_PARAMETER: Final = re.compile(r'\s*([A-Za-z0-9_-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s",]+)\s*(?:,|$)')
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ALGORITHMS: Final[dict[str, Callable[[bytes], str]]] = {
    "SHA-256": lambda octets: hashlib.sha256(octets).hexdigest(),
    "MD5": lambda octets: hashlib.md5(octets, usedforsecurity=False).hexdigest(),
}
"""The strongest first: of several challenges the one that stands first here is answered (RFC 8760 section 2.4)."""
_FIELDS: Final = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
_LONGEST: Final = 2048
_MOST_REALMS: Final = 16


@frozen
class Credentials:
    """Is whom the gateway is to our own server; `realms` are those in which it may say so."""

    user: str
    password: str = field(repr=False)
    realms: frozenset[str]


@frozen
class Challenge:
    """Is what a server asks for."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: bool = False
    """Whether `auth` is offered; without it the answer is that of RFC 2069."""
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, value: str) -> Challenge | None:
        """Reads a challenge; None for another scheme, an unknown algorithm, or one that cannot be answered."""
        scheme, _, rest = value.partition(" ")
        if scheme.lower() != "digest" or len(value) > _LONGEST:
            return None
        said = _parameters(rest)
        if said is None or "realm" not in said or "nonce" not in said or _CONTROL.search("".join(said.values())):
            return None
        algorithm = said.get("algorithm", "MD5").upper()
        offered = [each.strip().lower() for each in said.get("qop", "").split(",")]
        if algorithm not in _ALGORITHMS or ("qop" in said and "auth" not in offered):
            return None
        stale = said.get("stale", "").lower() == "true"
        return cls(said["realm"], said["nonce"], algorithm, "qop" in said, said.get("opaque"), stale)


@define
class _Known:
    """Is the latest challenge of a realm, and how often its nonce was used."""

    challenge: Challenge
    count: int = 0


@define(eq=False)
class Digest:
    """Answers challenges and remembers them, so that later requests need not be challenged."""

    credentials: Credentials
    token: Callable[[], str]
    _known: dict[tuple[int, str], _Known] = field(init=False, factory=dict)
    """By status and realm."""

    def challenged(self, request: Request, response: Response, tries: int) -> bool:
        """Puts the answer to a 401 or 407 on a request; False when there is none to give.

        `tries` counts the answers that it has had: a second one is given only when the nonce was stale.
        """
        asked = self._chosen(response)
        if asked is None or tries > 1 or (tries == 1 and not asked.stale and self._refused(request, response, asked)):
            return False
        if len(self._known) >= _MOST_REALMS:
            self._known.clear()
        self._known[response.status, asked.realm] = _Known(asked)
        self.put(request)
        return True

    def put(self, request: Request) -> None:
        """Puts the answers to all challenges known on a request; each has the next number of its nonce."""
        for _, name in _FIELDS.values():
            request.headers.remove(name)
        for (status, _), known in self._known.items():
            known.count += 1
            request.headers.add(_FIELDS[status][1], self._answer(known.challenge, known.count, request))

    def _refused(self, request: Request, response: Response, asked: Challenge) -> bool:
        """Says whether the request bore an answer for this realm already: then it is the password that is wrong."""
        bore = request.headers.all(_FIELDS[response.status][1])
        return any(f"realm={quote(asked.realm)}" in value for value in bore)

    def _chosen(self, response: Response) -> Challenge | None:
        names = _FIELDS.get(response.status)
        if names is None:
            return None
        found = [Challenge.parse(value) for value in response.headers.all(names[0])]
        known = [each for each in found if each is not None and each.realm in self.credentials.realms]
        order = list(_ALGORITHMS)
        return min(known, key=lambda each: order.index(each.algorithm), default=None)

    def _answer(self, asked: Challenge, count: int, request: Request) -> str:
        digest = _ALGORITHMS[asked.algorithm]
        who, cnonce = self.credentials, self.token()
        secret = digest(f"{who.user}:{asked.realm}:{who.password}".encode())
        action = digest(f"{request.method}:{request.uri}".encode())
        number = f"{count:08x}"
        middle = f"{asked.nonce}:{number}:{cnonce}:auth" if asked.qop else asked.nonce
        parts = [
            f"username={quote(who.user)}",
            f"realm={quote(asked.realm)}",
            f"nonce={quote(asked.nonce)}",
            f"uri={quote(request.uri)}",
            f'response="{digest(f"{secret}:{middle}:{action}".encode())}"',
            f"algorithm={asked.algorithm}",
        ]
        if asked.opaque is not None:
            parts.append(f"opaque={quote(asked.opaque)}")
        if asked.qop:
            parts += ["qop=auth", f"nc={number}", f"cnonce={quote(cnonce)}"]
        return "Digest " + ", ".join(parts)


def _parameters(text: str) -> dict[str, str] | None:
    """Reads `name=value, name="value"`; None when it is something else or a name stands twice."""
    said: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is None or found[1].lower() in said:
            return None
        value = found[2]
        said[found[1].lower()] = unquote(value) if value.startswith('"') else value
        at = found.end()
    return said
