"""Whether a contact is told that what is said is kept, and in which words; pure."""

from collections.abc import Mapping
from enum import Enum

from gateway.model.presence import Texts


class Keeping(Enum):
    """Names a way in which a conversation is kept."""

    HISTORY = "history"
    """In the person's own mailbox."""
    ACTIVITY = "activity"
    """In the organisation's archive: who with whom and when."""
    CONTENT = "content"
    """In the organisation's archive: what was said."""

    __hash__ = object.__hash__


Kept = frozenset[Keeping]
NOTHING: Kept = frozenset()
_MEANS: Mapping[Keeping, Kept] = {
    Keeping.HISTORY: frozenset({Keeping.HISTORY}),
    Keeping.ACTIVITY: frozenset({Keeping.ACTIVITY}),
    Keeping.CONTENT: frozenset({Keeping.CONTENT, Keeping.ACTIVITY}),
}
"""Who knows of the one knows of the others."""

WORDS: Mapping[bool, Mapping[str, str]] = {
    True: {
        "en": "Notice from {domain}: what is written in this conversation is kept.",
        "de": "Hinweis von {domain}: Was in dieser Unterhaltung geschrieben wird, wird aufbewahrt.",
        "fr": "Avis de {domain} : ce qui est écrit dans cette conversation est conservé.",
    },
    False: {
        "en": "Notice from {domain}: it is recorded who writes to whom and when in this conversation, not what.",
        "de": "Hinweis von {domain}: Es wird aufgezeichnet, wer in dieser Unterhaltung wann wem schreibt, nicht was.",
        "fr": "Avis de {domain} : on enregistre qui écrit à qui et quand dans cette conversation, mais pas le contenu.",
    },
}
"""What is said where the administrator says nothing: whether texts are kept, and the language."""


def due(kept: Kept, told: Kept) -> bool:
    """Says whether a contact has to be told: more is kept than he was told since it last changed."""
    if not kept:
        return False
    known = frozenset[Keeping]().union(*(_MEANS[each] for each in told))
    return not kept <= known


def words(kept: Kept, domain: str, given: Mapping[str, str]) -> Texts:
    """Gives the notice in each language: the administrator's text, or else ours; `{domain}` stands for our domain."""
    texts = given or WORDS[bool(kept - {Keeping.ACTIVITY})]
    return tuple((language, text.replace("{domain}", domain)) for language, text in texts.items())
