"""The document's table "what each level sees" (reference/ocs.md 1.5), cell by cell, in the bytes of each protocol."""

from collections.abc import Callable

import pytest

from gateway.model.presence import (
    Activity,
    Field,
    FreeBusy,
    Place,
    PostalAddress,
    PresenceDocument,
    Show,
    Slot,
    WorkingHours,
)
from gateway.policy.published_info import fields_of, strip
from gateway.protocols.msrtc.categories import write_categories
from gateway.protocols.pidf import age, write_pidf
from gateway.protocols.xmpp.stanzas.caps import caps_of
from gateway.protocols.xmpp.stanzas.card import write_vcard4, write_vcard_temp
from gateway.protocols.xmpp.stanzas.presences import write_presence
from gateway.protocols.xmpp.stanzas.published import NODE_OF, write_event

NOW = 1_780_000_000.0
LEVELS = ("blocked", "public", "company", "team", "personal")

TABLE = """
availability           - P C T F
capabilities           - - C T F
display_name           - P C T F
email                  - P C T F
title                  - P C T F
company                - P C T F
phone.work             - - C T F
phone.mobile           - - - T F
phone.home             - - - - F
phone.other            - - - - F
office                 - - C T F
address.work           - - C T F
url                    - - C T F
meeting.subject        - - - T -
meeting.location       - - - T -
free_busy              - - C T F
working_hours          - - C T F
location               - - - T F
out_of_office          - - C T F
note                   - - C T F
last_active            - - C T F
"""
"""The rows of the document in its order; a blocked contact sees neither name nor e-mail (1.8: the reason for it ends at
the edge), the SharePoint site is `url`, who may interrupt is no published information."""

CELLS = [
    (name, level, cell != "-")
    for name, *cells in (row.split() for row in TABLE.strip().splitlines())
    for level, cell in zip(LEVELS, cells, strict=True)
]

