"""Everything that the writers make of a document for somebody outside, and how the guard reads each of it again."""

from collections.abc import Callable, Iterator
from functools import partial

from attrs import frozen

from gateway.model.envelope import Query, QueryKind
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.protocols.guard.categories import check_categories
from gateway.protocols.guard.pidf import check_pidf
from gateway.protocols.guard.shape import Difference
from gateway.protocols.guard.xmpp import check_stanzas
from gateway.protocols.msrtc.categories import write_categories
from gateway.protocols.pidf.writing import write_pidf
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.stanzas.answers import write_answer
from gateway.protocols.xmpp.stanzas.published import NODES
from gateway.protocols.xmpp.stanzas.queries import Question
from plugins.legs.xmpp.outward import OutwardPresence
from tests.protocols.documents import NOW

PERSON, CONTACT = "alice@corp.example/token", "bob@partner.example/phone"
ENTITY = "sip:alice@corp.example"
EVERYTHING = frozenset(name.value for name in Field)


@frozen
class Written:
    """Is one written form, and the guard that belongs to it."""

    name: str
    form: str | bytes
    check: Callable[[frozenset[str]], None]

    def passes(self, fields: frozenset[Field]) -> bool:
        """Says whether the guard lets it leave to somebody who may see these fields."""
        try:
            self.check(frozenset(name.value for name in fields))
        except Difference:
            return False
        return True


def _stanzas(name: str, text: str) -> Written:
    return Written(name, text, partial(check_stanzas, text, PERSON, CONTACT))


def _answers(document: PresenceDocument) -> Iterator[Written]:
    for space, name in (
        (ns.VCARD_TEMP, "vCard"),
        (ns.VCARD4, "vcard"),
        (ns.LAST, "query"),
        (ns.TIME, "time"),
        (ns.DISCO_INFO, "query"),
    ):
        query = Query(QueryKind.OTHER, "q1", Question(space, name))
        yield _stanzas(f"{name} {space}", write_answer(query, document, PERSON, CONTACT, NOW))
    for node in NODES:
        query = Query(QueryKind.OTHER, "q1", Question(ns.PUBSUB, "pubsub", node))
        yield _stanzas(f"items {node}", write_answer(query, document, PERSON, CONTACT, NOW))


def forms(document: PresenceDocument) -> Iterator[Written]:
    """Gives every form in which a document can leave."""
    yield _stanzas("presence", OutwardPresence().write(Presence(document), PERSON, CONTACT))
    yield from _answers(document)
    for microsoft in (False, True):
        pidf = write_pidf(document, ENTITY, tuple_id="t1", now=NOW, contact=ENTITY, for_microsoft=microsoft)
        yield Written(f"pidf {microsoft}", pidf, partial(check_pidf, pidf, ENTITY))
        categories = write_categories(document, ENTITY, dnd_is_busy=not microsoft)
        yield Written(f"categories {microsoft}", categories, partial(check_categories, categories, ENTITY))
