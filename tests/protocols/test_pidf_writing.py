"""The small print of a written presence document: what is left out, replaced, or said in other words."""

import pytest

from gateway.model.presence import Activity, Field, FreeBusy, PresenceDocument, Show, Slot
from gateway.protocols.pidf import age, write_pidf
from gateway.protocols.pidf.writing import idleness

NOW = 1_780_000_000.0
OPEN = {Field.AVAILABILITY: True}
STATUS = "<status><basic>open</basic></status>"


def written(fields: dict[Field, object], entity: str = "sip:alice@corp.example", **more: object) -> str:
    return write_pidf(PresenceDocument({**OPEN, **fields}), entity, tuple_id="t", now=NOW, **more).decode()  # type: ignore[arg-type]


def test_an_id_is_looked_at_whatever_is_written() -> None:
    for document in (PresenceDocument(OPEN), PresenceDocument()):
        with pytest.raises(ValueError, match="no XML name"):
            write_pidf(document, "sip:alice@corp.example", tuple_id="a b", now=NOW)


@pytest.mark.parametrize(("name", "microsoft", "times"), [("Al", True, 2), ("Al", False, 1), ("", True, 0)])
def test_the_name_is_said_once_more_for_microsoft_if_there_is_one(name: str, microsoft: bool, times: int) -> None:
    assert written({Field.DISPLAY_NAME: name}, for_microsoft=microsoft).count("display-name>") == 2 * times


def test_a_local_number_is_written_with_the_domain_of_the_entity_or_not_at_all() -> None:
    phone = {Field.PHONE_WORK: ("555 0101",)}
    assert "tel:555-0101;phone-context=corp.example<" in written(phone)
    assert "tel:" not in written(phone, "alice")


def test_a_contact_has_a_priority_only_if_it_is_given_and_what_no_xml_can_hold_is_replaced() -> None:
    assert f"{STATUS}<contact>sip:a\ufffd</contact></tuple>" in written({}, contact="sip:a\x01")
    assert "<contact priority='0'>sip:a</contact>" in written({}, contact="sip:a", priority=0)
    assert " entity='sip:\ufffd'" in written({}, "sip:\x01")


def test_only_web_addresses_are_links() -> None:
    text = written({Field.URL: ("javascript:canary", "https://corp.example/", "http://corp.example/")})
    assert "canary" not in text
    assert text.count("<ci:homepage>http") == text.count("<ci:homepage>") == 2


@pytest.mark.parametrize(
    ("fields", "inside"),
    [
        ({Field.ACTIVITY: Activity("undefined", "", "inactive")}, "<rpid:note>inactive</rpid:note><rpid:unknown/>"),
        (
            {Field.SHOW: Show.DND, Field.ACTIVITY: Activity("undefined", "", "inactive")},
            "<rpid:note>inactive</rpid:note><rpid:busy/><rpid:other/>",
        ),
        ({Field.SHOW: Show.DND, Field.ACTIVITY: Activity("undefined")}, "<rpid:busy/><rpid:other/>"),
        ({Field.SHOW: Show.AWAY, Field.ACTIVITY: Activity("eating")}, "<rpid:away/><rpid:meal/>"),
        ({Field.SHOW: Show.CHAT, Field.ACTIVITY: Activity("eating")}, "<rpid:meal/>"),
    ],
)
def test_activities_stand_beside_each_other_but_unknown_does_not(fields: dict[Field, object], inside: str) -> None:
    assert f"<rpid:activities>{inside}</rpid:activities>" in written(fields)


@pytest.mark.parametrize(
    ("fields", "idle"),
    [
        ({}, None),
        ({Field.IDLE: NOW}, 0),
        ({Field.IDLE: NOW + 5000}, 0),
        ({Field.IDLE: NOW - 899}, 0),
        ({Field.IDLE: NOW - 900}, 900),
        ({Field.IDLE: NOW - 1900}, 1800),
        ({Field.LAST_ACTIVE: NOW}, 0),
        ({Field.LAST_ACTIVE: NOW - 899}, 0),
        ({Field.LAST_ACTIVE: NOW - 900}, 1),
        ({Field.LAST_ACTIVE: NOW, Field.IDLE: NOW}, 1),
    ],
)
def test_how_idle_somebody_is(fields: dict[Field, object], idle: int | None) -> None:
    document = PresenceDocument({**OPEN, **fields})
    assert idleness(document, NOW) == idle
    assert age(document, NOW) == (idle, None)
    timed = document.with_fields({Field.FREE_BUSY: FreeBusy(0, (Slot.BUSY,))})
    assert age(timed, NOW) == (idle, int(NOW) // 900)
