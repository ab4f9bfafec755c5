"""Presence rules: who is granted what of a person's presence, as RFC 4745 and RFC 5025 mean it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Final

from attrs import field, frozen

from gateway.model.address import Address
from gateway.model.presence import Field

EVER: Final = 253_402_300_799.0
"""The end of the last year that a rule can name, posix seconds: what lasts until then has no end."""


class SubHandling(IntEnum):
    """Says what becomes of a subscription; the larger value wins (RFC 5025 section 3.2.1)."""

    BLOCK = 0
    CONFIRM = 10
    POLITE_BLOCK = 20
    ALLOW = 30


class UserInput(IntEnum):
    """Says how much of `<user-input>` is granted; the larger value wins (RFC 5025 section 3.3.2.12)."""

    NOTHING = 0
    BARE = 10
    THRESHOLDS = 20
    FULL = 30


class Attribute(Enum):
    """Names the attributes of presence that a rule grants or not (RFC 5025 section 3.3.2)."""

    ACTIVITIES = "activities"
    CLASS = "class"
    DEVICE_ID = "deviceID"
    MOOD = "mood"
    PLACE_IS = "place-is"
    PLACE_TYPE = "place-type"
    PRIVACY = "privacy"
    RELATIONSHIP = "relationship"
    SPHERE = "sphere"
    STATUS_ICON = "status-icon"
    TIME_OFFSET = "time-offset"
    NOTE = "note"

    __hash__ = object.__hash__


@frozen
class Watcher:
    """Is who asks: a bare address that was proved, and the class of network that it comes from."""

    address: Address
    network: str = "federation"


@frozen
class One:
    """Matches one identity; None stands for one that no contact can have."""

    address: Address | None = field(repr=False)

    def matches(self, watcher: Watcher) -> bool:
        """Says whether the watcher is meant."""
        return self.address is not None and self.address == watcher.address.bare


@frozen
class Many:
    """Matches everybody, or everybody at a domain, but those who are excepted (RFC 4745 section 7.1.2)."""

    domain: str = ""
    except_addresses: frozenset[Address] = field(default=frozenset(), repr=False)
    except_domains: frozenset[str] = frozenset()

    def matches(self, watcher: Watcher) -> bool:
        """Says whether the watcher is meant; domains are compared whole (RFC 4745 section 7.1.3)."""
        address = watcher.address
        if self.domain and address.domain != self.domain:
            return False
        return address.domain not in self.except_domains and address.bare not in self.except_addresses


@frozen
class Identity:
    """Holds when any of its members matches (RFC 4745 section 7.1)."""

    members: tuple[One | Many, ...] = ()

    def holds(self, watcher: Watcher, now: float, sphere: str | None) -> bool:
        """Says whether it holds for a watcher."""
        return any(one.matches(watcher) for one in self.members)


@frozen
class Sphere:
    """Holds while the person is in one of these spheres (RFC 4745 section 7.2)."""

    names: frozenset[str]
    """In lower case."""

    def holds(self, watcher: Watcher, now: float, sphere: str | None) -> bool:
        """Says whether it holds; a sphere that is not known (None) is none of them."""
        return sphere is not None and sphere.lower() in self.names


@frozen
class Validity:
    """Holds inside any of these spans: from the first to before the second moment (RFC 4745 section 7.3)."""

    spans: tuple[tuple[float, float], ...]
    """Posix seconds."""

    def holds(self, watcher: Watcher, now: float, sphere: str | None) -> bool:
        """Says whether it holds at `now` (posix seconds)."""
        return any(start <= now < end for start, end in self.spans)


@frozen
class Reach:
    """Holds for one class of network or for the domains below one: a condition of our own."""

    network: str = ""
    below: str = ""
    outside: bool = False
    """True turns it round: it holds for everybody else."""

    def holds(self, watcher: Watcher, now: float, sphere: str | None) -> bool:
        """Says whether it holds for a watcher."""
        inside = watcher.network == self.network if self.network else watcher.address.domain.endswith("." + self.below)
        return inside is not self.outside


@frozen
class Unknown:
    """Is a condition that is not understood: it never holds (RFC 4745 section 13.2)."""

    name: str = ""

    def holds(self, watcher: Watcher, now: float, sphere: str | None) -> bool:
        """Gives False."""
        return False


Condition = Identity | Sphere | Validity | Reach | Unknown


@frozen
class Selection:
    """Says which services, persons or devices are granted: all, or those with any of these properties."""

    everything: bool = False
    classes: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    uris: frozenset[str] = field(default=frozenset(), repr=False)
    schemes: frozenset[str] = frozenset()

    def __or__(self, other: Selection) -> Selection:
        return Selection(
            self.everything or other.everything,
            self.classes | other.classes,
            self.ids | other.ids,
            self.uris | other.uris,
            self.schemes | other.schemes,
        )


@frozen
class Grant:
    """Is what one rule, or all that match together, grant; the empty one grants nothing (RFC 5025 section 3.3)."""

    handling: SubHandling = SubHandling.BLOCK
    services: Selection = Selection()
    persons: Selection = Selection()
    devices: Selection = Selection()
    attributes: frozenset[Attribute] = frozenset()
    user_input: UserInput = UserInput.NOTHING
    unknown: frozenset[tuple[str, str]] = frozenset()
    """Namespace and name of each element granted by `provide-unknown-attribute`."""
    all_attributes: bool = False
    fields: frozenset[Field] = frozenset()
    """Fields granted by name, in a namespace of our own."""

    def __or__(self, other: Grant) -> Grant:
        """Combines what two rules grant: the larger value, the union of sets (RFC 4745 section 10.2)."""
        return Grant(
            max(self.handling, other.handling),
            self.services | other.services,
            self.persons | other.persons,
            self.devices | other.devices,
            self.attributes | other.attributes,
            max(self.user_input, other.user_input),
            self.unknown | other.unknown,
            self.all_attributes or other.all_attributes,
            self.fields | other.fields,
        )


@frozen
class Rule:
    """Is one rule: when all conditions hold, it grants; a rule without conditions always does."""

    id: str
    conditions: tuple[Condition, ...] = ()
    grant: Grant = Grant()
    line: int = 0
    lines: Mapping[str, int] = field(factory=dict, hash=False, eq=False, repr=False)
    """Name of each element of the rule to the line it begins in."""
    handled: bool = True
    """Whether it says anything about sub-handling."""

    def matches(self, watcher: Watcher, now: float, sphere: str | None = None) -> bool:
        """Says whether it applies to a watcher at `now` (posix seconds) in a person's sphere."""
        return all(condition.holds(watcher, now, sphere) for condition in self.conditions)


@frozen
class Remark:
    """Says what in a line cannot be read or cannot be expressed, and what becomes of it."""

    line: int
    rule: str
    text: str


@frozen
class RuleSet:
    """Is a whole document of rules, and what could not be read in it."""

    rules: tuple[Rule, ...] = ()
    remarks: tuple[Remark, ...] = ()
