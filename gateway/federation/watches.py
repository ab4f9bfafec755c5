"""Who asks for more of our people than a partner has reason to, and whose questions mostly come to nothing."""

from collections import OrderedDict
from collections.abc import Callable, Iterator

from attrs import define, field

from gateway.books.pairs import Pair
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.policy.partners import Partner
from gateway.policy.verdict import Decision, Reason, Verdict

PERIOD_SECONDS = 3600.0
"""After so long what was counted is worth half."""
LEAST_FAILED = 20
"""Refusals before which nobody is under suspicion."""
MOST_ADDRESSES = 1000
"""Distinct addresses that are counted of a partner whose contract does not bound them."""
MOST_WATCHED = 8192
"""Partners that are watched; the one heard of longest ago is forgotten first, suspects last."""
_OWN_LIMITS = frozenset({Reason.RATE, Reason.HARVEST, Reason.TAP_FAILED, Reason.POLICY_ERROR})
"""Refusals that say nothing about what a partner asks for."""


@define(eq=False)
class Watch:
    """Is what is counted of one partner."""

    people: set[str] = field(factory=set)
    """Addresses of ours, existing or not, that it has asked for without their having asked for it."""
    answered: float = 0.0
    failed: float = 0.0
    since: float = 0.0

    @property
    def suspicious(self) -> bool:
        """Says whether most of what it asks for comes to nothing."""
        return self.failed >= LEAST_FAILED and self.failed > self.answered

    def age(self, now: float) -> None:
        """Lets what was counted fade."""
        while now - self.since >= PERIOD_SECONDS:
            if self.since + 40 * PERIOD_SECONDS < now:
                self.answered = self.failed = 0.0
                self.since = now
                return
            self.answered, self.failed, self.since = self.answered / 2, self.failed / 2, self.since + PERIOD_SECONDS


class Watches:
    """Keeps one watch for each partner that sends something."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._watches: OrderedDict[str, Watch] = OrderedDict()

    def __iter__(self) -> Iterator[tuple[str, Watch]]:
        return iter(list(self._watches.items()))

    def suspicious(self, partner: Partner) -> bool:
        """Says whether a partner is under suspicion."""
        found = self._watches.get(partner.name)
        return found is not None and found.suspicious

    def admits(self, partner: Partner, pair: Pair) -> bool:
        """Counts whom a partner asks for; says False when that is one address more than its contract allows.

        Whoever knows the contact has asked for him, and is not counted.
        """
        watch = self._of(partner.name)
        if pair.person in watch.people or pair.facts.knows:
            return True
        most = partner.rates.people
        if most is not None and len(watch.people) >= most:
            return False
        if len(watch.people) < (most or MOST_ADDRESSES):
            watch.people.add(pair.person)
        return True

    def judged(self, envelope: Envelope, partner: Partner | None, verdict: Verdict) -> None:
        """Counts what became of what a partner asked for: an error of our own server is a failure as well."""
        if partner is None or verdict.reason in _OWN_LIMITS:
            return
        if envelope.side is Side.EXTERNAL:
            watch = self._of(partner.name)
            if verdict.decision is Decision.DELIVER:
                watch.answered += 1
            else:
                watch.failed += 1
        elif isinstance(envelope.content, Bounce) and envelope.content.problem is not Problem.RESOURCE_CONSTRAINT:
            watch = self._of(partner.name)
            watch.failed += 1
            watch.answered = max(0.0, watch.answered - 1)  # it was counted as one when it went in

    def forget(self, name: str) -> None:
        """Starts anew with a partner whose contract has changed."""
        self._watches.pop(name, None)

    def _of(self, name: str) -> Watch:
        now = self._now()
        found = self._watches.get(name)
        if found is None:
            found = self._watches[name] = Watch(since=now)
            if len(self._watches) > MOST_WATCHED:
                self._make_room()
        else:
            self._watches.move_to_end(name)
        found.age(now)
        return found

    def _make_room(self) -> None:
        for name, watch in self._watches.items():
            if not watch.suspicious:
                del self._watches[name]
                return
        self._watches.popitem(last=False)
