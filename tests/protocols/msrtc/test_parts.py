"""Parts of categories at their bounds, and presence of Live Communications Server 2005, name by name."""

import pytest

from gateway.model.presence import OFFLINE, Activity, Field, Place, PostalAddress, PresenceDocument, Show
from gateway.protocols.msrtc.legacy import read_legacy
from gateway.protocols.msrtc.parts import Fields, kind_of_state, read_part, whole
from gateway.protocols.xml_document import DocumentError, read_document

NOW = 1_500_000_000.0
LEGACY = "http://schemas.microsoft.com/2002/09/sip/presence"
INSTANCE = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"


def part(category: str, content: str) -> Fields:
    return dict(read_part(category, read_document(content.encode()), NOW))


def card(content: str) -> Fields:
    return part("contactCard", f"<contactCard>{content}</contactCard>")


def state(content: str, number: int = 3500, attributes: str = "") -> Fields:
    return part("state", f"<state {attributes}><availability>{number}</availability>{content}</state>")


def legacy(content: str) -> PresenceDocument:
    return read_legacy(f"<presentity xmlns='{LEGACY}'>{content}</presentity>".encode())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        (" 12 ", 12),
        ("123456789", 123456789),
        ("1234567890", None),
        ("-1", None),
        ("", None),
        (None, None),
        ("\u0661", None),
    ],
)
def test_numbers_are_whole_and_short(text: str | None, number: int | None) -> None:
    assert whole(text) == number


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [(f"{INSTANCE} xsi:type='aggregateState'", "aggregateState"), (f"{INSTANCE} xsi:type='a:b:c'", "c"), ("", "")],
)
def test_the_kind_of_a_state_has_no_prefix(attributes: str, kind: str) -> None:
    assert kind_of_state(read_document(f"<state {attributes}/>".encode())) == kind


@pytest.mark.parametrize("category", ["legacyInterop", "userProperties", "State", ""])
def test_other_categories_have_no_fields(category: str) -> None:
    assert part(category, "<x><availability>3500</availability></x>") == {} == read_part("state", None, NOW)


@pytest.mark.parametrize(
    ("word", "device"), [("computer", "pc"), ("deskphone", "phone"), ("mobile", "phone"), ("web", "web"), ("x", None)]
)
def test_devices(word: str, device: str | None) -> None:
    assert state(f"<device>{word}</device>").get(Field.DEVICE) == device


@pytest.mark.parametrize(("text", "place"), [("Home", Place({"text": "Home"})), ("none", None), ("", None)])
def test_places(text: str, place: Place | None) -> None:
    assert state(f"<endpointLocation>{text}</endpointLocation>").get(Field.LOCATION) == place


@pytest.mark.parametrize(
    ("last", "moment"),
    [("2017-07-14T02:40:00Z", NOW), ("2017-07-14T02:40:01Z", None), ("2017-07-14T02:20:00Z", NOW - 1200), ("", None)],
)
def test_a_person_was_last_active_before_now(last: str, moment: float | None) -> None:
    found = state("", attributes=f"lastActive='{last}'")
    assert found.get(Field.LAST_ACTIVE) == moment
    assert found.get(Field.IDLE) == (None if moment is None else moment // 900 * 900)


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        ("", True),
        ("minAvailability='3500'", True),
        ("minAvailability='3501'", False),
        ("maxAvailability='3500'", True),
        ("maxAvailability='3499'", False),
        ("minAvailability='3000' maxAvailability='4000'", True),
        ("minAvailability='4000' maxAvailability='3000'", False),
    ],
)
def test_an_activity_of_ones_own_is_shown_beside_some_numbers(bounds: str, shown: bool) -> None:
    found = state(f"<activity {bounds}><custom>Juggling</custom></activity>")
    assert found.get(Field.ACTIVITY) == (Activity("undefined", "", "Juggling") if shown else None)


def test_an_activity_without_a_token_says_nothing() -> None:
    assert state("<activity/>") == {Field.AVAILABILITY: True} == state("<activity token='x'/>")


def test_a_meeting_has_a_subject_and_a_place() -> None:
    found = state("<meetingSubject>Budget</meetingSubject><meetingLocation>Room 3</meetingLocation>")
    assert (found[Field.MEETING_SUBJECT], found[Field.MEETING_LOCATION]) == ("Budget", "Room 3")


def test_only_an_email_element_with_an_address_is_one() -> None:
    content = "<email>no address</email><other>a@x.example</other><email>b@x.example</email><email>b@x.example</email>"
    found = card(f"<identity><name><displayName>Alice</displayName></name>{content}</identity>")
    assert found == {Field.DISPLAY_NAME: "Alice", Field.EMAIL: ("b@x.example",)}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("work", Field.PHONE_WORK),
        ("mobile", Field.PHONE_MOBILE),
        ("home", Field.PHONE_HOME),
        ("other", Field.PHONE_OTHER),
        ("custom1", Field.PHONE_OTHER),
        (None, Field.PHONE_OTHER),
    ],
)
def test_each_number_is_of_its_kind(kind: str | None, name: Field) -> None:
    said = "" if kind is None else f"type='{kind}'"
    assert card(f"<phone {said}><uri>TEL:+1555</uri><displayString>x</displayString></phone>") == {name: ("+1555",)}


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        ("<displayString>555 0100</displayString>", ("555 0100",)),
        ("<uri>sip:x</uri><displayString>555 0100</displayString>", ("555 0100",)),
        ("<uri>tel:</uri><displayString>555 0100</displayString>", ("555 0100",)),
        (f"<displayString>{'5' * 70}</displayString>", ("5" * 64,)),
        ("<uri>sip:x</uri>", None),
        ("", None),
    ],
)
def test_what_is_shown_of_a_number_that_cannot_be_called(content: str, numbers: tuple[str, ...] | None) -> None:
    assert card(f"<phone type='work'>{content}</phone>").get(Field.PHONE_WORK) == numbers


