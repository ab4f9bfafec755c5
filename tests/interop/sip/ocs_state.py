"""What the stand-in for an Office Communications Server knows of its users: publications, containers, who sees what."""

import re
import time
from collections.abc import Iterable
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from attrs import define, field, frozen

_NS = "http://schemas.microsoft.com/2006/09/sip"
BLOCKED, PERSONAL, TEAM, COMPANY, PUBLIC, NOBODY = 32000, 400, 300, 200, 100, 0
OFFLINE = 18500
_AGGREGATED_IN = {PUBLIC: 2, COMPANY: 2, PERSONAL: 2, TEAM: 3}
"""The container with the states behind what a level's container shows."""
Key = tuple[str, str, int]
"""Category, instance, container."""


@frozen
class Publication:
    """One category instance in one container."""

    version: int
    xml: str


@define
class Presentity:
    """One user: "sip:alice@corp.example"."""

    uri: str
    contacts: tuple[str, ...] = ()
    publications: dict[Key, Publication] = field(factory=dict)
    members: dict[int, set[tuple[str, str]]] = field(factory=dict)
    """Container to members: type and value."""
    versions: dict[int, int] = field(factory=dict)

    def publish(self, body: str) -> set[Key]:
        """Take a category publish request; what changed."""
        changed = set()
        for attributes, _, inside in re.findall(r"<publication ([^>]*?)(/>|>(.*?)</publication>)", body, re.DOTALL):
            named = dict(re.findall(r'(\w+)="([^"]*)"', attributes))
            key = (named["categoryName"], named["instance"], int(named["container"]))
            changed.add(key)
            if named.get("expires") == "0":
                self.publications.pop(key, None)
            else:
                self.publications[key] = Publication(int(named.get("version", "0")) + 1, inside)
        return changed

    def set_members(self, body: str) -> None:
        """Take a request to change who is in which container."""
        for container in ElementTree.fromstring(body).iter(f"{{{_NS}/container-management}}container"):
            number = int(container.get("id", "0"))
            self.versions[number] = self.versions.get(number, 0) + 1
            for member in container:
                entry = (member.get("type", ""), member.get("value", "").lower())
                within = self.members.setdefault(number, set())
                (within.add if member.get("action") == "add" else within.discard)(entry)

    def container_of(self, watcher: str) -> int:
        """The container whose documents a watcher sees: his own entry before his domain's, that before his kind's."""
        address = watcher.removeprefix("sip:").lower()
        domain = address.partition("@")[2]
        own = domain == self.uri.partition("@")[2]
        kind = "sameEnterprise" if own else "federated"
        for entry in (("user", address), ("domain", domain), (kind, "")):
            within = [number for number, members in self.members.items() if entry in members]
            if within:
                return max(within)
        return NOBODY

    # documents

    def categories(self, watcher: str) -> str:
        """What this watcher sees."""
        container = self.container_of(watcher)
        shown = "".join(
            _category(name, instance, publication.xml)
            for (name, instance, where), publication in self.publications.items()
            if where == container and name != "state"
        )
        if container != NOBODY:
            shown += _category("state", "1", _aggregated(self._availability(container)))
        return f'<categories xmlns="{_NS}/categories" uri={quoteattr(self.uri)}>{shown}</categories>'

    def _availability(self, container: int) -> int:
        """The user's own choice before what his machine says."""
        inputs = _AGGREGATED_IN.get(container)
        found: dict[str, int] = {}
        for (name, _, where), publication in self.publications.items():
            if name == "state" and where == inputs and (told := _told(publication.xml)):
                found.setdefault(told[0], told[1])
        return found.get("userState", found.get("machineState", OFFLINE))

    def roaming_self(self, only: Iterable[Key] | None = None) -> str:
        """What the user is told about his own publications, all of it or some, and his containers."""
        wanted = set(self.publications) if only is None else set(only)
        shown = "".join(
            f'<category name="{key[0]}" instance="{key[1]}" container="{key[2]}" version="{publication.version}"'
            f' publishTime="{_now()}" expireType="static">{publication.xml}</category>'
            for key, publication in self.publications.items()
            if key in wanted
        )
        categories = f'<categories xmlns="{_NS}/categories" uri={quoteattr(self.uri)}>{shown}</categories>'
        rest = "" if only is not None else self._containers() + f'<subscribers xmlns="{_NS}/presence-subscribers"/>'
        return f'<roamingData xmlns="{_NS}/roaming-self">{categories}{rest}</roamingData>'

    def _containers(self) -> str:
        parts = []
        for number in (NOBODY, PUBLIC, COMPANY, TEAM, PERSONAL, BLOCKED):
            members = "".join(
                f"<member type={quoteattr(kind)}{f' value={quoteattr(value)}' if value else ''}/>"
                for kind, value in sorted(self.members.get(number, ()))
            )
            parts.append(f'<container id="{number}" version="{self.versions.get(number, 0)}">{members}</container>')
        return f'<containers xmlns="{_NS}/containers">{"".join(parts)}</containers>'

    def contact_list(self) -> str:
        """His roster."""
        listed = "".join(
            f'<contact uri={quoteattr(uri.removeprefix("sip:"))} name="" groups="1" subscribed="true" externalURI=""/>'
            for uri in self.contacts
        )
        return f'<contactList deltaNum="1"><group id="1" name="~" externalURI=""/>{listed}</contactList>'


def _told(xml: str) -> tuple[str, int] | None:
    kind, number = re.search(r'type="(\w+)"', xml), re.search(r"<availability[^>]*>(\d+)", xml)
    return (kind[1], int(number[1])) if kind and number else None


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _category(name: str, instance: str, xml: str) -> str:
    return f'<category name="{name}" instance="{instance}" publishTime="{_now()}">{xml}</category>'


def _aggregated(availability: int) -> str:
    return (
        f'<state xmlns="{_NS}/state" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xsi:type="aggregateState"><availability>{availability}</availability></state>'
    )
