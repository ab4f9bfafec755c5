"""Presence subscriptions: the nine states and what each stanza does in each (RFC 6121 appendix A)."""

from enum import Enum

from attrs import frozen


class Ask(Enum):
    """Names the four subscription requests and the probe (RFC 6121 sections 3 and 4.3)."""

    SUBSCRIBE = "subscribe"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIBED = "unsubscribed"
    PROBE = "probe"


@frozen
class Subscription:
    """Carries one subscription request."""

    ask: Ask
    id: str = ""


class State(Enum):
    """Is the subscription between one inside person and one outside contact, seen by the person.

    *To*: the person watches the contact. *From*: the contact watches the person. *+out*, *+in*: a request waits.
    """

    NONE = "none"
    NONE_OUT = "none+out"
    NONE_IN = "none+in"
    NONE_OUT_IN = "none+out+in"
    TO = "to"
    TO_IN = "to+in"
    FROM = "from"
    FROM_OUT = "from+out"
    BOTH = "both"

    __hash__ = object.__hash__

    @property
    def contact_watches(self) -> bool:
        """Says whether the contact is subscribed to the person's presence."""
        return self in _FROM

    @property
    def person_watches(self) -> bool:
        """Says whether the person is subscribed to the contact's presence."""
        return self in _TO

    @property
    def answer_waits(self) -> bool:
        """Says whether the person has asked and the contact has not answered."""
        return self in _OUT

    @property
    def request_waits(self) -> bool:
        """Says whether the contact has asked and the person has not answered."""
        return self in _IN


_FROM = frozenset({State.FROM, State.FROM_OUT, State.BOTH})
_TO = frozenset({State.TO, State.TO_IN, State.BOTH})
_OUT = frozenset({State.NONE_OUT, State.NONE_OUT_IN, State.FROM_OUT})
_IN = frozenset({State.NONE_IN, State.NONE_OUT_IN, State.TO_IN})


@frozen
class Transition:
    """Says what one request does: whether it passes on, the state after it, and what is answered by itself."""

    passes: bool
    state: State
    reply: Ask | None = None


def _table(rows: str) -> dict[tuple[State, Ask], Transition]:
    """Reads lines of `state ask passes new-state [reply]`."""
    table = {}
    for line in rows.strip().splitlines():
        state, ask, passes, new, *reply = line.split()
        table[State(state), Ask(ask)] = Transition(passes == "yes", State(new), Ask(reply[0]) if reply else None)
    return table


OUTBOUND = _table("""
none        subscribe    yes none+out
none        unsubscribe  yes none
none        subscribed   no  none
none        unsubscribed no  none
none+out    subscribe    yes none+out
none+out    unsubscribe  yes none
none+out    subscribed   no  none+out
none+out    unsubscribed no  none+out
none+in     subscribe    yes none+out+in
none+in     unsubscribe  yes none+in
none+in     subscribed   yes from
none+in     unsubscribed yes none
none+out+in subscribe    yes none+out+in
none+out+in unsubscribe  yes none+in
none+out+in subscribed   yes from+out
none+out+in unsubscribed yes none+out
to          subscribe    yes to
to          unsubscribe  yes none
to          subscribed   no  to
to          unsubscribed no  to
to+in       subscribe    yes to+in
to+in       unsubscribe  yes none+in
to+in       subscribed   yes both
to+in       unsubscribed yes to
from        subscribe    yes from+out
from        unsubscribe  yes from
from        subscribed   no  from
from        unsubscribed yes none
from+out    subscribe    yes from+out
from+out    unsubscribe  yes from
from+out    subscribed   no  from+out
from+out    unsubscribed yes none+out
both        subscribe    yes both
both        unsubscribe  yes from
both        subscribed   no  both
both        unsubscribed yes to
""")
"""What a request of the inside person does (RFC 6121 appendix A.2)."""

INBOUND = _table("""
none        subscribe    yes none+in
none        unsubscribe  no  none
none        subscribed   no  none
none        unsubscribed no  none
none+out    subscribe    yes none+out+in
none+out    unsubscribe  no  none+out
none+out    subscribed   yes to
none+out    unsubscribed yes none
none+in     subscribe    no  none+in
none+in     unsubscribe  yes none         unsubscribed
none+in     subscribed   no  none+in
none+in     unsubscribed no  none+in
none+out+in subscribe    no  none+out+in
none+out+in unsubscribe  yes none+out     unsubscribed
none+out+in subscribed   yes to+in
none+out+in unsubscribed yes none+in
to          subscribe    yes to+in
to          unsubscribe  no  to
to          subscribed   no  to
to          unsubscribed yes none
to+in       subscribe    no  to+in
to+in       unsubscribe  yes to           unsubscribed
to+in       subscribed   no  to+in
to+in       unsubscribed yes none+in
from        subscribe    no  from         subscribed
from        unsubscribe  yes none         unsubscribed
from        subscribed   no  from
from        unsubscribed no  from
from+out    subscribe    no  from+out     subscribed
from+out    unsubscribe  yes none+out     unsubscribed
from+out    subscribed   yes both
from+out    unsubscribed yes from
both        subscribe    no  both         subscribed
both        unsubscribe  yes to           unsubscribed
both        subscribed   no  both
both        unsubscribed yes from
""")
"""What a request of the outside contact does (RFC 6121 appendix A.3); the reply goes back to the contact."""
