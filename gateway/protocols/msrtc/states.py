"""Availability as a number and activity as a token, to the model and back (reference/ocs.md 2.2, 2.3, 8.2)."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from gateway.model.presence import Activity, Field, PresenceDocument, Show
from gateway.protocols import rpid

AVAILABLE: Final = 3500
AVAILABLE_IDLE: Final = 5000
BUSY: Final = 6500
BUSY_IDLE: Final = 8000
DO_NOT_DISTURB: Final = 9500
AWAY: Final = 15500
OFFLINE: Final = 18500

_FREE_FROM, _BUSY_FROM, _AWAY_FROM, _OFFLINE_FROM = 3000, 6000, 12000, 18000
_IDLE_FROM: Final = 4500


@frozen
class Token:
    """Is an activity that clients know: its own number, and the numbers beside which it is shown."""

    activity: Activity
    number: int
    least: int
    most: int | None = None


TOKENS: Final[Mapping[str, Token]] = {
    "on-the-phone": Token(Activity("talking", "on_the_phone"), BUSY, 6500, 8999),
    "in-a-conference": Token(Activity("talking", "on_video_phone"), 7000, 7000, 8999),
    "in-a-meeting": Token(Activity("working", "in_a_meeting"), BUSY, 6500, 8999),
    "in-presentation": Token(Activity("undefined", "", "presentation"), DO_NOT_DISTURB, 9000, 11999),
    "off-work": Token(Activity("inactive", "day_off"), AWAY, 15000, 17999),
    "out-of-office": Token(Activity("inactive", "on_vacation"), AWAY, 12000),
}
"""Tokens that say more than the number beside them; all others are read as the number alone."""

_TOKEN_OF: Final = {(token.activity.general, token.activity.specific): name for name, token in TOKENS.items()}
_NUMBER_OF_SHOW: Final = {None: AVAILABLE, Show.CHAT: AVAILABLE, Show.AWAY: AWAY, Show.XA: AWAY, Show.DND: BUSY}


def number_of(document: PresenceDocument, *, dnd_is_busy: bool = True) -> int:
    """Gives the availability number of a document; `dnd` is Busy (RFC 8048), or Do Not Disturb when so wished."""
    if not document.available:
        return OFFLINE
    show, activity = document.get(Field.SHOW), document.get(Field.ACTIVITY)
    if show is None and activity is not None:
        token = TOKENS.get(_token(activity))
        if token is not None:
            return _with_idle(token.number, document)
        show = rpid.show_of([rpid.write_activity(activity)[0]])
    number = DO_NOT_DISTURB if show is Show.DND and not dnd_is_busy else _NUMBER_OF_SHOW[show]
    return _with_idle(number, document)


def token_of(activity: Activity, number: int) -> str:
    """Gives the token for an activity, or '' when there is none that is shown beside the number."""
    name = _token(activity)
    return name if shows(name, number) else ""


def shows(name: str, number: int) -> bool:
    """Says whether there is a token of that name that is shown beside the number."""
    token = TOKENS.get(name)
    return token is not None and _fits(number, token.least, token.most)


def spoken(activity: Activity) -> str:
    """Gives an activity as a text: its own, or else its words."""
    word, text, note = rpid.write_activity(activity)
    return note or text or word.replace("-", " ")


def fields_of_number(number: int) -> dict[Field, object]:
    """Gives the fields that a number says; below 3000 is unknown and counts as offline."""
    if not _FREE_FROM <= number < _OFFLINE_FROM:
        return {}
    fields: dict[Field, object] = {Field.AVAILABILITY: True}
    if number >= _AWAY_FROM or _IDLE_FROM <= number < _BUSY_FROM:
        fields[Field.SHOW] = Show.AWAY
    elif number >= _BUSY_FROM:
        fields[Field.SHOW] = Show.DND
    return fields


def activity_of_token(name: str, number: int, least: int, most: int | None) -> Activity | None:
    """Gives the activity of a token, or None when it says nothing or its range has no place for the number."""
    token = TOKENS.get(name)
    return token.activity if token is not None and _fits(number, least, most) else None


def _token(activity: Activity) -> str:
    if activity.general == "undefined":
        return "in-presentation" if activity.text == "presentation" else ""
    name = _TOKEN_OF.get((activity.general, activity.specific), "")
    return name if not activity.text else ""


def _fits(number: int, least: int, most: int | None) -> bool:
    return least <= number and (most is None or number <= most)


def _with_idle(number: int, document: PresenceDocument) -> int:
    if Field.IDLE not in document:
        return number
    if number == AVAILABLE:
        return AVAILABLE_IDLE
    return BUSY_IDLE if BUSY <= number < BUSY_IDLE else number
