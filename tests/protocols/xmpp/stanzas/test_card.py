"""Business cards both ways."""

import base64
import hashlib

import pytest
from hypothesis import given

from gateway.model.presence import Field, Photo, PostalAddress, PresenceDocument
from gateway.protocols.xmpp.stanzas.card import read_card, write_vcard4, write_vcard_temp
from gateway.protocols.xmpp.stanzas.photos import MAX_PHOTO
from tests.protocols.xmpp.stanzas.parsing import parse
from tests.protocols.xmpp.stanzas.strategies import cards

PNG = b"\x89PNG\r\n\x1a\n rest"
PNG64 = base64.b64encode(PNG).decode()
PHOTO = Photo("image/png", PNG, hashlib.sha1(PNG).hexdigest())

FULL = PresenceDocument(
    {
        Field.DISPLAY_NAME: "Alice A.",
        Field.EMAIL: ("alice@corp.example",),
        Field.TITLE: "Clerk",
        Field.COMPANY: "Corp",
        Field.DEPARTMENT: "Sales",
        Field.OFFICE: "Room 7",
        Field.PHONE_WORK: ("+1 555 0100",),
        Field.PHONE_MOBILE: ("+1 555 0101",),
        Field.PHONE_HOME: ("+1 555 0102",),
        Field.PHONE_OTHER: ("+1 555 0103",),
        Field.ADDRESS_WORK: PostalAddress("1 Main St", "Town", "Region", "12345", "Country"),
        Field.ADDRESS_HOME: PostalAddress(street="2 Side St"),
        Field.URL: ("https://corp.example/",),
        Field.TIME_ZONE: "+01:00",
        Field.PHOTO: PHOTO,
    }
)

TEMP = (
    "<vCard xmlns='vcard-temp'><FN>Alice A.</FN><EMAIL><INTERNET/><USERID>alice@corp.example</USERID></EMAIL>"
    "<TITLE>Clerk</TITLE><ORG><ORGNAME>Corp</ORGNAME><ORGUNIT>Sales</ORGUNIT></ORG>"
    "<TEL><WORK/><NUMBER>+1 555 0100</NUMBER></TEL><TEL><CELL/><NUMBER>+1 555 0101</NUMBER></TEL>"
    "<TEL><HOME/><NUMBER>+1 555 0102</NUMBER></TEL><TEL><VOICE/><NUMBER>+1 555 0103</NUMBER></TEL>"
    "<ADR><WORK/><EXTADD>Room 7</EXTADD><STREET>1 Main St</STREET><LOCALITY>Town</LOCALITY><REGION>Region</REGION>"
    "<PCODE>12345</PCODE><CTRY>Country</CTRY></ADR><ADR><HOME/><STREET>2 Side St</STREET></ADR>"
    "<URL>https://corp.example/</URL><TZ>+01:00</TZ>"
    f"<PHOTO><TYPE>image/png</TYPE><BINVAL>{PNG64}</BINVAL></PHOTO></vCard>"
)


def test_a_full_card_both_ways() -> None:
    assert write_vcard_temp(FULL) == TEMP
    assert read_card(parse(TEMP)) == FULL
    assert read_card(parse(write_vcard4(FULL))) == FULL


@given(cards())
def test_what_is_written_is_read(document: PresenceDocument) -> None:
    for text in (write_vcard_temp(document), write_vcard4(document)):
        assert (read_card(parse(text)) if text else PresenceDocument()) == document


def test_a_document_without_a_card_gives_none() -> None:
    document = PresenceDocument({Field.AVAILABILITY: True, Field.NOTE: (("", "canary"),)})
    assert write_vcard_temp(document) == write_vcard4(document) == ""


