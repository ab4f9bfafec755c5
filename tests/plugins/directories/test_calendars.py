"""Calendars against a real Radicale: as documents behind addresses, and by CalDAV's query."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from gateway.config import DirectoryCaldav, DirectoryIcal, Secret, Trust
from gateway.config.directories import Pattern, WebUrl
from gateway.errors import GatewayError
from gateway.model.address import Address
from gateway.model.presence import Field, Show, Slot
from gateway.model.publication import Origin
from gateway.protocols.calendars.agenda import IN_A_MEETING
from plugins.directories import caldav, ical
from plugins.directories.calendars import Calendars
from tests.interop.pki import Pki

from .radicale import Radicale
from .stage import ALICE, DAVE, Listener, surroundings

pytestmark = pytest.mark.interop

NOW = datetime(2026, 6, 3, 8, 10, tzinfo=UTC).timestamp()
NOBODY = Address.parse("nobody@corp.example")


def event(uid: str, *lines: str, start: str = "20260603T080000Z", end: str = "20260603T090000Z") -> str:
    inside = "".join(f"{line}\n" for line in (f"UID:{uid}", f"DTSTART:{start}", f"DTEND:{end}", *lines))
    body = f"BEGIN:VEVENT\nDTSTAMP:20260101T000000Z\n{inside}END:VEVENT\n"
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{body}END:VCALENDAR\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    if shutil.which("radicale", path=f"{os.environ.get('PATH', '')}:/usr/bin") is None:
        reason = "calendar tests left out: apt-get install radicale"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("radicale")
    running = Radicale(folder, Pki(folder / "pki"))
    running.start()
    try:
        for user in ("alice", "dave"):
            running.put(user, "calendar/", "", "MKCALENDAR")
        running.put("alice", "calendar/1.ics", event("1", "SUMMARY:Budget", "LOCATION:Room 3"))
        running.put(
            "alice", "calendar/2.ics", event("2", "RRULE:FREQ=DAILY", start="20200101T150000Z", end="20200101T160000Z")
        )
        running.put("alice", "calendar/3.ics", event("3", start="20300101T150000Z", end="20300101T160000Z"))
        yield running
    finally:
        running.stop()


class Clock:
    """Says what time it is."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def directory(kind: str, server: Radicale, clock: Clock, **changes: Any) -> Calendars:
    settings: dict[str, Any] = {
        "kind": kind,
        "name": "calendars",
        "url": WebUrl(f"{server.url}/{{local}}/calendar/"),
        "ca": Trust(False, server.pki.ca),
        "user": Pattern("gateway"),
        "password": Secret("gateway-pw"),
        **changes,
    }
    made = (
        ical.build(surroundings(Listener(), clock), DirectoryIcal(**settings))
        if kind == "ical"
        else caldav.build(surroundings(Listener(), clock), DirectoryCaldav(**settings))
    )
    assert isinstance(made, Calendars) and made.origin is Origin.CALENDAR
    return made


BOTH = pytest.mark.parametrize("kind", ["ical", "caldav"])


