"""Presence documents: valid when written, understood when they come, and holding nothing but the document's fields."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.presence import OFFLINE, Activity, Field, Mood, Place, PresenceDocument, Show
from gateway.protocols import rpid
from gateway.protocols.pidf import (
    CARRIED,
    LOSSES,
    ReadPidf,
    closed_pidf,
    read_pidf,
    read_priority,
    write_pidf,
    write_priority,
)
from gateway.protocols.pidf.contacts import read_tel, write_mailto, write_tel
from gateway.protocols.pidf.writing import place_text
from gateway.protocols.spoken import spoken_activity, spoken_note
from gateway.protocols.xml_document import DocumentError
from tests.cost import cpu_seconds
from tests.protocols.documents import CANARIES, NOW, canary_document, documents
from tests.protocols.validity import check

ENTITY = "sip:alice@corp.example"
OPEN = {Field.AVAILABILITY: True}
IN_ANOTHERS_PLACE = {Field.FREE_BUSY, Field.MEETING_SUBJECT, Field.MEETING_LOCATION, Field.OUT_OF_OFFICE}
"""Fields that are written but not read as themselves."""
SEEN = {name: mark for name, (_, mark) in CANARIES.items()} | {Field.FREE_BUSY: "timed-status"}


def write(document: PresenceDocument, **more: object) -> bytes:
    return write_pidf(document, ENTITY, tuple_id="t1", now=NOW, **more)  # type: ignore[arg-type]


def read_back(activity: Activity) -> Activity:
    """Gives what a reader makes of an activity: one that is only a text may be a word that RPID has."""
    word, text, note = rpid.write_activity(activity)
    read = rpid.other_activity(text, note) if word == "other" else rpid.activity_of(word, note)
    assert read is not None
    return read


def carried(document: PresenceDocument) -> PresenceDocument:
    """Gives what a reader makes of a document's written form: fields that cannot be said are gone, some follow."""
    fields = {name: document[name] for name in document if name in CARRIED}
    if Field.LOCATION in fields:
        fields[Field.LOCATION] = Place({"text": place_text(fields[Field.LOCATION])})
    activity, note = spoken_activity(document), spoken_note(document)
    fields = {name: value for name, value in fields.items() if name not in IN_ANOTHERS_PLACE}
    fields |= {Field.ACTIVITY: read_back(activity)} if activity is not None else {}
    fields |= {Field.NOTE: note} if note else {}
    last = fields.get(Field.LAST_ACTIVE)
    if last is not None and (Field.IDLE in fields or NOW - last >= 900):
        fields[Field.IDLE] = last // 900 * 900
    if Field.SHOW not in fields:
        word = rpid.write_activity(fields[Field.ACTIVITY])[0] if Field.ACTIVITY in fields else ""
        show = rpid.show_of([word]) or (Show.AWAY if Field.IDLE in fields else None)
        if show is not None:
            fields[Field.SHOW] = show
    return PresenceDocument(fields)


@settings(max_examples=300, deadline=None)
@given(documents(), st.booleans())
def test_what_is_written_is_valid_and_comes_back(document: PresenceDocument, for_microsoft: bool) -> None:
    body = write(document, contact="sip:alice@corp.example", priority=5, for_microsoft=for_microsoft)
    check(body)
    read = read_pidf(body, NOW)
    assert dict(read.document._fields) == dict(carried(document)._fields)
    assert (read.entity, [(one.id, one.priority, one.contact) for one in read.tuples]) == (ENTITY, [("t1", 5, ENTITY)])


@settings(max_examples=200, deadline=None)
@given(st.sets(st.sampled_from(sorted(Field, key=lambda name: name.value))), st.booleans())
def test_a_field_not_in_the_document_is_not_in_the_written_form(names: set[Field], for_microsoft: bool) -> None:
    body = write(canary_document(names), for_microsoft=for_microsoft).decode()
    for name in set(Field) - names:
        if name is Field.AVAILABILITY or (name is Field.IDLE and Field.LAST_ACTIVE in names):
            continue
        assert SEEN[name] not in body, name
    if Field.AVAILABILITY in names:
        hidden = {Field.OUT_OF_OFFICE} if Field.NOTE in names else set()
        for name in (names & CARRIED) - hidden:
            assert SEEN[name] in body, name


