"""What a command is: its words, its parameters, what it does, and how its answer reads."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from attrs import frozen

from gateway.errors import AddressError, CommandError
from gateway.model.address import Address
from gateway.policy.access_level import Member

EVERYONE = "everyone"
MOST_FILE = 1_048_576
"""Characters of a file that is an argument."""
MOST_BUNDLE = 4_194_304
"""Characters of a configuration that is an argument."""


class Where(Enum):
    """Says who carries a command out."""

    DAEMON = "daemon"
    OFFLINE = "offline"


@frozen
class Parameter:
    """Is one argument: a required one is positional, an optional one is an option, `many` takes any number."""

    name: str
    text: str
    read: Callable[[str], str]
    """Checks and normalises one value; raises CommandError."""
    optional: bool = False
    many: bool = False
    choices: tuple[str, ...] = ()
    flag: bool = False
    """Whether it is given by its name alone, and its value is then "yes"."""
    option: str = ""
    """How it is called on the command line, where that is another name."""
    file: bool = False
    """Whether its value is what stands in a file; where somebody types, he names the file, or - for standard input."""
    bundle: bool = False
    """Whether its value is a whole configuration (`gateway.config.bundle`); where somebody types, he names its file."""


@frozen
class Command:
    """Is one command: its words, what it needs, what it does, how its answer reads, and whether that is bad news."""

    words: tuple[str, ...]
    summary: str
    parameters: tuple[Parameter, ...]
    where: Where
    run: Callable[..., Any]
    """Called with Operations, or with the configuration's path or None when offline, and the arguments by name."""
    render: Callable[[Any], str]
    grade: Callable[[Any], int] = lambda result: 0
    """Gives the exit status: 0 well, 1 a warning or a negative answer, 2 a failure."""
    own: str = ""
    """The parameter that is the person himself when a person uses it; '' when it is for administrators only."""
    signed: bool = False
    """Whether it is told who asks (`origin`)."""
    part: Callable[[Any], str] | None = None
    """How each part of an answer reads that comes in parts."""
    asks: bool = False
    """Whether it is told which user of the machine asks (`asker`: his number, or None)."""
    approvers: bool = False
    """Whether those may ask it who may only approve changes of the policy."""

    def read(self, arguments: Mapping[str, object]) -> dict[str, Any]:
        """Checks arguments and normalises them; raises CommandError."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in arguments:
            if name not in known:
                raise CommandError(f"{' '.join(self.words)} takes no {name!r}")
        return {name: _read(parameter, arguments.get(name)) for name, parameter in known.items()}


def _read(parameter: Parameter, value: object) -> Any:
    if value is None:
        if parameter.optional:
            return [] if parameter.many else None
        raise CommandError(f"{parameter.name} is missing")
    if parameter.many:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise CommandError(f"{parameter.name} is a list")
        return [_read_one(parameter, each) for each in value]
    return _read_one(parameter, value)


def _most(parameter: Parameter) -> int:
    if parameter.bundle:
        return MOST_BUNDLE
    return MOST_FILE if parameter.file else 3100


def _read_one(parameter: Parameter, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _most(parameter):
        raise CommandError(f"{parameter.name} is a text")
    if parameter.choices and value not in parameter.choices:
        raise CommandError(f"{parameter.name} is one of {', '.join(parameter.choices)}, not {value!r}")
    try:
        return parameter.read(value)
    except AddressError as problem:
        raise CommandError(f"{parameter.name}: {problem}") from None


def read_person(text: str) -> str:
    """Reads one of our people: name@domain; raises CommandError."""
    address = Address.parse(text)
    if not address.local:
        raise CommandError(f"{text!r} is not a person: name@domain")
    return str(address.bare)


def read_owner(text: str) -> str:
    """Reads one of our people, or everyone, who is the empty text."""
    return "" if text == EVERYONE else read_person(text)


def read_contact(text: str) -> str:
    """Reads a contact outside."""
    return str(Address.parse(text).bare)


def read_member(text: str) -> str:
    """Reads whom a level can be given to."""
    return str(Member.parse(text))


def as_is(text: str) -> str:
    """Reads any text."""
    return text


def daemon(
    words: str,
    summary: str,
    parameters: tuple[Parameter, ...],
    render: Callable[[Any], str],
    grade: Callable[[Any], int] = lambda result: 0,
    *,
    own: str = "",
    signed: bool = False,
    part: Callable[[Any], str] | None = None,
    asks: bool = False,
    approvers: bool = False,
) -> Command:
    """Makes a command that the daemon carries out, in its method of the same name."""
    name = words.replace(" ", "_").replace("-", "_")
    return Command(
        tuple(words.split()),
        summary,
        parameters,
        Where.DAEMON,
        lambda house, **arguments: getattr(house, name)(**arguments),
        render,
        grade,
        own,
        signed,
        part,
        asks,
        approvers,
    )
