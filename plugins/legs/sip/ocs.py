"""The dialect of Office Communications Server: the documents its peers read and send, and levels as containers."""

from collections.abc import Callable, Mapping
from typing import Final

from attrs import define, field

from gateway.errors import AddressError
from gateway.log import Log
from gateway.model.presence import PresenceDocument
from gateway.policy.access_level import Member, MemberKind
from gateway.protocols.msrtc.categories import CategoryInstance, compose, merge, read_categories, write_categories
from gateway.protocols.msrtc.containers import Container, ContainerMember, read_roaming_self
from gateway.protocols.msrtc.names import CATEGORIES_TYPE, LEGACY_TYPE, ROAMING_SELF_TYPE
from gateway.protocols.pidf import age, write_pidf
from gateway.protocols.sip.addressing import address_of
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.uri import SipUri
from gateway.protocols.sip.watching import Document
from gateway.protocols.spoken import spoken_note
from gateway.protocols.xml_document import DocumentError

log = Log("sip")

PIDF: Final = "application/pidf+xml"
TUPLE: Final = "t1"
ROAMING_SELF: Final = "vnd-microsoft-roaming-self"
ACCEPTED: Final[Mapping[str, tuple[str, ...]]] = {
    "presence": (PIDF, CATEGORIES_TYPE),
    ROAMING_SELF: (ROAMING_SELF_TYPE,),
}
"""What we read in notifications, by event package."""
MOST_MEMBERS: Final = 2_000
"""Entries of one person; a longer list is not taken, so that none of those who are blocked falls off its end."""
MOST_WRITTEN: Final = 256
"""Documents that are kept in case that somebody else is to be told the same."""
ASK_AGAIN: Final = 3600.0
"""Seconds after which a server that did not tell a person's containers is asked again."""

Instances = Mapping[tuple[str, str], CategoryInstance]


@define
class Writer:
    """Writes each document once for all who may see the same of a person and read the same type.

    The decision what a watcher may see has been made for each of them; who sees the same is told the same bytes.
    """

    _written: dict[tuple[str, str, int], tuple[PresenceDocument, object, Document]] = field(factory=dict)
    """The latest by type, person and hash of what he shows, which is the same for the same fields."""

    def write(self, accept: tuple[str, ...], document: PresenceDocument, entity: str, now: float) -> Document:
        """Gives what a watcher with this Accept is told."""
        kind = CATEGORIES_TYPE if CATEGORIES_TYPE in accept else LEGACY_TYPE if LEGACY_TYPE in accept else PIDF
        key, since = (kind, entity, hash(document)), age(document, now)
        known = self._written.get(key)
        if known is not None and known[1] == since and (known[0] is document or known[0] == document):
            return known[2]
        if len(self._written) >= MOST_WRITTEN:
            self._written.clear()
        made = write_document(accept, document, entity, now)
        self._written[key] = (document, since, made)
        return made


def write_document(accept: tuple[str, ...], document: PresenceDocument, entity: str, now: float) -> Document:
    """Writes categories for who reads them, else PIDF.

    PIDF for who also names `text/xml+msrtc.pidf` has activity and name where Microsoft's clients look for them. The
    list of categories that a `batchSub` asks for is not read: who may see what is decided by the policy alone.
    """
    if CATEGORIES_TYPE in accept:
        return Document(CATEGORIES_TYPE, write_categories(document, entity))
    microsoft = LEGACY_TYPE in accept
    body = write_pidf(document, entity, tuple_id=TUPLE, now=now, contact=entity, for_microsoft=microsoft)
    return Document(PIDF, body, _language(document))


def _language(document: PresenceDocument) -> str:
    """Gives the language of the notes, when it is the same for all of them (RFC 8048 table 1)."""
    languages = {language for language, _ in spoken_note(document)}
    return languages.pop() if len(languages) == 1 else ""


def read_instances(known: Instances, body: bytes, now: float) -> tuple[Instances, PresenceDocument] | None:
    """Gives what is known after a notification of categories, and the document of it all; None when it is none."""
    try:
        held = merge(known, read_categories(body, now))
    except DocumentError:
        return None
    return held, compose(held)


@define
class Containers:
    """Is what our own server says about who is in which container of each of our people.

    Whoever has a person shown as categories is a server with containers: then, and only then, the person's own
    (`vnd-microsoft-roaming-self`) are asked for, and are asked for as long as somebody watches the person.
    """

    now: Callable[[], float]
    _known: dict[str, dict[int, Container]] = field(factory=dict)
    _watched: dict[str, set[SubscriptionKey]] = field(factory=dict)
    _asked: dict[str, float] = field(factory=dict)

    def shown(self, key: SubscriptionKey) -> SubscriptionKey | None:
        """Takes note of a person shown as categories; gives the subscription to ask for when it is time."""
        person, now = key.presentity, self.now()
        self._watched.setdefault(person, set()).add(key)
        if now - self._asked.get(person, -ASK_AGAIN) < ASK_AGAIN:
            return None
        self._asked[person] = now
        return SubscriptionKey(person, person, ROAMING_SELF)

    def gone(self, key: SubscriptionKey) -> None:
        """Takes note that nobody is shown there any more."""
        watched = self._watched.get(key.presentity)
        if watched is not None:
            watched.discard(key)
            if not watched:
                del self._watched[key.presentity]
                self._asked.pop(key.presentity, None)

    def ended(self, key: SubscriptionKey) -> None:
        """Takes note that the server tells a person's containers no more: the next time it tells all of them."""
        self._known.pop(key.presentity, None)

    def wanted(self, key: SubscriptionKey) -> bool:
        """Says whether anybody still watches the person whose containers these are."""
        return key.presentity in self._watched

    def take(self, key: SubscriptionKey, body: bytes) -> dict[Member, str] | None:
        """Gives the levels that a person has given, all of them, after a notification; None when it says nothing.

        A container that the notification does not name has the members it had.
        """
        try:
            told = read_roaming_self(body, self.now()).containers
        except DocumentError:
            return None
        known = self._known.setdefault(key.presentity, {})
        known.update((one.number, one) for one in told)
        if sum(len(one.members) for one in known.values()) > MOST_MEMBERS:
            log.warn("too many members of containers")
            return None
        return levels_of(known) if told else None


def levels_of(containers: Mapping[int, Container]) -> dict[Member, str]:
    """Gives the level of each member: of several containers the one with the largest number (reference/ocs.md 1.4)."""
    found: dict[Member, str] = {}
    for number in sorted(containers):
        for each in containers[number].members if containers[number].level else ():
            member = _member(each)
            if member is not None and each.added:
                found[member] = containers[number].level
    return found


def _member(entry: ContainerMember) -> Member | None:
    if entry.kind == "contact":
        try:
            return Member(MemberKind.CONTACT, str(address_of(SipUri.parse(f"sip:{entry.value}")).bare))
        except (AddressError, SipSyntaxError):
            return None  # nobody has such an address
    try:
        return Member.parse(entry.value or "everyone") if entry.kind != "domain" else _domain(entry.value)
    except AddressError:
        return None


def _domain(name: str) -> Member | None:
    member = Member.parse(name)
    return member if member.kind is MemberKind.DOMAIN else None
