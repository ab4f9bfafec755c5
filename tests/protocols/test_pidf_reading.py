"""How presence documents are read, rule by rule and at each bound (RFC 3863, 4479, 4480, 4482, 8048)."""

from typing import Any

import pytest

from gateway.model.presence import OFFLINE, Activity, Field, Mood, Place, Show
from gateway.protocols.pidf.reading import ReadPidf, read_pidf
from gateway.protocols.xml_document import DocumentError

NOW = 1_500_000_000.0
"""2017-07-14T02:40:00Z"""
SPACES = (
    "xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' "
    "xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' xmlns:ci='urn:ietf:params:xml:ns:pidf:cipid' "
    "xmlns:im='urn:ietf:params:xml:ns:pidf:im' xmlns:old='urn:ietf:params:xml:ns:pidf:status:rpid-status' "
    "xmlns:c='jabber:client' xmlns:p='urn:ietf:params:xml:ns:pidf' xmlns:x='urn:x'"
)
OPEN = "<status><basic>open</basic></status>"


def read(content: str, attributes: str = "", language: str = "") -> ReadPidf:
    return read_pidf(f"<presence {SPACES} {attributes}>{content}</presence>".encode(), NOW, language=language)


def one(content: str, status: str = "", rest: str = "") -> dict[Field, Any]:
    """Gives the fields of a document with one open tuple."""
    tuple_ = f"<tuple id='t'><status><basic>open</basic>{status}</status>{content}</tuple>"
    found = read(tuple_ + rest).document
    return {name: found[name] for name in found}


def person(content: str) -> dict[Field, Any]:
    """Gives what a person says beside an open tuple."""
    return one("", rest=f"<dm:person id='p'>{content}</dm:person>")


@pytest.mark.parametrize(
    "root",
    ["<presences {}/>", "<x:presence {}/>", "<dm:presence {}/>"],
)
def test_what_is_no_presence_document(root: str) -> None:
    with pytest.raises(DocumentError, match="^not a presence document$"):
        read_pidf(root.format(SPACES).encode(), NOW)


@pytest.mark.parametrize("word", ["1", "true"])
def test_a_root_that_must_be_understood(word: str) -> None:
    with pytest.raises(DocumentError, match="^an extension must be understood and is not$"):
        read(f"<x:y p:mustUnderstand='{word}'/>")
    for other in ("0", "false", "TRUE", ""):
        assert read(f"<x:y p:mustUnderstand='{other}'/>").document == OFFLINE
    assert read(f"<dm:y p:mustUnderstand='{word}'/>").document == OFFLINE


def test_only_what_must_be_understood_goes_with_its_parent() -> None:
    strange = "<x:y p:mustUnderstand='1'/>"
    found = read(f"<tuple id='a'>{OPEN}</tuple><tuple id='b'>{OPEN}<x:y/></tuple><tuple id='c'>{OPEN}{strange}</tuple>")
    assert [each.id for each in found.tuples] == ["a", "b"]
    deep = read(f"<tuple id='a'>{OPEN}<x:z><x:y p:mustUnderstand='1'/></x:z><note>kept</note></tuple>")
    assert deep.document[Field.NOTE] == (("", "kept"),)


@pytest.mark.parametrize(
    ("attributes", "entity"),
    [
        ("entity=' sip:a@x.example '", "sip:a@x.example"),
        ("", ""),
        (f"entity='{'a' * 1025}'", "a" * 1024),
    ],
)
def test_whom_it_is_about(attributes: str, entity: str) -> None:
    assert read("", attributes).entity == entity


def test_sixty_four_tuples_are_taken_and_the_first_of_a_name() -> None:
    found = read("".join(f"<tuple id='t{number}'>{OPEN}</tuple>" for number in range(70)))
    assert [each.id for each in found.tuples] == [f"t{number}" for number in range(64)]
    twice = read(f"<tuple id='t'>{OPEN}<note>1</note></tuple><tuple id='t'>{OPEN}<note>2</note></tuple>")
    assert [each.document[Field.NOTE] for each in twice.tuples] == [(("", "1"),)]
    assert [len(each.id) for each in read(f"<tuple id='{'t' * 2000}'>{OPEN}</tuple>").tuples] == [1024]
    assert [each.id for each in read(f"<tuple>{OPEN}</tuple>").tuples] == [""]


def test_a_tuple_of_another_namespace_is_none() -> None:
    assert read(f"<x:tuple id='t'>{OPEN}</x:tuple><other>{OPEN}</other>").tuples == ()