ALICE = PresenceDocument(
    {
        Field.AVAILABILITY: True,
        Field.SHOW: Show.DND,
        Field.ACTIVITY: Activity("working", "in_a_meeting"),
        Field.CAPABILITIES: frozenset({"receipts"}),
        Field.DISPLAY_NAME: "canary-name",
        Field.EMAIL: ("canary-mail@corp.example",),
        Field.TITLE: "canary-title",
        Field.COMPANY: "canary-company",
        Field.PHONE_WORK: ("+15550101",),
        Field.PHONE_MOBILE: ("+15550102",),
        Field.PHONE_HOME: ("+15550103",),
        Field.PHONE_OTHER: ("+15550104",),
        Field.OFFICE: "canary-office",
        Field.ADDRESS_WORK: PostalAddress("canary-street"),
        Field.URL: ("https://corp.example/canary-site",),
        Field.MEETING_SUBJECT: "canary-subject",
        Field.MEETING_LOCATION: "canary-meeting-room",
        Field.FREE_BUSY: FreeBusy(int(NOW) // 900 * 900 + 900, (Slot.OUT_OF_OFFICE, Slot.BUSY) * 8),
        Field.WORKING_HOURS: WorkingHours((0, 1, 2, 3, 4), 423, 1234, "+01:00"),
        Field.LOCATION: Place({"room": "canary-room"}),
        Field.OUT_OF_OFFICE: (("", "canary-reply"),),
        Field.NOTE: (("", "canary-note"),),
        Field.LAST_ACTIVE: 1_000_000_000.0,
    }
)
EVERYWHERE = {
    "display_name": "canary-name",
    "email": "canary-mail",
    "title": "canary-title",
    "company": "canary-company",
    "phone.work": "5550101",
    "phone.mobile": "5550102",
    "phone.home": "5550103",
    "phone.other": "5550104",
    "office": "canary-office",
    "address.work": "canary-street",
    "url": "canary-site",
    "meeting.subject": "canary-subject",
    "meeting.location": "canary-meeting-room",
    "location": "canary-room",
    "out_of_office": "canary-reply",
    "note": "canary-note",
    "last_active": "2001-09-09",
}
"""What of a field is found in the bytes, whatever the protocol."""


def xmpp(document: PresenceDocument) -> str:
    """Everything that a contact can be told or can ask: presence, events, both kinds of card."""
    able = document.get(Field.CAPABILITIES)
    caps = None if able is None else caps_of(able, document.get(Field.DEVICE))
    told = write_presence(document, "alice@corp.example/x", "bob@partner.example", caps=caps)
    if document.available:
        told += "".join(write_event(name, document, "alice@corp.example", "bob@partner.example") for name in NODE_OF)
    return told + write_vcard_temp(document) + write_vcard4(document)


def pidf(document: PresenceDocument) -> str:
    return write_pidf(document, "sip:alice@corp.example", tuple_id="t1", now=NOW).decode()


def categories(document: PresenceDocument) -> str:
    return write_categories(document, "sip:alice@corp.example").decode()


Write = Callable[[PresenceDocument], str]
PROTOCOLS: dict[str, tuple[Write, dict[str, str], set[str]]] = {
    "xmpp": (
        xmpp,
        {"availability": "<show>dnd</show>", "capabilities": "http://jabber.org/protocol/caps"},
        {"free_busy", "working_hours"},
    ),
    "pidf": (
        pidf,
        {"availability": "<basic>open</basic>", "free_busy": "<ts:timed-status"},
        {"capabilities", "title", "company", "office", "address.work", "working_hours"},
    ),
    "categories": (
        categories,
        {"availability": "<availability>6500", "free_busy": ">u7u7uw==<", "working_hours": ">1234<"},
        {"capabilities", "url"},
    ),
}
"""Protocol to how it writes, what else is found there, and what it cannot say (STANDARDS.md, mapping losses)."""


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("name", "level", "seen"), CELLS, ids=lambda value: str(value))
def test_one_cell(protocol: str, name: str, level: str, seen: bool) -> None:
    write, marks, lost = PROTOCOLS[protocol]
    document = strip(ALICE, fields_of(level))
    if name == "out_of_office" and protocol != "categories":
        # Where there is one place for both, the person's own note is in it.
        document = strip(document, frozenset(Field) - {Field.NOTE})
    mark = {**EVERYWHERE, **marks}.get(name, name)
    assert (mark in write(document)) is (seen and name not in lost)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_loss_is_in_no_document_at_all(protocol: str) -> None:
    write, marks, lost = PROTOCOLS[protocol]
    text = write(ALICE)
    assert [name for name in lost if {**EVERYWHERE, **marks}.get(name, name) in text] == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_blocked_is_offline(protocol: str) -> None:
    write = PROTOCOLS[protocol][0]
    assert write(strip(ALICE, fields_of("blocked"))) == write(PresenceDocument())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_row_of_the_table_is_in_the_policy_s(protocol: str) -> None:
    names = {name for name, _, _ in CELLS}
    assert names <= {name.value for name in Field} and names <= {name.value for name in ALICE}
    assert len(CELLS) == len(names) * len(LEVELS)


def test_golden_meeting_over_xmpp() -> None:
    def event(level: str) -> str:
        document = strip(ALICE, fields_of(level))
        text = write_event(Field.ACTIVITY, document, "alice@corp.example", "bob@partner.example")
        return text.partition("<item id='current'>")[2].partition("</item>")[0]

    space = "xmlns='http://jabber.org/protocol/activity'"
    word = "<working><in_a_meeting/></working>"
    assert event("public") == f"<activity {space}/>"
    assert event("company") == event("personal") == f"<activity {space}>{word}</activity>"
    assert event("team") == f"<activity {space}>{word}<text>canary-subject, canary-meeting-room</text></activity>"


def test_golden_meeting_over_sip() -> None:
    def activities(level: str) -> str:
        person = pidf(strip(ALICE, fields_of(level))).partition("<dm:person")[2]
        return person.partition("<rpid:activities>")[2].partition("</rpid:activities>")[0]

    assert activities("public") == "<rpid:busy/>"
    assert activities("company") == activities("personal") == "<rpid:busy/><rpid:meeting/>"
    note = "<rpid:note>canary-subject, canary-meeting-room</rpid:note>"
    assert activities("team") == f"{note}<rpid:busy/><rpid:meeting/>"