def test_every_field_is_carried_or_listed_as_lost() -> None:
    assert frozenset(LOSSES) | CARRIED == frozenset(Field)
    assert all(LOSSES.values())


def test_nobody_reachable_is_the_same_octets_whatever_else_is_known() -> None:
    closed = closed_pidf(ENTITY, "t1")
    assert write(OFFLINE) == closed
    assert write(canary_document(set(Field) - {Field.AVAILABILITY}), contact="sip:x", for_microsoft=True) == closed
    assert closed == (
        b"<?xml version='1.0' encoding='UTF-8'?>\n<presence xmlns='urn:ietf:params:xml:ns:pidf'"
        b" entity='sip:alice@corp.example'><tuple id='t1'><status><basic>closed</basic></status></tuple></presence>"
    )
    check(closed)
    assert read_pidf(closed, NOW).document == OFFLINE


def test_no_timestamp_without_last_active() -> None:
    assert b"20" not in write(canary_document(set(Field) - {Field.LAST_ACTIVE, Field.FREE_BUSY})).split(b"?>")[
        1
    ].replace(b"'2001", b"")
    assert b"last-input='2001-09-09T01:46:40Z'" in write(canary_document(set(Field)))


def test_idle_without_a_timestamp_stays_the_same_for_a_quarter_of_an_hour() -> None:
    document = PresenceDocument({**OPEN, Field.IDLE: 9000.0})
    forms = {write_pidf(document, ENTITY, tuple_id="t", now=now) for now in (9900.0, 10000.5, 10799.0)}
    (form,) = forms
    assert b"<rpid:user-input idle-threshold='900'>idle</rpid:user-input>" in form
    assert read_pidf(form, 10799.0).document[Field.IDLE] == 9000.0


@pytest.mark.parametrize("wrong", ["", "1", "a b", "a'b", "a:b", "ü", "a" * 200])
def test_a_tuple_id_that_is_no_name_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no XML name"):
        write_pidf(OFFLINE, ENTITY, tuple_id=wrong, now=NOW)


@pytest.mark.parametrize(("show", "word"), [(Show.DND, "busy"), (Show.AWAY, "away"), (Show.XA, "away")])
def test_microsoft_finds_busy_and_away_inside_status(show: Show, word: str) -> None:
    document = PresenceDocument({**OPEN, Field.SHOW: show, Field.DISPLAY_NAME: "Alice"})
    body = write(document, for_microsoft=True).decode()
    status = body.partition("<status>")[2].partition("</status>")[0]
    assert f"<activity>{word}</activity></activities>" in status
    assert body.endswith("</dm:person><ci:display-name>Alice</ci:display-name></presence>")
    assert "rpid-status" not in write(document).decode()


NS = "xmlns='urn:ietf:params:xml:ns:pidf' xmlns:d='urn:ietf:params:xml:ns:pidf:data-model'"
RICH = f"{NS} xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' xmlns:c='urn:ietf:params:xml:ns:pidf:cipid'"
BASIC = "<tuple id='1'><status><basic>open</basic></status></tuple>"


def read(inside: str, **more: str) -> ReadPidf:
    return read_pidf(f"<presence {RICH} entity='{ENTITY}'>{inside}</presence>".encode(), NOW, **more)


def rich(inside: str) -> PresenceDocument:
    return read(f"{BASIC}<d:person id='p'>{inside}</d:person>").document


def activities(*words: str) -> str:
    return f"<r:activities>{''.join(f'<r:{word}/>' for word in words)}</r:activities>"


