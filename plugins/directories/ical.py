"""Calendars behind web addresses: one iCalendar document a person, fetched again only when it has changed."""

from collections.abc import Mapping

from gateway.config import DirectoryIcal
from gateway.interfaces import Directory, Surroundings
from gateway.transport.web_fetch import WebFetch
from plugins.directories.calendars import Account, Calendars, Documents, refused


def build(surroundings: Surroundings, section: DirectoryIcal) -> Directory:
    """Builds the directory; raises GatewayError when its authorities cannot be used."""
    return Calendars(surroundings, section, get)


async def get(fetch: WebFetch, account: Account, now: float, days: int, mark: Mapping[str, str]) -> Documents | None:
    """Gets a document, or hears that it has not changed (RFC 9110 section 13.1)."""
    headers = {"Accept": "text/calendar", **account.authorization(), **mark}
    reply = await fetch.ask("GET", account.url, headers)
    if refused(reply.status):
        return None
    if reply.status == 304 and mark:
        return Documents(None, mark)
    known = (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
    return Documents([reply.body], {asked: reply.headers[name] for name, asked in known if name in reply.headers})
