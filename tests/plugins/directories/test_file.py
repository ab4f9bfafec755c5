"""A directory in a file: what it says, what is wrong with it, and what happens when it changes."""

from pathlib import Path

import pytest
import pytest_twisted

from gateway.config import DirectoryFile
from gateway.interfaces import Entry
from gateway.model.presence import Field, PostalAddress, WorkingHours
from gateway.model.publication import Origin
from plugins.directories.file import FileDirectory, build
from plugins.directories.staff_file import FileMistakes, read_csv, read_file, read_toml

from .stage import ALICE, DAVE, Listener, pause, surroundings, until

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
OURS = {"corp.example"}

CSV = """\
address,display_name,title,phone.work,email,address.work.street,address.work.locality,working_hours,groups
alice@corp.example,Alice Example,"Head, of things",+1 202 555 0100; +1 202 555 0101,alice@corp.example,"1, Way",Town,\
Mon-Fri 08:00-17:00 +01:00,staff;heads
Dave@Corp.Example,,,,,,,,
"""
TOML = """\
["alice@corp.example"]
display_name = "Alice Example"
title = "Head, of things"
"phone.work" = ["+1 202 555 0100", "+1 202 555 0101"]
email = "alice@corp.example"
address.work.street = "1, Way"
address.work.locality = "Town"
working_hours = "Mon-Fri 08:00-17:00 +01:00"
groups = ["staff", "heads"]

["dave@corp.example"]
"""
ENTRIES = {
    ALICE: Entry(
        {
            Field.DISPLAY_NAME: "Alice Example",
            Field.TITLE: "Head, of things",
            Field.PHONE_WORK: ("+1 202 555 0100", "+1 202 555 0101"),
            Field.EMAIL: ("alice@corp.example",),
            Field.ADDRESS_WORK: PostalAddress("1, Way", "Town"),
            Field.WORKING_HOURS: WorkingHours((0, 1, 2, 3, 4), 480, 1020, "+01:00"),
        },
        frozenset({"staff", "heads"}),
    ),
    DAVE: Entry({}),
}


def no_picture(name: str) -> bytes:
    raise FileNotFoundError(2, "no such file")


def test_both_forms_say_the_same() -> None:
    assert read_csv(CSV, "a.csv", OURS, no_picture) == ENTRIES
    assert read_toml(TOML, "a.toml", OURS, no_picture) == ENTRIES


def test_a_picture_is_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "alice.png").write_bytes(PNG)
    (tmp_path / "a.csv").write_text("address,photo\nalice@corp.example,alice.png\n")
    photo = read_file(tmp_path / "a.csv", OURS)[ALICE].values[Field.PHOTO]
    assert (photo.media_type, photo.content) == ("image/png", PNG)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name\nx\n", "a.csv:1: the heading needs a column address"),
        ("address,titel\n", "a.csv:1: unknown column 'titel'"),
        ("address,title,title\n", "a.csv:1: column title is there twice"),
        ("address,availability\n", "a.csv:1: unknown column 'availability'"),
        ("address,title\nalice@corp.example,a,b\n", "a.csv:2: has 3 cells, the heading has 2"),
        ("address\n\nbob@partner.example\n", "a.csv:3: a person is name@corp.example"),
        ("address\n@corp.example\n", "a.csv:2: this is no address"),
        ("address\nalice@corp.example\nALICE@corp.example\n", "a.csv:3: this person is there already"),
        ('address,title\nalice@corp.example,"two\nlines"\ndave@corp.example/x,a', "a.csv:4: a person is name@corp"),
        ("address,url\nalice@corp.example,javascript:x\n", "a.csv:2: url is no http or https address"),
        ("address,email\nalice@corp.example,canary\n", "a.csv:2: email is no e-mail address"),
        ("address,time_zone\nalice@corp.example,CET\n", "a.csv:2: time_zone is no offset like +01:00"),
        ("address,working_hours\nalice@corp.example,always\n", "a.csv:2: working_hours is not like Mon-Fri"),
        ("address,working_hours\nalice@corp.example,Mon 17:00-08:00\n", "a.csv:2: working_hours ends before"),
        ("address,photo\nalice@corp.example,a.png\n", "a.csv:2: photo names a file that cannot be read"),
        ('address,title\nalice@corp.example,"open\n', "a.csv:2: "),
    ],
)
def test_a_mistake_in_a_table_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(FileMistakes) as caught:
        read_csv(text, "a.csv", OURS, no_picture)
    assert told in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('["alice@corp.example"]\ntitel = "x"\n', "a.toml:2: unknown field 'titel'"),
        ('["alice@corp.example"]\n\nphone.desk = "x"\n', "a.toml:3: unknown field 'phone.desk'"),
        ('["alice@corp.example"]\ntitle = 7\n', "a.toml:2: title must be a text in quotes"),
        ('["alice@corp.example"]\ntitle = "x"\n"url" = ["ftp://x"]\n', "a.toml:3: url is no http or https address"),
        ('x = 1\n["alice@corp.example"]\n', 'a.toml:1: a person is a table, ["name@domain"]'),
        ('["bob@partner.example"]\n', "a.toml:1: a person is name@corp.example"),
        ('["alice@corp.example"\n', "a.toml: "),
    ],
)
def test_a_mistake_in_toml_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(FileMistakes) as caught:
        read_toml(text, "a.toml", OURS, no_picture)
    assert told in str(caught.value)


