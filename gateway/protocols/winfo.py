"""Who watches a resource, and who waits to: watcher information (RFC 3857, RFC 3858)."""

from enum import Enum
from typing import Final

from attrs import field, frozen

from gateway.protocols.element import Element
from gateway.protocols.texts import MAX_LINE, line
from gateway.protocols.xml_document import DocumentError, DocumentLimits, read_document
from gateway.protocols.xml_text import escape_attribute, escape_text

MEDIA_TYPE: Final = "application/watcherinfo+xml"
NAMESPACE: Final = "urn:ietf:params:xml:ns:watcherinfo"

MAX_WATCHERS: Final = 2000
"""Watchers of one document that are taken."""

_LIMITS: Final = DocumentLimits(octets=1024 * 1024, elements=8192)


class WatcherStatus(Enum):
    """Says where a subscription stands (RFC 3857 section 4.7.1)."""

    PENDING = "pending"
    ACTIVE = "active"
    WAITING = "waiting"
    TERMINATED = "terminated"


class WatcherEvent(Enum):
    """Says what brought a subscription there."""

    SUBSCRIBE = "subscribe"
    APPROVED = "approved"
    DEACTIVATED = "deactivated"
    PROBATION = "probation"
    REJECTED = "rejected"
    TIMEOUT = "timeout"
    GIVEUP = "giveup"
    NORESOURCE = "noresource"


@frozen
class Watcher:
    """Is one subscription; `id` stays the same through its life and is opaque."""

    uri: str = field(repr=False)
    status: WatcherStatus
    event: WatcherEvent
    id: str
    display_name: str = field(default="", repr=False)
    expiration: int | None = None
    """Seconds from now."""
    subscribed: int | None = None
    """Seconds since the beginning."""

    @property
    def wants_answer(self) -> bool:
        """Says whether the person has to decide about it: also when the watcher has given up meanwhile."""
        return self.status in (WatcherStatus.PENDING, WatcherStatus.WAITING)


@frozen
class WatcherList:
    """Is who watches one resource for one event package."""

    resource: str = field(repr=False)
    package: str
    watchers: tuple[Watcher, ...] = ()


@frozen
class WatcherInfo:
    """Is one document: all subscriptions (`full`) or those that changed; versions grow by one."""

    version: int
    full: bool
    lists: tuple[WatcherList, ...] = ()


_STATUSES: Final = {one.value: one for one in WatcherStatus}
_EVENTS: Final = {one.value: one for one in WatcherEvent}


def read_winfo(body: bytes) -> WatcherInfo:
    """Reads watcher information; a watcher that lacks something needed is passed over. Raises DocumentError."""
    root = read_document(body, _LIMITS)
    version = _whole(root.attributes.get("version"))
    state = root.attributes.get("state")
    if (root.ns, root.name) != (NAMESPACE, "watcherinfo") or version is None or state not in ("full", "partial"):
        raise DocumentError("not watcher information")
    found: list[WatcherList] = []
    room = MAX_WATCHERS
    for child in root.elements():
        if child.ns == NAMESPACE and child.name == "watcher-list":
            one = _list(child, room)
            room -= len(one.watchers)
            found.append(one)
    return WatcherInfo(version, state == "full", tuple(found))


def write_winfo(document: WatcherInfo) -> bytes:
    """Writes watcher information."""
    inside = "".join(map(_written_list, document.lists))
    state = "full" if document.full else "partial"
    start = f"<watcherinfo xmlns='{NAMESPACE}' version='{document.version}' state='{state}'>"
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{start}{inside}</watcherinfo>".encode()


def _list(element: Element, room: int) -> WatcherList:
    found: list[Watcher] = []
    for child in element.elements():
        watcher = _watcher(child) if child.ns == NAMESPACE and child.name == "watcher" else None
        if watcher is not None and len(found) < room:
            found.append(watcher)
    resource, package = (element.attributes.get(name, "").strip()[:MAX_LINE] for name in ("resource", "package"))
    return WatcherList(resource, package, tuple(found))


def _watcher(element: Element) -> Watcher | None:
    said = element.attributes
    status, event = _STATUSES.get(said.get("status", "")), _EVENTS.get(said.get("event", ""))
    uri, name = line(element), said.get("id", "")[:MAX_LINE]
    if status is None or event is None or not uri or not name:
        return None
    shown = " ".join(said.get("display-name", "").split())[:MAX_LINE]
    return Watcher(
        uri, status, event, name, shown, _whole(said.get("expiration")), _whole(said.get("duration-subscribed"))
    )


def _whole(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _written_list(one: WatcherList) -> str:
    inside = "".join(map(_written, one.watchers))
    said = _attribute("resource", one.resource) + _attribute("package", one.package)
    return f"<watcher-list{said}>{inside}</watcher-list>"


def _written(one: Watcher) -> str:
    numbers = (("expiration", one.expiration), ("duration-subscribed", one.subscribed))
    said = _attribute("status", one.status.value) + _attribute("event", one.event.value) + _attribute("id", one.id)
    said += _attribute("display-name", one.display_name) if one.display_name else ""
    said += "".join(_attribute(name, str(number)) for name, number in numbers if number is not None)
    return f"<watcher{said}>{escape_text(one.uri, replace_illegal=True)}</watcher>"


def _attribute(name: str, text: str) -> str:
    return f" {name}='{escape_attribute(text, replace_illegal=True)}'"
