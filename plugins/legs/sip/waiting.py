"""Who waits for the answer of one of our people, as our own server tells it: watcher information (RFC 3857, 3858)."""

from collections.abc import Callable
from enum import Enum
from typing import Final

from attrs import define, field

from gateway.errors import AddressError
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.winfo import Watcher, WatcherEvent, WatcherInfo, WatcherStatus, read_winfo
from gateway.protocols.xml_document import DocumentError
from plugins.legs.sip.naming import person

WINFO: Final = "presence.winfo"
ASK_AGAIN: Final = 3600.0
"""Seconds after which a server that does not tell a person's watchers is asked again."""


class Word(Enum):
    """Says what watcher information means for one contact."""

    APPROVED = "approved"
    REJECTED = "rejected"
    WAITS = "waits"
    """The person has not decided; the server may have given the subscription up meanwhile (RFC 3857 section 4.7.1)."""


@define
class Waiting:
    """Asks for a person's watcher information as long as a contact waits for the person's answer.

    A notification of the contact's own subscription tells the answer as well, unless that subscription has ended while
    it was pending.
    """

    now: Callable[[], float]
    _contacts: dict[str, set[str]] = field(init=False, factory=dict)
    """Who waits, by person."""
    _versions: dict[str, int] = field(init=False, factory=dict)
    _refused: dict[str, float] = field(init=False, factory=dict)

    def waits(self, key: SubscriptionKey) -> SubscriptionKey | None:
        """Takes note of a pending subscription, and gives that to the watcher information if it is to be asked."""
        self._contacts.setdefault(key.presentity, set()).add(key.watcher)
        if self.now() - self._refused.get(key.presentity, -ASK_AGAIN) < ASK_AGAIN:
            return None
        return _of(key.presentity)

    def answered(self, key: SubscriptionKey) -> SubscriptionKey | None:
        """Takes note that a contact waits no more, and gives the subscription that has no use any more."""
        contacts = self._contacts.get(key.presentity)
        if contacts is None:
            return None
        contacts.discard(key.watcher)
        if contacts:
            return None
        del self._contacts[key.presentity]
        return _of(key.presentity)

    def wanted(self, key: SubscriptionKey) -> bool:
        """Says whether anybody waits for this person."""
        return key.presentity in self._contacts

    def ended(self, key: SubscriptionKey, permanently: bool) -> None:
        """Takes note that the server tells nothing more; for good, it is not asked for a while."""
        self._versions.pop(key.presentity, None)
        if permanently:
            self._refused[key.presentity] = self.now()

    def take(self, key: SubscriptionKey, body: bytes) -> list[tuple[str, Word]] | None:
        """Gives what a document means, by URI of the contact; None when one before it has been missed.

        Versions grow by one; a document that is not newer than the latest says nothing (RFC 3858 section 4.3).
        """
        try:
            told = read_winfo(body)
        except DocumentError:
            return []
        known = self._versions.get(key.presentity)
        if known is not None and told.version <= known and not (told.full and told.version == 0):
            return []
        if not told.full and (known is None or told.version != known + 1):
            return None
        self._versions[key.presentity] = told.version
        return _words(told, key.presentity)


def _of(presentity: str) -> SubscriptionKey:
    """Names the subscription to somebody's watcher information: only he may have it (RFC 3857 section 4.6)."""
    return SubscriptionKey(presentity, presentity, WINFO)


def _words(told: WatcherInfo, presentity: str) -> list[tuple[str, Word]]:
    """Goes through the watchers of a person's presence; several subscriptions of one are decided together."""
    found: dict[str, Word] = {}
    for one in told.lists:
        if one.package != "presence" or not _same(one.resource, presentity):
            continue
        for watcher in one.watchers:
            word = _word(watcher)
            if word is not None and found.get(watcher.uri) is not Word.APPROVED:
                found[watcher.uri] = word
    return list(found.items())


def _same(resource: str, presentity: str) -> bool:
    name = resource.partition(":")[2] if resource.lower().startswith(("sip:", "pres:", "sips:")) else resource
    try:
        return person(f"sip:{name}") == person(presentity)
    except AddressError:
        return False


def _word(watcher: Watcher) -> Word | None:
    """Reads the automaton of RFC 3857 section 4.7.1: who waits and is approved ends, and has to ask anew."""
    if watcher.event is WatcherEvent.REJECTED:
        return Word.REJECTED
    if watcher.event is WatcherEvent.APPROVED or watcher.status is WatcherStatus.ACTIVE:
        return Word.APPROVED
    return Word.WAITS if watcher.wants_answer else None
