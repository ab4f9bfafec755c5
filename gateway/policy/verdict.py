"""What the policy answers: a decision, its reason, and which fields go on."""

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from gateway.model.envelope import Content, Problem
from gateway.model.presence import Field, PresenceDocument
from gateway.model.sealed import sealed


class Decision(Enum):
    """Says what happens to an envelope."""

    DELIVER = "deliver"
    REFUSE = "refuse"
    """Not delivered; the sender is told `Verdict.problem`."""
    IGNORE = "ignore"
    """Not delivered; the sender hears what he would hear from nobody: nothing."""

    __hash__ = object.__hash__


class Reason(Enum):
    """Names why something passed or did not; the same words in logs, metrics, the ledger and `explain`."""

    ALLOWED = "allowed"
    NOT_PUBLISHED = "not-published"
    LEVEL = "level"
    CEILING = "ceiling"
    LOCK = "lock"
    SWITCHED_OFF = "switched-off"
    NOT_SUBSCRIBED = "not-subscribed"
    BLOCKED = "blocked"
    UNKNOWN_PARTNER = "unknown-partner"
    DENIED_DOMAIN = "denied-domain"
    CONTRACT_EXPIRED = "contract-expired"
    NOT_FEDERATED = "not-federated"
    NOT_ALLOWED_PERSON = "not-allowed-person"
    WALL = "wall"
    MAY_NOT_START = "may-not-start"
    UNVERIFIED = "unverified"
    HARVEST = "harvest"
    MODALITY = "modality"
    STRANGER = "stranger"
    UNSOLICITED = "unsolicited"
    NO_CHANGE = "no-change"
    EMPTY = "empty"
    RATE = "rate"
    SIZE = "size"
    QUEUE_FULL = "queue-full"
    LINK_DOWN = "link-down"
    TAP_FAILED = "tap-failed"
    POLICY_ERROR = "policy-error"

    __hash__ = object.__hash__


@frozen
class Permission:
    """Says which fields one contact may see of one person, and why not the others."""

    level: str
    fields: frozenset[Field]
    withheld: Mapping[Field, Reason]
    """Every field that is not in `fields`, with the first rule that stands against it."""
    capabilities: frozenset[str] = frozenset()
    """Of what the person's clients can do, what the partner's contract lets cross."""
    decided: "list[tuple[PresenceDocument, Verdict]]" = field(factory=list, init=False, eq=False, repr=False)
    """The last document that was stripped by this permission and what came of it: many contacts are told the same."""


@sealed
class Verdict:
    """Is the whole decision about one envelope."""

    decision: Decision
    reason: Reason
    level: str
    content: Content | None = None
    """What goes on, built from what is permitted; None unless the decision is DELIVER."""
    problem: Problem | None = None
    sent: frozenset[Field] = frozenset()
    withheld: Mapping[Field, Reason] = field(factory=dict)
    """Published fields that do not go on, each with the rule that stands against it."""
    instead_of: "Verdict | None" = None
    """The decision that would count, where the gateway only observes and lets more go; None where it is this one."""
