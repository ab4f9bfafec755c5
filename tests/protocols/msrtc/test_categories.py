"""Categories: numbers and tokens by the tables of reference/ocs.md, and nothing that the document does not hold."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.presence import OFFLINE, Activity, Field, Place, PostalAddress, PresenceDocument, Show
from gateway.protocols.msrtc import states
from gateway.protocols.msrtc.categories import LOSSES, compose, merge, read_categories, write_categories
from gateway.protocols.msrtc.legacy import read_legacy
from gateway.protocols.pidf.writing import place_text
from gateway.protocols.xml_document import DocumentError
from tests.protocols.documents import CANARIES, NOW, canary_document, documents

URI = "sip:alice@corp.example"
OPEN = {Field.AVAILABILITY: True}
SAMPLE = """<categories xmlns="http://schemas.microsoft.com/2006/09/sip/categories" uri="sip:alice@corp.example">
  <category name="state" instance="1" publishTime="2024-05-02T08:15:30.117">
    <state xmlns="http://schemas.microsoft.com/2006/09/sip/state"
           xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="aggregateState">
      <availability>6500</availability>
      <activity token="in-a-meeting" minAvailability="6500" maxAvailability="8999"/>
      <meetingSubject>Budget</meetingSubject>
      <meetingLocation>Room 3</meetingLocation>
      <device>computer</device>
    </state>
  </category>
  <category name="note" instance="0" publishTime="2024-05-02T07:58:00.003">
    <note xmlns="http://schemas.microsoft.com/2006/09/sip/note"><body type="personal" uri="">Back at 14h</body></note>
  </category>
  <category name="contactCard" instance="0">
    <contactCard xmlns="http://schemas.microsoft.com/2006/09/sip/contactcard">
      <identity><name><displayName>Alice Example</displayName></name><email>alice@corp.example</email></identity>
      <phone type="work"><uri>tel:+12065550100</uri><displayString>+1 206 555 0100</displayString></phone>
    </contactCard>
  </category>
  <category name="userProperties" instance="0"><userProperties><lines>tel:+15550199</lines></userProperties></category>
