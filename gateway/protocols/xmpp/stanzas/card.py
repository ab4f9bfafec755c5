"""Business cards: vcard-temp (XEP-0054) and vCard4 (XEP-0292, RFC 6351) to published fields and back."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.model.presence import Field, PostalAddress, PresenceDocument
from gateway.protocols.datetimes import read_offset
from gateway.protocols.element import Element
from gateway.protocols.texts import line, tag
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.stanzas.photos import read_photo, write_photo

MAX_ENTRIES: Final = 8
"""Entries of one repeated kind (e-mail, telephone, link) that are taken."""

CARD_FIELDS: Final = frozenset(
    {
        Field.DISPLAY_NAME,
        Field.EMAIL,
        Field.TITLE,
        Field.COMPANY,
        Field.DEPARTMENT,
        Field.OFFICE,
        Field.PHONE_WORK,
        Field.PHONE_MOBILE,
        Field.PHONE_HOME,
        Field.PHONE_OTHER,
        Field.ADDRESS_WORK,
        Field.ADDRESS_HOME,
        Field.URL,
        Field.TIME_ZONE,
        Field.PHOTO,
    }
)
"""Fields that a card can hold."""

Fields = dict[Field, Any]

_WEB: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_PHOTO_URI: Final = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)
# The first that matches counts: the kind that fewest may see comes first.
_PHONE_TEMP: Final = (("HOME", Field.PHONE_HOME), ("CELL", Field.PHONE_MOBILE), ("WORK", Field.PHONE_WORK))
_PHONE_MARKS: Final = {
    Field.PHONE_WORK: ("WORK", "work"),
    Field.PHONE_MOBILE: ("CELL", "cell"),
    Field.PHONE_HOME: ("HOME", "home"),
    Field.PHONE_OTHER: ("VOICE", "voice"),
}
_ADDRESS_MARKS: Final = {Field.ADDRESS_WORK: ("WORK", "work"), Field.ADDRESS_HOME: ("HOME", "home")}
_ADDRESS_TEMP: Final = ("EXTADD", "STREET", "LOCALITY", "REGION", "PCODE", "CTRY")
_ADDRESS_4: Final = ("ext", "street", "locality", "region", "code", "country")


def read_card(card: Element) -> PresenceDocument:
    """Reads a `<vCard/>` of vcard-temp or a `<vcard/>` of vCard4 into the fields that the model knows."""
    found: Fields = {}
    for child in card.elements():
        if child.ns == card.ns:
            _read_entry(found, child.name.lower(), child)
    nickname = found.pop("nickname", "")  # type: ignore[call-overload]
    if nickname:
        found.setdefault(Field.DISPLAY_NAME, nickname)
    return PresenceDocument(found)


def write_vcard_temp(document: PresenceDocument) -> str:
    """Writes a vcard-temp payload, or '' when the document has nothing that a card can hold (XEP-0054)."""
    out = "".join(_temp_entries(document))
    return f"<vCard xmlns='{ns.VCARD_TEMP}'>{out}</vCard>" if out else ""


def write_vcard4(document: PresenceDocument) -> str:
    """Writes a vCard4 payload, or '' when the document has nothing that a card can hold (RFC 6351)."""
    out = "".join(_vcard4_entries(document))
    return f"<vcard xmlns='{ns.VCARD4}'>{out}</vcard>" if out else ""


def _read_entry(found: Any, name: str, entry: Element) -> None:
    simple = _SIMPLE.get(name)
    if simple is not None:
        text = _text(entry)
        if text:
            found.setdefault(simple, text)
    elif name in _ENTRIES:
        _ENTRIES[name](found, entry)


def _text(entry: Element) -> str:
    """Gives the entry's text: in vCard4 that of its first value element, in vcard-temp its own."""
    if entry.ns == ns.VCARD4:
        return next((line(child) for child in entry.elements() if child.name in ("text", "uri", "utc-offset")), "")
    return line(entry)


def _types(entry: Element) -> frozenset[str]:
    """Gives the upper-case type words of an entry."""
    if entry.ns == ns.VCARD4:
        parameters = entry.child("parameters")
        kinds = parameters.child("type") if parameters is not None else None
        return frozenset(line(one).upper() for one in kinds.elements()) if kinds is not None else frozenset()
    return frozenset(child.name for child in entry.elements())


def _add(found: Fields, name: Field, text: str) -> None:
    known = found.get(name, ())
    if text and len(known) < MAX_ENTRIES and text not in known:
        found[name] = (*known, text)


def _read_email(found: Fields, entry: Element) -> None:
    text = line(entry.child("USERID")) or _text(entry)
    if "@" in text:
        _add(found, Field.EMAIL, text)


def _read_org(found: Fields, entry: Element) -> None:
    if entry.ns == ns.VCARD4:
        parts = [line(child) for child in entry.elements() if child.name == "text"]
    else:
        parts = [line(entry.child("ORGNAME")), line(entry.child("ORGUNIT"))]
    for name, text in zip((Field.COMPANY, Field.DEPARTMENT), parts, strict=False):
        if text:
            found.setdefault(name, text)


def _read_phone(found: Fields, entry: Element) -> None:
    text = _text(entry).removeprefix("tel:") if entry.ns == ns.VCARD4 else line(entry.child("NUMBER"))
    types = _types(entry)
    _add(found, next((name for word, name in _PHONE_TEMP if word in types), Field.PHONE_OTHER), text)


