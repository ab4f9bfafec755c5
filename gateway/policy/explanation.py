"""Why one contact sees one field of one person, or does not: the same facts that the decision reads, in words."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum

from attrs import frozen

from gateway.model.presence import Field, PresenceDocument
from gateway.policy.access_level import BLOCKED, AccessLevel, Assignment, MemberKind, Origin
from gateway.policy.authorization import Facts, permission
from gateway.policy.partners import Lock, Modality, Partner
from gateway.policy.precedence import Layer
from gateway.policy.verdict import Reason


class Outcome(Enum):
    """Says what becomes of one field on its way to one contact."""

    SENT = "sent"
    COARSENED = "coarsened"
    """The contact sees the idle time in quarters of an hour, because the exact time is withheld."""
    WITHHELD = "withheld"
    NOT_PUBLISHED = "not-published"


@frozen
class Step:
    """Is one rule that was looked at, and what it said."""

    name: str
    finding: str


@frozen
class Explanation:
    """Says what becomes of one field, why, what was looked at in which order, and what would change it."""

    outcome: Outcome
    reason: Reason
    steps: tuple[Step, ...]
    would_allow: str | None
    """What has to change so that the contact sees the field; None when he sees it."""
    smallest: str | None = None
    """The one change that is enough, of several levels the one that shows the least beside; None when none alone is."""


def explain(
    facts: Facts, document: PresenceDocument, field: Field, levels: Mapping[str, AccessLevel], contact: str = ""
) -> Explanation:
    """Explains what a presence update carries of one field; `contact` is the name that the advice uses."""
    outcome, reason = _fate(facts, document, field)
    changes = _changes(facts, document, field, levels, contact)
    return Explanation(
        outcome,
        reason,
        _steps(facts, document, field),
        _advice(facts, changes),
        _smallest(facts, field, levels, contact, changes),
    )


def _fate(facts: Facts, document: PresenceDocument, field: Field) -> tuple[Outcome, Reason]:
    against = _against(facts, field)
    if field not in document:
        return Outcome.NOT_PUBLISHED, against or Reason.NOT_PUBLISHED
    if against is None and not document.available:
        against = Reason.NOT_PUBLISHED
    if against is not None:
        return Outcome.WITHHELD, against
    if field is Field.IDLE and Field.LAST_ACTIVE not in permission(facts).fields:
        return Outcome.COARSENED, Reason.ALLOWED
    return Outcome.SENT, Reason.ALLOWED


def _against(facts: Facts, field: Field) -> Reason | None:
    """Gives the rule that stands against a field in a presence update: its own, or the one against availability."""
    permitted = permission(facts)
    if facts.partner is not None and facts.barrier is None and Modality.PRESENCE not in facts.modalities:
        return facts.shut(Modality.PRESENCE)
    return permitted.withheld.get(field) or permitted.withheld.get(Field.AVAILABILITY)


def _steps(facts: Facts, document: PresenceDocument, field: Field) -> tuple[Step, ...]:
    visible = _against(facts, field) is None and field in document and document.available
    return (
        Step("partner", _partner_finding(facts)),
        Step("right", _right_finding(facts)),
        Step("wall", _wall_finding(facts)),
        Step("lock", _lock_finding(facts, field)),
        Step("setting", _setting_finding(facts, field)),
        Step("published", _published_finding(document, field)),
        Step("level", f"{_level_source(facts)}; {_names(facts.level.name, field, facts.level.fields)}"),
        Step("time window", _window_finding(facts)),
        Step("ceiling", _ceiling_finding(facts.partner, field)),
        Step("field set", f"{field.value} is {'in' if visible else 'not in'} what goes to the contact"),
    )


_NO_PARTNER: Mapping[Reason | None, str] = {
    Reason.DENIED_DOMAIN: "the contact's domain is on the deny list",
    Reason.CONTRACT_EXPIRED: "the contract with the contact's domain has expired",
}
_NO_RIGHT: Mapping[Reason | None, str] = {
    Reason.NOT_FEDERATED: "the person may not federate",
    Reason.NOT_ALLOWED_PERSON: "the person is not among those who may speak with this partner",
}


def _right_finding(facts: Facts) -> str:
    return _NO_RIGHT.get(facts.barrier, "the person may speak with this partner" if facts.partner else "no partner")


def _wall_finding(facts: Facts) -> str:
    kinds = sorted(kind.value for kind in facts.walled)
    return f"a wall keeps out {', '.join(kinds)}" if kinds else "no wall stands between them"


def _partner_finding(facts: Facts) -> str:
    partner = facts.partner
    if partner is None:
        return _NO_PARTNER.get(facts.barrier, "the contact's domain belongs to no partner")
    if Modality.PRESENCE not in partner.modalities:
        return f"{partner.name}, whose profile does not include presence"
    return f"{partner.name}, which nobody has listed" if partner.found else partner.name


def _lock_finding(facts: Facts, field: Field) -> str:
    locks = _locks(facts, field)
    if not locks and facts.bound is not None:
        return _names(f"the most that an administrator has locked, {facts.bound.name},", field, facts.bound.fields)
    if not locks:
        return f"{field.value} is not locked"
    return f"{field.value} is locked for {' and '.join(lock.partner or 'all partners' for lock in locks)}"


_REFUSERS: Mapping[Layer, str] = {
    Layer.ADMINISTRATOR: "the administrator",
    Layer.PARTNER: "the administrator, for this partner",
    Layer.GROUP: "the administrator, for a group that the person is in or may be in",
    Layer.NAMED: "the administrator, for this person",
    Layer.PERSON: "the person",
}


def _setting_finding(facts: Facts, field: Field) -> str:
    found = facts.refusal(field)
    if found is None:
        return f"nobody has switched {field.value} off"
    return f"{field.value} is switched off by {_REFUSERS[found.layer]}{', locked' if found.locked else ''}"


def _published_finding(document: PresenceDocument, field: Field) -> str:
    if field not in document:
        return f"{field.value} is not published"
    return f"{field.value} is published" + ("" if document.available else ", but the person is not available")


_AUTHORS: Mapping[Origin, str] = {
    Origin.PERSON: "the person",
    Origin.CLIENT: "the person in his client",
    Origin.ADMINISTRATOR: "the administrator",
    Origin.DEFAULT: "the default",
}


def _level_source(facts: Facts) -> str:
    given = facts.assignment
    if given is None:
        return f"{facts.level.name} by default"
    since = f" since {_utc(given.since)}" if given.since is not None else ""
    until = f" until {_utc(given.until)}" if given.until is not None else ""
    missing = f" (given as {given.level}, which does not exist)" if given.level != facts.level.name else ""
    return f"{facts.level.name}{missing}, set by {_AUTHORS[given.origin]} for {given.member}{since}{until}"


def _window_finding(facts: Facts) -> str:
    given, partner = facts.assignment, facts.partner
    ends = []
    if given is not None and given.until is not None:
        ends.append(f"the level is given until {_utc(given.until)}; then what is less specific counts")
    if partner is not None and partner.ends is not None:
        ends.append(f"the contract with {partner.name} ends at {_utc(partner.ends)}")
    return "; ".join(ends) or "nothing of this ends by itself"


def _ceiling_finding(partner: Partner | None, field: Field) -> str:
    if partner is None:
        return "no partner, no ceiling"
    return _names(f"the ceiling {partner.ceiling_name}".rstrip(), field, partner.ceiling)


def _names(whose: str, field: Field, fields: frozenset[Field]) -> str:
    return f"{whose} {'includes' if field in fields else 'does not include'} {field.value}"


def _locks(facts: Facts, field: Field) -> tuple[Lock, ...]:
    partner = facts.partner
    return tuple(lock for lock in facts.locks if lock.field is field and partner is not None and lock.binds(partner))


def _changes(
    facts: Facts, document: PresenceDocument, field: Field, levels: Mapping[str, AccessLevel], contact: str
) -> list[str]:
    """Gives all that has to change, each of which is needed."""
    if facts.partner is None:
        return []
    changes = [*_right_changes(facts), *_partner_changes(facts.partner, field), *_lock_changes(facts, field)]
    changes += _setting_changes(facts, field)
    level = _level_change(facts, field, levels, contact)
    if level is not None:
        changes.append(level)
    return changes + _person_changes(document, field)


def _advice(facts: Facts, changes: list[str]) -> str | None:
    if facts.partner is None:
        return _PARTNER_ADVICE.get(facts.barrier, "none: his domain belongs to no partner; add it to a partner")
    refused = "none: he is blocked; " if facts.blocked else ""
    return refused + " and ".join(changes) if changes else None


_PARTNER_ADVICE: Mapping[Reason | None, str] = {
    Reason.DENIED_DOMAIN: "none: his domain is denied; take it off [federation] deny",
    Reason.CONTRACT_EXPIRED: "none: the contract has expired; set a later date in expires",
}


def _right_changes(facts: Facts) -> list[str]:
    changes = []
    if facts.barrier is Reason.NOT_FEDERATED:
        changes.append("give the person the right to federate ([federation] people, barred)")
    if facts.barrier is Reason.NOT_ALLOWED_PERSON and facts.partner is not None:
        changes.append(f"add the person or one of his groups to the people of {facts.partner.name}")
    if Modality.PRESENCE in facts.walled:
        changes.append("take presence out of the [[wall]]")
    return changes


def _partner_changes(partner: Partner, field: Field) -> list[str]:
    changes = []
    if Modality.PRESENCE not in partner.modalities:
        changes.append(f"add presence to the modalities of {partner.name}")
    if any(name not in partner.ceiling for name in _needed(field)):
        changes.append(f"raise the ceiling of {partner.name}")
    return changes


def _lock_changes(facts: Facts, field: Field) -> list[str]:
    changes = [f"remove the lock of {name.value}" for name in _needed(field) if _locks(facts, name)]
    if facts.bound is not None and any(name not in facts.bound.fields for name in _needed(field)):
        changes.append(f"the administrator locks another level than {facts.bound.name}")
    return changes


def _setting_changes(facts: Facts, field: Field) -> list[str]:
    changes = []
    for found in filter(None, map(facts.refusal, _needed(field))):
        whose = "a [[setting]]" if found.locked or found.layer is not Layer.PERSON else "the person"
        changes.append(f"{whose} switches {found.subject.value} on")
    return changes


def _person_changes(document: PresenceDocument, field: Field) -> list[str]:
    changes = [] if document.available else ["the person becomes available"]
    if field is not Field.AVAILABILITY and field not in document:
        changes.append(f"the person publishes {field.value}")
    return changes


def _level_change(facts: Facts, field: Field, levels: Mapping[str, AccessLevel], contact: str) -> str | None:
    if not facts.blocked and all(name in facts.level.fields for name in _needed(field)):
        return None
    ordered = sorted(levels, key=lambda name: (levels[name].rank, name))
    enough = [name for name in ordered if _would_do(levels[name], field)]
    if not enough:
        return f"define a level that includes {field.value}"
    who = contact or _named_contact(facts.assignment) or "the contact"
    return f"give {who} {'the level' if len(enough) == 1 else 'one of the levels'} {', '.join(enough)}"


def _smallest(
    facts: Facts, field: Field, levels: Mapping[str, AccessLevel], contact: str, changes: list[str]
) -> str | None:
    if len(changes) != 1:
        return None
    level = _level_change(facts, field, levels, contact)
    enough = [each for each in levels.values() if _would_do(each, field)]
    if level is None or not enough:
        return changes[0]
    known = frozenset() if facts.blocked else facts.level.fields
    least = min(enough, key=lambda each: (len(each.fields - known), each.rank, each.name))
    return f"give {contact or _named_contact(facts.assignment) or 'the contact'} the level {least.name}"


def _would_do(level: AccessLevel, field: Field) -> bool:
    return level.name != BLOCKED and all(needed in level.fields for needed in _needed(field))


def _named_contact(assignment: Assignment | None) -> str:
    """Gives the address when the level was given to one contact: a change to a whole domain is not the smallest one."""
    named = assignment is not None and assignment.member.kind is MemberKind.CONTACT
    return str(assignment.member) if assignment is not None and named else ""


def _needed(field: Field) -> tuple[Field, ...]:
    """Nothing of the present is shown of somebody whose availability is not."""
    return (field,) if field is Field.AVAILABILITY else (field, Field.AVAILABILITY)


def _utc(posix: float) -> str:
    try:
        return datetime.fromtimestamp(posix, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"{posix:.0f} posix seconds"
