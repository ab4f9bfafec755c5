"""One rich document in each protocol, octet for octet: every name, namespace and word that is on the wire."""

import hashlib
from base64 import b64decode, b64encode

from gateway.model.presence import (
    Activity,
    Field,
    FreeBusy,
    Mood,
    Photo,
    Place,
    PostalAddress,
    PresenceDocument,
    Show,
    Slot,
    WorkingHours,
)
from gateway.protocols.msrtc.calendar import write_free_busy, write_working_hours
from gateway.protocols.msrtc.categories import write_categories
from gateway.protocols.pidf import write_pidf
from gateway.protocols.pidf.timed import write_timed
from gateway.protocols.xmpp.stanzas.caps import caps_of
from gateway.protocols.xmpp.stanzas.card import write_vcard4
from gateway.protocols.xmpp.stanzas.presences import write_presence
from gateway.protocols.xmpp.stanzas.published import NODE_OF, NODES, write_event, write_items

NOW = 1_780_000_000.0
PNG = b"\x89PNG\r\n\x1a\n"
SHA1 = hashlib.sha1(PNG).hexdigest()
RICH = PresenceDocument(
    {
        Field.AVAILABILITY: True,
        Field.SHOW: Show.DND,
        Field.ACTIVITY: Activity("working", "in_a_meeting"),
        Field.MEETING_SUBJECT: "Budget",
        Field.MEETING_LOCATION: "Room 3",
        Field.MOOD: Mood("happy", "why not"),
        Field.NOTE: (("en", "back at two"),),
        Field.OUT_OF_OFFICE: (("", "away"),),
        Field.IDLE: 999_999_900.0,
        Field.LAST_ACTIVE: 1_000_000_000.0,
        Field.LOCATION: Place({"room": "3", "building": "B"}),
        Field.CAPABILITIES: frozenset({"receipts"}),
        Field.DEVICE: "phone",
        Field.DISPLAY_NAME: "Alice",
        Field.EMAIL: ("alice@corp.example",),
        Field.TITLE: "Clerk",
        Field.COMPANY: "Corp",
        Field.DEPARTMENT: "Sales",
        Field.OFFICE: "7",
        Field.PHONE_WORK: ("+1-555-0101",),
        Field.PHONE_MOBILE: ("+15550102",),
        Field.PHONE_HOME: ("+15550103",),
        Field.PHONE_OTHER: ("555 0104",),
        Field.ADDRESS_WORK: PostalAddress("1 Way", "Town", "Region", "123", "XX"),
        Field.ADDRESS_HOME: PostalAddress(locality="Village"),
        Field.URL: ("https://corp.example/a",),
        Field.TIME_ZONE: "-05:30",
        Field.PHOTO: Photo("image/png", PNG, SHA1),
        Field.FREE_BUSY: FreeBusy(int(NOW) // 900 * 900 + 900, (Slot.BUSY, Slot.TENTATIVE, Slot.FREE)),
        Field.WORKING_HOURS: WorkingHours((0, 6), 480, 1020, "-05:30"),
    }
)


def joined(text: str) -> str:
    """Takes the line breaks and the indents away."""
    return "".join(line.strip() for line in text.strip().splitlines())


PIDF = """
<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model'
# xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' xmlns:ci='urn:ietf:params:xml:ns:pidf:cipid'
# xmlns:ts='urn:ietf:params:xml:ns:pidf:timed-status' entity='sip:alice@corp.example;x'>
<tuple id='t1'>
  <status><basic>open</basic><show xmlns='jabber:client'>dnd</show>
    <activities xmlns='urn:ietf:params:xml:ns:pidf:status:rpid-status'><activity>busy</activity></activities></status>
  <rpid:class>phone</rpid:class>
  <ts:timed-status from='2026-05-28T20:30:00Z' until='2026-05-28T20:45:00Z'>
    <rpid:activities><rpid:busy/></rpid:activities></ts:timed-status>
  <ts:timed-status from='2026-05-28T20:45:00Z' until='2026-05-28T21:00:00Z'>
    <rpid:activities><rpid:appointment/></rpid:activities></ts:timed-status>
  <contact priority='0.503'>sip:alice@corp.example;gr=x</contact>
  <note xml:lang='en'>back at two</note>
</tuple>
<tuple id='t1-1'><status><basic>open</basic></status>
  <rpid:class>work</rpid:class><contact>tel:+1-555-0101</contact></tuple>
<tuple id='t1-2'><status><basic>open</basic></status>
  <rpid:class>mobile</rpid:class><contact>tel:+15550102</contact></tuple>
<tuple id='t1-3'><status><basic>open</basic></status>
  <rpid:class>home</rpid:class><contact>tel:+15550103</contact></tuple>
<tuple id='t1-4'><status><basic>open</basic></status>
  <rpid:class>other</rpid:class><contact>tel:555-0104;phone-context=corp.example</contact></tuple>
<tuple id='t1-5'><status><basic>open</basic></status><contact>mailto:alice@corp.example</contact></tuple>
<dm:person id='t1-p'>
  <rpid:activities><rpid:note>Budget, Room 3</rpid:note><rpid:busy/><rpid:meeting/></rpid:activities>
  <rpid:mood><rpid:note>why not</rpid:note><rpid:happy/></rpid:mood>
  <rpid:place-type><rpid:other>B, 3</rpid:other></rpid:place-type>
  <rpid:time-offset>-330</rpid:time-offset>
  <rpid:user-input last-input='2001-09-09T01:46:40Z'>idle</rpid:user-input>
  <ci:display-name>Alice</ci:display-name>
  <ci:homepage>https://corp.example/a</ci:homepage>
  <dm:note xml:lang='en'>back at two</dm:note>
</dm:person>
<ci:display-name>Alice</ci:display-name>
</presence>
"""


def test_a_presence_document_of_sip() -> None:
    contact = "sip:alice@corp.example;gr=x"
    written = write_pidf(
        RICH, "sip:alice@corp.example;x", tuple_id="t1", now=NOW, contact=contact, priority=64, for_microsoft=True
    )
    head, _, body = written.decode().partition("\n")
    assert head == "<?xml version='1.0' encoding='UTF-8'?>"
    assert body == joined(PIDF).replace("#", "")


def test_a_presence_document_of_sip_without_what_is_only_for_some() -> None:
    plain = PresenceDocument({Field.AVAILABILITY: True, Field.TIME_ZONE: "+01:45", Field.IDLE: NOW})
    assert write_pidf(plain, "alice", tuple_id="_a", now=NOW).decode().partition("\n")[2] == (
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model'"
        " xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' entity='alice'>"
        "<tuple id='_a'><status><basic>open</basic></status></tuple>"
        "<dm:person id='_a-p'><rpid:time-offset>105</rpid:time-offset><rpid:user-input>idle</rpid:user-input>"
        "</dm:person></presence>"
    )


NO_CHANGE = "<Bias>0</Bias><Time>00:00:00</Time><DayOrder>0</DayOrder><Month>0</Month><DayOfWeek>Sunday</DayOfWeek>"
CATEGORIES = f"""
<categories xmlns='http://schemas.microsoft.com/2006/09/sip/categories' uri='sip:alice@corp.example'>
<category name='state' instance='1'>
  <state xmlns='http://schemas.microsoft.com/2006/09/sip/state'
# xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='aggregateState' lastActive='2001-09-09T01:46:40Z'>
  <availability>8000</availability>
  <activity token='in-a-meeting' minAvailability='6500' maxAvailability='8999'/>
  <meetingSubject>Budget</meetingSubject><meetingLocation>Room 3</meetingLocation>
  <endpointLocation>B, 3</endpointLocation><device>mobile</device></state></category>
<category name='note' instance='1'><note xmlns='http://schemas.microsoft.com/2006/09/sip/note'>
  <body type='OOF' uri=''>away</body></note></category>
<category name='note' instance='0'><note xmlns='http://schemas.microsoft.com/2006/09/sip/note'>
  <body type='personal' uri=''>back at two</body></note></category>
<category name='contactCard' instance='0'>
  <contactCard xmlns='http://schemas.microsoft.com/2006/09/sip/contactcard'>
  <identity><name><displayName>Alice</displayName></name><email>alice@corp.example</email></identity>
  <title>Clerk</title><company>Corp</company><department>Sales</department><office>7</office>
  <phone type='work'><uri>tel:+1-555-0101</uri><displayString>+1-555-0101</displayString></phone>
  <phone type='mobile'><uri>tel:+15550102</uri><displayString>+15550102</displayString></phone>
  <phone type='home'><uri>tel:+15550103</uri><displayString>+15550103</displayString></phone>
  <phone type='other'><displayString>555 0104</displayString></phone>
  <address type='work'><street>1 Way</street><city>Town</city><state>Region</state><zipcode>123</zipcode>
    <countryCode>XX</countryCode></address>
  <address type='home'><city>Village</city></address>
  </contactCard></category>
<category name='calendarData' instance='0'>
  <calendarData xmlns='http://schemas.microsoft.com/2006/09/sip/calendarData'>
  <WorkingHours xmlns='http://schemas.microsoft.com/exchange/services/2006/types'>
  <TimeZone><Bias>330</Bias>
    <StandardTime>{NO_CHANGE}</StandardTime><DaylightTime>{NO_CHANGE}</DaylightTime></TimeZone>
  <WorkingPeriodArray><WorkingPeriod><DayOfWeek>Monday Sunday</DayOfWeek>
    <StartTimeInMinutes>480</StartTimeInMinutes><EndTimeInMinutes>1020</EndTimeInMinutes>
  </WorkingPeriod></WorkingPeriodArray></WorkingHours></calendarData></category>
<category name='calendarData' instance='1'>
  <calendarData xmlns='http://schemas.microsoft.com/2006/09/sip/calendarData'>
  <freeBusy startTime='2026-05-28T20:30:00Z' granularity='PT15M' encodingVersion='1'>Bg==</freeBusy>
  </calendarData></category>
</categories>
"""


def test_categories() -> None:
    assert write_categories(RICH, "sip:alice@corp.example").decode() == joined(CATEGORIES).replace("#", "")


CARD = """
<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>
<fn><text>Alice</text></fn><email><text>alice@corp.example</text></email><title><text>Clerk</text></title>
<org><text>Corp</text><text>Sales</text></org>
<tel><parameters><type><text>work</text></type></parameters><text>+1-555-0101</text></tel>
<tel><parameters><type><text>cell</text></type></parameters><text>+15550102</text></tel>
<tel><parameters><type><text>home</text></type></parameters><text>+15550103</text></tel>
<tel><parameters><type><text>voice</text></type></parameters><text>555 0104</text></tel>
<adr><parameters><type><text>work</text></type></parameters><pobox/><ext>7</ext><street>1 Way</street>
  <locality>Town</locality><region>Region</region><code>123</code><country>XX</country></adr>
<adr><parameters><type><text>home</text></type></parameters><pobox/><ext/><street/>
  <locality>Village</locality><region/><code/><country/></adr>
<url><uri>https://corp.example/a</uri></url><tz><text>-05:30</text></tz>
<photo><uri>data:image/png;base64,iVBORw0KGgo=</uri></photo>
</vcard>
"""


def test_a_vcard4() -> None:
    assert write_vcard4(RICH) == joined(CARD)
    company = PresenceDocument({Field.DEPARTMENT: "Sales", Field.OFFICE: "7"})
    assert write_vcard4(company).startswith("<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><org><text/><text>Sales")


def test_a_presence_stanza() -> None:
    caps = caps_of(RICH[Field.CAPABILITIES], RICH[Field.DEVICE])
    assert write_presence(RICH, "alice@corp.example/x", "bob@partner.example", caps=caps, priority=-5) == (
        "<presence from='alice@corp.example/x' to='bob@partner.example'><show>dnd</show>"
        "<status xml:lang='en'>back at two</status><priority>-5</priority>"
        "<idle xmlns='urn:xmpp:idle:1' since='2001-09-09T01:46:40Z'/>"
        f"<x xmlns='vcard-temp:x:update'><photo>{SHA1}</photo></x>"
        "<nick xmlns='http://jabber.org/protocol/nick'>Alice</nick>"
        f"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:example:gateway:contact' ver='{caps.ver}'/>"
        "</presence>"
    )
    written = b"client/phone//<http://jabber.org/protocol/caps<http://jabber.org/protocol/disco#info<urn:xmpp:receipts<"
    assert hashlib.sha1(written).digest() == b64decode(caps.ver)


ITEMS = {
    "http://jabber.org/protocol/activity": (
        "current",
        "<activity xmlns='http://jabber.org/protocol/activity'><working><in_a_meeting/></working>"
        "<text>Budget, Room 3</text></activity>",
        "activity",
    ),
    "http://jabber.org/protocol/mood": (
        "current",
        "<mood xmlns='http://jabber.org/protocol/mood'><happy/><text>why not</text></mood>",
        "mood",
    ),
    "http://jabber.org/protocol/geoloc": (
        "current",
        "<geoloc xmlns='http://jabber.org/protocol/geoloc'><building>B</building><room>3</room></geoloc>",
        "geoloc",
    ),
    "http://jabber.org/protocol/nick": (
        "current",
        "<nick xmlns='http://jabber.org/protocol/nick'>Alice</nick>",
        "nick",
    ),
    "urn:xmpp:avatar:metadata": (
        SHA1,
        f"<metadata xmlns='urn:xmpp:avatar:metadata'><info bytes='8' id='{SHA1}' type='image/png'/></metadata>",
        "metadata",
    ),
    "urn:xmpp:avatar:data": (SHA1, "<data xmlns='urn:xmpp:avatar:data'>iVBORw0KGgo=</data>", "data"),
    "urn:xmpp:vcard4": ("current", joined(CARD), "vcard"),
}
"""Node to the id of its item, its payload, and the name of what withdraws it."""


def test_every_published_item() -> None:
    assert NODES.keys() == ITEMS.keys()
    for name, (found, payload, word) in ITEMS.items():
        items = f"<items node='{name}'><item id='{found}'>{payload}</item></items>"
        expected = f"<pubsub xmlns='http://jabber.org/protocol/pubsub'>{items}</pubsub>"
        assert write_items(NODES[name], RICH) == write_items(NODES[name], RICH, found) == expected
        assert write_items(NODES[name], RICH, "another") == write_items(NODES[name], PresenceDocument()) == ""
        assert NODES[name].empty.startswith(f"<{word} xmlns='") and NODES[name].empty.endswith("'/>")


def test_every_event_and_what_withdraws_it() -> None:
    start = "<message from='alice@corp.example' to='bob@partner.example' type='headline'>"
    for name, node in NODE_OF.items():
        told, gone = (
            write_event(name, document, "alice@corp.example", "bob@partner.example")
            for document in (RICH, PresenceDocument())
        )
        found, payload, word = ITEMS[node.name]
        event = f"{start}<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{node.name}'>"
        assert told == f"{event}<item id='{found}'>{payload}</item></items></event></message>"
        space = node.name
        assert gone == f"{event}<item id='current'><{word} xmlns='{space}'/></item></items></event></message>"


def test_hours_have_any_days_and_perhaps_no_zone() -> None:
    days = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
    written = write_working_hours(WorkingHours(tuple(range(7)), 0, 1440, ""))
    assert written == (
        "<calendarData xmlns='http://schemas.microsoft.com/2006/09/sip/calendarData'>"
        "<WorkingHours xmlns='http://schemas.microsoft.com/exchange/services/2006/types'><WorkingPeriodArray>"
        f"<WorkingPeriod><DayOfWeek>{days}</DayOfWeek><StartTimeInMinutes>0</StartTimeInMinutes>"
        "<EndTimeInMinutes>1440</EndTimeInMinutes></WorkingPeriod></WorkingPeriodArray></WorkingHours></calendarData>"
    )
    assert "<Bias>-765</Bias>" in write_working_hours(WorkingHours((0,), 0, 1, "+12:45"))
    assert "<Bias>0</Bias><StandardTime>" in write_working_hours(WorkingHours((0,), 0, 1, "+00:00"))


def test_times_that_begin_after_the_next_quarter_are_written_and_not_more_than_sixty_four() -> None:
    """A timed status is about the future (RFC 4481 section 2): the current quarter is over when it is read."""
    now = int(NOW) // 900 * 900 + 5
    begin = now - 5
    assert write_timed(FreeBusy(begin, (Slot.BUSY,)), now) == ""
    assert write_timed(FreeBusy(begin, (Slot.BUSY, Slot.BUSY)), now).count("<ts:timed-status") == 1
    assert "<rpid:away/>" in write_timed(FreeBusy(begin + 900, (Slot.OUT_OF_OFFICE,)), now)
    many = FreeBusy(begin + 900, (Slot.BUSY, Slot.FREE) * 70)
    assert write_timed(many, now).count("<ts:timed-status") == 64


def test_four_quarters_are_one_octet_the_first_in_its_lowest_bits() -> None:
    quarters = (Slot.TENTATIVE, Slot.FREE, Slot.OUT_OF_OFFICE, Slot.BUSY)
    assert f">{b64encode(bytes([0b10_11_00_01])).decode()}</freeBusy>" in write_free_busy(FreeBusy(0, quarters))
    five = (*quarters, Slot.TENTATIVE)
    assert f">{b64encode(bytes([0b10_11_00_01, 0b01])).decode()}</freeBusy>" in write_free_busy(FreeBusy(0, five))
