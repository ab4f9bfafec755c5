"""What a directory says reaches contacts as far as their level goes, at once; what they may not see causes nothing."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import frozen

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .process import Process
from .scene import ACTIVITY, READY, befriend, configuration, give, inside_trust, of, partner, until

pytestmark = pytest.mark.interop

ALICE, TEAM, COMPANY, PERSONAL = (
    "alice@corp.example",
    "bob@partner.example",
    "bill@partner.example",
    "ben@partner.example",
)
PORT = 8990


@frozen
class Scene:
    """The lab with everybody in it, and the two files that the directories read."""

    gateway: Gateway
    alice: Client
    bob: Client
    bill: Client
    ben: Client
    staff: Path
    calendar: Path


def staff(**fields: str) -> str:
    lines = "".join(f"{json.dumps(name)} = {json.dumps(text)}\n" for name, text in fields.items())
    return f'["{ALICE}"]\n{lines}'


def calendar(subject: str, *lines: str) -> str:
    now = time.time()
    start, end = (datetime.fromtimestamp(now + away, UTC).strftime("%Y%m%dT%H%M%SZ") for away in (-3600, 3600))
    inside = "".join(f"{line}\n" for line in (f"SUMMARY:{subject}", f"DTSTART:{start}", f"DTEND:{end}", *lines))
    event = f"BEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\n{inside}END:VEVENT\n" if subject else ""
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{event}END:VCALENDAR\n".replace("\n", "\r\n")


def write(path: Path, text: str) -> None:
    """Replaces a file in one step; its time of change differs from the one before by a second at least."""
    other = path.with_suffix(".new")
    other.write_text(text)
    if path.exists() and int(other.stat().st_mtime) == int(path.stat().st_mtime):
        time.sleep(1.05)
        other.touch()
    other.replace(path)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """alice inside; three contacts at three levels; her title in a file, her calendar behind an address."""
    with Lab(tmp_path_factory.mktemp("directories")) as lab:
        web = lab.folder / "web"
        web.mkdir()
        sheet = lab.folder / "staff.toml"
        write(sheet, staff(display_name="Alice Adams", title="Clerk"))
        write(web / "alice.ics", calendar(""))
        tables = (
            f'[[directory]]\nkind = "file"\nname = "staff"\npath = "{sheet}"\nrefresh_seconds = 0.2\n',
            f'[[directory]]\nkind = "ical"\nname = "calendars"\nurl = "http://127.0.0.1:{PORT}/{{local}}.ics"\n'
            "refresh_seconds = 1\n",
        )
        server = [sys.executable, "-m", "http.server", str(PORT), "--bind", "127.0.0.1", "--directory", str(web)]
        http = Process("web", lab.namespace.command(lab.dns.resolv_conf("direct"), *server), lab.folder / "web.log")
        lab.join(http).start()
        gateway = lab.gateway(configuration(lab, partner("partner.example"), *tables, level="blocked"), ready=READY)
        lab.prosody("corp.example", users={"alice": "pw"}, view="inside", trust=inside_trust(lab, gateway))
        lab.prosody("partner.example", users=dict.fromkeys(("bob", "bill", "ben"), "pw"), view="public", dialback=False)
        lab.ready()
        alice, bob, bill, ben = lab.online(ALICE, TEAM, COMPANY, PERSONAL)
        for contact, level in ((bob, "team"), (bill, "company"), (ben, "personal")):
            befriend(alice, contact)
            give(gateway, ALICE, contact.bare, level)
        yield Scene(gateway, alice, bob, bill, ben, sheet, web / "alice.ics")


def test_what_the_administrator_publishes_reaches_contacts_at_once(scene: Scene) -> None:
    for contact in (scene.bob, scene.bill, scene.ben):
        contact.wait_for(lambda got: got.text("{http://jabber.org/protocol/nick}nick") == "Alice Adams", after=0)
    marks = scene.bob.mark(), scene.bill.mark()
    write(scene.staff, staff(display_name="Alice Brown", title="Clerk"))
    for contact, mark in zip((scene.bob, scene.bill), marks, strict=True):
        contact.wait_for(lambda got: "Alice Brown" in got.xml, 4.0, after=mark)


def test_a_field_that_he_may_not_see_causes_no_traffic_to_him(scene: Scene) -> None:
    marks = scene.bob.mark(), scene.bill.mark()
    more = {"phone.home": "+1 202 555 0107", "phone.mobile": "+1 202 555 0108"}
    write(scene.staff, staff(display_name="Alice Brown", title="Clerk", **more))

    def card(client: Client) -> str:
        return client.iq(ALICE, "<vCard xmlns='vcard-temp'/>").xml

    until(lambda: "555 0107" in card(scene.ben), "the change is taken")
    assert "555 0107" not in card(scene.bob) and "555 0108" in card(scene.bob)
    assert "555 0108" not in card(scene.bill) and "Clerk" in card(scene.bill)
    for contact, mark in zip((scene.bob, scene.bill), marks, strict=True):
        assert contact.stanzas(of(ALICE), after=mark) == []


def test_a_meeting_is_told_by_level_and_ends(scene: Scene) -> None:
    bob, bill, ben = scene.bob, scene.bill, scene.ben
    marks = bob.mark(), bill.mark(), ben.mark()
    write(scene.calendar, calendar("canary-subject", "LOCATION:canary-room"))
    seen = [
        contact.wait_for(lambda got: "in_a_meeting" in got.xml, 6.0, after=mark)
        for contact, mark in zip((bob, bill, ben), marks, strict=True)
    ]
    assert "<text>canary-subject, canary-room</text>" in seen[0].xml.replace(f' xmlns="{ACTIVITY}"', "")
    assert "canary" not in seen[1].xml and "canary" not in seen[2].xml
    for contact, mark in zip((bob, bill, ben), marks, strict=True):
        contact.wait_for(lambda got: got.text("show") == "dnd", 4.0, after=mark)
    marks = bob.mark(), bill.mark(), ben.mark()
    write(scene.calendar, calendar("canary-other"))
    bob.wait_for(lambda got: "canary-other" in got.xml, 6.0, after=marks[0])
    write(scene.calendar, calendar(""))
    for contact, mark in zip((bob, bill, ben), marks, strict=True):
        contact.wait_for(lambda got: got.name == "presence" and not got.text("show"), 6.0, after=mark)
    told = [got.xml for client, mark in ((bill, marks[1]), (ben, marks[2])) for got in client.stanzas(after=mark)]
    assert not [xml for xml in told if "canary" in xml]
    # one change each: the end of the meeting, as a stanza and as an event; of the other subject they heard nothing
    assert len(told) <= 4


def test_out_of_office_is_the_note(scene: Scene) -> None:
    mark = scene.bill.mark()
    write(scene.calendar, calendar("canary-holiday", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"))
    away = scene.bill.wait_for(lambda got: got.text("show") == "xa", 6.0, after=mark)
    assert away.text("status") == "Out of office" and "canary" not in away.xml
    write(scene.calendar, calendar(""))
    scene.bill.wait_for(lambda got: got.name == "presence" and not got.text("show"), 6.0, after=mark)


def test_nothing_of_it_is_in_the_log(scene: Scene) -> None:
    log = scene.gateway.log
    assert "canary" not in log and "Alice Adams" not in log and "555 01" not in log