def test_golden_calendar_in_categories() -> None:
    text = categories(strip(ALICE, fields_of("company")))
    start = "2026-05-28T20:30:00Z"
    space = "http://schemas.microsoft.com/2006/09/sip/calendarData"
    assert (
        f"<category name='calendarData' instance='1'><calendarData xmlns='{space}'><freeBusy startTime='{start}'"
        " granularity='PT15M' encodingVersion='1'>u7u7uw==</freeBusy></calendarData></category>"
    ) in text
    assert (
        "<DayOfWeek>Monday Tuesday Wednesday Thursday Friday</DayOfWeek>"
        "<StartTimeInMinutes>423</StartTimeInMinutes><EndTimeInMinutes>1234</EndTimeInMinutes>"
    ) in text
    assert "<TimeZone><Bias>-60</Bias>" in text
    assert (
        "<body type='OOF' uri=''>canary-reply</body>" in text
        and "<body type='personal' uri=''>canary-note</body>" in text
    )
    team = categories(strip(ALICE, fields_of("team")))
    assert (
        "<activity token='in-a-meeting' minAvailability='6500' maxAvailability='8999'/>"
        "<meetingSubject>canary-subject</meetingSubject><meetingLocation>canary-meeting-room</meetingLocation>"
    ) in team
    assert "mailboxID" not in team and "container" not in team


def test_out_of_office_is_a_token_where_there_is_no_activity() -> None:
    away = {Field.AVAILABILITY: True, Field.SHOW: Show.XA, Field.OUT_OF_OFFICE: (("", "x"),)}
    assert "<activity token='out-of-office' minAvailability='12000'/>" in categories(PresenceDocument(away))
    here = {Field.AVAILABILITY: True, Field.OUT_OF_OFFICE: (("", "x"),)}
    assert "<activity" not in categories(PresenceDocument(here))


def test_what_is_written_once_is_written_again_when_a_quarter_is_over() -> None:
    """Who keeps what was written may keep it as long as `age` is the same, and no longer."""
    begin = int(NOW) // 900 * 900
    busy = PresenceDocument({Field.AVAILABILITY: True, Field.FREE_BUSY: FreeBusy(begin, (Slot.BUSY,) * 8)})
    plain = PresenceDocument({Field.AVAILABILITY: True})

    def text(document: PresenceDocument, now: float) -> bytes:
        return write_pidf(document, "sip:alice@corp.example", tuple_id="t1", now=now)

    assert age(busy, begin) == age(busy, begin + 899) != age(busy, begin + 900)
    assert text(busy, begin) == text(busy, begin + 899) != text(busy, begin + 900)
    assert age(plain, begin) == age(plain, begin + 10_000)


def test_golden_timed_status_is_wholly_in_the_future() -> None:
    begin = int(NOW) // 900 * 900
    times = FreeBusy(begin - 900, (Slot.BUSY, Slot.BUSY, Slot.BUSY, Slot.FREE, Slot.TENTATIVE, Slot.OUT_OF_OFFICE))
    text = pidf(PresenceDocument({Field.AVAILABILITY: True, Field.FREE_BUSY: times}))
    timed = text.partition("</status>")[2].partition("</tuple>")[0]
    assert timed == "".join(
        f"<ts:timed-status from='2026-05-28T{first}:00Z' until='2026-05-28T{last}:00Z'>"
        f"<rpid:activities><rpid:{word}/></rpid:activities></ts:timed-status>"
        for first, last, word in (
            ("20:30", "20:45", "busy"),
            ("21:00", "21:15", "appointment"),
            ("21:15", "21:30", "away"),
        )
    )


@pytest.mark.parametrize(
    ("names", "order"),
    [
        ((Field.NOTE,), ["1'/>", "0'><note"]),
        ((Field.OUT_OF_OFFICE,), ["0'/>", "1'><note"]),
        ((Field.NOTE, Field.OUT_OF_OFFICE), ["1'><note", "0'><note"]),
        ((), ["1'/>", "0'/>"]),
    ],
)
def test_golden_order_of_notes_what_ends_stands_before_what_begins(names: tuple[Field, ...], order: list[str]) -> None:
    text = categories(strip(ALICE, frozenset({Field.AVAILABILITY, *names})))
    parts = text.split("<category name='note' instance='")[1:]
    assert [part.startswith(start) for part, start in zip(parts, order, strict=True)] == [True, True]
