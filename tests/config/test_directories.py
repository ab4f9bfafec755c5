"""[[directory]] tables: what each kind takes, and what is wrong with its line."""

from pathlib import Path

import pytest

from gateway.config import DirectoryCaldav, DirectoryFile, DirectoryIcal, DirectoryLdap, changes, load, restart_needed
from gateway.config.directories import Roots
from gateway.errors import ConfigError
from gateway.model.presence import Field

from .files import write

FOUR = """
[[directory]]
kind = "file"
name = "staff"
path = "staff.csv"

[[directory]]
kind = "ldap"
name = "people"
url = "ldaps://ldap.corp.example"
base = { "corp.example" = "ou=people,dc=corp,dc=example" }
attributes = { "title" = "position", photo = [] }

[[directory]]
kind = "ical"
name = "calendars"
url = "https://calendar.corp.example/{local}.ics?key=1"

[[directory]]
kind = "caldav"
name = "dav"
url = "http://127.0.0.1:5232/{address}/calendar/"
user = "{local}"
password = "secret-canary"
"""


def test_each_kind_is_a_class_of_its_own_in_the_order_of_the_file(tmp_path: Path) -> None:
    file, ldap, ical, caldav = load(write(tmp_path, FOUR)).directories
    assert isinstance(file, DirectoryFile) and file.path == tmp_path / "staff.csv"
    assert isinstance(ldap, DirectoryLdap) and isinstance(ical, DirectoryIcal) and isinstance(caldav, DirectoryCaldav)
    assert ldap.base.of("corp.example") == "ou=people,dc=corp,dc=example" and ldap.base.of("other.example") is None
    assert dict(ldap.attributes.by_field) == {Field.TITLE: ("position",), Field.PHOTO: ()}
    assert Roots("dc=x").of("any.example") == "dc=x"
    assert caldav.password is not None and caldav.password.text == "secret-canary"
    assert "secret-canary" not in repr(caldav)


def test_there_is_none_unless_named(tmp_path: Path) -> None:
    assert load(write(tmp_path)).directories == ()


def problem_of(folder: Path, table: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, "\n[[directory]]\n" + table))
    return str(caught.value).splitlines()


LDAP = 'kind = "ldap"\nname = "people"\nurl = "ldaps://ldap.corp.example"\nbase = "dc=x"\n'
ICAL = 'kind = "ical"\nname = "cal"\n'


@pytest.mark.parametrize(
    ("table", "line", "text"),
    [
        ('kind = "fil"\nname = "a"', 15, 'Did you mean "file"?'),
        (
            'kind = "file"\nname = "staff"\npath = "a.csv"\nrefresh = 1',
            18,
            'unknown key "refresh" in [[directory]] staff',
        ),
        ('kind = "file"\nname = "staff"', 14, "[[directory]] staff needs path"),
        ('kind = "file"\nname = "staff"\npath = "a.txt"', 17, "must end in .csv or .toml"),
        ('kind = "file"\nname = "Staff!"\npath = "a.csv"', 16, "a name has a-z"),
        (LDAP.replace("ldaps://ldap", "https://ldap"), 17, 'must be "ldaps://host" or "ldap://host"'),
        (LDAP + 'person = "mail=alice"', 19, "must be an attribute, =, and {address} or {local}"),
        (LDAP + 'attributes = { titel = "x" }', 19, 'Did you mean "title"?'),
        (LDAP + 'attributes = { title = "x)(y" }', 19, "must be the name of an attribute"),
        (LDAP + 'bind = "cn=x"', 19, "bind needs a password"),
        (LDAP.replace('"dc=x"', '{ "other.example" = "dc=x" }'), 18, "not one of our domains"),
        (ICAL + 'url = "http://calendar.corp.example/{local}"', 17, "must begin with https://"),
        (ICAL + 'url = "https://{local}.corp.example/"', 17, "only after the host"),
        (ICAL + 'url = "https://calendar.corp.example/"', 17, "must name the person"),
        (ICAL + 'url = "https://calendar.corp.example/{user}"', 17, "{user} stands for nothing"),
        (ICAL + 'url = "https://a:b@calendar.corp.example/{local}"', 17, "without a password"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, table: str, line: int, text: str) -> None:
    told = problem_of(tmp_path, table)
    assert any(one.startswith(f"gateway.toml:{line}: ") and text in one for one in told), told


def test_a_name_is_there_once(tmp_path: Path) -> None:
    one = '[[directory]]\nkind = "file"\nname = "staff"\npath = "a.csv"\n'
    with pytest.raises(ConfigError, match=r"\[\[directory\]\] staff is there twice"):
        load(write(tmp_path, one + one))


def test_a_change_is_told_and_needs_a_restart(tmp_path: Path) -> None:
    old = load(write(tmp_path / "old", FOUR))
    new = load(write(tmp_path / "new", FOUR.replace('user = "{local}"', 'user = "{address}"').replace("staff", "crew")))
    told = changes(old, new)
    assert (
        "directory dav changed: user" in told and "directory crew added" in told and "directory staff removed" in told
    )
    assert "directory" in restart_needed(old, new)
    assert "secret-canary" not in str(told)
    assert restart_needed(old, old) == []
