"""What is known of a kind of client is added to every presence that announces it, never to another's."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.presence import Field
from gateway.protocols.xmpp.stanzas.caps import Caps, Disco, Identity, ver
from plugins.legs.xmpp import client_kinds
from plugins.legs.xmpp.client_kinds import ClientKinds
from tests.stage import BOB, CAROL, DESK, here

PHONE = Disco((Identity("client", "phone"),), ())
WEB = Disco((Identity("client", "web"),), ())
PHONES, WEBS = Caps("urn:example:a", ver(PHONE)), Caps("urn:example:a", ver(WEB))


@define
class Asked:
    """Writes down who is asked; answers when told to."""

    calls: list[Callable[[Mapping[Field, Any], Disco | None], None]] = field(factory=list)
    received: list[Envelope] = field(factory=list)

    def ask(self, envelope: Envelope, answered: Callable[[Mapping[Field, Any], Disco | None], None]) -> None:
        self.calls.append(answered)


def envelope(contact: Address = BOB, **fields: Any) -> Envelope:
    return Envelope(DESK, contact, here(**fields), Side.INTERNAL)


def known(asked: Asked, kinds: ClientKinds) -> None:
    """Has both kinds of clients asked and answered."""
    for caps, disco, device in ((PHONES, PHONE, "phone"), (WEBS, WEB, "web")):
        said = envelope()
        kinds.completed(said, said.content, caps)
        asked.calls.pop()({Field.DEVICE: device}, disco)


def test_one_presence_to_two_contacts_is_completed_once_and_no_other_gets_it() -> None:
    asked = Asked()
    kinds = ClientKinds(asked.ask, asked.received.append)
    known(asked, kinds)
    said = here(note=(("", "in"),))
    completed = kinds.completed(envelope(), said, PHONES)
    assert completed.document[Field.DEVICE] == "phone" and completed.document[Field.NOTE] == (("", "in"),)
    assert kinds.completed(envelope(CAROL), said, PHONES) is completed
    assert kinds.completed(envelope(), said, WEBS).document[Field.DEVICE] == "web"
    other = kinds.completed(envelope(), here(), WEBS)
    assert other.document[Field.DEVICE] == "web" and Field.NOTE not in other.document


def test_an_answer_that_came_anew_is_the_one_that_counts(monkeypatch: Any) -> None:
    monkeypatch.setattr(client_kinds, "MOST_KINDS", 1)
    asked = Asked()
    kinds = ClientKinds(asked.ask, asked.received.append)
    said = here()
    kinds.completed(envelope(), said, PHONES)
    asked.calls.pop()({Field.DEVICE: "phone"}, PHONE)
    assert kinds.completed(envelope(), said, PHONES).document[Field.DEVICE] == "phone"
    kinds.completed(envelope(), said, WEBS)
    asked.calls.pop()({}, None)  # the table was full: phones are forgotten
    assert kinds.completed(envelope(), said, PHONES) is said
    asked.calls.pop()({Field.DEVICE: "tablet"}, PHONE)
    assert kinds.completed(envelope(), said, PHONES).document[Field.DEVICE] == "tablet"


def test_a_presence_that_waits_is_received_again_unless_overtaken() -> None:
    asked = Asked()
    kinds = ClientKinds(asked.ask, asked.received.append)
    kinds.completed(envelope(), here(), PHONES)
    kinds.completed(envelope(CAROL), here(), PHONES)
    kinds.overtaken(envelope(CAROL))
    asked.calls.pop()({Field.DEVICE: "phone"}, PHONE)
    assert [(one.recipient, one.content.document[Field.DEVICE]) for one in asked.received] == [(BOB, "phone")]
