"""The one list of commands: the command line is made from it, and every other front will be."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from inspect import isawaitable
from pathlib import Path
from typing import Any

from attrs import frozen

from gateway.commands import exchange, ledger, offline, own, render
from gateway.commands.check import SECTIONS, check
from gateway.commands.operations import Operations
from gateway.errors import AddressError, CommandError
from gateway.model.address import Address, normal_domain
from gateway.model.presence import Field
from gateway.policy.access_level import Member, Origin

EVERYONE = "everyone"
MOST_FILE = 1_048_576
"""Characters of a file that is an argument."""


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
    file: bool = False
    """Whether its value is what stands in a file; where somebody types, he names the file, or - for standard input."""


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


def _read_one(parameter: Parameter, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= (MOST_FILE if parameter.file else 3100):
        raise CommandError(f"{parameter.name} is a text")
    if parameter.choices and value not in parameter.choices:
        raise CommandError(f"{parameter.name} is one of {', '.join(parameter.choices)}, not {value!r}")
    try:
        return parameter.read(value)
    except AddressError as problem:
        raise CommandError(f"{parameter.name}: {problem}") from None


def _person(text: str) -> str:
    address = Address.parse(text)
    if not address.local:
        raise CommandError(f"{text!r} is not a person: name@domain")
    return str(address.bare)


def _owner(text: str) -> str:
    return "" if text == EVERYONE else _person(text)


def _contact(text: str) -> str:
    return str(Address.parse(text).bare)


def _member(text: str) -> str:
    return str(Member.parse(text))


def _as_is(text: str) -> str:
    return text


_PERSON = Parameter("owner", "one of our own people: alice@corp.example", _person)
_OWNER = Parameter("owner", f"one of our own people, or '{EVERYONE}'", _owner)
_CONTACT = Parameter("contact", "a contact outside: bob@partner.example", _contact)
_MEMBER = Parameter("contact", f"a contact outside, a domain, *.domain, a network class, or '{EVERYONE}'", _member)
_LEVEL = Parameter("level", "blocked, public, company, team, personal, or a level of your own", _as_is)
_UNTIL = Parameter("until", "until when: 2h, 3d, 16:40, friday, 2026-12-24", _as_is, True)
_LOCK = Parameter("lock", "nobody below may give more (administrators only)", _as_is, True, flag=True)
_OWN_FIELD = Parameter("field", "phone.work, phone.mobile, phone.home, phone.other, or note", _as_is)
_DOMAIN = Parameter("domain", "a domain of a partner", normal_domain)
_FIELD = Parameter("field", "one field only", _as_is, True, choices=tuple(field.value for field in Field))


def _sent(result: Mapping[str, Any]) -> int:
    """One field that was asked for and does not go out is a negative answer."""
    fields = result["fields"]
    return int(len(fields) == 1 and fields[0]["outcome"] not in ("sent", "coarsened"))


def _worst(result: Mapping[str, Any]) -> int:
    return max(({"ok": 0, "warn": 1}.get(each["outcome"], 2) for each in result["checks"]), default=0)


def _unchanged(result: Mapping[str, Any]) -> int:
    return int(not result["changed"])


def _daemon(
    words: str,
    summary: str,
    parameters: tuple[Parameter, ...],
    render: Callable[[Any], str],
    grade: Callable[[Any], int] = lambda result: 0,
    *,
    own: str = "",
    signed: bool = False,
) -> Command:
    name = words.replace(" ", "_")
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
    )


COMMANDS: tuple[Command, ...] = (
    _daemon(
        "view",
        "Show what a contact sees of a person now, beside what the person publishes.",
        (
            _PERSON,
            _CONTACT,
            Parameter("protocol", "also as though the contact were spoken with over this", _as_is, True),
        ),
        render.view,
        own="owner",
        signed=True,
    ),
    _daemon(
        "explain",
        "Say why a contact sees what he sees, and what would have to change.",
        (_PERSON, _CONTACT, _FIELD),
        render.explain,
        _sent,
        own="owner",
    ),
    _daemon(
        "levels list",
        "List who was given which level.",
        (Parameter("owner", f"of one person only, or of '{EVERYONE}'", _owner, True),),
        render.levels_list,
    ),
    _daemon(
        "levels show", "Show the level that counts for a contact.", (_PERSON, _CONTACT), render.levels_show, own="owner"
    ),
    _daemon(
        "levels set",
        "Give a level; it counts at once.",
        (_OWNER, _MEMBER, _LEVEL, _UNTIL, _LOCK),
        render.levels_set,
        own="owner",
        signed=True,
    ),
    _daemon(
        "levels unset",
        "Take a level away; it counts at once.",
        (_OWNER, _MEMBER),
        render.levels_set,
        _unchanged,
        own="owner",
        signed=True,
    ),
    _daemon(
        "levels preview",
        "Say what a contact would see at a level, before it is given.",
        (_PERSON, _CONTACT, _LEVEL),
        own.effect,
        own="owner",
    ),
    _daemon(
        "levels import",
        "Make a person's levels those that presence rules or containers mean.",
        (
            _PERSON,
            Parameter("file", "presence rules (RFC 5025) or a list of containers (OCS)", _as_is, file=True),
            Parameter("format", "what the file is; otherwise pres-rules", _as_is, True, choices=exchange.READ),
            Parameter("dry_run", "only say what would change", _as_is, True, flag=True),
        ),
        exchange.imported,
        lambda result: int(bool(result["remarks"])),
    ),
    _daemon(
        "levels export",
        "Write a person's levels as presence rules.",
        (_PERSON, Parameter("format", "for whom; otherwise pres-rules", _as_is, True, choices=exchange.WRITTEN)),
        exchange.exported,
    ),
    _daemon("contacts list", "List who outside may see a person.", (_PERSON,), own.contacts_list, own="owner"),
    _daemon(
        "requests list",
        "List who outside waits for an answer.",
        (Parameter("owner", "of one person only", _person, True),),
        own.requests_list,
        own="owner",
    ),
    _daemon(
        "requests accept",
        "Let a contact see a person, at a level.",
        (
            _PERSON,
            _CONTACT,
            Parameter("level", "the level that he gets; default: the one that counts", _as_is, True),
            _UNTIL,
        ),
        own.answered,
        own="owner",
        signed=True,
    ),
    _daemon(
        "requests refuse",
        "Tell a contact that he may not see a person.",
        (_PERSON, _CONTACT),
        own.answered,
        own="owner",
    ),
    _daemon("publish list", "List what is published of a person, by whom.", (_PERSON,), own.publish_list, own="owner"),
    _daemon(
        "publish set",
        "Publish a field of a person.",
        (_PERSON, _OWN_FIELD, Parameter("value", "its value; phone numbers with commas between them", _as_is)),
        own.published,
        own="owner",
    ),
    _daemon("publish unset", "Publish a field no more.", (_PERSON, _OWN_FIELD), own.published, own="owner"),
    _daemon(
        "publish switch",
        "Keep a field back, or let it leave.",
        (
            _PERSON,
            Parameter("subject", "a field, or typing, receipts, queries", _as_is),
            Parameter("state", "on, off, or default", _as_is, choices=("on", "off", "default")),
        ),
        own.published,
        own="owner",
    ),
    _daemon("partners list", "List the partners and the state of their links.", (), render.partners_list),
    _daemon("partners show", "Show one partner and the contract with it.", (_DOMAIN,), render.partners_show),
    _daemon("partners test", "Find a partner, connect, and say how far it got.", (_DOMAIN,), render.checks, _worst),
    _daemon(
        "ledger list",
        "List what left about whom and to whom, under which rule.",
        (
            Parameter("about", "about this person", _person, True),
            Parameter("to", "to this contact or domain", ledger.read_party, True),
            Parameter("since", "since 24h, 7d, or a date or time in UTC", ledger.read_moment, True),
            _FIELD,
            Parameter("limit", "so many at most; otherwise 100", _as_is, True),
        ),
        ledger.show_list,
        own="about",
    ),
    Command(
        ("ledger", "verify"),
        "Check that the ledger, or an export of it, is whole.",
        (
            Parameter("file", "an export, instead of the gateway's own ledger", ledger.read_file, True),
            Parameter(
                "anchor", "number:link of an entry as the log or an earlier check showed it", ledger.read_anchor, True
            ),
        ),
        Where.OFFLINE,
        ledger.verify,
        ledger.show_verify,
        lambda result: 0 if result["outcome"] == "ok" else 2,
    ),
    _daemon(
        "ledger export",
        "Write the ledger to a new file that can be checked anywhere.",
        (
            Parameter("about", "show this person or contact only; of the rest only digests", _person, True),
            Parameter("file", "the file that the daemon is to make", ledger.read_file, True),
        ),
        ledger.show_export,
    ),
    _daemon(
        "ledger erase",
        "Take a name out of the ledger, but for held entries.",
        (Parameter("person", "one of our people, or a contact", _person),),
        ledger.show_erase,
    ),
    _daemon("status", "Say how the daemon is.", (), render.status, lambda result: int(not result["ready"])),
    _daemon("reload", "Read the configuration again: all of it, or none.", (), render.reload),
    Command(("table",), "Show which field is seen at which level.", (), Where.OFFLINE, offline.table, render.table),
    Command(
        ("check",),
        "Check the configuration and everything it names.",
        (Parameter("sections", "only these", _as_is, True, True, SECTIONS),),
        Where.OFFLINE,
        check,
        render.checks,
        _worst,
    ),
    Command(("version",), "Show versions.", (), Where.OFFLINE, offline.version, render.version),
)
"""Every command, in the order in which help shows them."""


def find(words: Sequence[str]) -> Command:
    """Finds a command by its words; raises CommandError."""
    for command in COMMANDS:
        if command.words == tuple(words):
            return command
    raise CommandError(f"there is no command {' '.join(words)[:100]!r}")


async def execute(
    house: Operations, words: Sequence[str], arguments: Mapping[str, object], person: Address | None = None
) -> Any:
    """Carries a daemon's command out; raises GatewayError with the text for the person who asked.

    For an administrator, or for one of our people (`person`), who may ask about himself only.
    """
    command = find(words)
    if command.where is not Where.DAEMON:
        raise CommandError(f"{' '.join(words)} runs without the daemon")
    if person is not None:
        if not command.own:
            raise CommandError(f"{' '.join(words)} is for administrators")
        arguments = {**arguments, command.own: str(person.bare)}
    read = command.read(arguments)
    if command.signed:
        read["origin"] = Origin.ADMINISTRATOR if person is None else Origin.PERSON
    result = command.run(house, **read)
    return await result if isawaitable(result) else result


def run_offline(command: Command, config: Path | None, arguments: Mapping[str, object]) -> Any:
    """Carries a command out that needs no daemon; raises GatewayError."""
    return command.run(config, **command.read(arguments))