@pytest.mark.parametrize("word", sorted({*rpid.ACTIVITIES, "busy", "unknown"}))
def test_each_word_of_rpid_gives_its_availability_and_activity(word: str) -> None:
    document = rich(activities(word))
    assert document.get(Field.SHOW) is rpid.SHOWN_AS.get(word)
    assert document.get(Field.ACTIVITY) == rpid.activity_of(word)


@pytest.mark.parametrize(
    ("status", "person", "show"),
    [
        ("<basic>open</basic><show xmlns='jabber:client'>chat</show>", activities("busy"), Show.CHAT),
        ("<basic>open</basic><show xmlns='jabber:client'>unheard</show>", activities("busy"), Show.DND),
        ("<basic>open</basic><im xmlns='urn:ietf:params:xml:ns:pidf:im'>busy</im>", activities("away"), Show.DND),
        ("<basic>open</basic><im xmlns='urn:ietf:params:xml:ns:pidf:im'>away</im>", "", Show.AWAY),
        ("<basic> OPEN </basic>", "<r:user-input>idle</r:user-input>", Show.AWAY),
        ("<basic>open</basic>", "<r:user-input>active</r:user-input>", None),
        ("<basic>open</basic><r:activities><r:busy/></r:activities>", "", Show.DND),
        (
            "<basic>open</basic><x:activities xmlns:x='urn:ietf:params:xml:ns:pidf:status:rpid-status'>"
            "<x:activity>away</x:activity></x:activities>",
            "",
            Show.AWAY,
        ),
    ],
)
def test_the_first_sign_of_availability_counts(status: str, person: str, show: Show | None) -> None:
    found = read(f"<tuple id='a'><status>{status}</status></tuple><d:person id='p'>{person}</d:person>").document
    assert found.available
    assert found.get(Field.SHOW) is show


def test_beside_show_away_is_no_activity() -> None:
    shown = "<tuple id='a'><status><basic>open</basic><show xmlns='jabber:client'>away</show></status></tuple>"
    person = f"<d:person id='p'>{activities('away', 'meal')}</d:person>"
    assert read(shown + person).document[Field.ACTIVITY] == Activity("eating")


def test_the_person_with_the_newest_timestamp_counts() -> None:
    persons = "".join(
        f"<d:person id='p{place}'>{activities(word)}{f'<d:timestamp>{stamp}</d:timestamp>' if stamp else ''}</d:person>"
        for place, (word, stamp) in enumerate(
            [("meal", ""), ("tv", "2026-01-31T12:00:00Z"), ("meeting", "2026-01-31T12:00:01+00:00")]
        )
    )
    assert read(BASIC + persons).document[Field.ACTIVITY] == Activity("working", "in_a_meeting")


@pytest.mark.parametrize(
    ("interval", "current"),
    [
        ("from='2000-01-01T00:00:00Z' until='2100-01-01T00:00:00Z'", True),
        ("from='2100-01-01T00:00:00Z'", False),
        ("until='2000-01-01T00:00:00Z'", False),
        ("", True),
    ],
)
def test_what_is_outside_its_interval_is_not_current(interval: str, current: bool) -> None:
    document = rich(f"<r:activities {interval}><r:meeting/></r:activities><r:mood {interval}><r:sad/></r:mood>")
    assert (Field.ACTIVITY in document, Field.MOOD in document, Field.SHOW in document) == (current,) * 3


@pytest.mark.parametrize(
    ("inside", "notes"),
    [
        ("<tuple id='a'><status><basic>open</basic></status><note>t</note></tuple>", (("", "t"),)),
        (f"{BASIC}<note>root</note><d:person id='p'><d:note xml:lang='de'>p</d:note></d:person>", (("de", "p"),)),
        (f"{BASIC}<note>root</note><note xml:lang='fr'>racine</note>", (("", "root"), ("fr", "racine"))),
        (f"{BASIC}<note> </note>", None),
    ],
)
def test_the_tuples_note_counts_before_the_persons_before_the_roots(inside: str, notes: object) -> None:
    assert read(inside).document.get(Field.NOTE) == notes


