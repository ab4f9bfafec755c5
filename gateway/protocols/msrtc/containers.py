"""Who is in which container, and what is published to it: levels as the server keeps them (reference/ocs.md 1, 3.4)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import field, frozen

from gateway.model.presence import Field
from gateway.protocols.element import Element
from gateway.protocols.msrtc import names
from gateway.protocols.msrtc.parts import read_part, whole
from gateway.protocols.texts import MAX_LINE
from gateway.protocols.xml_document import DocumentError, read_document
from gateway.protocols.xml_text import escape_attribute

LEVELS: Final[Mapping[int, str]] = {32000: "blocked", 100: "public", 200: "company", 300: "team", 400: "personal"}
"""Container to the name of its access level; the others are not levels."""

CONTAINER_OF: Final[Mapping[str, int]] = {level: number for number, level in LEVELS.items()}

_KINDS: Final = {
    "user": ("contact", ""),
    "domain": ("domain", ""),
    "sameEnterprise": ("network", "enterprise"),
    "federated": ("network", "federation"),
    "publicCloud": ("network", "public_cloud"),
    "everyone": ("everyone", ""),
}
_TYPE_OF: Final = {pair: name for name, pair in _KINDS.items()}


@frozen
class ContainerMember:
    """Is whom an entry of a container means, in the words of the access levels."""

    kind: str
    """'contact', 'domain', 'network' or 'everyone'."""
    value: str = field(default="", repr=False)
    """Address, domain, or 'enterprise', 'federation', 'public_cloud'."""
    added: bool = True
    """False takes the member out; only in changes."""


@frozen
class Container:
    """Is one container and its members, or the changes to them."""

    number: int
    version: int
    members: tuple[ContainerMember, ...] = ()

    @property
    def level(self) -> str:
        """Gives the name of the access level, or '' for a container that is none."""
        return LEVELS.get(self.number, "")


@frozen
class Subscriber:
    """Is somebody who watches and of whom the person may not have heard yet."""

    user: str = field(repr=False)
    display_name: str = field(default="", repr=False)
    acknowledged: bool = False


@frozen
class Publication:
    """Is one instance of a category in one container; the empty one says "nothing" and not "look elsewhere"."""

    category: str
    instance: str
    container: int
    version: int
    expire_type: str
    expires: int | None
    """Seconds; 0 deletes."""
    fields: Mapping[Field, Any] = field(repr=False)
    """Fields of state, note and contactCard; of every other category nothing is read."""


@frozen
class RoamingSelf:
    """Is what the server tells a person about herself: containers, watchers to acknowledge, publications."""

    containers: tuple[Container, ...] = ()
    subscribers: tuple[Subscriber, ...] = ()
    publications: tuple[Publication, ...] = ()


def read_roaming_self(body: bytes, now: float) -> RoamingSelf:
    """Reads `application/vnd-microsoft-roaming-self+xml`; raises DocumentError when it is none."""
    root = read_document(body)
    if root.name != "roamingData":
        raise DocumentError("not roaming data")
    published = (one for part in _named(root, "categories") for one in _named(part, "category"))
    return RoamingSelf(
        tuple(one for part in _named(root, "containers") for one in _containers(part)),
        tuple(_subscriber(one) for part in _named(root, "subscribers") for one in _named(part, "subscriber")),
        tuple(_publication(one, "name", now) for one in published),
    )


def read_set_container_members(body: bytes) -> tuple[Container, ...]:
    """Reads the changes to containers that a client asks for; raises DocumentError when it is no such request."""
    root = read_document(body)
    if (root.ns, root.name) != (names.CONTAINERS, "setContainerMembers"):
        raise DocumentError("not a change of members")
    return tuple(_containers(root))


def write_set_container_members(containers: Iterable[Container]) -> bytes:
    """Writes changes to containers, in one request (reference/ocs.md 3.4)."""
    inside = ""
    for one in containers:
        members = "".join(map(_written, one.members))
        inside += f"<container id='{one.number}' version='{one.version}'>{members}</container>"
    return f"<setContainerMembers xmlns='{names.CONTAINERS}'>{inside}</setContainerMembers>".encode()


def read_publish(body: bytes, now: float) -> tuple[str, tuple[Publication, ...]]:
    """Reads `application/msrtc-category-publish+xml`: the person's URI and her publications; raises DocumentError."""
    root = read_document(body)
    publications = root.child("publications")
    if (root.ns, root.name) != (names.PUBLISH, "publish") or publications is None:
        raise DocumentError("not a publication")
    found = tuple(_publication(one, "categoryName", now) for one in _named(publications, "publication"))
    return publications.attributes.get("uri", "").strip()[:MAX_LINE], found


def _named(element: Element, name: str) -> list[Element]:
    return [one for one in element.elements() if one.name == name]


def _containers(element: Element) -> list[Container]:
    found = []
    for one in _named(element, "container"):
        number, version = whole(one.attributes.get("id")), whole(one.attributes.get("version"))
        members = [member for child in _named(one, "member") if (member := _member(child)) is not None]
        if number is not None:
            found.append(Container(number, version or 0, tuple(members)))
    return found


def _member(element: Element) -> ContainerMember | None:
    said = element.attributes
    kind, value = _KINDS.get(said.get("type", ""), ("", ""))
    if kind in ("contact", "domain"):
        value = said.get("value", "").strip().lower().removeprefix("sip:")[:MAX_LINE]
    if not kind or (kind in ("contact", "domain") and not value):
        return None
    return ContainerMember(kind, value, said.get("action", "add") != "remove")


def _written(member: ContainerMember) -> str:
    named = member.kind in ("contact", "domain")
    kind = _TYPE_OF[member.kind, "" if named else member.value]
    value = f" value='{escape_attribute(member.value, replace_illegal=True)}'" if named else ""
    return f"<member action='{'add' if member.added else 'remove'}' type='{kind}'{value}/>"


def _subscriber(element: Element) -> Subscriber:
    said = element.attributes
    user = said.get("user", "").strip().lower().removeprefix("sip:")[:MAX_LINE]
    shown = " ".join(said.get("displayName", "").split())[:MAX_LINE]
    return Subscriber(user, shown, said.get("acknowledged", "") in ("true", "1"))


def _publication(element: Element, name: str, now: float) -> Publication:
    said = element.attributes
    category = said.get(name, "")[:MAX_LINE]
    return Publication(
        category,
        said.get("instance", "0")[:MAX_LINE],
        whole(said.get("container")) or 0,
        whole(said.get("version")) or 0,
        said.get("expireType", "endpoint")[:MAX_LINE],
        whole(said.get("expires")),
        read_part(category, next(element.elements(), None), now),
    )
