"""What peers' presence documents have said: resource by resource, so that what falls away is noticed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field, frozen

from gateway.books.presence_book import IN_PRESENCE
from gateway.errors import AddressError
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument
from gateway.protocols.ids import clean_language
from gateway.protocols.msrtc.names import CATEGORIES_TYPE
from gateway.protocols.pidf import read_pidf
from gateway.protocols.pidf.reading import ReadTuple
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.xml_document import DocumentError
from plugins.legs.sip.naming import person
from plugins.legs.sip.ocs import Instances, read_instances

_ANYBODY = Address.parse("a@example.invalid")
_SCHEMES = frozenset({"pres", "sip", "sips", "im"})
log = Log("sip")
MOST = 8
"""Resources of one person that are told apart."""


@frozen
class _Said:
    """Is what one document says, for everybody who hears it."""

    entity: str
    resources: Mapping[str, Presence]
    card: Mapping[Field, Any] | None
    """What is no presence; None when nobody is there."""

    @classmethod
    def of(cls, entity: str, document: PresenceDocument, tuples: tuple[ReadTuple, ...]) -> _Said:
        resources: dict[str, Presence] = {}
        for number, one in enumerate(tuples):
            if one.document.available:
                resources[_resource(one.id, number)] = Presence(_present(one.document), one.priority)
        if not resources and document.available:
            resources["sip"] = Presence(_present(document))
        card = {name: document[name] for name in document if name not in IN_PRESENCE} if document.available else None
        return cls(entity, resources, card)


@define
class Heard:
    """Is the latest document of each subscription."""

    now: Callable[[], float]
    _known: dict[SubscriptionKey, Mapping[str, Presence]] = field(factory=dict)
    _cards: dict[SubscriptionKey, Mapping[Field, Any]] = field(factory=dict)
    _instances: dict[SubscriptionKey, Instances] = field(factory=dict)
    """What peers that send categories have said, which may be only what changed."""
    _latest: tuple[bytes, str, int, _Said] | None = None
    """What was read last, its Content-Language and second: one person's watchers all hear the same bytes at once."""

    def changes(
        self, key: SubscriptionKey, content_type: str, body: bytes, language: str = ""
    ) -> list[tuple[str, Presence]]:
        """Reads a document and gives what is to be told: each open tuple as a resource, and those that have gone.

        `language` is Content-Language: that of the notes that have none of their own (RFC 8048 table 2).
        """
        if content_type == CATEGORIES_TYPE:
            read = read_instances(self._instances.get(key, {}), body, self.now())
            if read is None:
                return []
            self._instances[key], document = read
            said = _Said.of("", document, ())
        else:
            try:
                said = self._read(body, language)
            except DocumentError:
                return []
            if _about_another(said.entity, key.presentity):
                log.warn("document about somebody else", domain=person(key.presentity).domain)
                return []
        before = self._known.get(key, {})
        self._known[key] = after = said.resources
        if said.card is not None:
            self._cards[key] = {**dict.fromkeys(self._cards.get(key, {})), **said.card}
        gone = [(resource, Presence(OFFLINE)) for resource in before if resource not in after]
        return [*after.items(), *gone]

    def _read(self, body: bytes, language: str) -> _Said:
        now = self.now()
        if self._latest is None or self._latest[:3] != (body, language, int(now)):
            spoken = clean_language(language.partition(",")[0].strip())
            pidf = read_pidf(body, now, language=spoken)
            self._latest = (body, language, int(now), _Said.of(pidf.entity, pidf.document, pidf.tuples[:MOST]))
        return self._latest[3]

    def known(self, key: SubscriptionKey) -> Mapping[str, Presence]:
        """Gives what was last heard, by resource."""
        return self._known.get(key, {})

    def card(self, key: SubscriptionKey) -> Mapping[Field, Any]:
        """Gives the fields of the latest document that are no presence, as telephone numbers; None: no longer there."""
        return self._cards.get(key, {})

    def forget_domain(self, domain: str) -> list[SubscriptionKey]:
        """Drops what people of a domain have shown, and gives the subscriptions to them."""
        gone = [key for key in self._known if person(key.presentity).domain == domain]
        for key in gone:
            self.forget(key)
        return gone

    def forget(self, key: SubscriptionKey) -> list[str]:
        """Drops a subscription and gives the resources that were there."""
        self._cards.pop(key, None)
        self._instances.pop(key, None)
        return list(self._known.pop(key, {}))


def _about_another(entity: str, presentity: str) -> bool:
    """Says whether a document names somebody else (RFC 3863 section 4.1.1); what names nobody is taken as it is."""
    scheme, colon, rest = entity.partition(":")
    if rest and scheme.lower() in _SCHEMES and rest == presentity.partition(":")[2]:
        return False  # as nearly everybody writes it
    name = rest if colon and scheme.lower() in _SCHEMES else entity
    if "@" not in name:
        return False
    try:
        return person(f"sip:{name}") != person(presentity)
    except AddressError:
        return True


def _present(document: PresenceDocument) -> PresenceDocument:
    return PresenceDocument({name: document[name] for name in document if name in IN_PRESENCE})


def _resource(tuple_id: str, number: int) -> str:
    """Makes a resource of a tuple id (RFC 8048 section 5.3): without the prefix that some put there."""
    try:
        return _ANYBODY.at(tuple_id.removeprefix("ID-")[:128]).resource or f"sip{number}"
    except AddressError:
        return f"sip{number}"