def _read_address(found: Fields, entry: Element) -> None:
    words = _ADDRESS_4 if entry.ns == ns.VCARD4 else _ADDRESS_TEMP
    office, *parts = (line(entry.child(word)) for word in words)
    # An address that does not say which it is counts as home: fewer may see that.
    at_work = "WORK" in (types := _types(entry)) and "HOME" not in types
    if any(parts):
        found.setdefault(Field.ADDRESS_WORK if at_work else Field.ADDRESS_HOME, PostalAddress(*parts))
    if office and at_work:
        found.setdefault(Field.OFFICE, office)


def _read_url(found: Fields, entry: Element) -> None:
    text = _text(entry)
    if _WEB.fullmatch(text):
        _add(found, Field.URL, text)


def _read_zone(found: Fields, entry: Element) -> None:
    zone = read_offset(_text(entry))
    if zone is not None:
        found.setdefault(Field.TIME_ZONE, zone)


def _read_photo(found: Fields, entry: Element) -> None:
    if entry.ns == ns.VCARD4:
        uri = entry.child("uri")
        text = uri.text.strip() if uri is not None else ""
        start = _PHOTO_URI.match(text)
        text = text[start.end() :] if start else ""
    else:
        binary = entry.child("BINVAL")
        text = binary.text if binary is not None else ""
    photo = read_photo(text) if text else None
    if photo is not None:
        found.setdefault(Field.PHOTO, photo)


_SIMPLE: Final[Mapping[str, Any]] = {"fn": Field.DISPLAY_NAME, "nickname": "nickname", "title": Field.TITLE}
_ENTRIES: Final = {
    "email": _read_email,
    "org": _read_org,
    "tel": _read_phone,
    "adr": _read_address,
    "url": _read_url,
    "tz": _read_zone,
    "photo": _read_photo,
}


def _temp_entries(document: PresenceDocument) -> Iterator[str]:
    field = document.get
    if field(Field.DISPLAY_NAME):
        yield tag("FN", field(Field.DISPLAY_NAME))
    for text in field(Field.EMAIL) or ():
        yield f"<EMAIL><INTERNET/>{tag('USERID', text)}</EMAIL>"
    if field(Field.TITLE):
        yield tag("TITLE", field(Field.TITLE))
    company, department = field(Field.COMPANY), field(Field.DEPARTMENT)
    if company or department:
        yield f"<ORG>{tag('ORGNAME', company or '')}{tag('ORGUNIT', department) if department else ''}</ORG>"
    for name, (mark, _) in _PHONE_MARKS.items():
        for text in field(name) or ():
            yield f"<TEL><{mark}/>{tag('NUMBER', text)}</TEL>"
    for (mark, _), parts in _addresses(document):
        inside = "".join(tag(word, text) for word, text in zip(_ADDRESS_TEMP, parts, strict=True) if text)
        yield f"<ADR><{mark}/>{inside}</ADR>"
    yield from (tag("URL", text) for text in field(Field.URL) or ())
    if field(Field.TIME_ZONE):
        yield tag("TZ", field(Field.TIME_ZONE))
    photo = field(Field.PHOTO)
    if photo is not None:
        yield f"<PHOTO>{tag('TYPE', photo.media_type)}{tag('BINVAL', write_photo(photo))}</PHOTO>"


def _vcard4_entries(document: PresenceDocument) -> Iterator[str]:
    field = document.get
    if field(Field.DISPLAY_NAME):
        yield _value("fn", field(Field.DISPLAY_NAME))
    for text in field(Field.EMAIL) or ():
        yield _value("email", text)
    if field(Field.TITLE):
        yield _value("title", field(Field.TITLE))
    company, department = field(Field.COMPANY), field(Field.DEPARTMENT)
    if company or department:
        yield f"<org>{tag('text', company or '')}{tag('text', department) if department else ''}</org>"
    for name, (_, mark) in _PHONE_MARKS.items():
        for text in field(name) or ():
            yield f"<tel>{_parameter(mark)}{tag('text', text)}</tel>"
    for (_, mark), parts in _addresses(document):
        inside = "".join(tag(word, text) for word, text in zip(_ADDRESS_4, parts, strict=True))
        yield f"<adr>{_parameter(mark)}<pobox/>{inside}</adr>"
    yield from (_value("url", text, "uri") for text in field(Field.URL) or ())
    if field(Field.TIME_ZONE):
        yield _value("tz", field(Field.TIME_ZONE))
    photo = field(Field.PHOTO)
    if photo is not None:
        yield _value("photo", f"data:{photo.media_type};base64,{write_photo(photo)}", "uri")


def _addresses(document: PresenceDocument) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    for name, marks in _ADDRESS_MARKS.items():
        office = document.get(Field.OFFICE) if name is Field.ADDRESS_WORK else None
        postal = document.get(name)
        if office or postal:
            one = postal or PostalAddress()
            yield marks, (office or "", one.street, one.locality, one.region, one.postal_code, one.country)


def _value(name: str, text: str, kind: str = "text") -> str:
    return f"<{name}>{tag(kind, text)}</{name}>"


def _parameter(kind: str) -> str:
    return f"<parameters><type><text>{kind}</text></type></parameters>"
