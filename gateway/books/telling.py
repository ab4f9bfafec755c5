"""Tells contacts what they may see of a person: only what is new to them, and only what is recorded for good."""

from collections.abc import Callable
from functools import partial

from gateway.books.pairs import Pair
from gateway.metrics import Metrics
from gateway.model.envelope import Envelope, Side
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument
from gateway.policy.verdict import Decision, Verdict
from gateway.relay import Relay
from gateway.taps import Taps

_DELIVER = Decision.DELIVER
_ALWAYS = frozenset({Field.AVAILABILITY})
_SPEAK_BY_ABSENCE = frozenset({Field.SHOW, Field.IDLE})
"""Without them a person is plainly available and active: taking them away tells something new."""


class Telling:
    """Carries presence to contacts; what takes something back never waits for a tap."""

    def __init__(
        self,
        relay: Relay,
        taps: Taps,
        presence_of: Callable[[Pair], PresenceDocument],
        metrics: Metrics,
        now: Callable[[], float],
    ) -> None:
        self._relay = relay
        self._taps = taps
        self._presence_of = presence_of
        self._metrics = metrics
        self._now = now
        self._closed = False
        self._news: tuple[PresenceDocument, Presence] | None = None
        """What the last contact knew and what was new to him: many know the same and are told the same."""
        self.doubted: Callable[[Pair, bool], object] = lambda pair, doubt: None
        """Is told whether a contact may believe more than he may see: a crash must not let that be forgotten."""
        self._unrecorded: set[Pair] = set()
        """Pairs whose contact could not be told the present, because a required tap did not record it."""

    def disclose(self, pair: Pair, presence: Presence, again: bool) -> None:
        """Tells a contact what he may see, unless it is what he was last told.

        While something waits for him already there is nothing to do: what he is told is looked up when it goes.
        """
        if pair.waiting:
            known, (_, seen) = _known(pair), self._judged(pair, _envelope(pair, presence))
            if known is None or not known.names <= seen.names:
                self._hurry(pair)
            return
        if pair.held is not None:
            self._while_held(pair, presence, again)
            return
        shown = self._ready(pair, presence, again)
        if shown is not None:
            self._go(pair, shown)

    def present(self, envelope: Envelope, pair: Pair) -> Envelope | None:
        """Gives what there is to say now in place of presence that waited for a link."""
        pair.waiting = False
        if pair.held is not None:
            self._while_held(pair, Presence(self._presence_of(pair)), True)
            return None
        shown = self._ready(pair, Presence(self._presence_of(pair)), True)
        if shown is None:
            return None
        self._told(pair, shown)
        return Envelope(envelope.sender, envelope.recipient, shown, Side.INTERNAL)

    def unrecorded(self) -> set[Pair]:
        """Gives, and forgets, the pairs whose contact is to be told once more."""
        unrecorded, self._unrecorded = self._unrecorded, set()
        return unrecorded

    def close(self) -> None:
        """Tells nothing any more of what waits for a tap."""
        self._closed = True

    def _ready(self, pair: Pair, presence: Presence, again: bool) -> Presence | None:
        """Gives what a contact is to be told now, once it is recorded; None when nothing, or when it must wait.

        What is refused, or cannot be recorded, looks like nobody there: he must not go on believing what he was told.
        """
        if pair.facts.partner is None:
            return None
        envelope = _envelope(pair, presence)
        verdict, seen = self._judged(pair, envelope)
        known = _known(pair)
        if seen == known and not again:
            pair.revoking_since = None
            return None
        recorded = self._recorded(pair, envelope, verdict)
        if len(seen) and not recorded:  # that nothing is seen any more is recorded as well, but never held back
            self._unrecorded.add(pair)
            if known == OFFLINE:
                return None
            return self._shown(pair, OFFLINE, again)
        if self._taps.open and not _only_takes_back(known, seen):
            pair.held, pair.held_again = seen.names, again
            self._take_back(pair, seen)
            self._taps.when_lasting(partial(self._settled, pair))
            return None
        return self._shown(pair, seen, again)

    def _while_held(self, pair: Pair, presence: Presence, again: bool) -> None:
        """Takes back at once what the contact may not see any more; the rest is looked up when its record lasts."""
        pair.held_again = pair.held_again or again
        envelope = _envelope(pair, presence)
        verdict, seen = self._judged(pair, envelope)
        if self._remainder(pair, seen) is not None:
            self._recorded(pair, envelope, verdict)
            self._take_back(pair, seen)

    def _settled(self, pair: Pair, kept: bool) -> None:
        """Tells what is recorded for good, or, when that failed, that nobody is there."""
        recorded, again = pair.held or frozenset(), pair.held_again
        pair.held, pair.held_again = None, False
        if self._closed or pair.waiting or pair.facts.partner is None:
            return
        if not kept:
            self._unrecorded.add(pair)
            if _known(pair) != OFFLINE:
                self._go(pair, self._shown(pair, OFFLINE, again))
            return
        presence = Presence(self._presence_of(pair))
        _, seen = self._judged(pair, _envelope(pair, presence))
        if not seen.names <= recorded:
            self.disclose(pair, presence, again)
        elif seen == _known(pair) and not again:
            pair.revoking_since = None
        else:
            self._go(pair, self._shown(pair, seen, again))

    def _judged(self, pair: Pair, envelope: Envelope) -> tuple[Verdict, PresenceDocument]:
        verdict = self._relay.judge(envelope, pair)
        return verdict, verdict.content.document if isinstance(verdict.content, Presence) else OFFLINE

    def _recorded(self, pair: Pair, envelope: Envelope, verdict: Verdict) -> bool:
        return self._relay.record(envelope, pair, verdict).decision is _DELIVER

    def _remainder(self, pair: Pair, seen: PresenceDocument) -> PresenceDocument | None:
        """Gives what remains of what a contact knows when all that he loses is taken back; None when he loses nothing.

        Nothing in it is new to him. A field that speaks by its absence stays until the record of that lasts, unless
        he is not entitled to it any more.
        """
        known = _known(pair)
        if known is None:
            return None
        stays = seen.names | (_SPEAK_BY_ABSENCE & pair.permission.fields if len(seen) else frozenset())
        rest = PresenceDocument({name: known[name] for name in known if name in stays})
        return rest if len(rest) < len(known) else None

    def _take_back(self, pair: Pair, seen: PresenceDocument) -> None:
        rest = self._remainder(pair, seen)
        if rest is not None:
            self._go(pair, self._shown(pair, rest, False))

    def _shown(self, pair: Pair, seen: PresenceDocument, again: bool) -> Presence:
        known = _known(pair)
        if known is None:
            return Presence(seen)
        if pair.revoking_since is not None and known.names <= seen.names:
            pair.revoking_since = None
        if again:
            return Presence(seen, changed=known.names | seen.names | _ALWAYS)
        news = self._news
        if news is None or news[0] is not known or news[1].document is not seen:
            news = self._news = (known, Presence(seen, changed=known.differing(seen)))
        return news[1]

    def _go(self, pair: Pair, shown: Presence) -> None:
        known = _known(pair)
        takes = known is None or not known.names <= shown.document.names
        if self._relay.send(_envelope(pair, shown, takes), pair):
            self._told(pair, shown)
            return
        pair.waiting = True
        if takes:
            self._doubt(pair)

    def _hurry(self, pair: Pair) -> None:
        """Puts what waits for a contact before everything else, since it takes something back."""
        if not pair.doubted:
            self._doubt(pair)
            if self._relay.send(_envelope(pair, Presence(OFFLINE), True), pair):
                self._told(pair, Presence(OFFLINE))

    def _doubt(self, pair: Pair) -> None:
        if not pair.doubted:
            pair.doubted = True
            self.doubted(pair, True)

    def _told(self, pair: Pair, shown: Presence) -> None:
        if pair.doubted:
            pair.doubted = False
            self.doubted(pair, False)
        pair.last, pair.unsure, pair.waiting = shown.document, False, False
        if pair.revoking_since is not None:
            self._metrics.revoked(self._now() - pair.revoking_since)
            pair.revoking_since = None


def _envelope(pair: Pair, presence: Presence, first: bool = False) -> Envelope:
    return Envelope(pair.alias, pair.contact, presence, Side.INTERNAL, first=first)


def _known(pair: Pair) -> PresenceDocument | None:
    """Gives what a contact believes; None when that is not known."""
    return OFFLINE if pair.last is None and not pair.unsure else pair.last


def _only_takes_back(known: PresenceDocument | None, seen: PresenceDocument) -> bool:
    """Says whether a contact who believes one thing learns nothing from the other but that he sees less."""
    if not len(seen):
        return True
    if known is None:
        return False
    return all(name in known and known[name] == seen[name] for name in seen) and not any(
        name in known and name not in seen for name in _SPEAK_BY_ABSENCE
    )
