"""Observe mode: what would leave if nobody had restricted it, beside the decision that would be enforced."""

from collections.abc import Mapping

from attrs import evolve

from gateway.model.envelope import Envelope
from gateway.model.presence import Field
from gateway.policy.access_level import CUSTOM_RANK, AccessLevel
from gateway.policy.authorization import Facts, authorize, permission
from gateway.policy.precedence import Layer
from gateway.policy.verdict import Decision, Reason, Verdict

EVERYTHING = AccessLevel("everything", frozenset(Field), CUSTOM_RANK)


def unbound(facts: Facts) -> Facts:
    """Gives the facts without what an observing gateway does not enforce: level, ceiling, locks, settings, walls.

    What stays: who is no configured partner, whom somebody has blocked, what a person keeps back himself, who may not
    federate, which kinds of traffic the contract has, subscriptions.
    """
    partner = facts.partner
    if partner is None or partner.found or partner.house or facts.blocked_by_name:
        return facts
    own = tuple(each for each in facts.refused if each.layer is Layer.PERSON)
    return evolve(
        facts,
        partner=evolve(partner, ceiling=frozenset(Field), ceiling_name=""),
        level=EVERYTHING,
        locks=(),
        bound=None,
        refused=own,
        walled=frozenset(),
    )


def observed(envelope: Envelope, facts: Facts, verdict: Verdict) -> Verdict:
    """Gives what leaves although `verdict` would withhold or refuse it, and that verdict with it; itself if nothing."""
    freed = unbound(facts)
    if freed is facts:
        return verdict
    nevertheless = authorize(envelope, freed, permission(freed))
    if nevertheless.decision is verdict.decision and nevertheless.content == verdict.content:
        return verdict
    if nevertheless.decision is not Decision.DELIVER:
        return verdict
    return Verdict(
        nevertheless.decision,
        nevertheless.reason,
        verdict.level,
        nevertheless.content,
        nevertheless.problem,
        nevertheless.sent,
        nevertheless.withheld,
        verdict,
    )


def overlooked(verdict: Verdict) -> Mapping[Field | None, Reason]:
    """Gives what an observing gateway let go against the policy: each field with its reason; None is the whole."""
    meant = verdict.instead_of
    if meant is None:
        return {}
    found: dict[Field | None, Reason] = {name: meant.withheld[name] for name in verdict.sent if name in meant.withheld}
    if not found:
        found[None] = meant.reason
    return found
