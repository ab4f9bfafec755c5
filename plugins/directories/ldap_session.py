"""Connections to an LDAP server (RFC 4511), used from threads: bound, inside TLS, given up in time."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any, TypeVar
from urllib.parse import urlsplit

import ldap
from attrs import frozen
from ldap.controls import SimplePagedResultsControl
from ldap.dn import str2dn

from gateway.config import DirectoryLdap
from gateway.errors import GatewayError

PAGE = 500
"""Entries of one page (RFC 2696)."""
_SEVERAL = "more than one entry has the same address"
_SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
_Result = TypeVar("_Result")

Found = tuple[str, dict[str, list[bytes]]]
"""The name of an entry, and its attributes by name in lower case."""


class DirectoryFailed(GatewayError):
    """Says why a directory cannot be asked."""


class Sessions:
    """Keeps connections for as many threads as use them; a broken one is replaced once per question."""

    def __init__(self, section: DirectoryLdap) -> None:
        self._section = section
        self._idle: LifoQueue[Session] = LifoQueue()

    def use(self, ask: "Callable[[Session], _Result]") -> _Result:
        """Asks on a connection; raises DirectoryFailed."""
        session = self._take()
        if session is not None:
            # It may have broken while nobody used it: then a new one is asked.
            with suppress(ldap.LDAPError):
                return self._keep(session, ask)
        try:
            return self._keep(Session(self._section), ask)
        except ldap.LDAPError as problem:
            raise DirectoryFailed(f"{self._section.url}: {_told(problem)}") from None

    def close(self) -> None:
        """Closes what is idle."""
        while (session := self._take()) is not None:
            session.close()

    def _take(self) -> "Session | None":
        try:
            return self._idle.get_nowait()
        except Empty:
            return None

    def _keep(self, session: "Session", ask: "Callable[[Session], _Result]") -> _Result:
        """Asks, and keeps the connection unless it is broken."""
        try:
            result = ask(session)
        except ldap.LDAPError:
            session.close()
            raise
        except DirectoryFailed:
            self._idle.put(session)
            raise
        self._idle.put(session)
        return result


class Session:
    """Is one bound connection; every call may raise ldap.LDAPError."""

    def __init__(self, section: DirectoryLdap) -> None:
        self._seconds = section.timeout_seconds
        self._link = ldap.initialize(section.url)
        try:
            self._prepare(section)
            if urlsplit(section.url).scheme == "ldap" and section.starttls:
                self._link.start_tls_s()
            password = section.password.text if section.password is not None else ""
            self._link.simple_bind_s(section.bind, password if section.bind else "")
        except ldap.LDAPError:
            self.close()
            raise

    def search(self, where: str, condition: str, names: list[str]) -> Found | None:
        """Gives the entry that fulfils a condition (RFC 4515); raises DirectoryFailed when there are several."""
        try:
            rows = self._link.search_ext_s(
                where, ldap.SCOPE_SUBTREE, condition, names, timeout=self._seconds, sizelimit=2
            )
        except ldap.NO_SUCH_OBJECT:
            return None
        except ldap.SIZELIMIT_EXCEEDED:
            raise DirectoryFailed(_SEVERAL) from None
        found = list(_entries(rows))
        if len(found) > 1:
            raise DirectoryFailed(_SEVERAL)
        return found[0] if found else None

    def pages(self, where: str, condition: str, names: list[str]) -> Iterator[Found]:
        """Gives all of them, page by page."""
        control = SimplePagedResultsControl(True, size=PAGE, cookie="")
        while True:
            number = self._link.search_ext(
                where, ldap.SCOPE_SUBTREE, condition, names, serverctrls=[control], timeout=self._seconds
            )
            try:
                _, rows, _, controls = self._link.result3(number, timeout=self._seconds)
            except ldap.NO_SUCH_OBJECT:
                return
            yield from _entries(rows)
            answers = [one for one in controls if one.controlType == SimplePagedResultsControl.controlType]
            if not answers or not answers[0].cookie:
                return
            control.cookie = answers[0].cookie

    def close(self) -> None:
        """Ends the connection."""
        try:
            self._link.unbind_s()
        except (ldap.LDAPError, AttributeError):
            return

    def _prepare(self, section: DirectoryLdap) -> None:
        set_option = self._link.set_option
        set_option(ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3)
        set_option(ldap.OPT_NETWORK_TIMEOUT, self._seconds)
        set_option(ldap.OPT_TIMEOUT, self._seconds)
        # A referral would send the question, and the password, to a server that nobody has named.
        set_option(ldap.OPT_REFERRALS, 0)
        set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, ldap.OPT_X_TLS_PROTOCOL_TLS1_2)
        authorities = section.ca.file or _system_authorities()
        if authorities is not None:
            set_option(ldap.OPT_X_TLS_CACERTFILE, str(authorities))
        set_option(ldap.OPT_X_TLS_NEWCTX, 0)


@frozen
class Names:
    """Is how a group is called: by the whole name of its entry and by the first part of it."""

    dn: str

    def both(self) -> tuple[str, ...]:
        """Gives both; only the whole when it cannot be taken apart."""
        try:
            return (str2dn(self.dn)[0][0][1], self.dn)
        except (ldap.LDAPError, IndexError):
            return (self.dn,)


def _entries(rows: list[Any]) -> Iterator[Found]:
    """Leaves out what refers to other servers."""
    for dn, attributes in rows:
        if dn is not None:
            yield dn, {name.lower(): values for name, values in attributes.items()}


def _system_authorities() -> Path | None:
    found = (ssl.get_default_verify_paths().cafile, _SYSTEM)
    return next((Path(one) for one in found if one and Path(one).exists()), None)


def _told(problem: Exception) -> str:
    """Gives the library's own words for a result, never the names and values that a server puts beside them."""
    said = problem.args[0] if problem.args and isinstance(problem.args[0], dict) else {}
    return str(said.get("desc", type(problem).__name__)).lower()