@pytest.mark.parametrize(
    ("basic", "there"), [("open", True), (" OPEN ", True), ("closed", False), ("", False), ("opened", False)]
)
def test_open_is_a_word(basic: str, there: bool) -> None:
    assert read(f"<tuple id='t'><status><basic>{basic}</basic></status></tuple>").document.available is there
    assert not read("<tuple id='t'/>").document.available
    assert not read("<tuple id='t'><status/></tuple>").document.available
    assert not read("<tuple id='t'><x:status><basic>open</basic></x:status></tuple>").document.available
    assert not read("<tuple id='t'><status><x:basic>open</x:basic></status></tuple>").document.available


SHOWN = {Show.CHAT: "chat", None: "", Show.DND: "dnd", Show.AWAY: "away", Show.XA: "xa"}
"""From the most to the least reachable."""


def with_show(name: str, word: str, priority: str = "") -> str:
    show = f"<c:show>{word}</c:show>" if word else ""
    return (
        f"<tuple id='{name}'><status><basic>open</basic>{show}</status>"
        f"<contact priority='{priority}'>sip:{name}@x.example</contact></tuple>"
    )


@pytest.mark.parametrize("place", range(4))
def test_the_more_reachable_speaks_whatever_its_priority(place: int) -> None:
    more, less = list(SHOWN)[place : place + 2]
    for texts in (
        with_show("a", SHOWN[more], "0") + with_show("b", SHOWN[less], "1"),
        with_show("b", SHOWN[less], "1") + with_show("a", SHOWN[more], "0"),
    ):
        assert read(texts).document.get(Field.SHOW) is more
    closed = "<tuple id='c'><status><basic>closed</basic></status><contact priority='1'>sip:c</contact></tuple>"
    assert read(closed + with_show("b", SHOWN[less])).document.get(Field.SHOW) is less


def test_of_equals_the_priority_decides_and_then_the_first() -> None:
    def note(name: str, priority: str) -> str:
        return (
            f"<tuple id='{name}'>{OPEN}<contact priority='{priority}'>sip:{name}</contact><note>{name}</note></tuple>"
        )

    assert read(note("a", "0.2") + note("b", "0.4")).document[Field.NOTE] == (("", "b"),)
    assert read(note("a", "0.4") + note("b", "0.4")).document[Field.NOTE] == (("", "a"),)
    found = read(note("a", "0.5") + f"<tuple id='n'>{OPEN}</tuple>").tuples
    assert [(each.priority, each.contact) for each in found] == [(64, "sip:a"), (0, "")]


@pytest.mark.parametrize(
    ("word", "show"),
    [
        ("busy", Show.DND),
        ("dnd", Show.DND),
        ("AWAY", Show.AWAY),
        ("xa", Show.XA),
        ("chat", Show.CHAT),
        ("x", None),
        ("", None),
    ],
)
def test_availability_of_old_clients(word: str, show: Show | None) -> None:
    assert one("", f"<im:im>{word}</im:im>").get(Field.SHOW) is show
    assert Field.SHOW not in one("", f"<x:im>{word}</x:im>")


def test_a_show_counts_over_everything_and_busy_over_words() -> None:
    words = "<rpid:activities><rpid:away/></rpid:activities>"
    assert one(words, "<c:show>xa</c:show><im:im>busy</im:im>")[Field.SHOW] is Show.XA
    assert one(words, "<im:im>busy</im:im>")[Field.SHOW] is Show.DND
    assert one("<rpid:activities><rpid:busy/></rpid:activities>", "<im:im>away</im:im>")[Field.SHOW] is Show.DND
    assert one(words, "<im:im>chat</im:im>")[Field.SHOW] is Show.AWAY
    assert one("", "<c:show> dnd </c:show>")[Field.SHOW] is Show.DND
    assert Field.SHOW not in one("", "<c:show>DND</c:show>") and Field.SHOW not in one("", "<x:show>dnd</x:show>")


def test_who_is_idle_is_away_unless_something_else_is_said() -> None:
    idle = "<rpid:user-input>idle</rpid:user-input>"
    assert one(idle)[Field.SHOW] is Show.AWAY
    assert person(idle)[Field.SHOW] is Show.AWAY
    assert one(idle, "<im:im>chat</im:im>")[Field.SHOW] is Show.CHAT
    assert Field.SHOW not in one("<rpid:user-input>active</rpid:user-input>")
    both = f"{idle}<rpid:user-input>active</rpid:user-input>"
    assert one(both)[Field.SHOW] is Show.AWAY


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("60", "+01:00"),
        ("+60", "+01:00"),
        ("-330", "-05:30"),
        ("-0", "+00:00"),
        ("0", "+00:00"),
        ("840", "+14:00"),
        ("-840", "-14:00"),
        ("0840", "+14:00"),
        ("841", None),
        ("00060", None),
        ("--60", None),
        ("+-60", None),
        ("6x", None),
        ("X60", None),
        ("\u0661", None),
        ("", None),
    ],
)
def test_time_zones(text: str, offset: str | None) -> None:
    assert person(f"<rpid:time-offset>{text}</rpid:time-offset>").get(Field.TIME_ZONE) == offset