</categories>"""


def read(body: str | bytes) -> PresenceDocument:
    return compose(merge({}, read_categories(body.encode() if isinstance(body, str) else body, NOW)))


def test_the_sample_of_the_reference() -> None:
    assert read_categories(SAMPLE.encode(), NOW).uri == URI
    assert read(SAMPLE)._fields == {
        **OPEN,
        Field.SHOW: Show.DND,
        Field.ACTIVITY: Activity("working", "in_a_meeting"),
        Field.MEETING_SUBJECT: "Budget",
        Field.MEETING_LOCATION: "Room 3",
        Field.DEVICE: "pc",
        Field.NOTE: (("", "Back at 14h"),),
        Field.DISPLAY_NAME: "Alice Example",
        Field.EMAIL: ("alice@corp.example",),
        Field.PHONE_WORK: ("+12065550100",),
    }


@pytest.mark.parametrize(
    ("number", "available", "show"),
    [
        (0, False, None),
        (2999, False, None),
        (3000, True, None),
        (4499, True, None),
        (4500, True, Show.AWAY),
        (5999, True, Show.AWAY),
        (6000, True, Show.DND),
        (7499, True, Show.DND),
        (8999, True, Show.DND),
        (9000, True, Show.DND),
        (11999, True, Show.DND),
        (12000, True, Show.AWAY),
        (17999, True, Show.AWAY),
        (18000, False, None),
        (18500, False, None),
    ],
)
def test_the_classes_of_numbers(number: int, available: bool, show: Show | None) -> None:
    document = read(SAMPLE.replace("6500</", f"{number}</"))
    assert (document.available, document.get(Field.SHOW)) == (available, show)
    assert document.get(Field.NOTE) == (("", "Back at 14h"),)


WORKING = Activity("working", "in_a_meeting")


@pytest.mark.parametrize(
    ("fields", "number", "activity"),
    [
        ({}, 3500, ""),
        ({Field.IDLE: 0.0}, 5000, ""),
        ({Field.SHOW: Show.CHAT}, 3500, ""),
        ({Field.SHOW: Show.AWAY}, 15500, ""),
        ({Field.SHOW: Show.XA}, 15500, ""),
        ({Field.SHOW: Show.DND}, 6500, ""),
        ({Field.SHOW: Show.DND, Field.IDLE: 0.0}, 8000, ""),
        ({Field.ACTIVITY: WORKING}, 6500, "token='in-a-meeting' minAvailability='6500' maxAvailability='8999'"),
        ({Field.ACTIVITY: WORKING, Field.SHOW: Show.DND}, 6500, "token='in-a-meeting'"),
        ({Field.ACTIVITY: WORKING, Field.SHOW: Show.AWAY}, 15500, "<custom LCID='1033'>meeting</custom>"),
        ({Field.ACTIVITY: Activity("talking", "on_the_phone")}, 6500, "token='on-the-phone'"),
        ({Field.ACTIVITY: Activity("talking", "on_video_phone")}, 7000, "token='in-a-conference'"),
        ({Field.ACTIVITY: Activity("undefined", "", "presentation")}, 9500, "token='in-presentation'"),
        ({Field.ACTIVITY: Activity("inactive", "day_off")}, 15500, "token='off-work'"),
        (
            {Field.ACTIVITY: Activity("inactive", "on_vacation")},
            15500,
            "token='out-of-office' minAvailability='12000'/>",
        ),
        (
            {Field.ACTIVITY: Activity("eating", "having_lunch")},
            3500,
            "<custom LCID='1033'>eating: having lunch</custom>",
        ),
        ({Field.ACTIVITY: Activity("eating")}, 15500, "<custom LCID='1033'>meal</custom>"),
        ({Field.ACTIVITY: Activity("working", "coding", "a & b")}, 3500, "<custom LCID='1033'>a &amp; b</custom>"),
    ],
)
def test_numbers_and_tokens(fields: dict[Field, object], number: int, activity: str) -> None:
    body = write_categories(PresenceDocument({**OPEN, **fields}), URI).decode()
    assert f"<availability>{number}</availability>" in body
    assert activity in body
    assert ("<activity" in body) == bool(activity)


def test_dnd_can_be_do_not_disturb() -> None:
    body = write_categories(PresenceDocument({**OPEN, Field.SHOW: Show.DND}), URI, dnd_is_busy=False)
    assert b"<availability>9500</availability>" in body


def test_every_token_comes_back_and_is_shown_beside_its_own_number() -> None:
    for name, token in states.TOKENS.items():
        document = PresenceDocument({**OPEN, Field.ACTIVITY: token.activity})
        assert states.token_of(token.activity, states.number_of(document)) == name
        assert read(write_categories(document, URI))[Field.ACTIVITY] == token.activity


@pytest.mark.parametrize("range_", ['minAvailability="9000"', 'maxAvailability="6499"'])
def test_an_activity_whose_range_has_no_place_for_the_number_is_dropped(range_: str) -> None:
    body = re.sub(r'minAvailability="6500" maxAvailability="8999"', range_, SAMPLE)
    assert Field.ACTIVITY not in read(body)
    assert Field.ACTIVITY not in read(body.replace("/>", "><custom LCID='1'>x</custom></activity>", 1))


def test_nobody_reachable_is_the_same_octets_whatever_else_is_known() -> None:
    body = write_categories(OFFLINE, URI)
    assert write_categories(canary_document(set(Field) - {Field.AVAILABILITY}), URI) == body
    assert b"<availability>18500</availability></state>" in body
    empty = [f"<category name='{name}' instance='{number}'/>" for name, number in EMPTY]
    assert body.endswith(f"</category>{''.join(empty)}</categories>".encode())
    assert read(body) == OFFLINE


EMPTY = (("note", 1), ("note", 0), ("contactCard", 0), ("calendarData", 0), ("calendarData", 1))
IN_ANOTHERS_PLACE = {Field.FREE_BUSY, Field.OUT_OF_OFFICE, Field.WORKING_HOURS}
"""Fields that are written but not read as themselves."""
SEEN = {
    Field.SHOW: "<availability>15500",
    Field.LAST_ACTIVE: "lastActive",
    Field.DEVICE: "<device>",
    Field.ACTIVITY: "canary-activity",
    Field.IDLE: "5000",
}


@settings(max_examples=200, deadline=None)
@given(st.sets(st.sampled_from(sorted(Field, key=lambda name: name.value))))
def test_a_field_not_in_the_document_is_not_in_the_written_form(names: set[Field]) -> None:
    body = write_categories(canary_document(names), URI).decode()
    for name in set(Field) - names - {Field.AVAILABILITY, Field.TIME_ZONE}:
        assert SEEN.get(name, CANARIES[name][1]) not in body, name
    if Field.AVAILABILITY in names:
        for name in names - set(LOSSES) - {Field.AVAILABILITY, Field.IDLE}:
            assert SEEN.get(name, CANARIES[name][1]) in body, name
    assert "container" not in body
    assert "publishTime" not in body
    assert "userProperties" not in body


def carried(document: PresenceDocument) -> PresenceDocument:
    """Gives what a reader makes of a document's written form."""
    fields = {name: document[name] for name in document if name not in {*LOSSES, *IN_ANOTHERS_PLACE}}
    away = document.get(Field.OUT_OF_OFFICE)
    if away:
        fields.setdefault(Field.NOTE, away)
        if Field.ACTIVITY not in fields and states.number_of(document) >= 12000:
            fields[Field.ACTIVITY] = states.TOKENS["out-of-office"].activity
    number = states.number_of(document)
    activity = fields.get(Field.ACTIVITY)
    if activity is not None and not states.token_of(activity, number):
        text = states.spoken(activity)
        fields[Field.ACTIVITY] = Activity("undefined", "", text)
    if fields.get(Field.NOTE):
        fields[Field.NOTE] = (("", fields[Field.NOTE][0][1]),)
    if Field.LOCATION in fields:
        fields[Field.LOCATION] = Place({"text": place_text(fields[Field.LOCATION])})
    fields.pop(Field.IDLE, None)
    if Field.LAST_ACTIVE in fields:
        fields[Field.IDLE] = fields[Field.LAST_ACTIVE] // 900 * 900
    fields.pop(Field.DEVICE, None)
    fields.pop(Field.SHOW, None)
    return PresenceDocument({**fields, **states.fields_of_number(number)})


