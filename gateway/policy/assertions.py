"""What an administrator asserts of a policy, one sentence a line, and how such a file is read."""

import re
from enum import Enum, auto

from attrs import frozen

from gateway.errors import AddressError
from gateway.model.address import Address, normal_domain
from gateway.model.presence import Field
from gateway.policy.partners import Modality

TRAFFIC: dict[str, Modality] = {"messages": Modality.IM} | {
    kind.value: kind for kind in Modality if kind is not Modality.IM
}
"""Kinds of traffic by the words for them."""
_VERB = re.compile(r"(?:^| )(never )?(sees|exchanges)(?: |$)")
_GROUP = re.compile(r"[^@\s/]{1,64}")


class Mark(Enum):
    """Says whom a `Who` means."""

    ONE = auto()
    DOMAIN = auto()
    BELOW = auto()
    """Everybody at any domain below one."""
    ALL = auto()


@frozen
class Who:
    """Is one person, or everybody: at a domain, below a domain, in a group."""

    mark: Mark
    value: str = ""
    group: str = ""


@frozen
class Assertion:
    """Is one sentence: that contacts (never) see fields of people, or that traffic (never) passes between them."""

    line: int
    text: str
    contact: Who
    person: Who
    never: bool
    fields: frozenset[Field] = frozenset()
    """What is seen; empty when the sentence is about traffic."""
    traffic: Modality = Modality.IM
    level: str = ""
    """The level that the contact is taken to have; '' for the one that he has."""


class Unreadable(ValueError):
    """Says what was expected in a sentence."""


def read_assertions(text: str) -> tuple[list[Assertion], list[tuple[int, str]]]:
    """Reads a file; gives its sentences, and of each line that is none its number and what was expected."""
    found, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        sentence = " ".join(line.partition("#")[0].split()).rstrip(".")
        if not sentence:
            continue
        try:
            found.append(_read(number, sentence))
        except (Unreadable, AddressError) as problem:
            wrong.append((number, str(problem)))
    return found, wrong


def _read(number: int, sentence: str) -> Assertion:
    verb = _VERB.search(sentence)
    if verb is None:
        raise Unreadable("expected WHO sees, never sees, exchanges, or never exchanges ...")
    subject, rest = sentence[: verb.start()].strip(), sentence[verb.end() :].strip()
    never = bool(verb[1])
    if subject.split(" ")[0] == "nobody":
        if never:
            raise Unreadable("nobody ... never says the opposite: write nobody, or anybody ... never")
        never, subject = True, "anybody" + subject.removeprefix("nobody")
    if verb[2] == "sees":
        return _seeing(number, sentence, subject, never, rest)
    kind, found, whom = rest.partition(" with ")
    if not found or kind not in TRAFFIC:
        raise Unreadable(f"expected exchanges KIND with CONTACT, the kinds are {', '.join(sorted(TRAFFIC))}")
    other = Who(Mark.DOMAIN, normal_domain(whom)) if "@" not in whom and " " not in whom else _who(whom, False)
    if whom == "anybody":
        other = Who(Mark.ALL)
    return Assertion(number, sentence, other, _who(subject, True), never, traffic=TRAFFIC[kind])


def _seeing(number: int, sentence: str, subject: str, never: bool, rest: str) -> Assertion:
    what, found, whom = rest.partition(" of ")
    if not found:
        raise Unreadable("expected sees FIELD of PERSON")
    level = ""
    if not never and (at := re.fullmatch(r"(\S+@\S+|.*\bgroup \S+|.*\bat \S+|anybody) at (\S+)", whom)):
        whom, level = at[1], at[2]
    if what == "nothing":
        if never:
            raise Unreadable("never sees nothing says the opposite: write sees nothing, or never sees anything")
        never, what = True, "anything"
        if level:
            raise Unreadable("expected no level after sees nothing")
    return Assertion(number, sentence, _who(subject, False), _who(whom, True), never, _fields(what), level=level)


def _fields(text: str) -> frozenset[Field]:
    if text == "anything":
        return frozenset(Field)
    names = [name for name in re.split(r", and |, | and ", text) if name]
    known = {name.value: name for name in Field}
    for name in names:
        if name not in known:
            raise Unreadable(f"{name!r} is no field; expected anything, or of {', '.join(known)}")
    if not names:
        raise Unreadable("expected a field")
    return frozenset(known[name] for name in names)


def _who(text: str, ours: bool) -> Who:
    words = text.split(" ")
    if len(words) == 1 and "@" in text:
        address = Address.parse(text).bare
        if not address.local:
            raise Unreadable(f"expected name@domain, not {text!r}")
        return Who(Mark.ONE, str(address))
    if words[0] != "anybody":
        raise Unreadable(f"expected name@domain, anybody or nobody, not {text!r}")
    mark, value, group, rest = Mark.ALL, "", "", words[1:]
    if rest[:1] == ["at"] and len(rest) > 1:
        below = rest[1].startswith("*.")
        mark, value = Mark.BELOW if below else Mark.DOMAIN, normal_domain(rest[1].removeprefix("*."))
        rest = rest[2:]
    if ours and rest[:2] == ["in", "group"] and len(rest) > 2 and _GROUP.fullmatch(rest[2]):
        group, rest = rest[2], rest[3:]
    if rest:
        allowed = "anybody [at DOMAIN] [in group NAME]" if ours else "anybody [at DOMAIN or *.DOMAIN]"
        raise Unreadable(f"expected {allowed}, not {text!r}")
    return Who(mark, value, group)