def test_a_note_without_a_language_has_that_of_the_content() -> None:
    assert read(f"{BASIC}<note>hallo</note>", language="de").document[Field.NOTE] == (("de", "hallo"),)


def test_a_closed_tuple_keeps_a_note_and_nothing_else() -> None:
    closed = "<tuple id='a'><status><basic>closed</basic></status><note>gone</note></tuple>"
    assert read(f"{closed}<d:person id='p'>{activities('meal')}</d:person>").document._fields == {
        Field.NOTE: (("", "gone"),)
    }


def test_the_most_reachable_tuple_speaks_for_the_person_and_each_is_there() -> None:
    def one(name: str, show: str, priority: str) -> str:
        shown = f"<show xmlns='jabber:client'>{show}</show>" if show else ""
        contact = f"<contact priority='{priority}'>sip:{name}@corp.example</contact>"
        return f"<tuple id='{name}'><status><basic>open</basic>{shown}</status>{contact}</tuple>"

    found = read(one("a", "away", "1") + one("b", "dnd", "0.1") + one("c", "dnd", "0.9") + one("a", "chat", "1"))
    assert [(one.id, one.document.get(Field.SHOW), one.priority) for one in found.tuples] == [
        ("a", Show.AWAY, 127),
        ("b", Show.DND, 13),
        ("c", Show.DND, 115),
    ]
    assert found.document == found.tuples[2].document


def test_no_tuple_is_unavailable_and_gives_no_endpoint() -> None:
    found = read(f"<note>hello</note><d:person id='p'>{activities('meal')}</d:person>")
    assert (found.document, found.tuples) == (OFFLINE, ())


def test_a_phone_alone_makes_reachable() -> None:
    phone = "<tuple id='a'><status><basic>{}</basic></status><contact>tel:+15550100</contact></tuple>"
    assert read(phone.format("open")).document._fields == {**OPEN, Field.PHONE_OTHER: ("+15550100",)}
    assert read(phone.format("closed")).document == OFFLINE


def test_numbers_and_addresses_are_fields_by_their_class() -> None:
    def one(kind: str, uri: str) -> str:
        kind = f"<r:class>{kind}</r:class>" if kind else ""
        return f"<tuple id='{uri}'><status><basic>open</basic></status>{kind}<contact>{uri}</contact></tuple>"

    found = read(
        BASIC
        + one("work", "tel:+1-555-0100;ext=12")
        + one("Cell", "TEL:+15550101")
        + one("", "tel:5550102;phone-context=corp.example")
        + one("", "mailto:alice%20b@corp.example?subject=x")
        + one("", "mailto:alice@corp.example?subject=x")
        + one("home", "tel:ring-me")
    )
    assert found.document._fields == {
        **OPEN,
        Field.PHONE_WORK: ("+1-555-0100 ext 12",),
        Field.PHONE_MOBILE: ("+15550101",),
        Field.PHONE_OTHER: ("5550102",),
        Field.EMAIL: ("alice@corp.example",),
    }
    assert [one.id for one in found.tuples] == ["1"]


def test_the_example_of_ocs_8_4_is_read() -> None:
    found = read(
        "<tuple id='t1'><status><basic>open</basic></status><contact priority='0.8'>sip:alice@corp.example</contact>"
        "</tuple><tuple id='t2'><status><basic>open</basic></status><contact priority='0.3'>tel:+12065550100</contact>"
        "</tuple><d:person id='p1'><r:activities><r:meeting/></r:activities>"
        "<c:display-name>Alice Example</c:display-name><d:note>Back at 14h</d:note></d:person>"
    )
    assert found.document._fields == {
        **OPEN,
        Field.SHOW: Show.DND,
        Field.ACTIVITY: Activity("working", "in_a_meeting"),
        Field.PHONE_OTHER: ("+12065550100",),
        Field.DISPLAY_NAME: "Alice Example",
        Field.NOTE: (("", "Back at 14h"),),
    }