@pytest.mark.parametrize(
    ("inside", "fields"),
    [
        ("<NICKNAME>al</NICKNAME>", {Field.DISPLAY_NAME: "al"}),
        ("<NICKNAME>al</NICKNAME><FN>Alice</FN>", {Field.DISPLAY_NAME: "Alice"}),
        ("<FN> \n</FN>", {}),
        ("<EMAIL>bob@partner.example</EMAIL>", {Field.EMAIL: ("bob@partner.example",)}),
        ("<EMAIL><USERID>canary</USERID></EMAIL>", {}),
        ("<TEL><HOME/><CELL/><NUMBER>1</NUMBER></TEL>", {Field.PHONE_HOME: ("1",)}),
        ("<TEL><WORK/><CELL/><NUMBER>1</NUMBER></TEL>", {Field.PHONE_MOBILE: ("1",)}),
        ("<TEL><WORK/></TEL>", {}),
        ("<TEL><NUMBER>1</NUMBER></TEL>" * 2, {Field.PHONE_OTHER: ("1",)}),
        ("<ADR><STREET>s</STREET></ADR>", {Field.ADDRESS_HOME: PostalAddress("s")}),
        ("<ADR><WORK/><HOME/><STREET>s</STREET></ADR>", {Field.ADDRESS_HOME: PostalAddress("s")}),
        ("<ADR><HOME/><EXTADD>canary</EXTADD></ADR>", {}),
        ("<ADR><WORK/><EXTADD>7</EXTADD></ADR>", {Field.OFFICE: "7"}),
        ("<URL>javascript:canary</URL>", {}),
        (
            "<URL>https://a.example</URL><URL>http://b.example</URL>",
            {Field.URL: ("https://a.example", "http://b.example")},
        ),
        ("<TZ>Europe/Oslo</TZ>", {}),
        ("<BDAY>canary</BDAY><JABBERID>canary</JABBERID><DESC>canary</DESC><GEO><LAT>1</LAT></GEO>", {}),
        ("<ORG><ORGUNIT>Sales</ORGUNIT></ORG>", {Field.DEPARTMENT: "Sales"}),
        (f"<PHOTO><TYPE>image/svg+xml</TYPE><BINVAL>{PNG64}</BINVAL></PHOTO>", {Field.PHOTO: PHOTO}),
        ("<PHOTO><BINVAL>PHN2Zy8+</BINVAL></PHOTO>", {}),
        ("<PHOTO><BINVAL>not base64</BINVAL></PHOTO>", {}),
        ("<PHOTO><EXTVAL>https://canary.example</EXTVAL></PHOTO>", {}),
        ("<FN xmlns='canary'>canary</FN>", {}),
    ],
)
def test_what_a_vcard_temp_says(inside: str, fields: dict[Field, object]) -> None:
    assert read_card(parse(f"<vCard xmlns='vcard-temp'>{inside}</vCard>")) == PresenceDocument(fields)


@pytest.mark.parametrize(
    ("inside", "fields"),
    [
        ("<tel><uri>tel:+15550100</uri></tel>", {Field.PHONE_OTHER: ("+15550100",)}),
        ("<tz><utc-offset>-0500</utc-offset></tz>", {Field.TIME_ZONE: "-05:00"}),
        ("<photo><uri>https://canary.example/x.png</uri></photo>", {}),
        (
            "<org><text>Corp</text><text>Sales</text><text>canary</text></org>",
            {Field.COMPANY: "Corp", Field.DEPARTMENT: "Sales"},
        ),
        ("<bday><date>canary</date></bday><geo><uri>geo:1,2</uri></geo><impp><uri>canary</uri></impp>", {}),
    ],
)
def test_what_a_vcard4_says(inside: str, fields: dict[Field, object]) -> None:
    card = parse(f"<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>{inside}</vcard>")
    assert read_card(card) == PresenceDocument(fields)


@pytest.mark.parametrize(("size", "taken"), [(MAX_PHOTO, True), (MAX_PHOTO + 1, False)])
def test_pictures_are_bounded(size: int, taken: bool) -> None:
    encoded = base64.b64encode(PNG.ljust(size, b"x")).decode()
    card = parse(f"<vCard xmlns='vcard-temp'><PHOTO><BINVAL>{encoded}</BINVAL></PHOTO></vCard>")
    assert (Field.PHOTO in read_card(card)) is taken


def test_lists_and_lines_are_bounded() -> None:
    many = "".join(f"<TEL><NUMBER>{number}</NUMBER></TEL>" for number in range(20))
    card = read_card(parse(f"<vCard xmlns='vcard-temp'>{many}<TITLE>{'x' * 5000}</TITLE></vCard>"))
    assert len(card[Field.PHONE_OTHER]) == 8
    assert len(card[Field.TITLE]) == 1024
