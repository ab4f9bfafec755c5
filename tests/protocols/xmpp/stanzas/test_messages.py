"""Message stanzas both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.envelope import Bounce, Problem
from gateway.model.message import ChatState, EncryptedPayload, Message, MessageKind
from gateway.protocols.xmpp.stanzas.messages import read_message, write_message
from gateway.protocols.xmpp.stanzas.published import PublishedEvent
from tests.protocols.xmpp.stanzas.parsing import NOW, RECIPIENT, SENDER, parse
from tests.protocols.xmpp.stanzas.strategies import MESSAGES

START = "<message from='alice@corp.example/desk' to='bob@partner.example'"
DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-31T12:00:00Z'/>"

EXACT = [
    (f"{START}></message>", Message()),
    (f"{START} type='chat' id='m1'><body>hi</body></message>", Message(MessageKind.CHAT, "m1", (("", "hi"),))),
    (
        f"{START} type='chat'><body>a &lt; b &amp; c</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
        Message(MessageKind.CHAT, bodies=(("", "a < b & c"),), chat_state=ChatState.ACTIVE),
    ),
    (
        f"{START} type='headline'><subject>s</subject><body>one</body><body xml:lang='de'>eins</body></message>",
        Message(MessageKind.HEADLINE, bodies=(("", "one"), ("de", "eins")), subjects=(("", "s"),)),
    ),
    (f"{START}><thread>t-1</thread></message>", Message(thread="t-1")),
    (f"{START}><request xmlns='urn:xmpp:receipts'/></message>", Message(receipt_wanted=True)),
    (f"{START}><received xmlns='urn:xmpp:receipts' id='m1'/></message>", Message(receipt_for="m1")),
    (f"{START}><replace xmlns='urn:xmpp:message-correct:0' id='m1'/></message>", Message(replaces="m1")),
    (f"{START}>{DELAY}</message>", Message(delayed_since=1769860800.0)),
]


@pytest.mark.parametrize(("text", "message"), EXACT)
def test_both_ways(text: str, message: Message) -> None:
    assert read_message(parse(text), NOW) == message
    assert write_message(message, SENDER, RECIPIENT) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<message type='strange'/>", Message()),
        (f"<message id='{'x' * 257}'/>", Message()),
        ("<message id='a&#10;b'/>", Message()),
        ("<message xml:lang='fr'><body>oui</body></message>", Message(bodies=(("fr", "oui"),))),
        ("<message xml:lang='fr'><body xml:lang='en'>y</body></message>", Message(bodies=(("en", "y"),))),
        ("<message><body xml:lang='&lt;canary&gt;'>y</body></message>", Message(bodies=(("", "y"),))),
        ("<message><body>1</body><body>2</body></message>", Message(bodies=(("", "1"),))),
        ("<message><body/></message>", Message()),
        ("<message><body>a<b>canary</b>c</body></message>", Message(bodies=(("", "ac"),))),
        ("<message><thread parent='canary'>t</thread></message>", Message(thread="t")),
        ("<message><body xmlns='jabber:client'>other namespace</body></message>", Message()),
        ("<message><delay xmlns='urn:xmpp:delay' stamp='2999-01-01T00:00:00Z'/></message>", Message(delayed_since=NOW)),
        ("<message><delay xmlns='urn:xmpp:delay' stamp='yesterday' from='canary'/></message>", Message()),
        ("<message><delay xmlns='urn:xmpp:delay'/></message>", Message()),
    ],
)
def test_what_is_read_leniently(text: str, message: Message) -> None:
    assert read_message(parse(text), NOW) == message


def test_the_streams_language_is_inherited() -> None:
    assert read_message(parse("<message><body>ja</body></message>"), NOW, "de").bodies == (("de", "ja"),)


@given(st.sampled_from(["jabber:server", "jabber:client", "jabber:component:accept"]), MESSAGES)
def test_what_is_written_is_read(ns: str, message: Message) -> None:
    text = write_message(message, SENDER, RECIPIENT)
    assert "jabber:server" not in text
    assert read_message(parse(text, ns), NOW) == message


def test_illegal_characters_are_replaced_when_written() -> None:
    text = write_message(Message(bodies=(("", "a\x0bb\ufffec\ud800"),), thread="t\x00"), SENDER, RECIPIENT)
    assert read_message(parse(text), NOW).bodies == (("", "a\ufffdb\ufffdc\ufffd"),)


def test_addresses_are_escaped() -> None:
    text = write_message(Message(), "alice@corp.example/it's <a>&b", RECIPIENT)
    assert parse(text).attributes["from"] == "alice@corp.example/it's <a>&b"


ERROR = (
    "<message type='error' id='m1'><body>canary</body><error type='{kind}' by='canary'>{condition}"
    "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>canary</text></error></message>"
)


@pytest.mark.parametrize("problem", Problem)
def test_every_condition_becomes_a_bounce(problem: Problem) -> None:
    condition = f"<{problem.value} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>canary</{problem.value}>"
    assert read_message(parse(ERROR.format(kind="cancel", condition=condition)), NOW) == Bounce(
        "message", "m1", problem
    )


@pytest.mark.parametrize(
    "condition", ["", "<strange xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>", "<gone xmlns='x'/>"]
)
def test_an_unknown_condition_is_undefined(condition: str) -> None:
    bounce = read_message(parse(ERROR.format(kind="x", condition=condition)), NOW)
    assert bounce == Bounce("message", "m1", Problem.UNDEFINED_CONDITION)


def test_an_error_without_error_element_is_a_bounce() -> None:
    assert read_message(parse("<message type='error'/>"), NOW) == Bounce("message", "", Problem.UNDEFINED_CONDITION)


EVENT = "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='x'><item/></items></event>"


@pytest.mark.parametrize("kind", ["headline", "normal"])
def test_an_event_is_published_information(kind: str) -> None:
    assert read_message(parse(f"<message type='{kind}'>{EVENT}</message>"), NOW) == PublishedEvent()


def test_an_event_in_a_chat_does_not_count() -> None:
    text = f"<message type='chat'><body>x</body>{EVENT}</message>"
    assert read_message(parse(text), NOW) == Message(MessageKind.CHAT, bodies=(("", "x"),))


AXOLOTL = (
    "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='27183'><key rid='31415'>QUJD</key>"
    "<key rid='12321' prekey='true'>QUJE</key><iv>QUJF</iv></header><payload>QUJG</payload></encrypted>"
)
OMEMO = (
    "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'><keys jid='bob@partner.example'><key rid='2' kex='true'>QUJD"
    "</key></keys></header><payload>QUJG</payload></encrypted>"
)
PGP = "<openpgp xmlns='urn:xmpp:openpgp:0'>QUJD</openpgp>"
LEGACY = "<x xmlns='jabber:x:encrypted'>QUJD</x>"


@pytest.mark.parametrize("form", [AXOLOTL, OMEMO, PGP, LEGACY])
def test_encrypted_payloads_cross_with_their_hint(form: str) -> None:
    scheme = parse(form).ns
    message = Message(MessageKind.CHAT, encrypted=(EncryptedPayload(scheme, form),))
    text = write_message(message, SENDER, RECIPIENT)
    hint = f"<encryption xmlns='urn:xmpp:eme:0' namespace='{scheme}'/>"
    assert text == f"{START} type='chat'>{form}{hint}</message>"
    assert read_message(parse(text), NOW) == message


@pytest.mark.parametrize(
    "form",
    [
        PGP.replace("QUJD", "not base64!"),
        LEGACY.replace("QUJD", "QUJD" * 60_000),
        AXOLOTL.replace("QUJF", "&lt;canary&gt;"),
        "<encrypted xmlns='urn:xmpp:unknown'>QUJD</encrypted>",
    ],
)
def test_a_payload_that_breaks_its_grammar_does_not_cross(form: str) -> None:
    assert read_message(parse(f"<message>{form}</message>"), NOW) == Message()


def test_nothing_else_travels_inside_a_payload() -> None:
    spiked = (
        AXOLOTL.replace("<header sid='27183'>", "<header sid='27183' canary='canary'>")
        .replace("<payload>", "<forwarded xmlns='urn:xmpp:forward:0'>canary</forwarded><canary/>canary<payload>")
        .replace("rid='31415'", "rid='31415' prekey='canary'")
    )
    (payload,) = read_message(parse(f"<message>{spiked}</message>"), NOW).encrypted
    assert payload.form == AXOLOTL


def test_only_a_few_payloads_are_taken() -> None:
    assert len(read_message(parse(f"<message>{PGP * 9}</message>"), NOW).encrypted) == 4


DOES_NOT_CROSS = [
    "<no-store xmlns='urn:xmpp:hints'/>",
    "<origin-id xmlns='urn:xmpp:sid:0' id='canary'/>",
    "<stanza-id xmlns='urn:xmpp:sid:0' id='canary' by='canary'/>",
    "<markable xmlns='urn:xmpp:chat-markers:0'/>",
    "<displayed xmlns='urn:xmpp:chat-markers:0' id='canary'/>",
    "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>canary</body></html>",
    "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>canary</body></message></forwarded>",
    "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></sent>",
    "<nick xmlns='http://jabber.org/protocol/nick'>canary</nick>",
    "<x xmlns='http://jabber.org/protocol/rosterx'><item jid='canary'/></x>",
    "<x xmlns='jabber:x:oob'><url>canary</url></x>",
    "<privilege xmlns='urn:xmpp:privilege:2'><perm access='canary'/></privilege>",
]


@pytest.mark.parametrize("extension", DOES_NOT_CROSS)
def test_extensions_that_do_not_cross(extension: str) -> None:
    text = f"<message type='chat'><body>hi</body>{extension}</message>"
    assert read_message(parse(text), NOW) == Message(MessageKind.CHAT, bodies=(("", "hi"),))
