"""One entry of the disclosure ledger: names and numbers only; there is no place in it for a value or a text."""

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from attrs import field, frozen

from gateway.model.presence import FIELD_ORDER, Field


class Kind(Enum):
    """Says what an entry is about."""

    PRESENCE = "presence"
    MESSAGE = "message"
    SUBSCRIPTION = "subscription"
    QUERY = "query"
    ANSWER = "answer"
    BOUNCE = "bounce"
    START = "start"
    """The gateway began to record, or took another configuration into use."""
    ACCESS = "access"
    """Somebody read the ledger."""
    ERASE = "erase"
    """The persons of earlier entries were erased."""
    PRUNE = "prune"
    """Entries older than the retention were removed."""


class Outcome(Enum):
    """Says what was let go."""

    SENT = "sent"
    EMPTY = "empty"
    """Something that says only that there is nothing to see."""
    REFUSED = "refused"
    IGNORED = "ignored"


@frozen
class Disclosure:
    """Is one decision about something on its way out."""

    at: float
    """Posix seconds."""
    about: str
    """The person inside, bare address."""
    to: str
    """The contact outside, bare address."""
    kind: Kind
    outcome: Outcome
    rule: str
    """The reason in the closed words of the policy."""
    level: str = ""
    by: str = ""
    """What gives the level: `default`, or whose assignment for what kind of member."""
    policy: str = ""
    """The number of the entry that names the configuration, and how often its policy has changed since."""
    partner: str = ""
    protocol: str = ""
    sent: frozenset[Field] = frozenset()
    withheld: Mapping[Field, str] = field(factory=dict)
    what: str = ""
    """The kind of message, question or subscription request."""
    size: int = 0
    """Bytes of the texts of a message."""
    observed: Mapping[Field | None, str] = field(factory=dict)
    """What left although the policy stands against it, because the gateway only observes; None is the whole."""

    def entry(self, seq: int, seal: str) -> dict[str, Any]:
        """Gives what is hashed: everything but the two persons, for whom the seal stands."""
        return {
            "seq": seq,
            "at": round(self.at * 1000),
            "seal": seal,
            "kind": self.kind.value,
            "outcome": self.outcome.value,
            "rule": self.rule,
            "level": self.level,
            "by": self.by,
            "policy": self.policy,
            "partner": self.partner,
            "protocol": self.protocol,
            "sent": names(self.sent),
            "withheld": {name.value: reason for name, reason in self.withheld.items()},
            "what": self.what,
            "size": self.size,
            **({"observed": {_name(name): reason for name, reason in self.observed.items()}} if self.observed else {}),
        }


def _name(name: Field | None) -> str:
    return "" if name is None else name.value


@frozen
class Note:
    """Is what the ledger says about itself: a start, an access, an erasure, a removal."""

    at: float
    kind: Kind
    facts: Mapping[str, Any]
    """Whole numbers, words, and lists of them."""
    about: str = ""
    """The person by whom was searched, or ''."""
    to: str = ""

    def entry(self, seq: int, seal: str) -> dict[str, Any]:
        """Gives what is hashed."""
        return {"seq": seq, "at": round(self.at * 1000), "seal": seal, "kind": self.kind.value, **self.facts}


@lru_cache(maxsize=4096)
def names(fields: frozenset[Field]) -> list[str]:
    """Gives the names of fields in the order of the table; not to be changed."""
    return [name.value for name in sorted(fields, key=FIELD_ORDER.__getitem__)]
