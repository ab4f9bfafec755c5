"""Where each person's calendar is and with what it is read."""

from pathlib import Path

import pytest

from gateway.config import DirectoryIcal, Secret
from gateway.config.directories import Pattern, WebUrl
from gateway.model.address import Address
from plugins.directories.calendars import Account, Accounts, CalendarFailed, read_accounts, refused

from .stage import ALICE

URL = "https://calendar.corp.example/{local}/of/{domain}?who={address}"


def section(**changes: object) -> DirectoryIcal:
    settings = {"kind": "ical", "name": "x", "url": WebUrl(URL), "user": Pattern("u-{local}"), "password": Secret("pw")}
    return DirectoryIcal(**{**settings, **changes})  # type: ignore[arg-type]


def test_the_person_stands_in_the_address_and_nothing_of_him_leads_elsewhere() -> None:
    accounts = Accounts(section())
    assert accounts.of(ALICE) == Account(
        "https://calendar.corp.example/alice/of/corp.example?who=alice@corp.example", "u-alice", "pw"
    )
    odd = accounts.of(Address.of("a?b#c%{domain}", "corp.example"))
    assert odd is not None and odd.url.startswith("https://calendar.corp.example/a%3Fb%23c%25%7Bdomain%7D/of/")
    umlaut = accounts.of(Address.parse("müller@corp.example"))
    assert umlaut is not None and "/m%C3%BCller/" in umlaut.url
    for name in (".", ".."):
        assert accounts.of(Address.of(name, "corp.example")) is None
    assert accounts.of(Address.parse("corp.example")) is None


def test_nothing_of_an_account_is_printed() -> None:
    assert "canary" not in repr(Account("canary", "canary", "canary"))
    assert Account("x", "alice", "secret").authorization() == {"Authorization": "Basic YWxpY2U6c2VjcmV0"}
    assert Account("x").authorization() == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x", "is not TOML"),
        ('"alice@corp.example" = "canary"', "entry 1 is not"),
        ('"alice@corp.example" = { pass = "canary" }', "entry 1 is not"),
        ('"alice@corp.example" = { user = 7 }', "entry 1 is not"),
        ('"@" = { user = "canary" }', "entry 1 is no person's"),
        ('"alice@corp.example" = { url = "https://canary.example/" }', "entry 1 has an address on another server"),
        ('"alice@corp.example" = { url = "http://calendar.corp.example/" }', "on another server"),
        ('"alice@corp.example" = { url = "https://calendar.corp.example:8443/" }', "on another server"),
    ],
)
def test_a_mistake_in_the_file_is_told_without_what_stands_in_it(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(CalendarFailed) as caught:
        read_accounts(path, URL)
    assert told in str(caught.value) and "canary" not in str(caught.value)


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(CalendarFailed, match="No such file"):
        Accounts(section(credentials=tmp_path / "none.toml")).read()


@pytest.mark.parametrize(("status", "gone"), [(200, False), (207, False), (304, False), (404, True), (410, True)])
def test_only_not_found_means_that_there_is_none(status: int, gone: bool) -> None:
    assert refused(status) is gone


@pytest.mark.parametrize("status", [301, 401, 403, 500, 503])
def test_every_other_refusal_is_an_error(status: int) -> None:
    with pytest.raises(CalendarFailed, match=str(status)):
        refused(status)
