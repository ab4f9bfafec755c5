"""Entity capabilities: the vectors of XEP-0115 sections 5.2 and 5.3."""

from base64 import b64encode
from hashlib import sha1

import pytest

from gateway.protocols.xmpp.stanzas.caps import (
    CAPS_FOR_CONTACTS,
    DISCO_FOR_CONTACTS,
    Caps,
    Disco,
    Identity,
    caps_of,
    disco_of,
    read_caps,
    read_disco,
    ver,
    write_caps,
    write_disco,
)
from tests.protocols.xmpp.stanzas.parsing import parse

FEATURES = (
    "http://jabber.org/protocol/muc",
    "http://jabber.org/protocol/disco#items",
    "http://jabber.org/protocol/caps",
    "http://jabber.org/protocol/disco#info",
)
SIMPLE = Disco((Identity("client", "pc", name="Exodus 0.9.1"),), FEATURES)
COMPLEX = Disco(
    (Identity("client", "pc", "en", "Psi 0.11"), Identity("client", "pc", "el", "\u03a8 0.11")),
    FEATURES,
    (
        (
            ("FORM_TYPE", ("urn:xmpp:dataforms:softwareinfo",)),
            ("ip_version", ("ipv6", "ipv4")),
            ("os", ("Mac",)),
            ("os_version", ("10.5.1",)),
            ("software", ("Psi",)),
            ("software_version", ("0.11",)),
        ),
    ),
)


def test_simple_vector() -> None:
    assert ver(SIMPLE) == "QgayPKawpkPSDYmwT/WM94uAlu0="


def test_complex_vector() -> None:
    assert ver(COMPLEX) == "q07IKJEyjvHSyhy//CH0CxmKi8w="


def test_what_is_written_is_read_and_has_the_same_hash() -> None:
    assert read_disco(parse(write_disco(SIMPLE))) == SIMPLE
    assert ver(read_disco(parse(write_disco(DISCO_FOR_CONTACTS, "n")))) == CAPS_FOR_CONTACTS.ver


def test_forms_are_read_for_the_hash() -> None:
    fields = "".join(
        f"<field var='{variable}'>{''.join(f'<value>{value}</value>' for value in values)}</field>"
        for variable, values in COMPLEX.forms[0]
    )
    text = write_disco(COMPLEX).replace("</query>", f"<x xmlns='jabber:x:data' type='result'>{fields}</x></query>")
    assert read_disco(parse(text)) == COMPLEX


def test_contacts_ask_for_every_node_that_is_read() -> None:
    notify = {feature.removesuffix("+notify") for feature in DISCO_FOR_CONTACTS.features if feature.endswith("+notify")}
    assert notify == {
        "http://jabber.org/protocol/activity",
        "http://jabber.org/protocol/geoloc",
        "http://jabber.org/protocol/mood",
        "http://jabber.org/protocol/nick",
        "urn:xmpp:avatar:metadata",
        "urn:xmpp:vcard4",
    }


def test_announcements_both_ways() -> None:
    assert read_caps(parse(write_caps(CAPS_FOR_CONTACTS))) == CAPS_FOR_CONTACTS
    assert read_caps(parse("<c xmlns='http://jabber.org/protocol/caps' node='n' ver='v'/>")) is None


DISCO = "http://jabber.org/protocol/disco#info"


def test_a_disco_is_written_with_what_it_has() -> None:
    disco = Disco((Identity("client", "phone"), Identity("a'b", "c", "en", "d\x01")), ("x'y",))
    assert write_disco(disco) == (
        f"<query xmlns='{DISCO}'><identity category='client' type='phone'/>"
        "<identity category='a&apos;b' type='c' xml:lang='en' name='d\ufffd'/><feature var='x&apos;y'/></query>"
    )
    assert write_disco(Disco((), ()), "n") == f"<query xmlns='{DISCO}' node='n'></query>"


def test_what_is_left_out_in_a_disco_is_empty_and_what_is_from_elsewhere_is_not_read() -> None:
    inside = (
        "<identity/><feature/><identity xmlns='urn:x' category='canary'/><feature xmlns='urn:x' var='canary'/>"
        "<x xmlns='urn:x'><field var='canary'/></x><other xmlns='jabber:x:data'/><other var='canary'/>"
        "<x xmlns='jabber:x:data'><field><value>v</value><other>canary</other></field>"
        "<other var='canary'/><field xmlns='urn:x' var='canary'/></x>"
    )
    assert read_disco(parse(f"<query xmlns='{DISCO}'>{inside}</query>")) == Disco(
        (Identity("", "", "", ""),), ("",), ((("", ("v",)),),)
    )


@pytest.mark.parametrize("missing", ["node", "ver", "hash"])
def test_an_announcement_lacks_nothing(missing: str) -> None:
    said = {"node": "n", "ver": "v", "hash": "sha-1"}
    written = "".join(f" {name}='{value}'" for name, value in said.items() if name != missing)
    assert read_caps(parse(f"<c xmlns='http://jabber.org/protocol/caps'{written}/>")) is None
    whole = "".join(f" {name}='{value}'" for name, value in said.items())
    assert read_caps(parse(f"<c xmlns='http://jabber.org/protocol/caps'{whole}/>")) == Caps("n", "v", "sha-1")


def test_a_contact_is_a_client_like_the_commonest_one_and_a_person_has_his_device() -> None:
    assert DISCO_FOR_CONTACTS.identities == (Identity("client", "pc", "", ""),)
    assert [one for one in DISCO_FOR_CONTACTS.features if not one.endswith("+notify")] == [
        "http://jabber.org/protocol/caps",
        "http://jabber.org/protocol/chatstates",
        DISCO,
        "urn:xmpp:message-correct:0",
        "urn:xmpp:receipts",
    ]
    assert Caps("urn:example:gateway:contact", ver(DISCO_FOR_CONTACTS), "sha-1") == CAPS_FOR_CONTACTS
    for device, kind in (("phone", "phone"), ("canary", "pc"), ("", "pc"), (None, "pc")):
        found = disco_of(frozenset({"receipts", "canary"}), device)
        assert found.identities == (Identity("client", kind),)
        assert found.features == (DISCO, "http://jabber.org/protocol/caps", "urn:xmpp:receipts")
        assert caps_of(frozenset({"receipts", "canary"}), device) == Caps("urn:example:gateway:contact", ver(found))


def test_values_and_variables_of_a_form_are_in_the_order_of_their_octets() -> None:
    one = Disco((), (), ((("b", ("2", "1")), ("FORM_TYPE", ("t",)), ("a", ())),))
    assert ver(one) == b64encode(sha1(b"t<a<b<1<2<").digest()).decode()
    assert ver(Disco((), (), ((("a", ("1",)),),))) == b64encode(sha1(b"a<1<").digest()).decode()