def test_every_mistake_is_told_and_nothing_is_taken() -> None:
    with pytest.raises(FileMistakes) as caught:
        read_csv("address,url\nalice@corp.example,x\nbob@x.example,\n", "a.csv", OURS, no_picture)
    assert str(caught.value).splitlines() == [
        "a.csv:2: url is no http or https address",
        "a.csv:3: a person is name@corp.example",
    ]


def directory(path: Path, listener: Listener) -> FileDirectory:
    section = DirectoryFile(kind="file", name="staff", path=path, refresh_seconds=0.1)
    made = build(surroundings(listener), section)
    assert isinstance(made, FileDirectory) and made.origin is Origin.ADMINISTRATOR and made.name == "staff"
    return made


@pytest_twisted.ensureDeferred
async def test_a_changed_file_is_read_again_and_told_of_whom_it_changes(tmp_path: Path) -> None:
    path, listener = tmp_path / "staff.csv", Listener()
    path.write_text("address,title\nalice@corp.example,Clerk\ndave@corp.example,Clerk\n")
    staff = directory(path, listener)
    await staff.start()
    try:
        assert await staff.look_up(ALICE) == Entry({Field.TITLE: "Clerk"})
        path.write_text("address,title\nalice@corp.example,King\ndave@corp.example,Clerk\n")
        await until(lambda: listener.changed)
        assert listener.changed == [ALICE]
        assert await staff.look_up(ALICE.at("desk")) == Entry({Field.TITLE: "King"})
        path.write_text("address,title\nalice@corp.example,King\n")
        await until(lambda: listener.changed == [ALICE, DAVE])
        assert await staff.look_up(DAVE) is None
    finally:
        await staff.stop()


@pytest_twisted.ensureDeferred
async def test_a_file_with_a_mistake_or_none_changes_nothing(tmp_path: Path) -> None:
    path, listener = tmp_path / "staff.csv", Listener()
    path.write_text("address,title\nalice@corp.example,Clerk\n")
    staff = directory(path, listener)
    await staff.start()
    try:
        path.write_text("address,title\nalice@corp.example,King\nbob@partner.example,x\n")
        await pause(0.4)
        path.unlink()
        await pause(0.3)
        assert await staff.look_up(ALICE) == Entry({Field.TITLE: "Clerk"})
        assert listener.changed == []
        path.write_text("address,title\nalice@corp.example,King\n")
        await until(lambda: listener.changed == [ALICE])
    finally:
        await staff.stop()


@pytest_twisted.ensureDeferred
async def test_a_mistake_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileMistakes, match="staff.csv: cannot be read: No such file"):
        await directory(tmp_path / "staff.csv", Listener()).start()