@settings(max_examples=300, deadline=None)
@given(documents())
def test_what_is_written_comes_back(document: PresenceDocument) -> None:
    found = dict(read(write_categories(document, URI))._fields)
    found.pop(Field.DEVICE, None)
    assert found == dict(carried(document)._fields)


@pytest.mark.parametrize(
    ("device", "said"), [("pc", "pc"), ("phone", "phone"), ("tablet", "phone"), ("web", "web"), ("bot", None)]
)
def test_devices(device: str, said: str | None) -> None:
    assert read(write_categories(PresenceDocument({**OPEN, Field.DEVICE: device}), URI)).get(Field.DEVICE) == said


def test_an_address_comes_back_by_its_kind_and_an_unmarked_one_is_home() -> None:
    where = PostalAddress("1 Example Way", "Springfield", "EX", "12345", "XX")
    body = write_categories(PresenceDocument({**OPEN, Field.ADDRESS_WORK: where}), URI)
    assert read(body)[Field.ADDRESS_WORK] == where
    unmarked = read(body.replace(b"<address type='work'", b"<address"))
    assert (Field.ADDRESS_WORK in unmarked, unmarked[Field.ADDRESS_HOME]) == (False, where)


def one(name: str, instance: str, inside: str = "", time: str = "") -> str:
    number = f' instance="{instance}"' if instance else ""
    published = f' publishTime="{time}"' if time else ""
    return (
        '<categories xmlns="http://schemas.microsoft.com/2006/09/sip/categories" uri="x">'
        f'<category name="{name}"{number}{published}>{inside}</category></categories>'
    )


def card(inside: str) -> str:
    return f'<contactCard xmlns="http://schemas.microsoft.com/2006/09/sip/contactcard">{inside}</contactCard>'


def after(*bodies: str) -> PresenceDocument:
    held = merge({}, read_categories(SAMPLE.encode(), NOW))
    for body in bodies:
        held = merge(held, read_categories(body.encode(), NOW))
    return compose(held)


def test_an_instance_replaces_its_own_and_leaves_the_others() -> None:
    title = one("contactCard", "3", card("<title>Director</title>"))
    both = after(title)
    assert (both[Field.TITLE], both[Field.DISPLAY_NAME]) == ("Director", "Alice Example")
    assert Field.TITLE not in after(title, one("contactCard", "3", card("")))
    assert Field.TITLE not in after(title, one("contactCard", "3"))
    gone = after(title, one("contactCard", ""))
    assert not {Field.TITLE, Field.DISPLAY_NAME, Field.EMAIL, Field.PHONE_WORK} & gone.names