@BOTH
@pytest_twisted.ensureDeferred
async def test_what_a_calendar_says_now_and_how_long(server: Radicale, kind: str) -> None:
    clock = Clock()
    calendars = directory(kind, server, clock)
    await calendars.start()
    try:
        entry = await calendars.look_up(ALICE.at("desk"))
        assert entry is not None and entry.groups == frozenset()
        assert entry.values[Field.ACTIVITY] == IN_A_MEETING and entry.values[Field.SHOW] is Show.DND
        assert (entry.values[Field.MEETING_SUBJECT], entry.values[Field.MEETING_LOCATION]) == ("Budget", "Room 3")
        busy = entry.values[Field.FREE_BUSY]
        assert (busy.start, len(busy.slots)) == (int(NOW) // 86400 * 86400, 4 * 96)
        assert [place for place, slot in enumerate(busy.slots) if slot is not Slot.FREE] == [
            *range(32, 36),
            *(day * 96 + quarter for day in range(4) for quarter in range(60, 64)),
        ]
        assert entry.ends == NOW + 300
        clock.now = datetime(2026, 6, 3, 8, 58, tzinfo=UTC).timestamp()
        entry = await calendars.look_up(ALICE)
        assert entry is not None and entry.ends == clock.now + 120
        free = await calendars.look_up(DAVE)
        assert free is not None and free.values.keys() == {Field.FREE_BUSY}
        nobody = await calendars.look_up(NOBODY)
        assert nobody is not None and nobody.values == {} and nobody.ends == clock.now + 300
    finally:
        await calendars.stop()


@BOTH
@pytest_twisted.ensureDeferred
async def test_a_change_is_seen_when_it_is_time_to_look_again(server: Radicale, kind: str) -> None:
    clock = Clock()
    calendars = directory(kind, server, clock, refresh_seconds=60.0)
    await calendars.start()
    try:
        first = await calendars.look_up(DAVE)
        assert first is not None and Field.OUT_OF_OFFICE not in first.values
        server.put("dave", "calendar/9.ics", event("9", "X-MICROSOFT-CDO-BUSYSTATUS:OOF", "SUMMARY:canary"))
        clock.now += 59
        assert (await calendars.look_up(DAVE)).values == first.values  # type: ignore[union-attr]
        clock.now += 1
        entry = await calendars.look_up(DAVE)
        assert entry is not None and entry.values[Field.OUT_OF_OFFICE] == (("", "Out of office"),)
        assert "canary" not in str([str(value) for value in entry.values.values()])
        clock.now += 86400
        later = await calendars.look_up(DAVE)
        assert later is not None and later.values[Field.FREE_BUSY].start == first.values[Field.FREE_BUSY].start + 86400
    finally:
        await calendars.stop()
        server.put("dave", "calendar/9.ics", "", "DELETE")


@BOTH
@pytest_twisted.ensureDeferred
async def test_a_server_that_refuses_is_an_error_and_not_an_empty_calendar(
    server: Radicale, kind: str, tmp_path: Path
) -> None:
    stranger = Trust(False, Pki(tmp_path / "stranger", "Another CA").ca)
    away = WebUrl("https://localhost:1/{local}")
    for changes in ({"password": Secret("canary")}, {"user": Pattern("{local}")}, {"ca": stranger}, {"url": away}):
        calendars = directory(kind, server, Clock(), **changes)
        await calendars.start()
        try:
            with pytest.raises(GatewayError) as caught:
                await calendars.look_up(ALICE)
            assert "canary" not in str(caught.value) and "alice" not in str(caught.value)
        finally:
            await calendars.stop()


@BOTH
@pytest_twisted.ensureDeferred
async def test_people_can_have_names_and_passwords_of_their_own(server: Radicale, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "calendars.toml"
    path.write_text('"alice@corp.example" = { user = "alice", password = "alice-pw" }\n')
    calendars = directory(kind, server, Clock(), user=Pattern(""), password=None, credentials=path)
    await calendars.start()
    try:
        entry = await calendars.look_up(ALICE)
        assert entry is not None and entry.values[Field.MEETING_SUBJECT] == "Budget"
        assert (await calendars.look_up(DAVE)).values == {}  # type: ignore[union-attr]
        url = f"{server.url}/dave/calendar/"
        more = f'"dave@corp.example" = {{ user = "dave", password = "dave-pw", url = "{url}" }}\n'
        path.write_text(path.read_text() + more)
        assert (await calendars.look_up(DAVE)).values  # type: ignore[union-attr]
        path.write_text("broken\n")
        assert (await calendars.look_up(DAVE)).values  # type: ignore[union-attr]
    finally:
        await calendars.stop()


@BOTH
@pytest_twisted.ensureDeferred
async def test_a_meeting_ends_although_the_server_does_not_answer(tmp_path: Path, server: Radicale, kind: str) -> None:
    path, clock = tmp_path / "calendars.toml", Clock()
    path.write_text('"alice@corp.example" = { user = "alice", password = "alice-pw" }\n')
    calendars = directory(kind, server, clock, credentials=path, user=Pattern(""))
    await calendars.start()
    try:
        assert Field.MEETING_SUBJECT in (await calendars.look_up(ALICE)).values  # type: ignore[union-attr]
        path.write_text('"alice@corp.example" = { user = "alice", password = "no longer" }\n')
        clock.now = datetime(2026, 6, 3, 9, 0, tzinfo=UTC).timestamp()
        later = await calendars.look_up(ALICE)
        assert later is not None and later.values.keys() == {Field.FREE_BUSY} and later.ends == clock.now + 60
        clock.now += 86400
        nothing = await calendars.look_up(ALICE)
        assert nothing is not None and nothing.values == {} and nothing.ends == clock.now + 60
    finally:
        await calendars.stop()
