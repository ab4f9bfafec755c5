"""Contacts at our own presence server (RFC 3903): published when they are there, removed when they are not."""

from attrs import define, field

from gateway.model.envelope import Envelope, Side
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument, Show
from gateway.protocols.sip.message import Request
from gateway.protocols.sip.publisher import Publisher
from gateway.protocols.sip.transaction_events import ResponseReceived
from plugins.legs.sip.publishing import Publications
from tests.protocols.sip.talk import response, station
from tests.stage import ALICE, BOB

BUSY = PresenceDocument({Field.AVAILABILITY: True, Field.SHOW: Show.DND})
HERE = PresenceDocument({Field.AVAILABILITY: True})
OTHER = ALICE.parse("dave@corp.example")


@define
class Server:
    """Is our own server: takes each publication."""

    publisher: Publisher = field(factory=lambda: Publisher(station()))
    tags: int = 0
    contacts: Publications = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.contacts = Publications(self.publisher, lambda: 0.0, lambda: 1_795_000_000.0)

    def told(self, document: PresenceDocument, person: str = ALICE, resource: str = "b") -> list[Request]:
        """Lets one of our people be told something of bob; gives what is published of it."""
        sender = BOB.at(resource) if resource else BOB
        self.contacts.show(Envelope(sender, ALICE.parse(person), Presence(document), Side.EXTERNAL), Presence(document))
        sent = []
        for send in self.publisher.station.transactions.take_output():
            assert isinstance(send.message, Request)
            sent.append(send.message)
            self.tags += 1
            got = response(
                send.message, 200, SIP_ETag=f"e{self.tags}", Expires=send.message.headers.get("Expires") or ""
            )
            for event in self.publisher.station.transactions.received(got, send.flow, 0.0):
                assert isinstance(event, ResponseReceived)
                self.publisher.answered(event, 0.0)
        return sent


def test_a_contact_is_published_at_our_own_server_changed_and_removed() -> None:
    server = Server()
    (first,) = server.told(BUSY)
    assert (first.method, first.uri, first.headers.get("Event")) == ("PUBLISH", "sip:bob@partner.example", "presence")
    assert b'entity="sip:bob@partner.example"' in first.body.replace(b"'", b'"') and b"dnd" in first.body
    (second,) = server.told(HERE)
    assert second.headers.get("SIP-If-Match") == "e1" and b"dnd" not in second.body
    (last,) = server.told(OFFLINE)
    assert (last.headers.get("Expires"), last.headers.get("SIP-If-Match"), last.body) == ("0", "e2", b"")


def test_it_goes_to_the_server_of_who_is_told() -> None:
    server = Server()
    flows: list[object] = []
    server.contacts.show(Envelope(BOB.at("b"), ALICE, Presence(BUSY), Side.EXTERNAL), Presence(BUSY))
    flows += [send.flow for send in server.publisher.station.transactions.take_output()]
    assert flows == ["tls:corp.example"]


def test_the_same_is_published_once_whoever_is_told() -> None:
    server = Server()
    assert len(server.told(BUSY)) == 1
    assert server.told(BUSY, str(OTHER)) == []


def test_he_stays_while_anybody_is_told_that_he_is_there() -> None:
    server = Server()
    server.told(BUSY)
    server.told(BUSY, str(OTHER))
    assert server.told(OFFLINE) == []
    (last,) = server.told(OFFLINE, str(OTHER), "")
    assert last.headers.get("Expires") == "0"


def test_who_was_refused_is_not_offered_again_soon() -> None:
    server = Server()
    server.contacts.refused("sip:bob@partner.example")
    assert server.told(BUSY) == []
    server.contacts.clock = lambda: 3601.0
    assert len(server.told(HERE)) == 1
