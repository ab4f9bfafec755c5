"""Lists of containers, as a server or a client keeps them, for people to import (reference/ocs.md 1, 3.4)."""

from collections.abc import Iterator
from typing import Final

from attrs import define, field, frozen

from gateway.errors import AddressError
from gateway.model.address import normal_domain
from gateway.model.rule_set import Remark
from gateway.protocols.element import Element
from gateway.protocols.msrtc import names
from gateway.protocols.msrtc.containers import LEVELS
from gateway.protocols.msrtc.parts import whole
from gateway.protocols.sip.addressing import address_of
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.uri import SipUri
from gateway.protocols.texts import MAX_LINE
from gateway.protocols.xml_document import DocumentError, DocumentLimits, line_of, read_document

LIMITS: Final = DocumentLimits(octets=2 * 1024 * 1024, elements=60_000)
_CLASSES: Final = {"sameEnterprise": "enterprise", "federated": "federation", "publicCloud": "public_cloud"}
_OWN: Final = frozenset({0, 1, 2, 3})
"""Containers that no level is: everybody's, and those that only the person reads."""


@frozen
class Listed:
    """Is one entry of a container: whom it means, and the level it gives."""

    kind: str
    """'contact', 'domain', 'network' or 'everyone'."""
    value: str = field(repr=False)
    level: str
    added: bool = True
    """False takes the entry away; only in changes."""


@frozen
class ContainerList:
    """Is what a document says about who is in which container."""

    entries: tuple[Listed, ...]
    remarks: tuple[Remark, ...]
    whole: bool
    """Whether these are all members; otherwise they are changes to what there is."""


def read_container_list(body: bytes) -> ContainerList:
    """Reads the containers of a person: `roamingData` or `containers` with all of them, `setContainerMembers` changes.

    Of two containers with the same member the larger number counts. Raises DocumentError when it is none of these.
    """
    root = read_document(body, LIMITS, placed=True)
    if (root.ns, root.name) == (names.CONTAINERS, "setContainerMembers"):
        lists, whole_list = [root], False
    elif root.name == "roamingData":
        lists, whole_list = [one for one in root.elements() if one.name == "containers"], True
    elif root.name == "containers":
        lists, whole_list = [root], True
    else:
        raise DocumentError("no list of containers")
    reader = _Reader()
    found = [entry for part in lists for one in part.elements() for entry in reader.container(one)]
    # The larger number last: it replaces the others.
    best = {(one.kind, one.value, one.added): one for _, one in sorted(found, key=lambda pair: pair[0])}
    added = {(one.kind, one.value) for one in best.values() if one.added}
    kept = (one for one in best.values() if one.added or (one.kind, one.value) not in added)
    return ContainerList(tuple(kept), tuple(reader.remarks), whole_list)


@define
class _Reader:
    """Reads containers, and notes what no level expresses."""

    remarks: list[Remark] = field(factory=list)

    def container(self, element: Element) -> Iterator[tuple[int, Listed]]:
        number = whole(element.attributes.get("id"))
        level = LEVELS.get(number) if number is not None else None
        if element.name != "container" or level is None or number is None:
            if number not in _OWN:
                self._remark(element, "", "is no container of an access level (100, 200, 300, 400, 32000): left out")
            return
        for child in element.elements():
            try:
                kind, value = _member(child)
            except (AddressError, SipSyntaxError) as problem:
                self._remark(child, level, f"is left out: {problem}")
            else:
                yield number, Listed(kind, value, level, child.attributes.get("action", "add") != "remove")

    def _remark(self, element: Element, container: str, text: str) -> None:
        self.remarks.append(Remark(line_of(element), container, f"<{element.name[:80]}> {text}"))


def _member(element: Element) -> tuple[str, str]:
    """Gives whom an entry means; raises AddressError or SipSyntaxError."""
    kind = element.attributes.get("type", "")
    value = element.attributes.get("value", "").strip()[:MAX_LINE]
    if element.name != "member" or kind not in ("user", "domain", "everyone", *_CLASSES):
        raise AddressError("it is no member of a kind that is known")
    if kind == "user":
        address = address_of(SipUri.parse(f"sip:{value.removeprefix('sip:')}")).bare
        if not address.local:
            raise AddressError("it is the address of nobody")
        return "contact", str(address)
    if kind == "domain":
        return "domain", normal_domain(value)
    return ("everyone", "") if kind == "everyone" else ("network", _CLASSES[kind])