@pytest.mark.parametrize("body", [one("note", "0"), one("note", ""), one("note", "0", "<note/>")])
def test_a_note_that_is_taken_back_is_gone(body: str) -> None:
    assert Field.NOTE not in after(body)


def test_the_newest_note_counts() -> None:
    note = '<note><body type="OOF">away until Monday</body></note>'
    assert after(one("note", "77", note, "2024-05-02T07:00:00"))[Field.NOTE] == (("", "Back at 14h"),)
    assert after(one("note", "77", note, "2024-05-02T09:00:00"))[Field.NOTE] == (("", "away until Monday"),)


def test_without_a_state_nobody_is_available() -> None:
    assert after(one("state", "1"))._fields == {Field.NOTE: (("", "Back at 14h"),)}


def test_the_aggregate_counts_before_single_states() -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    machine = f'<state {xsi} xsi:type="machineState"><availability>3500</availability></state>'
    assert after(one("state", "9", machine))[Field.SHOW] is Show.DND
    assert after(one("state", "1"), one("state", "9", machine)).available


LEGACY = (
    "<presentity xmlns='http://schemas.microsoft.com/2002/09/sip/presence' uri='alice@corp.example'>"
    "<availability aggregate='{}' description=''/><activity aggregate='{}' description=''/>"
    "<displayName displayName='Alice Example'/><email email='alice@corp.example'/>"
    "<phoneNumber label='work' number='+1 206 555 0100'/><userInfo><note>Back at 14h</note></userInfo></presentity>"
)


@pytest.mark.parametrize(
    ("availability", "activity", "available", "show", "doing"),
    [
        (0, 400, False, None, None),
        (300, 400, True, None, None),
        (300, 800, True, None, None),
        (100, 100, True, Show.AWAY, None),
        (300, 150, True, Show.AWAY, Activity("eating", "having_lunch")),
        (300, 200, True, Show.AWAY, None),
        (300, 300, True, Show.AWAY, None),
        (300, 500, True, Show.DND, Activity("talking", "on_the_phone")),
        (300, 600, True, Show.DND, None),
        (300, 700, True, Show.AWAY, None),
    ],
)
def test_presence_of_2005(
    availability: int, activity: int, available: bool, show: Show | None, doing: Activity | None
) -> None:
    document = read_legacy(LEGACY.format(availability, activity).encode())
    assert (document.available, document.get(Field.SHOW), document.get(Field.ACTIVITY)) == (available, show, doing)
    assert document[Field.NOTE] == (("", "Back at 14h"),)
    assert document.get(Field.DISPLAY_NAME) == ("Alice Example" if available else None)
    assert document.get(Field.PHONE_WORK) == (("+1 206 555 0100",) if available else None)


NOISE = st.binary(max_size=120) | st.lists(
    st.sampled_from(
        ["<category name='state'>", "</category>", "<state>", "</state>", "<availability>-1</availability>", "<body/>"]
        + ["<availability>99999999999</availability>", "<note/>", "<category/>", "<activity/>", "<phone/>", "x"]
    )
).map(lambda parts: "".join(parts).encode())


@settings(deadline=None)
@given(NOISE)
def test_nothing_but_the_own_error_escapes(noise: bytes) -> None:
    head, tail = SAMPLE.encode().split(b">", 1)[0] + b">", b"</categories>"
    for body in (noise, head + noise + tail):
        try:
            write_categories(compose(merge({}, read_categories(body, NOW))), URI)
        except DocumentError as error:
            assert error.reason
    legacy = LEGACY.format(300, 400).encode().split(b"<availability", 1)[0]
    try:
        read_legacy(legacy + noise + b"</presentity>")
    except DocumentError as error:
        assert error.reason


@pytest.mark.parametrize("body", [b"", b"<categories/>", b"<presentity/>"])
def test_what_is_no_such_document_is_refused(body: bytes) -> None:
    for reader in (lambda octets: read_categories(octets, NOW), read_legacy):
        with pytest.raises(DocumentError):
            reader(body)