@pytest.mark.parametrize(
    ("inside", "name", "value"),
    [
        ("<r:mood><r:note>why</r:note><r:happy/></r:mood>", Field.MOOD, Mood("happy", "why")),
        ("<r:mood><r:other>in love</r:other></r:mood>", Field.MOOD, Mood("in_love")),
        ("<r:mood><r:unknown/></r:mood>", Field.MOOD, Mood("undefined")),
        ("<r:mood><r:juggling/></r:mood>", Field.MOOD, None),
        ("<r:place-type><x:office xmlns:x='urn:l'/></r:place-type>", Field.LOCATION, Place({"text": "office"})),
        ("<r:time-offset>60</r:time-offset>", Field.TIME_ZONE, "+01:00"),
        ("<r:time-offset>-0</r:time-offset>", Field.TIME_ZONE, "+00:00"),
        ("<r:time-offset>100000</r:time-offset>", Field.TIME_ZONE, None),
        ("<r:time-offset>soon</r:time-offset>", Field.TIME_ZONE, None),
        ("<r:user-input last-input='2100-01-01T00:00:00Z'>active</r:user-input>", Field.LAST_ACTIVE, None),
        ("<r:user-input last-input='2026-01-31T12:00:00Z'>active</r:user-input>", Field.LAST_ACTIVE, 1769860800.0),
        ("<c:homepage>javascript:alert(1)</c:homepage>", Field.URL, None),
        ("<c:homepage>https://corp.example/</c:homepage>", Field.URL, ("https://corp.example/",)),
        ("<c:icon>https://corp.example/alice.png</c:icon>", Field.PHOTO, None),
        ("<c:card>https://corp.example/alice.vcf</c:card>", Field.TITLE, None),
        ("<r:class>phone</r:class>", Field.DEVICE, None),
    ],
)
def test_what_a_person_says(inside: str, name: Field, value: object) -> None:
    assert rich(inside).get(name) == value


@pytest.mark.parametrize(
    "body",
    [
        "<presence xmlns='urn:ietf:params:xml:ns:pidf:' entity='alice@corp.example'>{}</presence>",
        "<p:presence xmlns:p='urn:ietf:params:xml:ns:pidf' xmlns='urn:ietf:params:xml:ns:pidf'>{}</p:presence>",
        "<presence xmlns='urn:ietf:params:xml:ns:cpim-pidf:1.0' entity='pres:alice@corp.example'>{}</presence>",
        "<?xml version='1.0'?><!-- x --><presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:a@b.example'>"
        "<a xmlns='urn:x'><b/></a>{}</presence>",
    ],
)
def test_other_spellings_are_read(body: str) -> None:
    assert read_pidf(body.format(BASIC).encode(), NOW).document.available


MUST = "xmlns:m='urn:ietf:params:xml:ns:pidf' m:mustUnderstand='{}'"


def test_an_extension_that_must_be_understood_takes_its_parent_with_it() -> None:
    def tuple_(value: str, ns: str = "urn:new") -> str:
        inner = f"<x:new xmlns:x='{ns}' {MUST.format(value)}/>"
        return f"<tuple id='a'><status><basic>open</basic></status>{inner}</tuple>"

    assert read(tuple_("1")).tuples == ()
    assert len(read(tuple_("0")).tuples) == 1
    assert len(read(tuple_("1", "urn:ietf:params:xml:ns:pidf:rpid")).tuples) == 1
    with pytest.raises(DocumentError):
        read(f"{BASIC}<x:new xmlns:x='urn:new' {MUST.format('true')}/>")


@pytest.mark.parametrize("body", [b"", b"<a/>", b"<presence/>", b"<!DOCTYPE presence><presence/>", b"<presence"])
def test_what_is_no_presence_document_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentError):
        read_pidf(body, NOW)


