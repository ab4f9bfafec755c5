"""What a calendar says at a moment: meetings, absences, busy quarters, and when that changes."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar.prop import vRecur

from gateway.model.address import Address
from gateway.model.presence import Field, Show, Slot, WorkingHours
from gateway.protocols.calendars.agenda import IN_A_MEETING, Agenda, Event, Facts, facts
from gateway.protocols.calendars.effort import MOST, steps
from gateway.protocols.calendars.reading import MAX_EVENTS, CalendarError, read_agenda

ALICE = Address.parse("alice@corp.example")
ZONE = "Europe/Berlin"


def at(text: str, zone: str = ZONE) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


NOW = at("2026-06-03 10:10")
MEETING = """BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260603T100000
DTEND;TZID=Europe/Berlin:20260603T110000
SUMMARY:Budget
LOCATION:Room 3
{more}END:VEVENT
"""


def calendar(*parts: str, head: str = "") -> bytes:
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{head}{''.join(parts)}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def meeting(*lines: str, **replaced: str) -> str:
    text = MEETING.format(more="".join(f"{line}\n" for line in lines))
    for name, value in replaced.items():
        text = "".join(
            f"{name.upper()}{value}\n" if line.startswith(name.upper()) else f"{line}\n" for line in text.splitlines()
        )
    return text


def said(*parts: str, now: float = NOW, days: int = 2, head: str = "") -> Facts:
    agenda = read_agenda([calendar(*parts, head=head)], ALICE, now, days)
    return facts(agenda, now, days, "Out of office")


def quarters(found: Facts, slot: Slot) -> list[tuple[str, str]]:
    """Gives the runs of a slot in local time."""
    busy = found.values[Field.FREE_BUSY]
    runs: list[list[int]] = []
    for place, one in enumerate(busy.slots):
        if one is slot:
            if runs and runs[-1][1] == place:
                runs[-1][1] = place + 1
            else:
                runs.append([place, place + 1])

    def local(place: int) -> str:
        return datetime.fromtimestamp(busy.start + place * 900, ZoneInfo(ZONE)).strftime("%d %H:%M")

    return [(local(first), local(last)) for first, last in runs]


def test_a_meeting_now() -> None:
    found = said(meeting())
    assert found.values[Field.ACTIVITY] == IN_A_MEETING and found.values[Field.SHOW] is Show.DND
    assert found.values[Field.MEETING_SUBJECT] == "Budget" and found.values[Field.MEETING_LOCATION] == "Room 3"
    assert Field.OUT_OF_OFFICE not in found.values and Field.AVAILABILITY not in found.values
    assert found.ends == at("2026-06-03 11:00")
    assert quarters(found, Slot.BUSY) == [("03 10:00", "03 11:00")]
    assert "Budget" not in repr(found) and "Budget" not in repr(read_agenda([calendar(meeting())], ALICE, NOW, 2))


def test_before_and_after_it() -> None:
    before = said(meeting(), now=at("2026-06-03 09:59"))
    assert before.values.keys() == {Field.FREE_BUSY} and before.ends == at("2026-06-03 10:00")
    after = said(meeting(), now=at("2026-06-03 11:00"))
    assert after.values.keys() == {Field.FREE_BUSY} and after.ends == at("2026-06-04 00:00")
    assert after.values == before.values == {Field.FREE_BUSY: said(meeting()).values[Field.FREE_BUSY]}


@pytest.mark.parametrize(
    "line",
    [
        "TRANSP:TRANSPARENT",
        "STATUS:CANCELLED",
        "X-MICROSOFT-CDO-BUSYSTATUS:FREE",
        "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE",
        "ATTENDEE;PARTSTAT=DECLINED:mailto:Alice@corp.example",
    ],
)
def test_what_does_not_count(line: str) -> None:
    found = said(meeting(line))
    assert found.values.keys() == {Field.FREE_BUSY}
    assert set(found.values[Field.FREE_BUSY].slots) == {Slot.FREE}


@pytest.mark.parametrize(
    "line",
    [
        "STATUS:TENTATIVE",
        "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",
        "ATTENDEE;PARTSTAT=TENTATIVE:mailto:alice@corp.example",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION:MAILTO:alice@corp.example",
    ],
)
def test_a_maybe_is_no_meeting_yet(line: str) -> None:
    found = said(meeting(line))
    assert found.values.keys() == {Field.FREE_BUSY}
    assert quarters(found, Slot.TENTATIVE) == [("03 10:00", "03 11:00")]


def test_other_peoples_answers_do_not_count() -> None:
    line = "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@partner.example"
    assert Field.ACTIVITY in said(meeting(line, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@corp.example")).values


@pytest.mark.parametrize("kind", ["PRIVATE", "CONFIDENTIAL", "X-SECRET"])
def test_what_is_private_has_no_subject_and_no_place(kind: str) -> None:
    agenda = read_agenda([calendar(meeting(f"CLASS:{kind}"))], ALICE, NOW, 2)
    assert agenda.events == (Event(at("2026-06-03 10:00"), at("2026-06-03 11:00"), Slot.BUSY),)
    assert facts(agenda, NOW, 2, "x").values[Field.ACTIVITY] == IN_A_MEETING


def test_the_meeting_that_began_last_and_says_something_is_told() -> None:
    second = meeting("CLASS:PRIVATE", uid=":2", dtstart=";TZID=Europe/Berlin:20260603T100500")
    third = meeting(uid=":3", dtstart=":20260603T080300Z", summary=":Later", location=":")
    found = said(meeting(), second, third)
    assert found.values[Field.MEETING_SUBJECT] == "Later" and Field.MEETING_LOCATION not in found.values


WHOLE = {"dtstart": ";VALUE=DATE:20260602", "dtend": ";VALUE=DATE:20260605"}


@pytest.mark.parametrize(
    ("lines", "replaced"),
    [
        (["X-MICROSOFT-CDO-BUSYSTATUS:OOF"], WHOLE),
        (["X-MICROSOFT-CDO-BUSYSTATUS:OOF"], {}),
        ([], {**WHOLE, "summary": ":OOF"}),
        ([], {**WHOLE, "summary": ":Out of office: canary"}),
        ([], {"summary": ":Out of Office"}),
    ],
)
def test_out_of_office(lines: list[str], replaced: dict[str, str]) -> None:
    found = said(meeting(*lines, **replaced))
    assert found.values.keys() == {Field.FREE_BUSY, Field.SHOW, Field.OUT_OF_OFFICE}
    assert found.values[Field.SHOW] is Show.XA
    assert found.values[Field.OUT_OF_OFFICE] == (("", "Out of office"),)
    assert Slot.OUT_OF_OFFICE in found.values[Field.FREE_BUSY].slots


@pytest.mark.parametrize("summary", ["OOF planning", "Out of office rules", "Football"])
def test_a_meeting_about_it_is_a_meeting(summary: str) -> None:
    assert Field.ACTIVITY in said(meeting(summary=f":{summary}")).values


def test_a_whole_day_is_busy_and_no_meeting() -> None:
    found = said(meeting(**WHOLE), head=f"X-WR-TIMEZONE:{ZONE}\n")
    assert found.values.keys() == {Field.FREE_BUSY}
    assert quarters(found, Slot.BUSY) == [("03 00:00", "05 00:00")]
    assert found.ends == at("2026-06-04 00:00")


def test_absence_counts_more_than_a_meeting_and_that_more_than_a_maybe() -> None:
    away = meeting("X-MICROSOFT-CDO-BUSYSTATUS:OOF", uid=":2", dtend=";TZID=Europe/Berlin:20260603T103000")
    maybe = meeting("STATUS:TENTATIVE", uid=":3", dtend=";TZID=Europe/Berlin:20260603T120000")
    found = said(meeting(), away, maybe)
    assert Field.ACTIVITY not in found.values and found.values[Field.SHOW] is Show.XA
    assert quarters(found, Slot.OUT_OF_OFFICE) == [("03 10:00", "03 10:30")]
    assert quarters(found, Slot.BUSY) == [("03 10:30", "03 11:00")]
    assert quarters(found, Slot.TENTATIVE) == [("03 11:00", "03 12:00")]
    assert found.ends == at("2026-06-03 10:30")


def test_a_series_with_an_exception_and_a_moved_occurrence() -> None:
    series = meeting("RRULE:FREQ=DAILY", f"EXDATE;TZID={ZONE}:20260603T100000")
    moved = meeting(f"RECURRENCE-ID;TZID={ZONE}:20260604T100000", dtstart=f";TZID={ZONE}:20260604T140000")
    moved = moved.replace("DTEND;TZID=Europe/Berlin:20260603T110000", f"DTEND;TZID={ZONE}:20260604T150000")
    found = said(series, moved, days=3)
    assert Field.ACTIVITY not in found.values
    assert quarters(found, Slot.BUSY) == [("04 14:00", "04 15:00"), ("05 10:00", "05 11:00")]


def test_a_series_keeps_its_hour_when_clocks_change() -> None:
    series = meeting("RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", dtstart=f";TZID={ZONE}:20250303T100000")
    series = series.replace("DTEND;TZID=Europe/Berlin:20260603T110000", f"DTEND;TZID={ZONE}:20250303T110000")
    for day in ("2026-03-27", "2026-03-30"):
        found = said(series, now=at(f"{day} 09:00"), days=1)
        assert found.ends == at(f"{day} 10:00")


def test_zones_floating_times_and_utc() -> None:
    elsewhere = meeting(
        dtstart=";TZID=America/New_York:20260603T040000", dtend=";TZID=America/New_York:20260603T050000"
    )
    for text in (elsewhere, meeting(dtstart=":20260603T080000Z", dtend=":20260603T090000Z")):
        assert said(text).ends == at("2026-06-03 11:00")
    floating = meeting(dtstart=":20260603T100000", dtend=":20260603T110000")
    assert said(floating, head=f"X-WR-TIMEZONE:{ZONE}\n").ends == at("2026-06-03 11:00")
    assert Field.ACTIVITY not in said(floating).values


def test_days_of_which_one_is_short_begin_at_midnight() -> None:
    found = said(now=at("2026-03-28 12:00"), head=f"X-WR-TIMEZONE:{ZONE}\n")
    busy = found.values[Field.FREE_BUSY]
    assert (busy.start, len(busy.slots)) == (int(at("2026-03-28 00:00")), 192)
    assert found.ends == at("2026-03-29 00:00")
    assert said(now=at("2026-03-29 12:00"), head=f"X-WR-TIMEZONE:{ZONE}\n").ends == at("2026-03-30 00:00")


def test_free_and_busy_times_given_as_such() -> None:
    given_ = (
        "BEGIN:VFREEBUSY\nFREEBUSY;FBTYPE=BUSY:20260603T080000Z/PT1H,20260603T100000Z/20260603T110000Z\n"
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260604T080000Z/PT1H\nFREEBUSY;FBTYPE=FREE:20260603T140000Z/PT1H\n"
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260603T160000Z/PT1H\nEND:VFREEBUSY\n"
    )
    found = said(given_, head=f"X-WR-TIMEZONE:{ZONE}\n")
    assert found.values[Field.ACTIVITY] == IN_A_MEETING and Field.MEETING_SUBJECT not in found.values
    assert quarters(found, Slot.BUSY) == [("03 10:00", "03 11:00"), ("03 12:00", "03 13:00")]
    assert quarters(found, Slot.OUT_OF_OFFICE) == [("04 10:00", "04 11:00")]
    assert quarters(found, Slot.TENTATIVE) == [("03 18:00", "03 19:00")]


def test_working_hours_are_those_of_availability() -> None:
    text = (
        "BEGIN:VAVAILABILITY\nUID:a\nDTSTAMP:20260101T000000Z\nBEGIN:AVAILABLE\nUID:b\nDTSTAMP:20260101T000000Z\n"
        f"DTSTART;TZID={ZONE}:20260105T083000\nDTEND;TZID={ZONE}:20260105T170000\n"
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,FR\nEND:AVAILABLE\nEND:VAVAILABILITY\n"
    )
    assert said(text).values[Field.WORKING_HOURS] == WorkingHours((0, 1, 4), 510, 1020, "+02:00")


@pytest.mark.parametrize(
    "rule", ["FREQ=SECONDLY", "FREQ=MINUTELY;INTERVAL=5", "FREQ=HOURLY", "FREQ=DAILY;INTERVAL=0", "FREQ=NEVER", "x"]
)
def test_a_rule_that_nobody_can_count_through_does_not_hold_anybody_up(rule: str) -> None:
    broken = meeting(f"RRULE:{rule}", uid=":2", dtstart=":19700101T000000Z", dtend=":19700101T010000Z")
    try:
        found = said(meeting(), broken)
    except CalendarError:
        return
    assert found.values[Field.MEETING_SUBJECT] == "Budget"


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        ("FREQ=DAILY", 100),
        ("FREQ=WEEKLY;BYDAY=MO,TU", 500),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", 1000),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", 20),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", 1),
        ("FREQ=DAILY;BYMONTH=4,6;BYMONTHDAY=-31", 1),
        ("FREQ=DAILY;BYSETPOS=5", 1),
    ],
)
def test_rules_together_have_a_bound(rule: str, most: int) -> None:
    first, last = datetime(1980, 1, 1), datetime(2026, 6, 7)
    one = steps(vRecur.from_ical(rule), first, last)
    assert one * most <= MOST
    assert (one * 2 > MOST) is (most == 1)


def test_a_calendar_of_rules_that_never_come_true_is_refused_at_once() -> None:
    broken = [meeting("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", uid=f":{number}") for number in range(3)]
    with pytest.raises(CalendarError, match="take too long"):
        read_agenda([calendar(*broken)], ALICE, NOW, 2)


def test_there_is_a_bound_to_events() -> None:
    text = "".join(
        meeting(uid=f":{number}", dtstart=":20260603T080000Z", dtend=":20260603T090000Z") for number in range(300)
    )
    agenda = read_agenda([calendar(text)] * 20, ALICE, NOW, 2)
    assert len(agenda.events) == MAX_EVENTS


@pytest.mark.parametrize("body", [b"", b"<html>canary</html>", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", b"\xff\xfe"])
def test_what_is_no_calendar_is_an_error_without_its_text(body: bytes) -> None:
    with pytest.raises(CalendarError) as caught:
        read_agenda([body], ALICE, NOW, 2)
    assert "canary" not in str(caught.value)


def test_no_documents_are_an_empty_calendar() -> None:
    assert read_agenda([], ALICE, NOW, 2).events == ()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*meeting().splitlines(), "BEGIN:VEVENT", "RRULE:FREQ=DAILY", "DTEND:x", "DURATION:P1D"]),
        max_size=12,
    )
)
def test_nothing_but_its_own_error_escapes(lines: list[str]) -> None:
    try:
        agenda = read_agenda([calendar("\n".join(lines) + "\n")], ALICE, NOW, 1)
    except CalendarError:
        return
    assert facts(agenda, NOW, 1, "x").ends > NOW


EVENTS = st.builds(
    lambda start, length, slot, whole: Event(NOW + start, NOW + start + length, slot, whole),
    st.integers(-90_000, 300_000),
    st.integers(1, 90_000),
    st.sampled_from(Slot),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENTS, max_size=8), st.integers(0, 170_000))
def test_nothing_changes_before_the_end_that_is_told(events: list[Event], later: int) -> None:
    agenda = Agenda(NOW - 90_000, NOW + 400_000, ZoneInfo(ZONE), tuple(events))
    moment = NOW + later
    found = facts(agenda, moment, 2, "x")
    assert found.ends > moment
    just_before = (found.ends + moment) / 2
    assert facts(agenda, just_before, 2, "x") == found
