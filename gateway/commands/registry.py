"""The one list of commands: the command line is made from it, and every other front will be."""

from collections.abc import Mapping, Sequence
from inspect import isawaitable
from pathlib import Path
from typing import Any

from gateway.commands import exchange, ledger, offline, own, render
from gateway.commands.archived import COMMANDS as ARCHIVED
from gateway.commands.check import SECTIONS, check
from gateway.commands.command import (
    EVERYONE,
    Command,
    Parameter,
    Where,
    as_is,
    daemon,
    read_contact,
    read_member,
    read_owner,
    read_person,
)
from gateway.commands.informed import COMMANDS as INFORMED
from gateway.commands.operations import Operations
from gateway.commands.policed import COMMANDS as POLICED
from gateway.commands.remembered import COMMANDS as REMEMBERED
from gateway.errors import CommandError
from gateway.model.address import Address, normal_domain
from gateway.model.presence import Field
from gateway.policy.access_level import Origin

_PERSON = Parameter("owner", "one of our own people: alice@corp.example", read_person)
_OWNER = Parameter("owner", f"one of our own people, or '{EVERYONE}'", read_owner)
_CONTACT = Parameter("contact", "a contact outside: bob@partner.example", read_contact)
_MEMBER = Parameter("contact", f"a contact outside, a domain, *.domain, a network class, or '{EVERYONE}'", read_member)
_LEVEL = Parameter("level", "blocked, public, company, team, personal, or a level of your own", as_is)
_UNTIL = Parameter("until", "until when: 2h, 3d, 16:40, friday, 2026-12-24", as_is, True)
_LOCK = Parameter("lock", "nobody below may give more (administrators only)", as_is, True, flag=True)
_OWN_FIELD = Parameter("field", "phone.work, phone.mobile, phone.home, phone.other, or note", as_is)
_DOMAIN = Parameter("domain", "a domain of a partner", normal_domain)
_FIELD = Parameter("field", "one field only", as_is, True, choices=tuple(field.value for field in Field))


def _sent(result: Mapping[str, Any]) -> int:
    """One field that was asked for and does not go out is a negative answer."""
    fields = result["fields"]
    return int(len(fields) == 1 and fields[0]["outcome"] not in ("sent", "coarsened"))


def _worst(result: Mapping[str, Any]) -> int:
    return max(({"ok": 0, "warn": 1}.get(each["outcome"], 2) for each in result["checks"]), default=0)


def _unchanged(result: Mapping[str, Any]) -> int:
    return int(not result["changed"])


