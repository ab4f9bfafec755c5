"""The policy as a whole: what another would change, who may put it in force, what was in force, and back to it."""

import os
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThreadPool

from gateway.books.pairs import Rules
from gateway.commands.operations import Reloaded
from gateway.commands.policy_answers import (
    PolicyApplied,
    PolicyDiffed,
    PolicyDifference,
    PolicyProposal,
    PolicyRejected,
    PolicyStep,
)
from gateway.config import Config, changes, load_bundle, restart_needed
from gateway.config.bundle import Bundle, replace
from gateway.config.policing import Mode
from gateway.errors import CommandError, GatewayError
from gateway.house import House
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.presence import Field
from gateway.offices.comparing import Comparison, Found, Known, Terms, candidates, compare, loosened
from gateway.policy.access_level import Assignment
from gateway.policy.partners import Modality
from gateway.store.ledger import disclosed
from gateway.store.policies import PolicyShelf, Proposal, Step
from gateway.web.accounts import is_one_of, user_name

log = Log("policy")

DAYS = 7
"""Days of the ledger that are looked at unless somebody says otherwise."""
MOST_SHOWN = 2_000
"""Differences that one answer lists; the sums are of all."""
_DAY = 86_400.0


class Policing:
    """Answers the commands about the policy as a whole (part of the protocol `gateway.commands.Operations`)."""

    def __init__(
        self,
        house: House,
        config: Callable[[], Config],
        rules_under: Callable[[Config], Rules],
        known: Callable[[], tuple[Iterable[tuple[str, str, Any]], Iterable[Assignment]]],
        reload: Callable[[], Reloaded],
        reactor: Any,
        now: Callable[[], float],
    ) -> None:
        """`known` gives all subscriptions and all assignments that are kept, `now` posix seconds."""
        self._governed = house
        self._config_now = config
        self._rules_under = rules_under
        self._known_from_disk = known
        self._again = reload
        self._turns = reactor
        self._wall_clock = now
        self._shelf = PolicyShelf(config().state / "policies")
        self._in_force = Bundle.of(config().path)
        self._taking: tuple[str, int | None] = ("start", None)

    @property
    def fingerprint(self) -> str:
        """Gives the SHA-256 of the configuration in force."""
        return self._in_force.fingerprint(self._config_now().path.name)

    def note_policy(self, bundle: Bundle | None = None, asker: int | None = None) -> None:
        """Writes into the history what is in force since now, and who has put it there."""
        self._in_force = bundle or self._in_force
        how, uid = self._taking if self._taking[0] != "reload" else ("reload", asker)
        self._taking = ("reload", None)
        try:
            steps = self._shelf.history()
            if not steps or steps[-1].id != self.fingerprint:
                step = Step(self._wall_clock(), self.fingerprint, how, user_name(uid))
                self._shelf.keep(step, self._in_force.written())
        except GatewayError as problem:
            # The policy is in force whether or not that can be written down.
            log.warn("history not written", detail=problem)

    def observe(self, config: Config, metrics: Metrics) -> None:
        """Enforces the policy, or only observes what it would do, as a configuration says; and says so aloud."""
        observing = config.gateway.mode is Mode.OBSERVE
        self._governed.relay.observing = observing
        metrics.observe_mode().set(observing)
        if observing:
            log.warn("observe mode", state="nothing-is-withheld")

    async def policy_diff(self, new: str, days: str | None) -> PolicyDiffed:
        """Says who would gain and lose what, today and by what the ledger knows of the last days."""
        bundle, span = Bundle.parse(new), _days(days)
        other, found = await self._compared(bundle, span)
        here = self._config_now()
        shown = found.found[:MOST_SHOWN]
        return {
            "base": self.fingerprint,
            "new": bundle.fingerprint(here.path.name),
            "pairs": found.pairs,
            "days": span,
            "ledger": self._ledger.exists(),
            "widened": found.widened,
            "narrowed": found.narrowed,
            "threshold": here.policy.widen_threshold,
            "loosens": loosened(here, other),
            "fields": {name: {"gains": gains, "loses": loses} for name, (gains, loses) in found.fields.items()},
            "differences": [_shown(each) for each in shown],
            "left_out": len(found.found) - len(shown),
            "changes": changes(here, other),
            "restart": restart_needed(here, other),
        }

    async def policy_apply(self, new: str, confirm_widen: str | None, asker: int | None) -> PolicyApplied:
        """Puts another configuration in force, unless it widens and nobody has confirmed or approved that."""
        return await self._put_in_force(Bundle.parse(new), "apply", bool(confirm_widen), asker)

    async def policy_rollback(self, id: str, confirm_widen: str | None, asker: int | None) -> PolicyApplied:
        """Puts a configuration of the history in force again, on the same terms as any other."""
        _, bundle = self._shelf.found(id)
        return await self._put_in_force(Bundle.parse(bundle), "rollback", bool(confirm_widen), asker)

    def policy_history(self) -> list[PolicyStep]:
        """Lists what was in force since when, and who put it there."""
        steps = self._shelf.history()
        return [
            {"at": each.at, "id": each.id, "how": each.how, "by": each.by, "current": each is steps[-1]}
            for each in steps
        ]

    def policy_pending(self) -> list[PolicyProposal]:
        """Lists what waits for a second word."""
        return [
            {
                "id": each.id,
                "at": each.at,
                "by": each.by,
                "new": each.fingerprint,
                "how": each.how,
                "widened": each.told["widened"],
                "narrowed": each.told["narrowed"],
                "loosens": each.told["loosens"],
                "changes": each.told["changes"],
                "stale": each.against != self.fingerprint,
            }
            for each in self._shelf.proposals()
        ]

    def policy_approve(self, id: str, asker: int | None) -> PolicyApplied:
        """Puts a proposal in force, in the name of somebody else than who proposed it."""
        proposal = self._proposal(id)
        if not self.approves(asker):
            raise CommandError("only an approver ([policy] approver) may approve, over the control socket")
        if asker == proposal.uid:
            raise CommandError(f"{proposal.by} has proposed this; somebody else must approve it")
        if proposal.against != self.fingerprint:
            self._shelf.drop(proposal)
            raise CommandError("another configuration is in force since it was proposed; propose it again")
        log.info("policy approved", fingerprint=proposal.fingerprint, uid=-1 if asker is None else asker)
        told = proposal.told
        done = self._install(Bundle.parse(proposal.bundle), "approve", asker, told["widened"], told["narrowed"])
        self._shelf.drop(proposal)
        return done

    def policy_reject(self, id: str, asker: int | None) -> PolicyRejected:
        """Drops a proposal; an approver may, and who made it."""
        proposal = self._proposal(id)
        if not self.approves(asker) and (asker is None or asker != proposal.uid):
            raise CommandError("only an approver, or who has proposed it, may reject it")
        self._shelf.drop(proposal)
        return {"id": proposal.id, "by": user_name(asker)}

    @property
    def _ledger(self) -> Path:
        return self._config_now().state / "ledger.db"

    def approves(self, asker: int | None) -> bool:
        """Says whether a user of this machine may approve changes of the policy."""
        return is_one_of(asker, self._config_now().policy.approver)

    def _proposal(self, id: str) -> Proposal:
        found = [each for each in self._shelf.proposals() if each.id == id]
        if not found:
            raise CommandError(f"nothing waits under {id!r}; see gateway policy pending")
        return found[0]

    async def _compared(self, bundle: Bundle, days: int) -> tuple[Config, Comparison]:
        now, here = self._wall_clock(), self._config_now()
        other = load_bundle(bundle, here.path).at(now)
        house = self._governed
        ledger: Known = {}
        if self._ledger.exists() and days:
            pool, place = self._turns.getThreadPool(), self._ledger
            ledger = await deferToThreadPool(self._turns, pool, disclosed, place, now - days * _DAY)
        subscriptions, assigned = self._known_from_disk()
        filed = (*house.pairs.rules.assignments, *other.assignments)
        known = candidates(house.pairs, subscriptions, (*assigned, *filed), ledger)
        sides = Terms(here, house.pairs.rules), Terms(other, self._rules_under(other))
        return other, await compare(house.pairs, *sides, known, self._turns)

    async def _put_in_force(self, bundle: Bundle, how: str, confirmed: bool, asker: int | None) -> PolicyApplied:
        here, against = self._config_now(), self.fingerprint
        self._unedited()
        if bundle.fingerprint(here.path.name) == against:
            return {"outcome": "unchanged", "id": against, "widened": 0, "narrowed": 0, "changes": [], "restart": []}
        other, found = await self._compared(bundle, DAYS)
        loosens = loosened(here, other)
        if self.fingerprint != against:
            raise CommandError("another configuration came into force meanwhile; try again")
        if found.widened > here.policy.widen_threshold or loosens:
            if not confirmed:
                raise CommandError(_refusal(found.widened, here.policy.widen_threshold, loosens))
            if here.policy.approver:
                return self._propose(bundle, how, asker, found, loosens, changes(here, other))
        return self._install(bundle, how, asker, found.widened, found.narrowed)

    def _unedited(self) -> None:
        if Bundle.of(self._config_now().path) != self._in_force:
            raise CommandError("the files on disk are not those in force; reload them first, or undo the edit")

    def _propose(
        self,
        bundle: Bundle,
        how: str,
        asker: int | None,
        found: Comparison,
        loosens: list[str],
        told: list[str],
    ) -> PolicyApplied:
        now, against = self._wall_clock(), self.fingerprint
        fingerprint = bundle.fingerprint(self._config_now().path.name)
        name = sha256(f"{against} {fingerprint} {now} {os.urandom(8).hex()}".encode()).hexdigest()[:12]
        summary = {"widened": found.widened, "narrowed": found.narrowed, "loosens": loosens, "changes": told}
        uid = -1 if asker is None else asker
        self._shelf.propose(
            Proposal(name, now, user_name(asker), uid, against, fingerprint, how, bundle.written(), summary)
        )
        log.info("policy proposed", fingerprint=fingerprint, uid=uid)
        return {
            "outcome": "pending",
            "id": name,
            "widened": found.widened,
            "narrowed": found.narrowed,
            "changes": told,
            "restart": [],
        }

    def _install(self, bundle: Bundle, how: str, asker: int | None, widened: int, narrowed: int) -> PolicyApplied:
        """Replaces the files and reloads: both, or neither."""
        self._unedited()
        before, path = self._in_force, self._config_now().path
        replace(path, bundle)
        self._taking = (how, asker)
        try:
            done = self._again()
        except GatewayError:
            self._taking = ("reload", None)
            replace(path, before)
            raise
        return {
            "outcome": "applied",
            "id": self.fingerprint,
            "widened": widened,
            "narrowed": narrowed,
            "changes": done["changes"],
            "restart": done["restart"],
        }


def _days(text: str | None) -> int:
    if text is None:
        return DAYS
    if not (text.isascii() and text.isdigit() and int(text) <= 36_500):
        raise CommandError("days is a whole number")
    return int(text)


def _refusal(widened: int, threshold: int, loosens: list[str]) -> str:
    why = [f"{widened} pairs would gain something, {threshold} may"] if widened > threshold else []
    why += [f"it loosens {', '.join(loosens)}"] if loosens else []
    return f"not applied: {'; '.join(why)}. See gateway policy diff; --confirm-widen applies it all the same"


def _shown(found: Found) -> PolicyDifference:
    differs = found.differs
    return {
        "owner": found.owner,
        "contact": found.contact,
        "gains": _fields(differs.gains),
        "loses": _fields(differs.loses),
        "opens": _traffic(differs.opens),
        "closes": _traffic(differs.closes),
        "used": _fields(found.used),
    }


def _fields(names: frozenset[Field]) -> list[str]:
    return [name.value for name in Field if name in names]


def _traffic(kinds: frozenset[Modality]) -> list[str]:
    return [kind.value for kind in Modality if kind in kinds]
