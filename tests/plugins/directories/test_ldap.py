"""The LDAP directory against a real OpenLDAP server: TLS, binding, what is found, and what changes."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from gateway.config import DirectoryLdap, Secret, Trust
from gateway.config.directories import Assertion, Attributes, LdapUrl, Roots
from gateway.errors import GatewayError
from gateway.interfaces import Entry
from gateway.model.address import Address
from gateway.model.presence import Field, PostalAddress
from gateway.model.publication import Origin
from tests.interop.pki import Pki

from .stage import ALICE, DAVE, Listener, pause, surroundings, until

pytestmark = pytest.mark.interop

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


def missing() -> str:
    """What is needed and not here."""
    if importlib.util.find_spec("ldap") is None:
        return "LDAP tests left out: apt-get install libldap-dev libsasl2-dev, then pip install '.[ldap]'"
    found = shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return "" if found else "LDAP tests left out: apt-get install slapd"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if reason := missing():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from .slapd import GROUPS, PEOPLE, READER, ROOT, Slapd

    folder = tmp_path_factory.mktemp("slapd")
    slapd = Slapd(folder, Pki(folder / "pki"))
    slapd.start()
    try:
        slapd.add(ROOT, objectClass=["dcObject", "organization"], dc="corp", o="Corp")
        slapd.add(READER, objectClass=["organizationalRole", "simpleSecurityObject"], cn="gateway", userPassword="pw")
        slapd.add(PEOPLE, objectClass="organizationalUnit", ou="people")
        slapd.add(GROUPS, objectClass="organizationalUnit", ou="groups")
        slapd.add(f"uid=alice,{PEOPLE}", **ALICE_ENTRY)
        slapd.add(f"uid=dave,{PEOPLE}", objectClass="inetOrgPerson", uid="dave", cn="Dave", sn="D", mail=str(DAVE))
        slapd.add(f"cn=Heads,{GROUPS}", objectClass="groupOfNames", cn="Heads", member=f"uid=alice,{PEOPLE}")
        for number in range(120):
            person = f"p{number}"
            slapd.add(
                f"uid={person},{PEOPLE}",
                objectClass="inetOrgPerson",
                uid=person,
                cn=person,
                sn=person,
                mail=f"{person}@corp.example",
            )
        yield slapd
    finally:
        slapd.stop()


ALICE_ENTRY: dict[str, Any] = {
    "objectClass": "inetOrgPerson",
    "uid": "alice",
    "cn": "Alice",
    "sn": "Example",
    "displayName": "Alice Example",
    "mail": str(ALICE),
    "title": "Head",
    "o": "Corp",
    "departmentNumber": "7",
    "physicalDeliveryOfficeName": "B 12",
    "telephoneNumber": ["+1 202 555 0101", "+1 202 555 0102"],
    "mobile": "+1 202 555 0103",
    "homePhone": "+1 202 555 0104",
    "street": "1 Example Way",
    "l": "Springfield",
    "st": "EX",
    "postalCode": "12345",
    "homePostalAddress": "2 Home Lane $ Springfield",
    "labeledURI": "https://corp.example/alice My page",
    "jpegPhoto": PNG,
}
VALUES = {
    Field.DISPLAY_NAME: "Alice Example",
    Field.EMAIL: (str(ALICE),),
    Field.TITLE: "Head",
    Field.COMPANY: "Corp",
    Field.DEPARTMENT: "7",
    Field.OFFICE: "B 12",
    Field.PHONE_WORK: ("+1 202 555 0101", "+1 202 555 0102"),
    Field.PHONE_MOBILE: ("+1 202 555 0103",),
    Field.PHONE_HOME: ("+1 202 555 0104",),
    Field.ADDRESS_WORK: PostalAddress("1 Example Way", "Springfield", "EX", "12345"),
    Field.ADDRESS_HOME: PostalAddress("2 Home Lane, Springfield"),
    Field.URL: ("https://corp.example/alice",),
}


def section(server: Any, **changes: Any) -> DirectoryLdap:
    from .slapd import PEOPLE, READER

    settings: dict[str, Any] = {
        "kind": "ldap",
        "name": "people",
        "url": LdapUrl(server.url),
        "base": Roots("", {"corp.example": PEOPLE}),
        "ca": Trust(False, server.pki.ca),
        "bind": READER,
        "password": Secret("pw"),
        "refresh_seconds": 0.5,
        "timeout_seconds": 5.0,
    }
    return DirectoryLdap(**{**settings, **changes})


async def looked_up(server: Any, who: Address, **changes: Any) -> Entry | None:
    from plugins.directories.ldap import build

    directory = build(surroundings(Listener()), section(server, **changes))
    await directory.start()
    try:
        return await directory.look_up(who)
    finally:
        await directory.stop()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("tls", [True, False])
async def test_an_entry_becomes_fields_and_groups(server: Any, tls: bool) -> None:
    entry = await looked_up(server, ALICE.at("desk"), url=LdapUrl(server.tls_url if tls else server.url))
    assert entry is not None
    photo = entry.values[Field.PHOTO]
    assert (photo.media_type, photo.content) == ("image/png", PNG)
    assert {name: value for name, value in entry.values.items() if name is not Field.PHOTO} == VALUES
    assert entry.groups == {"Heads", "cn=Heads,ou=groups,dc=corp,dc=example"} and entry.ends is None


@pytest_twisted.ensureDeferred
async def test_groups_can_be_searched(server: Any) -> None:
    entry = await looked_up(server, ALICE, groups="", group_base="ou=groups,dc=corp,dc=example")
    assert entry is not None and "Heads" in entry.groups
    entry = await looked_up(server, DAVE, groups="", group_base="ou=groups,dc=corp,dc=example")
    assert entry is not None and entry.groups == frozenset()


@pytest_twisted.ensureDeferred
async def test_the_table_can_be_changed_and_people_found_by_name(server: Any) -> None:
    changed = Attributes({Field.TITLE: ("sn",), Field.PHOTO: (), Field.PHONE_WORK: ()})
    entry = await looked_up(server, ALICE, attributes=changed, person=Assertion("uid={local}"))
    assert entry is not None and entry.values[Field.TITLE] == "Example"
    assert not {Field.PHOTO, Field.PHONE_WORK} & entry.values.keys()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    "name", ["nobody@corp.example", "*@corp.example", "a)(uid=x@corp.example", "alice@other.example"]
)
async def test_who_is_not_there_is_not_known_whatever_his_name(server: Any, name: str) -> None:
    for found_by in ("mail={address}", "uid={local}"):
        assert await looked_up(server, Address.parse(name), person=Assertion(found_by)) is None


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_proved_or_entered_is_an_error(server: Any, tmp_path: Path) -> None:
    stranger = Pki(tmp_path / "stranger", "Another CA").ca
    with pytest.raises(GatewayError, match="invalid credentials"):
        await looked_up(server, ALICE, password=Secret("wrong"))
    for url in (server.url, server.tls_url):
        with pytest.raises(GatewayError, match="contact|connect"):
            await looked_up(server, ALICE, url=LdapUrl(url), ca=Trust(False, stranger))
    with pytest.raises(GatewayError, match="contact|connect"):
        await looked_up(server, ALICE, url=LdapUrl(server.tls_url.replace("localhost", "127.0.0.1")))


@pytest_twisted.ensureDeferred
async def test_two_entries_with_one_address_are_an_error(server: Any) -> None:
    everybody = Address.parse("person@corp.example")
    with pytest.raises(GatewayError, match="more than one entry"):
        await looked_up(server, everybody, person=Assertion("objectClass={local}"))


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("groups", ["memberOf", ""])
async def test_a_change_is_noticed_and_told_once(server: Any, groups: str) -> None:
    from plugins.directories.ldap import build

    from .slapd import GROUPS, PEOPLE

    listener = Listener()
    directory = build(surroundings(listener), section(server, groups=groups, group_base=GROUPS if not groups else ""))
    absent, far = Address.parse("new@corp.example"), Address.parse("p119@corp.example")
    await directory.start()
    try:
        assert directory.origin is Origin.ADMINISTRATOR
        for person in (ALICE, DAVE, far, absent):
            await directory.look_up(person)
        await pause(1.3)
        assert listener.changed == []
        server.replace(f"uid=alice,{PEOPLE}", {"title": ["King"]})
        await until(lambda: listener.changed == [ALICE])
        entry = await directory.look_up(ALICE)
        assert entry is not None and entry.values[Field.TITLE] == "King"
        server.add(f"uid=new,{PEOPLE}", objectClass="inetOrgPerson", uid="new", cn="N", sn="N", mail=str(absent))
        await until(lambda: listener.changed == [ALICE, absent])
        server.replace(f"uid=p119,{PEOPLE}", {"title": ["Beyond the first page"]})
        await until(lambda: listener.changed == [ALICE, absent, far])
        server.add(f"cn=New,{GROUPS}", objectClass="groupOfNames", cn="New", member=f"uid=dave,{PEOPLE}")
        await until(lambda: listener.changed == [ALICE, absent, far, DAVE])
        await pause(1.2)
        assert listener.changed == [ALICE, absent, far, DAVE]
    finally:
        await directory.stop()
        for dn in (f"uid=new,{PEOPLE}", f"cn=New,{GROUPS}"):
            server.delete(dn)
        server.replace(f"uid=alice,{PEOPLE}", {"title": ["Head"]})
        server.replace(f"uid=p119,{PEOPLE}", {"title": []})


@pytest_twisted.ensureDeferred
async def test_a_server_that_comes_back_is_asked_again(server: Any) -> None:
    from plugins.directories.ldap import build

    directory = build(surroundings(Listener()), section(server))
    await directory.start()
    try:
        assert await directory.look_up(ALICE) is not None
        server.stop()
        with pytest.raises(GatewayError, match="contact|connect"):
            await directory.look_up(ALICE)
        server.start()
        assert await directory.look_up(ALICE) is not None
    finally:
        await directory.stop()


def test_a_field_of_the_present_is_none_of_a_directorys(server: Any) -> None:
    from plugins.directories.ldap import build

    with pytest.raises(GatewayError, match="note is no field of a directory"):
        build(surroundings(Listener()), section(server, attributes=Attributes({Field.NOTE: ("description",)})))