TAGS = ["tuple", "status", "basic", "contact", "note", "d:person", "r:activities", "r:mood", "r:busy", "r:other"]
TAGS += ["r:user-input", "r:time-offset", "c:homepage", "d:timestamp", "r:place-type", "x", "r:class", "c:display-name"]
ATTRIBUTES = ["id='1'", "priority='2'", "from='x'", "until='2000-01-01T00:00:00Z'", "idle-threshold='9e9'"]
ATTRIBUTES += ["last-input='9999-12-31T23:59:59-23:59'", "xml:lang='%'", "xmlns:m='urn:ietf:params:xml:ns:pidf'"]
TREES = st.recursive(
    st.sampled_from(["open", "closed", "idle", "tel:+1", "mailto:@", "99999", "-", "\u0660", "tel:", "mailto:a@b?"]),
    lambda inner: st.builds(
        lambda name, attributes, children: f"<{name} {' '.join(attributes)}>{''.join(children)}</{name}>",
        st.sampled_from(TAGS),
        st.lists(st.sampled_from(ATTRIBUTES), max_size=2, unique=True),
        st.lists(inner, max_size=4),
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(TREES, max_size=5).map("".join))
def test_any_tree_is_read_and_what_is_read_can_be_written(inside: str) -> None:
    found = read(inside)
    check(write(found.document))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_nothing_but_the_own_error_escapes(octets: bytes) -> None:
    for body in (octets, f"<presence {RICH}>".encode() + octets + b"</presence>"):
        try:
            read_pidf(body, NOW)
        except DocumentError as error:
            assert error.reason


def test_many_tuples_cost_linear_time_and_are_bounded() -> None:
    def seconds(count: int) -> float:
        inside = "".join(BASIC.replace("'1'", f"'{place}'") for place in range(count))
        assert len(read(inside).tuples) == min(count, 64)
        return cpu_seconds(lambda: read(inside))

    seconds(100)
    assert seconds(1200) < 40 * max(seconds(120), 0.001)


@pytest.mark.parametrize("priority", range(128))
def test_priorities_come_back(priority: int) -> None:
    assert read_priority(write_priority(priority)) == priority


@pytest.mark.parametrize(
    ("priority", "text"),
    [(-1, None), (0, "0"), (1, "0.007"), (2, "0.015"), (126, "0.992"), (127, "1")],
)
def test_priorities_of_rfc_8048(priority: int, text: str | None) -> None:
    assert write_priority(priority) == text


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        (None, 0),
        ("", 0),
        ("2", 0),
        ("-0.5", 0),
        ("0.1234", 0),
        ("1.000", 127),
        ("0.001", 1),
        ("0.999", 126),
        ("1.1", 0),
    ],
)
def test_priorities_out_of_range_are_ignored(text: str | None, priority: int) -> None:
    assert read_priority(text) == priority


@pytest.mark.parametrize(
    ("number", "uri"),
    [
        ("+1 (206) 555-0100", "tel:+1-206-555-0100"),
        ("+1 206 555 0100 x7", "tel:+1-206-555-0100;ext=7"),
        ("555-0100", "tel:555-0100;phone-context=corp.example"),
        ("555-0100;ext=12", "tel:555-0100;ext=12;phone-context=corp.example"),
        ("ask reception", ""),
        ("+", ""),
        ("1" * 100, ""),
        ("+1555'/><evil/>", ""),
    ],
)
def test_telephone_numbers(number: str, uri: str) -> None:
    assert write_tel(number, "corp.example") == uri
    if uri:
        assert write_tel(read_tel(uri), "corp.example") == uri


def test_a_local_number_needs_a_domain() -> None:
    assert write_tel("555-0100", "") == ""


@pytest.mark.parametrize(
    ("address", "uri"), [("a b@corp.example", ""), ("alice", ""), ("ä&?@h", "mailto:%C3%A4%26%3F@h")]
)
def test_mail_addresses(address: str, uri: str) -> None:
    assert write_mailto(address) == uri
