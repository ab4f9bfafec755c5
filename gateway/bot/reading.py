"""Reads what a person says to the bot: a verb, whom it is about, and the rest."""

from collections.abc import Collection

from attrs import frozen

from gateway.bot.catalogue import Catalogue

LONGEST = 2000
"""Characters of a message that are read."""
_ABOUT_ONE = frozenset({"show", "why", "block", "reset", "accept", "refuse"})
"""Verbs that are about one contact, who may stand before or behind them."""


@frozen
class Said:
    """Is one thing that a person said; `verb` is '' when it is not understood."""

    verb: str
    who: str = ""
    level: str = ""
    until: str = ""
    rest: str = ""


def read(text: str, catalogue: Catalogue, levels: Collection[str]) -> Said:
    """Reads one message, in the catalogue's language or in English."""
    tokens = text[:LONGEST].split()
    verb, used = _verb(tokens, catalogue)
    if verb in _ABOUT_ONE:
        return _about(verb, tokens[used : used + 1], tokens[used + 1 :], catalogue, levels)
    if verb:
        return Said(verb, rest=" ".join(tokens[used:]))
    if len(tokens) < 2:
        return Said("")
    verb, used = _verb(tokens[1:], catalogue)
    if verb in _ABOUT_ONE:
        return _about(verb, tokens[:1], tokens[1 + used :], catalogue, levels)
    level = level_of(tokens[1], catalogue, levels)
    if level:
        return Said("level", tokens[0], level, _until(tokens[2:], catalogue))
    return Said("")


def level_of(word: str, catalogue: Catalogue, levels: Collection[str]) -> str:
    """Gives the level that a word means, or ''."""
    plain = word.casefold()
    return next((name for name in levels if plain in (name.casefold(), catalogue.level(name).casefold())), "")


def field_of(words: str, catalogue: Catalogue) -> str:
    """Gives the field or feature that some words mean, or ''."""
    plain = " ".join(words.split()).casefold()
    exact = (name for name, called in catalogue.fields.items() if plain in (name, called.casefold()))
    within = (name for name in catalogue.fields if plain and plain in name.split("."))
    return next(exact, "") or next(within, "")


def field_at_start(words: str, catalogue: Catalogue) -> tuple[str, str]:
    """Gives the field that the first word, or the first two or three, mean, and what follows."""
    tokens = words.split()
    for count in (3, 2, 1):
        if len(tokens) >= count:
            found = field_of(" ".join(tokens[:count]), catalogue)
            if found:
                return found, " ".join(tokens[count:])
    return "", words


def _about(verb: str, who: list[str], rest: list[str], catalogue: Catalogue, levels: Collection[str]) -> Said:
    if not who:
        return Said("")
    if verb == "accept" and rest:
        level = level_of(rest[0], catalogue, levels)
        if level:
            return Said(verb, who[0], level, _until(rest[1:], catalogue))
    if verb == "block":
        return Said(verb, who[0], until=_until(rest, catalogue))
    return Said(verb, who[0], rest=" ".join(rest))


def _verb(tokens: list[str], catalogue: Catalogue) -> tuple[str, int]:
    """Gives the verb with which some words begin and how many words it has; the longest first."""
    for count in (2, 1):
        if len(tokens) >= count:
            plain = " ".join(tokens[:count]).casefold()
            for verb, words in catalogue.words.items():
                if plain in words and verb not in ("until", "off", "on", "default"):
                    return verb, count
    return "", 0


def _until(tokens: list[str], catalogue: Catalogue) -> str:
    """Gives the end that some words name, as `gateway.commands.moments` reads it."""
    if tokens and tokens[0].casefold() in catalogue.words["until"]:
        tokens = tokens[1:]
    return " ".join(catalogue.times.get(token.casefold(), token) for token in tokens)
