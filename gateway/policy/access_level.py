"""Access levels, and which one a contact has (Office Communicator 2007; most specific member first)."""

from collections.abc import Iterable, Mapping
from enum import Enum

from attrs import frozen

from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.policy.published_info import STANDARD_LEVELS, fields_of

BLOCKED = "blocked"
CUSTOM_RANK = 50
"""Stands for the container number of a level that the administrator defines."""


@frozen
class AccessLevel:
    """Is a set of fields with a name; levels are not ordered by openness."""

    name: str
    fields: frozenset[Field]
    rank: int
    """Decides between two entries of the same step: the larger wins, so that Blocked beats all."""


STANDARD: Mapping[str, AccessLevel] = {
    name: AccessLevel(name, fields_of(name), rank) for name, rank in STANDARD_LEVELS.items()
}


class Network(Enum):
    """Says what kind of partner a contact comes from; set by configuration, never guessed from a name."""

    ENTERPRISE = "enterprise"
    FEDERATION = "federation"
    PUBLIC_CLOUD = "public_cloud"


class MemberKind(Enum):
    """Says what an entry matches; the order is the order of precedence."""

    CONTACT = "contact"
    DOMAIN = "domain"
    SUBDOMAINS = "subdomains"
    NETWORK = "network"
    EVERYONE = "everyone"


@frozen
class Member:
    """Is whom an assignment is for: one contact, a domain, the domains below it, a network class, or everyone."""

    kind: MemberKind
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> "Member":
        """Reads `bob@partner.example`, `partner.example`, `*.partner.example`, a network class or `everyone`.

        Raises AddressError when the text is none of these.
        """
        lowered = text.strip().lower()
        if lowered in ("everyone", "*"):
            return cls(MemberKind.EVERYONE)
        if lowered in _NETWORK_NAMES:
            return cls(MemberKind.NETWORK, lowered)
        if lowered.startswith("*."):
            return cls(MemberKind.SUBDOMAINS, Address.of("", lowered[2:]).domain)
        address = Address.parse(text.strip()).bare
        return cls(MemberKind.CONTACT if address.local else MemberKind.DOMAIN, str(address))

    def matches(self, contact: Address, network: Network) -> bool:
        """Says whether a contact (bare or full) of a network class is meant."""
        match self.kind:
            case MemberKind.CONTACT:
                return contact.bare == self.value
            case MemberKind.DOMAIN:
                return contact.domain == self.value
            case MemberKind.SUBDOMAINS:
                return contact.domain.endswith("." + self.value)
            case MemberKind.NETWORK:
                return network.value == self.value
        return True

    def __str__(self) -> str:
        return {MemberKind.SUBDOMAINS: f"*.{self.value}", MemberKind.EVERYONE: "everyone"}.get(self.kind, self.value)


_NETWORK_NAMES = frozenset(network.value for network in Network)
_STEPS = tuple(MemberKind)


class Origin(Enum):
    """Says who decided."""

    ADMINISTRATOR = "administrator"
    PERSON = "person"
    CLIENT = "client"
    """The person, in a client that keeps levels at the inside server."""
    DEFAULT = "default"


@frozen
class Assignment:
    """Gives a member a level in the eyes of one person (`owner`), or of everybody (`owner` empty)."""

    owner: str
    member: Member
    level: str
    origin: Origin = Origin.PERSON
    since: float | None = None
    """Posix seconds."""
    until: float | None = None
    """Posix seconds at which the assignment ends, or None."""
    locked: bool = False
    """Whether the administrator means it as the most that anybody below may give; to give less is always allowed."""


@frozen
class Resolution:
    """Is the level that a contact has, and the assignment that gives it (None: the default)."""

    level: AccessLevel
    assignment: Assignment | None
    bound: AccessLevel | None = None
    """The level beyond which nothing is seen, because an administrator has locked it."""
    bound_by: Assignment | None = None


def resolve(
    assignments: Iterable[Assignment],
    contact: Address,
    network: Network,
    levels: Mapping[str, AccessLevel],
    default: str,
    now: float,
) -> Resolution:
    """Gives the level of a contact: the most specific member first; inside a step the person's own word before
    the administrator's default, then the larger rank.

    An assignment that has ended, or that names a level which no longer exists, does not widen anything: the first is
    passed over, the second is Blocked. Beside it stands the bound that the most specific locked assignment makes; a
    bound that is Blocked is the level.
    """
    standing = [entry for entry in assignments if entry.until is None or now < entry.until]
    best = _most_specific(standing, contact, network, levels)
    lock = _most_specific([entry for entry in standing if entry.locked], contact, network, levels)
    bound = _level(levels, lock.level) if lock else None
    if bound is not None and bound.name == BLOCKED:
        return Resolution(bound, lock)
    level = _level(levels, best.level if best else default)
    return Resolution(level, best, bound, lock)


def _most_specific(
    standing: Iterable[Assignment], contact: Address, network: Network, levels: Mapping[str, AccessLevel]
) -> Assignment | None:
    matching = [entry for entry in standing if entry.member.matches(contact, network)]
    for step in _STEPS:
        hits = [entry for entry in matching if entry.member.kind is step]
        if step is MemberKind.SUBDOMAINS and hits:
            longest = max(len(entry.member.value) for entry in hits)
            hits = [entry for entry in hits if len(entry.member.value) == longest]
        if hits:
            return max(hits, key=lambda entry: (bool(entry.owner), _level(levels, entry.level).rank))
    return None


def _level(levels: Mapping[str, AccessLevel], name: str) -> AccessLevel:
    return levels.get(name, STANDARD[BLOCKED])
