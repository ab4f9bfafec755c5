"""Calendars on a CalDAV server: the events of the coming days are asked for by a query."""

from collections.abc import Mapping

from gateway.config import DirectoryCaldav
from gateway.interfaces import Directory, Surroundings
from gateway.protocols.calendars.caldav import read_answer, write_query
from gateway.transport.web_fetch import WebFetch
from plugins.directories.calendars import Account, CalendarFailed, Calendars, Documents, refused

DAY = 86400


def build(surroundings: Surroundings, section: DirectoryCaldav) -> Directory:
    """Builds the directory; raises GatewayError when its authorities cannot be used."""
    return Calendars(surroundings, section, report)


async def report(fetch: WebFetch, account: Account, now: float, days: int, mark: Mapping[str, str]) -> Documents | None:
    """Asks for the events around the published days, whatever the calendar's zone (RFC 4791 section 7.8)."""
    headers = {"Depth": "1", "Content-Type": "application/xml; charset=utf-8", **account.authorization()}
    reply = await fetch.ask("REPORT", account.url, headers, write_query(now - 2 * DAY, now + (days + 3) * DAY))
    if refused(reply.status):
        return None
    if reply.status != 207:
        raise CalendarFailed("does not answer as a CalDAV server")
    return Documents(read_answer(reply.body))