@pytest.mark.parametrize(
    ("attributes", "text", "last", "idle"),
    [
        ("last-input='2017-07-14T02:20:00Z'", "idle", NOW - 1200, (NOW - 1200) // 900 * 900),
        ("last-input='2017-07-14T02:40:00Z'", "IDLE", NOW, NOW // 900 * 900),
        ("last-input='2017-07-14T02:40:01Z'", "idle", None, NOW // 900 * 900),
        ("last-input='2017-07-14T02:20:00Z'", "active", NOW - 1200, None),
        ("idle-threshold='1800'", "idle", None, (NOW - 1800) // 900 * 900),
        ("idle-threshold='1x'", "idle", None, NOW // 900 * 900),
        ("idle-threshold='\u0661'", "idle", None, NOW // 900 * 900),
        ("idle-threshold='9999999999'", "idle", None, 0.0),
        ("idle-threshold='00000001800'", "idle", None, NOW // 900 * 900),
        ("idle-threshold='1800'", "active", None, None),
        ("", "idle", None, NOW // 900 * 900),
        ("", "", None, None),
    ],
)
def test_idle_people(attributes: str, text: str, last: float | None, idle: float | None) -> None:
    found = person(f"<rpid:user-input {attributes}>{text}</rpid:user-input>")
    assert (found.get(Field.LAST_ACTIVE), found.get(Field.IDLE)) == (last, idle)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("<rpid:other>Office 4</rpid:other><x:bus-station/>", "Office 4"),
        ("<x:bus-station/><x:cafe/>", "bus station"),
        ("<rpid:note>Somewhere</rpid:note>", "Somewhere"),
        ("<rpid:note>Somewhere</rpid:note><x:cafe/>", "cafe"),
        ("<rpid:unknown/>", None),
        ("", None),
    ],
)
def test_places(content: str, place: str | None) -> None:
    found = person(f"<rpid:place-type>{content}</rpid:place-type>").get(Field.LOCATION)
    assert found == (None if place is None else Place({"text": place}))


@pytest.mark.parametrize(
    ("content", "activity"),
    [
        ("<rpid:meal/>", Activity("eating")),
        ("<rpid:busy/><rpid:meal/>", Activity("eating")),
        ("<rpid:meal/><rpid:note>Lunch</rpid:note>", Activity("eating", "", "Lunch")),
        ("<rpid:meal/><note>Lunch</note>", Activity("eating", "", "Lunch")),
        ("<rpid:other>working: writing</rpid:other><rpid:meal/>", Activity("working", "writing")),
        ("<rpid:other>Juggling</rpid:other><rpid:meal/>", Activity("eating")),
        ("<rpid:other>Juggling</rpid:other>", Activity("undefined", "", "Juggling")),
        ("<rpid:other/>", Activity("undefined")),
        ("<rpid:other/><rpid:other>Juggling</rpid:other>", Activity("undefined", "", "Juggling")),
        ("<rpid:other/><rpid:note>Juggling</rpid:note>", Activity("undefined", "", "Juggling")),
        ("<rpid:activity>Meal</rpid:activity>", Activity("eating")),
        ("<x:meal/>", None),
        ("<rpid:busy/>", None),
        ("", None),
    ],
)
def test_activities(content: str, activity: Activity | None) -> None:
    assert person(f"<rpid:activities>{content}</rpid:activities>").get(Field.ACTIVITY) == activity


def test_the_activity_of_a_tuple_counts_before_that_of_the_person_and_the_first_list_of_each() -> None:
    meal, travel = (f"<rpid:activities><rpid:{word}/></rpid:activities>" for word in ("meal", "travel"))
    told = f"<dm:person id='p'>{travel}</dm:person>"
    assert one(meal, rest=told)[Field.ACTIVITY] == Activity("eating")
    assert one("", meal, told)[Field.ACTIVITY] == Activity("eating")
    assert one(travel, meal)[Field.ACTIVITY] == Activity("eating")
    assert one("", rest=told + meal)[Field.ACTIVITY] == Activity("traveling")
    assert one("", rest=meal)[Field.ACTIVITY] == Activity("eating")
    assert one(meal + travel)[Field.ACTIVITY] == Activity("eating")
    # The most busy word of all counts for the availability: travel is extended away, a meal is away.
    assert one(meal, rest=told)[Field.SHOW] is Show.XA
    draft = "<old:activities><old:meal/></old:activities>"
    assert Field.ACTIVITY not in one("", draft) and one("", draft)[Field.SHOW] is Show.AWAY


@pytest.mark.parametrize(
    ("content", "mood"),
    [
        ("<rpid:happy/><rpid:note>Sun</rpid:note>", Mood("happy", "Sun")),
        ("<rpid:in_awe/>", Mood("in_awe", "")),
        ("<rpid:nonsense/><rpid:sad/>", Mood("sad", "")),
        ("<rpid:other>hopeful</rpid:other>", Mood("hopeful", "")),
        ("<rpid:other>so so</rpid:other>", Mood("undefined", "so so")),
        ("<rpid:unknown/>", Mood("undefined", "")),
        ("<x:happy/>", None),
    ],
)
def test_moods(content: str, mood: Mood | None) -> None:
    assert person(f"<rpid:mood>{content}</rpid:mood>").get(Field.MOOD) == mood


def test_of_one_kind_the_first_counts_and_in_a_tuple_before_the_person() -> None:
    sad, happy = (f"<rpid:mood><rpid:{word}/></rpid:mood>" for word in ("sad", "happy"))
    assert person(sad + happy)[Field.MOOD] == Mood("sad")
    assert one(happy, rest=f"<dm:person id='p'>{sad}</dm:person>")[Field.MOOD] == Mood("happy")
    assert one(sad, happy)[Field.MOOD] == Mood("happy")
    assert one("", rest=sad)[Field.MOOD] == Mood("sad")


@pytest.mark.parametrize(("word", "device"), [("pc", "pc"), (" Phone ", "phone"), ("toaster", None), ("", None)])
def test_devices(word: str, device: str | None) -> None:
    assert one(f"<rpid:class>{word}</rpid:class>").get(Field.DEVICE) == device
    assert Field.DEVICE not in one(f"<x:class>{word}</x:class>")


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("<ci:display-name> Alice  E </ci:display-name>", {Field.DISPLAY_NAME: "Alice E"}),
        ("<ci:display-name>A</ci:display-name><ci:display-name>B</ci:display-name>", {Field.DISPLAY_NAME: "A"}),
        ("<ci:display-name/>", {}),
        ("<ci:homepage>https://x.example</ci:homepage>", {Field.URL: ("https://x.example",)}),
        ("<ci:homepage>ftp://x.example</ci:homepage>", {}),
        ("<ci:icon>https://x.example</ci:icon>", {}),
        ("<x:display-name>A</x:display-name>", {}),
        (
            "".join(f"<ci:homepage>https://x.example/{number % 10}</ci:homepage>" for number in range(20)),
            {Field.URL: tuple(f"https://x.example/{number}" for number in range(8))},
        ),
    ],
)
def test_cards(content: str, fields: dict[Field, Any]) -> None:
    assert person(content) == {Field.AVAILABILITY: True, **fields}


def contact(uri: str, kind: str = "", basic: str = "open") -> str:
    word = f"<rpid:class>{kind}</rpid:class>" if kind else ""
    return f"<tuple id='c'><status><basic>{basic}</basic></status>{word}<contact>{uri}</contact></tuple>"


@pytest.mark.parametrize(
    ("told", "name", "text"),
    [
        (contact("tel:+1", "work"), Field.PHONE_WORK, "+1"),
        (contact("TEL:+1", "CELL"), Field.PHONE_MOBILE, "+1"),
        (contact("tel:+1", "mobile"), Field.PHONE_MOBILE, "+1"),
        (contact("tel:+1", "x"), Field.PHONE_OTHER, "+1"),
        (contact("tel:+1"), Field.PHONE_OTHER, "+1"),
        (contact("MailTo:a@x.example"), Field.EMAIL, "a@x.example"),
    ],
)
def test_numbers_and_addresses(told: str, name: Field, text: str) -> None:
    found = read(told)
    assert found.tuples == () and found.document._fields == {Field.AVAILABILITY: True, name: (text,)}
    assert one("", rest=told)[name] == (text,)


def test_numbers_of_closed_tuples_are_not_taken_and_make_nobody_reachable() -> None:
    assert read(contact("tel:+1", "work", "closed")).document == OFFLINE
    assert one("", rest=contact("tel:+1", "work", "closed")) == {Field.AVAILABILITY: True}
    both = contact("tel:+1", "work") + contact("tel:+2", "work", "closed")
    assert read(both).document[Field.PHONE_WORK] == ("+1",)
    both = contact("tel:+1", "work", "closed") + contact("tel:+2", "work")
    assert read(both).document[Field.PHONE_WORK] == ("+2",)


def test_eight_numbers_of_a_kind_each_once() -> None:
    many = "".join(contact(f"tel:{number % 10}", "work") for number in range(20))
    assert read(many).document[Field.PHONE_WORK] == tuple(map(str, range(8)))
    assert Field.PHONE_OTHER not in read(contact("tel:x")).document


def test_who_is_reachable_by_telephone_only_says_the_rest_as_well() -> None:
    told = read(contact("tel:+1", "work") + "<dm:person id='p'><rpid:mood><rpid:sad/></rpid:mood></dm:person>")
    assert told.document[Field.MOOD] == Mood("sad") and told.document.available
    told = read(contact("tel:+1", "work") + "<rpid:mood><rpid:sad/></rpid:mood>")
    assert told.document[Field.MOOD] == Mood("sad")


@pytest.mark.parametrize(
    ("first", "second", "note"),
    [
        ("2017-07-14T02:00:00Z", "2017-07-14T01:00:00Z", "1"),
        ("2017-07-14T01:00:00Z", "2017-07-14T02:00:00Z", "2"),
        ("x", "1970-01-01T00:00:00Z", "2"),
        ("", "", "1"),
    ],
)
def test_the_newest_person_counts(first: str, second: str, note: str) -> None:
    def told(number: int, moment: str) -> str:
        return f"<dm:person id='p{number}'><dm:note>{number}</dm:note><dm:timestamp>{moment}</dm:timestamp></dm:person>"

    assert one("", rest=told(1, first) + told(2, second))[Field.NOTE] == (("", note),)
    assert Field.NOTE not in one("", rest="<x:person><dm:note>x</dm:note></x:person>")


@pytest.mark.parametrize(
    ("notes", "found"),
    [
        ("<note> a </note>", (("", "a"),)),
        ("<note xml:lang='en'>a</note><note>b</note>", (("en", "a"), ("de", "b"))),
        ("<note xml:lang='en'>a</note><note xml:lang='en'>b</note>", (("en", "a"),)),
        ("<note xml:lang=''>a</note>", (("", "a"),)),
        ("<note> </note>", None),
        ("<x:note>a</x:note>", None),
    ],
)
def test_notes_bear_a_language(notes: str, found: Any) -> None:
    language = "de" if "b</note>" in notes else ""
    assert read(f"<tuple id='t'>{OPEN}{notes}</tuple>", language=language).document.get(Field.NOTE) == found


def test_sixteen_languages_of_a_note_are_taken() -> None:
    notes = "".join(f"<note xml:lang='x-{number}'>a</note>" for number in range(20))
    assert len(one(notes)[Field.NOTE]) == 16


@pytest.mark.parametrize(
    ("interval", "holds"),
    [
        ("from='2017-07-14T02:40:00Z'", True),
        ("from='2017-07-14T02:40:01Z'", False),
        ("until='2017-07-14T02:40:01Z'", True),
        ("until='2017-07-14T02:40:00Z'", False),
        ("from='2017-07-14T02:00:00Z' until='2017-07-14T03:00:00Z'", True),
        ("from='x' until='y'", True),
    ],
)
def test_what_holds_now(interval: str, holds: bool) -> None:
    assert (Field.MOOD in person(f"<rpid:mood {interval}><rpid:sad/></rpid:mood>")) is holds


def test_whom_a_document_is_about_does_not_stand_in_a_log() -> None:
    tuple_ = f"<tuple id='canary'>{OPEN}<contact>sip:canary@x.example</contact></tuple>"
    assert "canary" not in repr(read(tuple_, "entity='sip:canary@x.example'"))


def test_who_is_idle_without_a_time_is_idle_from_now_on() -> None:
    told = "<tuple id='t'><status><basic>open</basic></status><rpid:user-input>idle</rpid:user-input></tuple>"
    now = 1_500_000_300.0  # a whole quarter of an hour
    document = read_pidf(f"<presence {SPACES}>{told}</presence>".encode(), now).document
    assert document[Field.IDLE] == now
