"""The last known presence of each person and who watches it; discloses again when anything changes."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.books.pairs import Pair, PairBook
from gateway.books.publications import LEG, PublicationBook
from gateway.log import Log
from gateway.model.envelope import Envelope, Side
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument, Show
from gateway.model.publication import Origin
from gateway.policy.published_info import PRESENCE_FIELDS

log = Log("presence")

IN_PRESENCE = PRESENCE_FIELDS | {Field.DISPLAY_NAME, Field.PHOTO}
"""Fields that go along with presence on every leg; the others go where presence carries them, or to who asks."""

_REACHABILITY = {Show.CHAT: 4, None: 3, Show.DND: 2, Show.AWAY: 1, Show.XA: 0}

Disclose = Callable[[Pair, Presence, bool], None]
"""Takes a pair, what there is to say, and whether to say it although it may have been said already."""


class PresenceBook:
    """Knows what each person publishes, and tells `disclose` whenever a contact is to learn something new."""

    def __init__(
        self,
        pairs: PairBook,
        disclose: Disclose,
        carried: Callable[[Pair], frozenset[Field]] = lambda pair: IN_PRESENCE,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._pairs = pairs
        self._carried = carried
        self._disclose = disclose
        self.publications = PublicationBook(now)
        self._made: tuple[PresenceDocument, object, object, object, PresenceDocument] | None = None
        """The last parts that were put together, and the whole: many contacts are told the same."""

    def note(self, pair: Pair, resource: str, presence: Presence) -> None:
        """Takes what the inside server says to one contact about one endpoint of the person."""
        if presence.document.available:
            pair.endpoints[resource] = presence
        elif resource:
            pair.endpoints.pop(resource, None)
        else:
            pair.endpoints.clear()
        self.tell(pair)

    def publish(self, person: str, values: Mapping[Field, Any]) -> None:
        """Takes what the inside server announces of a person; None withdraws a field."""
        self.say(person, LEG, Origin.LEG, values)

    def say(
        self, person: str, source: str, origin: Origin, values: Mapping[Field, Any], *, whole: bool = False
    ) -> frozenset[Field]:
        """Takes what a source publishes of a person; every contact learns what concerns him.

        None withdraws a field, `whole` everything that is not named. Gives the fields of which something else counts.
        """
        changed = self.publications.say(person, source, origin, values, whole=whole)
        if changed:
            for pair in self._pairs.of_person(person):
                if not self._carried(pair).isdisjoint(changed):
                    self.tell(pair)
        return changed

    def published(self, person: str) -> Mapping[Field, Any]:
        """Gives what is published of a person beside presence, whoever published it."""
        book = self.publications
        return {**book.beneath(person), **book.above(person)}

    def picture(self, person: str) -> Any:
        """Gives the Photo that is published of a person, or None."""
        return self.publications.above(person).get(Field.PHOTO)

    def forget_events(self, person: str) -> None:
        """Forgets what events have told of a person's present, because none will tell when it ends."""
        self.publish(person, dict.fromkeys(PRESENCE_FIELDS))

    def tell(self, pair: Pair, again: bool = False) -> None:
        """Discloses the present to a contact; `again` when he asks, or may have lost what he was told."""
        self._told(pair, lambda: Presence(self.presence_of(pair)), again)

    def tell_offline(self, pair: Pair) -> None:
        """Discloses that the person is not there, whatever the book says."""
        self._told(pair, lambda: Presence(OFFLINE), False)

    def _told(self, pair: Pair, presence: Callable[[], Presence], again: bool) -> None:
        try:
            self._disclose(pair, presence(), again)
        except Exception:  # noqa: BLE001 what is taken back from many contacts is not left with those behind a fault
            log.failure("a contact could not be told")

    def presence_of(self, pair: Pair, carried: frozenset[Field] | None = None) -> PresenceDocument:
        """Composes what there is to say now about the person to this contact, before the policy.

        `carried` are the fields that presence has on the way to him; otherwise those of the leg that he is behind.
        """
        if not pair.endpoints:
            return OFFLINE
        # Who may not see whether a person is busy must not learn it from which endpoint speaks.
        document = most_reachable(pair.endpoints, Field.SHOW in pair.permission.fields).document
        above, beneath = self.publications.above(pair.person), self.publications.beneath(pair.person)
        if not (above or beneath):
            return document
        carried = self._carried(pair) if carried is None else carried
        made = self._made
        if made and made[0] is document and made[1] is above and made[2] is beneath and made[3] is carried:
            return made[4]
        more = {name: value for name, value in beneath.items() if name in carried and name not in document}
        more.update([(name, value) for name, value in above.items() if name in carried])
        composed = document.with_fields(more)
        self._made = (document, above, beneath, carried, composed)
        return composed

    def everything_of(self, pair: Pair) -> PresenceDocument:
        """Composes presence and all published information; what a question is answered from, before the policy."""
        # Who may not know whether somebody is there must not learn it from what only presence says, like a name.
        present = self.presence_of(pair) if Field.AVAILABILITY in pair.permission.fields else OFFLINE
        published = self.published(pair.person)
        return present.with_fields({name: published[name] for name in published if name not in present})


def most_reachable(endpoints: Mapping[str, Presence], by_show: bool = True) -> Presence:
    """Chooses the endpoint that speaks for the person: not hidden, the highest priority, then the most reachable.

    Between equals the name decides and not who came first: that would tell what happened while nothing was shown.
    """
    if len(endpoints) == 1:
        return next(iter(endpoints.values()))

    def rank(resource: str) -> tuple[int, int, str]:
        presence = endpoints[resource]
        return presence.priority, by_show * _REACHABILITY[presence.document.get(Field.SHOW)], resource

    return endpoints[max(endpoints, key=rank)]


def unavailable_from(pair: Pair, resource: str) -> Envelope:
    """Gives the envelope that tells the person that a contact's resource has gone."""
    return Envelope(pair.contact.at(resource), pair.person, Presence(OFFLINE), Side.EXTERNAL)
