"""What the model has no field for cannot cross: canaries in every unknown place never come out again."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.envelope import Bounce, Query
from gateway.model.message import Message
from gateway.model.presence import PresenceDocument
from gateway.model.subscription import Subscription
from gateway.protocols.element import Element
from gateway.protocols.xmpp.stanzas.answers import write_answer
from gateway.protocols.xmpp.stanzas.card import write_vcard4, write_vcard_temp
from gateway.protocols.xmpp.stanzas.errors import Malformed, write_bounce, write_malformed
from gateway.protocols.xmpp.stanzas.messages import read_message, write_message
from gateway.protocols.xmpp.stanzas.presences import ReadPresence, read_presence, write_presence, write_subscription
from gateway.protocols.xmpp.stanzas.published import NODE_OF, PublishedEvent, write_event
from gateway.protocols.xmpp.stanzas.queries import Result, read_query
from tests.protocols.xmpp.stanzas.parsing import NOW, RECIPIENT, SENDER, parse
from tests.protocols.xmpp.stanzas.test_card import TEMP
from tests.protocols.xmpp.stanzas.test_messages import AXOLOTL, DELAY, OMEMO
from tests.protocols.xmpp.stanzas.test_queries import PAYLOADS

CANARY = "CaNaRy"
NODE = "http://jabber.org/protocol"
EVENT = (
    "<message type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{0}'><item>{1}</item>"
    "</items></event></message>"
)
SEEDS = [
    "<message type='chat' id='1' xml:lang='en'><body>b</body><subject>s</subject><thread>t</thread>"
    "<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>"
    f"<replace xmlns='urn:xmpp:message-correct:0' id='0'/>{DELAY}{AXOLOTL}{OMEMO}</message>",
    "<message type='error'><body>b</body><error type='cancel'>"
    "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
    "<presence><show>dnd</show><status>s</status><priority>1</priority>"
    "<idle xmlns='urn:xmpp:idle:1' since='2026-01-31T12:00:00Z'/><nick xmlns='http://jabber.org/protocol/nick'>n</nick>"
    "<c xmlns='http://jabber.org/protocol/caps' node='n' ver='v' hash='h'/></presence>",
    "<presence type='unavailable'><status>s</status></presence>",
    "<presence type='subscribe'/>",
    EVENT.format(f"{NODE}/mood", f"<mood xmlns='{NODE}/mood'><happy/><text>t</text></mood>"),
    EVENT.format(f"{NODE}/activity", f"<activity xmlns='{NODE}/activity'><working><coding/></working></activity>"),
    EVENT.format(f"{NODE}/geoloc", f"<geoloc xmlns='{NODE}/geoloc'><room>2</room></geoloc>"),
    EVENT.format(
        "urn:xmpp:vcard4", "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><org><text>c</text></org></vcard>"
    ),
    f"<iq type='result' id='1'>{TEMP}</iq>",
    *(f"<iq type='get' id='1'>{payload}</iq>" for payload, _ in PAYLOADS.values()),
]
ATTRIBUTES = st.sampled_from(["canary", "xml:base", "{urn:canary}a", "by", "parent", "label", "resource", "code"])
INTRUDERS = st.sampled_from(
    [
        Element("urn:canary", "canary", {"a": CANARY}, [CANARY]),
        Element("urn:xmpp:forward:0", "forwarded", {}, [Element("jabber:client", "body", {}, [CANARY])]),
        Element("jabber:server", "canary", {}, [CANARY]),
        Element("urn:xmpp:sid:0", "stanza-id", {"id": CANARY, "by": CANARY}),
        Element("http://jabber.org/protocol/geoloc", "lat", {}, [CANARY]),
        Element("urn:canary", "body", {}, [Element("jabber:server", "body", {}, [CANARY])]),
    ]
)


def places(element: Element) -> Iterator[Element]:
    yield element
    for child in element.elements():
        yield from places(child)


def written(read: Any) -> str:
    """Writes what was read in every way there is."""
    if isinstance(read, Message):
        return write_message(read, SENDER, RECIPIENT)
    if isinstance(read, Bounce):
        return write_bounce(read, SENDER, RECIPIENT)
    if isinstance(read, Malformed):
        return write_malformed(read, SENDER, RECIPIENT)
    if isinstance(read, Subscription):
        return write_subscription(read, SENDER, RECIPIENT)
    if isinstance(read, ReadPresence):
        return write_presence(read.presence.document, SENDER, RECIPIENT, priority=read.presence.priority)
    if isinstance(read, Query):
        return write_answer(read, PresenceDocument(), SENDER, RECIPIENT, NOW)
    assert isinstance(read, PublishedEvent | Result)
    document = PresenceDocument({name: value for name, value in read.fields.items() if value is not None})
    events = "".join(write_event(name, document, SENDER, RECIPIENT) for name in NODE_OF)
    return events + write_vcard_temp(document) + write_vcard4(document)


READERS = {"message": read_message, "presence": read_presence, "iq": read_query}


@settings(max_examples=300)
@given(st.sampled_from(SEEDS), st.data())
def test_no_canary_comes_out(seed: str, drawn: st.DataObject) -> None:
    stanza = parse(seed)
    for place in drawn.draw(st.lists(st.sampled_from(list(places(stanza))), min_size=1, max_size=4)):
        if drawn.draw(st.booleans()):
            place.attributes[drawn.draw(ATTRIBUTES)] = CANARY
        else:
            place.children.insert(drawn.draw(st.integers(0, len(place.children))), drawn.draw(INTRUDERS))
    assert CANARY not in written(READERS[stanza.name](stanza, NOW))


NAMES = st.sampled_from(
    ["message", "presence", "iq", "body", "subject", "status", "show", "error", "event", "items", "item", "query"]
    + ["pubsub", "vCard", "TEL", "photo", "c", "x", "idle"]
)
NAMESPACES = st.sampled_from(
    ["jabber:server", "vcard-temp", "urn:xmpp:idle:1", "http://jabber.org/protocol/pubsub", "jabber:iq:last", "urn:x"]
)
TREES = st.recursive(
    st.text(max_size=8) | st.builds(Element, NAMESPACES, NAMES),
    lambda inner: st.builds(
        Element,
        NAMESPACES,
        NAMES,
        st.dictionaries(
            st.sampled_from(["type", "id", "node", "xml:lang", "seconds"]), st.text(max_size=8), max_size=3
        ),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(sorted(READERS)),
    st.sampled_from(["error", "result", "get", None, "chat"]),
    st.lists(TREES, max_size=4),
)
def test_any_tree_is_read_without_an_exception_and_written_well_formed(
    name: str, kind: str | None, inside: list[Any]
) -> None:
    stanza = Element("jabber:server", name, {"id": "i", **({"type": kind} if kind else {})}, inside)
    parse(f"<all>{written(READERS[name](stanza, NOW))}</all>")
