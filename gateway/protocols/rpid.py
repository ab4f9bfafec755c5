"""The words of rich presence (RFC 4480) and what they are in the model (XEP-0107, XEP-0108), by closed tables."""

from collections.abc import Mapping
from typing import Final

from gateway.model.presence import Activity, Mood, Show
from gateway.protocols.vocabulary import GENERAL_ACTIVITIES, MOODS, SPECIFIC_ACTIVITIES, words

_UNDEFINED: Final = "undefined"

ACTIVITIES: Final[Mapping[str, tuple[str, str]]] = {
    "appointment": ("having_appointment", ""),
    "away": ("inactive", ""),
    "breakfast": ("eating", "having_breakfast"),
    "dinner": ("eating", "having_dinner"),
    "holiday": ("inactive", "scheduled_holiday"),
    "in-transit": ("traveling", "commuting"),
    "looking-for-work": (_UNDEFINED, "looking for work"),
    "meal": ("eating", ""),
    "meeting": ("working", "in_a_meeting"),
    "on-the-phone": ("talking", "on_the_phone"),
    "performance": (_UNDEFINED, "performance"),
    "permanent-absence": (_UNDEFINED, "permanent absence"),
    "playing": ("relaxing", "gaming"),
    "presentation": (_UNDEFINED, "presentation"),
    "shopping": ("relaxing", "shopping"),
    "sleeping": ("inactive", "sleeping"),
    "spectator": (_UNDEFINED, "spectator"),
    "steering": ("traveling", "driving"),
    "travel": ("traveling", ""),
    "tv": ("relaxing", "watching_tv"),
    "vacation": ("inactive", "on_vacation"),
    "working": ("working", ""),
    "worship": (_UNDEFINED, "worship"),
}
"""RPID activity to general and specific activity; for what XEP-0108 has no word, 'undefined' and a text.

`busy` is not here because it says no more than Show.DND; `unknown` and `other` are read on their own.
"""

MOODS_WITHOUT_RPID: Final = words(
    """amorous aroused cautious confident contemplative crazy creative dejected dismayed envious grateful grieving
    hopeful intoxicated lost lucky outraged relaxed satisfied spontaneous strong thankful tired weak"""
)
"""Moods of XEP-0107 that RFC 4480 section 3.3 cannot say; they cross as `<other>` with the word as text."""

RPID_MOODS: Final = MOODS - MOODS_WITHOUT_RPID - {_UNDEFINED}
"""Moods that both vocabularies have, letter for letter."""

SHOWN_AS: Final[Mapping[str, Show]] = {
    **dict.fromkeys(("busy", "on-the-phone", "meeting", "presentation", "performance", "worship"), Show.DND),
    **dict.fromkeys(
        ("vacation", "holiday", "permanent-absence", "sleeping", "travel", "in-transit", "steering"), Show.XA
    ),
    **dict.fromkeys(("away", "meal", "breakfast", "dinner", "shopping", "appointment"), Show.AWAY),
}
"""RPID activity to the availability that it implies where no `<show/>` says it."""

WORD_OF_SHOW: Final[Mapping[Show, str]] = {Show.AWAY: "away", Show.XA: "away", Show.DND: "busy"}
"""Availability to the RPID activity that says it to clients that do not read `<show/>`."""

# 'away' and 'busy' are written for the availability only: an activity must not change what Show says.
_WORD_OF: Final = {pair: word for word, pair in ACTIVITIES.items() if word != "away"}
_IMPORTANCE: Final = (Show.DND, Show.XA, Show.AWAY)


def show_of(words: list[str]) -> Show | None:
    """Gives the availability that activities imply: busy before extended away before away, else None."""
    implied = {SHOWN_AS[word] for word in words if word in SHOWN_AS}
    return next((show for show in _IMPORTANCE if show in implied), None)


def activity_of(word: str, note: str = "") -> Activity | None:
    """Gives the model's activity for an RPID word and the note beside it, or None when the word says none."""
    if word == "unknown":
        return Activity(_UNDEFINED, "", note)
    pair = ACTIVITIES.get(word)
    if pair is None:
        return None
    general, specific = pair
    return Activity(general, "", note or specific) if general == _UNDEFINED else Activity(general, specific, note)


def other_activity(text: str, note: str = "") -> Activity | None:
    """Gives the activity in the text of `<other>`: the words that `write_activity` puts there, or a text."""
    general, _, specific = (part.strip().replace(" ", "_") for part in text.lower().partition(":"))
    if general in GENERAL_ACTIVITIES and general != _UNDEFINED and (not specific or specific in SPECIFIC_ACTIVITIES):
        return Activity(general, specific, note)
    text = text or note
    return Activity(_UNDEFINED, "", text) if text else None


def write_activity(activity: Activity) -> tuple[str, str, str]:
    """Gives the RPID word, the text of `<other>` (or ''), and the note beside them (or '')."""
    general = activity.general if activity.general in GENERAL_ACTIVITIES else _UNDEFINED
    specific = activity.specific if activity.specific in SPECIFIC_ACTIVITIES else ""
    if general != _UNDEFINED:
        word = _WORD_OF.get((general, specific))
        return (word, "", activity.text) if word else ("other", _spoken(general, specific), activity.text)
    known = _WORD_OF.get((_UNDEFINED, activity.text))
    if known:
        return known, "", ""
    again = other_activity(activity.text)
    if again is not None and again.general == _UNDEFINED:
        return "other", activity.text, ""
    return "unknown", "", activity.text


def mood_of(word: str, note: str = "") -> Mood | None:
    """Gives the model's mood for an RPID word and the note beside it, or None when there is no such word."""
    word = word.replace("-", "_")
    if word == "unknown":
        return Mood(_UNDEFINED, note)
    return Mood(word, note) if word in RPID_MOODS else None


def other_mood(text: str, note: str = "") -> Mood | None:
    """Gives the mood in the text of `<other>`: a word of XEP-0107, or a text."""
    word = text.lower().strip().replace(" ", "_")
    if word in MOODS and word != _UNDEFINED:
        return Mood(word, note)
    text = text or note
    return Mood(_UNDEFINED, text) if text else None


def write_mood(mood: Mood) -> tuple[str, str, str]:
    """Gives the RPID word, the text of `<other>` (or ''), and the note beside them (or '')."""
    if mood.value in RPID_MOODS:
        return mood.value, "", mood.text
    if mood.value in MOODS_WITHOUT_RPID:
        return "other", mood.value.replace("_", " "), mood.text
    again = other_mood(mood.text)
    if again is not None and again.value == _UNDEFINED:
        return "other", mood.text, ""
    return "unknown", "", mood.text


def _spoken(general: str, specific: str) -> str:
    return f"{general}: {specific}".replace("_", " ") if specific else general.replace("_", " ")
