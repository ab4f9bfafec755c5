"""What presence documents have said: tuples become resources, and what falls away is noticed."""

import pytest

from gateway.model.presence import Field, Presence, Show
from gateway.protocols.pidf.reading import ReadPidf, read_pidf
from gateway.protocols.sip.subscribing import SubscriptionKey
from plugins.legs.sip.heard import MOST, Heard

KEY = SubscriptionKey("sip:bob@partner.example", "sip:alice@corp.example")
PIDF = "application/pidf+xml"


def document(*tuples: str, person: str = "") -> bytes:
    inside = "".join(tuples) + (f"<dm:person id='p'>{person}</dm:person>" if person else "")
    return (
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' "
        "xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' xmlns:ci='urn:ietf:params:xml:ns:pidf:cipid' "
        f"entity='sip:alice@corp.example'>{inside}</presence>"
    ).encode()


def one(name: str, basic: str = "open", contact: str = "", priority: str = "") -> str:
    shown = f" priority='{priority}'" if priority else ""
    place = f"<contact{shown}>{contact or 'sip:alice@corp.example'}</contact>"
    return f"<tuple id='{name}'><status><basic>{basic}</basic></status>{place}</tuple>"


def heard() -> Heard:
    return Heard(lambda: 1_700_000_000.0)


def told(changes: list[tuple[str, Presence]]) -> dict[str, bool]:
    return {resource: presence.document.available for resource, presence in changes}


def test_each_open_tuple_is_a_resource() -> None:
    found = heard().changes(KEY, PIDF, document(one("desk"), one("ID-phone", priority="0.5"), one("shut", "closed")))
    assert told(found) == {"desk": True, "phone": True}
    assert dict(found)["phone"].priority > 0


def test_what_falls_away_is_gone() -> None:
    book = heard()
    book.changes(KEY, PIDF, document(one("desk"), one("phone")))
    assert told(book.changes(KEY, PIDF, document(one("phone")))) == {"phone": True, "desk": False}
    assert set(book.known(KEY)) == {"phone"}
    assert told(book.changes(KEY, PIDF, document(one("phone", "closed")))) == {"phone": False}
    assert book.forget(KEY) == [] and book.known(KEY) == {}


def test_resources_are_bounded() -> None:
    many = [one(f"t{number}") for number in range(40)]
    assert len(heard().changes(KEY, PIDF, document(*many))) == MOST


@pytest.mark.parametrize("name", ["\u202e", "x" * 3000, " "])
def test_an_id_that_is_no_resource_gets_another(name: str) -> None:
    ((resource, presence),) = heard().changes(KEY, PIDF, document(one(name)))
    assert presence.document.available and 0 < len(resource) <= 128


@pytest.mark.parametrize("body", [b"", b"<presence", b"<x/>", b"<!DOCTYPE a><presence/>", b"\xff\xfe"])
def test_what_cannot_be_read_changes_nothing(body: bytes) -> None:
    book = heard()
    book.changes(KEY, PIDF, document(one("desk")))
    assert book.changes(KEY, PIDF, body) == []
    assert set(book.known(KEY)) == {"desk"}


def test_card_is_apart_from_presence_and_what_falls_out_is_withdrawn() -> None:
    book = heard()
    phone = one("p", contact="tel:+1-202-555-0101")
    found = book.changes(
        KEY, PIDF, document(one("desk"), phone, person="<rpid:activities><rpid:busy/></rpid:activities>")
    )
    assert book.card(KEY) == {Field.PHONE_OTHER: ("+1-202-555-0101",)}
    ((_, presence),) = found
    assert presence.document[Field.SHOW] is Show.DND and Field.PHONE_OTHER not in presence.document
    book.changes(KEY, PIDF, document(one("desk", "closed")))
    assert book.card(KEY)[Field.PHONE_OTHER] == ("+1-202-555-0101",)
    book.changes(KEY, PIDF, document(one("desk")))
    assert book.card(KEY) == {Field.PHONE_OTHER: None}
    book.forget(KEY)
    assert book.card(KEY) == {}


def test_equal_bytes_are_read_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_700_000_000.0]
    read: list[float] = []

    def counted(body: bytes, now: float, *, language: str = "") -> ReadPidf:
        read.append(now)
        return read_pidf(body, now, language=language)

    monkeypatch.setattr("plugins.legs.sip.heard.read_pidf", counted)
    book = Heard(lambda: clock[0])
    carol = SubscriptionKey("sip:carol@partner.example", KEY.presentity)
    assert book.changes(KEY, PIDF, document(one("desk"))) == book.changes(carol, PIDF, document(one("desk")))
    assert len(read) == 1
    assert told(book.changes(KEY, PIDF, document(one("phone")))) == {"phone": True, "desk": False}
    clock[0] += 1.0
    book.changes(KEY, PIDF, document(one("phone")))
    assert read == [1_700_000_000.0, 1_700_000_000.0, 1_700_000_001.0]


def test_equal_bytes_in_another_language_are_another_document() -> None:
    book, body = heard(), document(one("desk").replace("</tuple>", "<note>Nic</note></tuple>"))
    notes = [book.changes(KEY, PIDF, body, said)[0][1].document[Field.NOTE] for said in ("cs", "", "de-AT, cs", "?!")]
    assert notes == [(("cs", "Nic"),), (("", "Nic"),), (("de-AT", "Nic"),), (("", "Nic"),)]


def test_a_note_that_names_its_language_keeps_it() -> None:
    body = document(one("desk").replace("</tuple>", "<note xml:lang='it'>No</note></tuple>"))
    ((_, presence),) = heard().changes(KEY, PIDF, body, "cs")
    assert presence.document[Field.NOTE] == (("it", "No"),)