def test_eight_numbers_of_a_kind_are_taken() -> None:
    found = card("".join(f"<phone type='work'><uri>tel:{number}</uri></phone>" for number in range(20)))
    assert found[Field.PHONE_WORK] == tuple(map(str, range(8)))


@pytest.mark.parametrize(
    ("kind", "name"),
    [("type='work'", Field.ADDRESS_WORK), ("type='home'", Field.ADDRESS_HOME), ("", Field.ADDRESS_HOME)],
)
def test_an_address_may_have_one_part_only(kind: str, name: Field) -> None:
    parts = {"street": "1 Way", "city": "Town", "state": "R", "zipcode": "00001", "countryCode": "ZZ"}
    for place, (part_name, text) in enumerate(parts.items()):
        values = ["", "", "", "", ""]
        values[place] = text
        assert card(f"<address {kind}><{part_name}>{text}</{part_name}></address>") == {name: PostalAddress(*values)}
    assert card(f"<address {kind}><street/></address>") == {}


def test_the_lines_of_a_card() -> None:
    lines = {"title": Field.TITLE, "company": Field.COMPANY, "department": Field.DEPARTMENT, "office": Field.OFFICE}
    for word, name in lines.items():
        assert card(f"<{word}>A</{word}><{word}>B</{word}>") == {name: "A"}


@pytest.mark.parametrize(("content", "note"), [("<body> x </body>", "x"), ("<body/>", None), ("", None)])
def test_a_note(content: str, note: str | None) -> None:
    assert part("note", f"<note>{content}</note>").get(Field.NOTE) == (None if note is None else (("", note),))


# -- Live Communications Server 2005 -------------------------------------------------------------------------------

THERE = "<availability aggregate='300'/>"


@pytest.mark.parametrize(
    ("number", "show", "activity"),
    [
        (100, Show.AWAY, None),
        (150, Show.AWAY, Activity("eating", "having_lunch")),
        (200, Show.AWAY, None),
        (300, Show.AWAY, None),
        (400, None, None),
        (500, Show.DND, Activity("talking", "on_the_phone")),
        (600, Show.DND, None),
        (700, Show.AWAY, None),
    ],
)
def test_each_old_number(number: int, show: Show | None, activity: Activity | None) -> None:
    wanted = {Field.AVAILABILITY: True, Field.SHOW: show, Field.ACTIVITY: activity}
    found = legacy(f"{THERE}<activity aggregate='{number}'/>")
    assert {name: found[name] for name in found} == {name: one for name, one in wanted.items() if one is not None}


def test_nobody_is_there_without_a_number() -> None:
    for number in ("0", "", "x"):
        assert legacy(f"<availability aggregate='{number}'/>") == OFFLINE == legacy("")
    assert legacy("<userInfo><note>Back soon</note></userInfo>") == PresenceDocument({Field.NOTE: (("", "Back soon"),)})
    assert legacy("<userInfo/>") == OFFLINE


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("<displayName displayName=' Alice  Example '/>", {Field.DISPLAY_NAME: "Alice Example"}),
        ("<displayName displayName=' '/>", {}),
        ("<displayName/>", {}),
        ("<other displayName='Alice'/>", {}),
        ("<displayName displayName='A'/><displayName displayName='B'/>", {Field.DISPLAY_NAME: "A"}),
        ("<email email=' a@x.example '/>", {Field.EMAIL: ("a@x.example",)}),
        ("<email email='a@x.example'/><email email='b@x.example'/>", {Field.EMAIL: ("a@x.example",)}),
        ("<email email='none'/>", {}),
        ("<email/>", {}),
        ("<other email='a@x.example'/>", {}),
        ("<phoneNumber label='Work' number='+1'/>", {Field.PHONE_WORK: ("+1",)}),
        ("<phoneNumber label='mobile' number='+1'/>", {Field.PHONE_MOBILE: ("+1",)}),
        ("<phoneNumber label='home' number=' +1 '/>", {Field.PHONE_HOME: ("+1",)}),
        ("<phoneNumber label='fax' number='+1'/>", {Field.PHONE_OTHER: ("+1",)}),
        ("<phoneNumber number='+1'/><phoneNumber number='+1'/>", {Field.PHONE_OTHER: ("+1",)}),
        (f"<phoneNumber number='{'5' * 70}'/>", {Field.PHONE_OTHER: ("5" * 64,)}),
        ("<phoneNumber number=' '/><phoneNumber/>", {}),
        ("<other number='+1'/>", {}),
        (
            "".join(f"<phoneNumber number='{number}'/>" for number in range(20)),
            {Field.PHONE_OTHER: tuple(map(str, range(8)))},
        ),
    ],
)
def test_who_it_is(content: str, fields: Fields) -> None:
    assert legacy(THERE + content) == PresenceDocument({Field.AVAILABILITY: True, **fields})


@pytest.mark.parametrize("body", [f"<presence xmlns='{LEGACY}'/>", "<presentity xmlns='urn:x'/>"])
def test_what_is_no_presentity(body: str) -> None:
    with pytest.raises(DocumentError):
        read_legacy(body.encode())


@pytest.mark.parametrize("number", [0, 2999, 18000])
def test_who_is_not_there_says_nothing(number: int) -> None:
    assert state("<device>web</device><activity><custom>Juggling</custom></activity>", number) == {}