COMMANDS: tuple[Command, ...] = (
    daemon(
        "view",
        "Show what a contact sees of a person now, beside what the person publishes.",
        (
            _PERSON,
            _CONTACT,
            Parameter("protocol", "also as though the contact were spoken with over this", as_is, True),
        ),
        render.view,
        own="owner",
        signed=True,
    ),
    daemon(
        "explain",
        "Say why a contact sees what he sees, and what would have to change.",
        (_PERSON, _CONTACT, _FIELD),
        render.explain,
        _sent,
        own="owner",
    ),
    daemon(
        "levels list",
        "List who was given which level.",
        (Parameter("owner", f"of one person only, or of '{EVERYONE}'", read_owner, True),),
        render.levels_list,
    ),
    daemon(
        "levels show", "Show the level that counts for a contact.", (_PERSON, _CONTACT), render.levels_show, own="owner"
    ),
    daemon(
        "levels set",
        "Give a level; it counts at once.",
        (_OWNER, _MEMBER, _LEVEL, _UNTIL, _LOCK),
        render.levels_set,
        own="owner",
        signed=True,
    ),
    daemon(
        "levels unset",
        "Take a level away; it counts at once.",
        (_OWNER, _MEMBER),
        render.levels_set,
        _unchanged,
        own="owner",
        signed=True,
    ),
    daemon(
        "levels preview",
        "Say what a contact would see at a level, before it is given.",
        (_PERSON, _CONTACT, _LEVEL),
        own.effect,
        own="owner",
    ),
    daemon(
        "levels import",
        "Make a person's levels those that presence rules or containers mean.",
        (
            _PERSON,
            Parameter("file", "presence rules (RFC 5025) or a list of containers (OCS)", as_is, file=True),
            Parameter("format", "what the file is; otherwise pres-rules", as_is, True, choices=exchange.READ),
            Parameter("dry_run", "only say what would change", as_is, True, flag=True),
        ),
        exchange.imported,
        lambda result: int(bool(result["remarks"])),
    ),
    daemon(
        "levels export",
        "Write a person's levels as presence rules.",
        (_PERSON, Parameter("format", "for whom; otherwise pres-rules", as_is, True, choices=exchange.WRITTEN)),
        exchange.exported,
    ),
    daemon("contacts list", "List who outside may see a person.", (_PERSON,), own.contacts_list, own="owner"),
    daemon(
        "requests list",
        "List who outside waits for an answer.",
        (Parameter("owner", "of one person only", read_person, True),),
        own.requests_list,
        own="owner",
    ),
    daemon(
        "requests accept",
        "Let a contact see a person, at a level.",
        (
            _PERSON,
            _CONTACT,
            Parameter("level", "the level that he gets; default: the one that counts", as_is, True),
            _UNTIL,
        ),
        own.answered,
        own="owner",
        signed=True,
    ),
    daemon(
        "requests refuse",
        "Tell a contact that he may not see a person.",
        (_PERSON, _CONTACT),
        own.answered,
        own="owner",
    ),
    daemon("publish list", "List what is published of a person, by whom.", (_PERSON,), own.publish_list, own="owner"),
    daemon(
        "publish set",
        "Publish a field of a person.",
        (_PERSON, _OWN_FIELD, Parameter("value", "its value; phone numbers with commas between them", as_is)),
        own.published,
        own="owner",
    ),
    daemon("publish unset", "Publish a field no more.", (_PERSON, _OWN_FIELD), own.published, own="owner"),
    daemon(
        "publish switch",
        "Keep a field back, or let it leave.",
        (
            _PERSON,
            Parameter("subject", "a field, or typing, receipts, queries", as_is),
            Parameter("state", "on, off, or default", as_is, choices=("on", "off", "default")),
        ),
        own.published,
        own="owner",
    ),
    daemon("partners list", "List the partners and the state of their links.", (), render.partners_list),
    daemon("partners show", "Show one partner and the contract with it.", (_DOMAIN,), render.partners_show),
    daemon("partners test", "Find a partner, connect, and say how far it got.", (_DOMAIN,), render.checks, _worst),
    daemon(
        "ledger list",
        "List what left about whom and to whom, under which rule.",
        (
            Parameter("about", "about this person", read_person, True),
            Parameter("to", "to this contact or domain", ledger.read_party, True),
            Parameter("since", "since 24h, 7d, or a date or time in UTC", ledger.read_moment, True),
            _FIELD,
            Parameter("limit", "so many at most; otherwise 100", as_is, True),
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
    daemon(
        "ledger export",
        "Write the ledger to a new file that can be checked anywhere.",
        (
            Parameter("about", "show this person or contact only; of the rest only digests", read_person, True),
            Parameter("file", "the file that the daemon is to make", ledger.read_file, True),
        ),
        ledger.show_export,
    ),
    daemon(
        "ledger erase",
        "Take a name out of the ledger, but for held entries.",
        (Parameter("person", "one of our people, or a contact", read_person),),
        ledger.show_erase,
    ),
    *POLICED,
    *REMEMBERED,
    *ARCHIVED,
    *INFORMED,
    daemon("status", "Say how the daemon is.", (), render.status, lambda result: int(not result["ready"])),
    daemon("reload", "Read the configuration again: all of it, or none.", (), render.reload, asks=True),
    Command(("table",), "Show which field is seen at which level.", (), Where.OFFLINE, offline.table, render.table),
    Command(
        ("check",),
        "Check the configuration and everything it names.",
        (Parameter("sections", "only these", as_is, True, True, SECTIONS),),
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
    house: Operations,
    words: Sequence[str],
    arguments: Mapping[str, object],
    person: Address | None = None,
    asker: int | None = None,
) -> Any:
    """Carries a daemon's command out; raises GatewayError with the text for the person who asked.

    For an administrator, or for one of our people (`person`), who may ask about himself only. `asker` is the number of
    the user of this machine who asks, where that is known.
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
    if command.asks:
        read["asker"] = asker
    result = command.run(house, **read)
    return await result if isawaitable(result) else result


def run_offline(command: Command, config: Path | None, arguments: Mapping[str, object]) -> Any:
    """Carries a command out that needs no daemon; raises GatewayError."""
    return command.run(config, **command.read(arguments))
