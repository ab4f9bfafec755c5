"""Entity capabilities: the vectors of XEP-0115 sections 5.2 and 5.3."""

from gateway.protocols.xmpp.stanzas.caps import (
    CAPS_FOR_CONTACTS,
    DISCO_FOR_CONTACTS,
    Disco,
    Identity,
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
