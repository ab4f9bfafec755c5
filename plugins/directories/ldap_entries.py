"""What attributes of a directory entry say: to fields, by a table that the configuration may change."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.interfaces import Entry
from gateway.model.presence import Field
from gateway.protocols.directory_values import (
    ADDRESS_PARTS,
    ADDRESSES,
    LISTS,
    PUBLISHED,
    NoValue,
    read_field,
    read_groups,
    read_picture,
    read_postal,
)

Attributes = Mapping[str, list[bytes]]
"""Attribute names in lower case to their values."""

USUAL: Mapping[Field, tuple[str, ...]] = {
    Field.DISPLAY_NAME: ("displayName", "cn"),
    Field.EMAIL: ("mail",),
    Field.TITLE: ("title",),
    Field.COMPANY: ("company", "o"),
    Field.DEPARTMENT: ("department", "departmentNumber"),
    Field.OFFICE: ("physicalDeliveryOfficeName", "roomNumber"),
    Field.PHONE_WORK: ("telephoneNumber",),
    Field.PHONE_MOBILE: ("mobile",),
    Field.PHONE_HOME: ("homePhone",),
    Field.PHONE_OTHER: ("otherTelephone",),
    Field.ADDRESS_WORK: ("street", "l", "st", "postalCode", "c"),
    Field.ADDRESS_HOME: ("homePostalAddress",),
    Field.URL: ("wWWHomePage", "labeledURI"),
    Field.PHOTO: ("thumbnailPhoto", "jpegPhoto"),
}
"""Field to attributes, the first with a value counts (RFC 4519, RFC 2798, Active Directory).

Those of an address are its parts in order: street, locality, region, postal code, country.
"""
_SAME: Mapping[str, tuple[str, ...]] = {"street": ("streetaddress",), "c": ("co",), "wwwhomepage": ("url",)}
"""Other names of an attribute, as Active Directory and servers' schemas have them."""


def table_of(changed: Mapping[Field, tuple[str, ...]]) -> Mapping[Field, tuple[str, ...]]:
    """Gives the table with an administrator's changes; raises NoValue for a field that a directory cannot publish."""
    for name in changed:
        if name not in PUBLISHED:
            raise NoValue(f"{name.value} is no field of a directory")
    return {name: names for name, names in {**USUAL, **changed}.items() if names}


def asked_for(table: Mapping[Field, tuple[str, ...]]) -> list[str]:
    """Gives the attributes that a search has to ask for."""
    names = {one for listed in table.values() for one in listed}
    return sorted(names | {other for one in names for other in _SAME.get(one.lower(), ())})


def read_entry(attributes: Attributes, table: Mapping[Field, tuple[str, ...]], groups: Iterable[str]) -> Entry:
    """Gives what an entry says; a value that a field cannot have is left out, and the rest is taken."""
    found: dict[Field, Any] = {}
    for name, names in table.items():
        value = _value(name, names, attributes)
        if value is not None:
            found[name] = value
    return Entry(found, read_groups(groups))


def fingerprint(attributes: Attributes, groups: Iterable[str]) -> bytes:
    """Gives a digest that differs when anything of an entry does."""
    digest = hashlib.sha256()
    for name in sorted(attributes):
        for value in (name.encode(), *sorted(attributes[name])):
            digest.update(len(value).to_bytes(8, "big") + value)
        digest.update(b"\xff" * 8)
    for group in sorted(groups):
        digest.update(group.encode() + b"\0")
    return digest.digest()


def _value(name: Field, names: tuple[str, ...], attributes: Attributes) -> Any:
    if name in ADDRESSES:
        return _postal(names, attributes)
    for one in names:
        values = _bytes(one, attributes)
        read = _picture(values) if name is Field.PHOTO else _texts(name, values)
        if read is not None:
            return read
    return None


def _postal(names: tuple[str, ...], attributes: Attributes) -> Any:
    """Reads the parts; the lines of a postal address (RFC 4517 section 3.3.28) become one."""
    parts = dict(zip(ADDRESS_PARTS, (_first(one, attributes) for one in names), strict=False))
    if len(names) == 1:
        parts = {"street": ", ".join(one.strip() for one in parts.get("street", "").split("$") if one.strip())}
    return read_postal(parts)


def _first(name: str, attributes: Attributes) -> str:
    return next(_decoded(_bytes(name, attributes)), "")


def _texts(name: Field, values: list[bytes]) -> Any:
    """Reads one text after the other, so that a bad one does not take the others with it."""
    good: list[str] = []
    for text in _decoded(values):
        # labeledURI has a label after the address (RFC 2079).
        one = text.split(" ", 1)[0] if name is Field.URL else text
        try:
            read_field(name, [one])
        except NoValue:
            continue
        good.append(one)
    return read_field(name, good if name in LISTS else good[:1])


def _picture(values: list[bytes]) -> Any:
    for content in values:
        try:
            return read_picture(content)
        except NoValue:
            continue
    return None


def _bytes(name: str, attributes: Attributes) -> list[bytes]:
    lowered = name.lower()
    return next((found for one in (lowered, *_SAME.get(lowered, ())) if (found := attributes.get(one))), [])


def _decoded(values: list[bytes]) -> Iterator[str]:
    for value in values:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            continue
        if text.strip():
            yield text.strip()
