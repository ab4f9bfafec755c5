"""The conversation of one person with the bot: each change is shown before it is saved."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import define, field, frozen

from gateway.bot.catalogue import Catalogue
from gateway.bot.reading import Said, field_at_start, field_of, read
from gateway.commands.moments import until as read_until
from gateway.errors import CommandError, GatewayError
from gateway.model.address import Address

CONFIRM_SECONDS = 300.0
"""How long a change that was shown waits for a yes."""
MOST_LISTED = 100
LEFT = "24h"
"""How far back "what left" looks unless it is told."""

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Carries a command of the registry out for the person: its words, and its arguments without the owner."""


@frozen
class Pending:
    """Is a change that waits for a yes: what to do, and how to tell that it is done."""

    command: str
    arguments: Mapping[str, Any]
    told: Callable[[Any], str]
    until: float


@define
class Dialogue:
    """Answers one person; keeps only what he was last shown."""

    ask: Ask
    now: Callable[[], float]
    domain: str
    levels: Callable[[], Sequence[str]]
    """Gives the names of all levels, from the one that sees least to the one that sees most."""
    catalogues: Mapping[str, Catalogue]
    language: str = "en"
    _listed: list[str] = field(init=False, factory=list)
    _pending: Pending | None = field(init=False, default=None)

    @property
    def speak(self) -> Catalogue:
        """Gives the catalogue of the person's language."""
        return self.catalogues[self.language]

    async def reply(self, text: str) -> str:
        """Gives the answer to one message."""
        said = read(text, self.speak, self.levels())
        answer = getattr(self, f"_{said.verb}", None) if said.verb else None
        if answer is None:
            return self.speak.say("not_understood")
        if said.verb not in ("yes", "no"):
            self._pending = None
        try:
            found: str = await answer(said)
        except CommandError as problem:
            return str(problem) if isinstance(problem, Unclear) else self.speak.say("failed", problem=problem)
        except GatewayError as problem:
            return self.speak.say("failed", problem=problem)
        return found

    # -- looking ---------------------------------------------------------------------------------------------------

    async def _help(self, said: Said) -> str:
        names = ", ".join(self.speak.level(name).lower() for name in self.levels())
        return self.speak.say("help", domain=self.domain, levels=names)

    async def _language(self, said: Said) -> str:
        wanted = said.rest.casefold()
        if wanted not in self.catalogues:
            known = sorted(self.catalogues)
            return self.speak.say("languages", languages=", ".join(known), example=known[-1])
        self.language = wanted
        return self.speak.say("language_set")

    async def _who(self, said: Said) -> str:
        rows = (await self.ask("contacts list", {}))[:MOST_LISTED]
        self._listed = [row["contact"] for row in rows]
        if not rows:
            return self.speak.say("who_none")
        lines = [
            self.speak.say(
                "who_row",
                number=number,
                contact=row["contact"],
                level=self.speak.level(row["level"]),
                until=self._end(row["until"]),
                limit=self.speak.say("limit", ceiling=self.speak.level(row["ceiling"])) if row["ceiling"] else "",
                state=self.speak.say("waits") if row["waits"] else "",
            )
            for number, row in enumerate(rows, 1)
        ]
        return "\n".join([self.speak.say("who", count=len(rows)), *lines])

    async def _show(self, said: Said) -> str:
        contact = await self._contact(said.who)
        seen = await self.ask("view", {"contact": contact})
        sent = [row["field"] for row in seen["fields"] if row["mark"] in ("sent", "coarsened")]
        kept = [row for row in seen["fields"] if row["mark"] == "withheld"]
        first = self.speak.say("sees", contact=contact, fields=self._fields(sent)) if sent else ""
        lines = [first or self.speak.say("sees_nothing", contact=contact)]
        if kept:
            named = [
                self.speak.say(
                    "field_reason", field=self.speak.field(row["field"]), reason=self.speak.reason(row["reason"])
                )
                for row in kept
            ]
            lines.append(self.speak.say("never_sees", contact=contact, fields=", ".join(named)))
        return "\n".join(lines)

    async def _why(self, said: Said) -> str:
        contact = await self._contact(said.who)
        if not said.rest:
            return await self._show(said)
        name = self._field(said.rest)
        found = (await self.ask("explain", {"contact": contact, "field": name}))["fields"][0]
        called = self.speak.field(name)
        if found["outcome"] in ("sent", "coarsened"):
            return self.speak.say("why_sent", contact=contact, field=called)
        reason = self.speak.reason(found["reason"])
        lines = [self.speak.say("why_withheld", contact=contact, field=called, findings=reason)]
        if found["would_allow"]:
            lines.append(self.speak.say("why_allow", advice=found["would_allow"]))
        return "\n".join(lines)

    async def _left(self, said: Said) -> str:
        rows = await self.ask("ledger list", {"since": said.rest or LEFT})
        shown = [row for row in rows if row["sent"]]
        if not shown:
            return self.speak.say("left_none")
        lines = [
            self.speak.say("left_row", moment=_moment(row["at"]), contact=row["to"], fields=self._fields(row["sent"]))
            for row in shown[:MOST_LISTED]
        ]
        return "\n".join([self.speak.say("left_head"), *lines])

    # -- levels ----------------------------------------------------------------------------------------------------

    async def _level(self, said: Said) -> str:
        contact = await self._contact(said.who)
        return await self._propose(contact, said.level, said.until)

    async def _block(self, said: Said) -> str:
        return await self._propose(await self._contact(said.who), "blocked", said.until)

    async def _propose(self, contact: str, level: str, until: str) -> str:
        effect = await self.ask("levels preview", {"contact": contact, "level": level})
        end = self._end(read_until(until, self.now())) if until else ""
        called = self.speak.level(level)
        if effect["before"] == level and not until:
            return self.speak.say("preview_same", contact=contact, level=called)
        lines = self._effect(effect, end)
        done = "blocked" if level == "blocked" else "saved"
        arguments = {"contact": contact, "level": level, **({"until": until} if until else {})}
        told = self.speak.say(done, contact=contact, level=called, until=end)
        return self._confirm(lines, "levels set", arguments, lambda result: told)

    def _effect(self, effect: Any, end: str) -> list[str]:
        """Says what a level would mean."""
        before, level = self.speak.level(effect["before"]), self.speak.level(effect["level"])
        lines = [self.speak.say("preview", contact=effect["contact"], before=before, level=level, until=end)]
        lines += [
            self.speak.say(name, fields=self._fields(effect[part]))
            for name, part in (("would_see", "sees"), ("gains", "gains"), ("loses", "loses"))
            if part == "sees" or effect[part]
        ]
        if effect["ceiling"]:
            lines.append(self.speak.say("limited", ceiling=self.speak.level(effect["ceiling"])))
        return lines

    async def _reset(self, said: Said) -> str:
        contact = await self._contact(said.who)
        lines = self._effect(await self.ask("levels preview", {"contact": contact, "level": "default"}), "")
        return self._confirm(lines, "levels unset", {"contact": contact}, self._told_reset)

    def _told_reset(self, result: Any) -> str:
        told = "reset" if result["changed"] else "reset_same"
        return self.speak.say(told, contact=result["contact"], level=self.speak.level(result["level"]))

    # -- publishing ------------------------------------------------------------------------------------------------

    async def _publish(self, said: Said) -> str:
        if not said.rest:
            return await self._published()
        name, value = field_at_start(said.rest, self.speak)
        if not name:
            raise self._no_field(said.rest.split()[0])
        called = self.speak.field(name)
        if value.casefold() in self.speak.words["off"]:
            await self.ask("publish unset", {"field": name})
            return self.speak.say("withdrawn", field=called)
        shown = self.speak.say("publish_preview", field=called, value=value)
        return self._confirm([shown], "publish set", {"field": name, "value": value}, self._told_published)

    async def _published(self) -> str:
        rows = await self.ask("publish list", {})
        if not rows:
            return self.speak.say("publish_none")
        return "\n".join(
            self.speak.say(
                "publish_row",
                field=self.speak.field(row["field"]),
                origin=self.speak.say(f"origin_{row['origin']}"),
                kept=self.speak.say("kept_back", who=row["withheld_by"]) if row["withheld_by"] else "",
            )
            for row in rows
        )

    def _told_published(self, result: Any) -> str:
        called = self.speak.field(result["subject"])
        if result["withheld_by"]:
            return self.speak.say("publish_withheld", field=called, who=result["withheld_by"])
        people = ", ".join(result["seen_by"][:20]) or self.speak.say("nobody")
        return self.speak.say("publish_seen", field=called, people=people)

    async def _hide(self, said: Said) -> str:
        name = self._field(said.rest)
        called = self.speak.field(name)
        told = self.speak.say("hidden", field=called)
        return self._confirm(
            [self.speak.say("hide_preview", field=called)],
            "publish switch",
            {"subject": name, "state": "off"},
            lambda result: told,
        )

    async def _unhide(self, said: Said) -> str:
        name = self._field(said.rest)
        called = self.speak.field(name)
        told = self.speak.say("revealed", field=called)
        return self._confirm(
            [self.speak.say("unhide_preview", field=called)],
            "publish switch",
            {"subject": name, "state": "on"},
            lambda result: told,
        )

    # -- strangers -------------------------------------------------------------------------------------------------

    async def _requests(self, said: Said) -> str:
        rows = (await self.ask("requests list", {}))[:MOST_LISTED]
        self._listed = [row["contact"] for row in rows]
        if not rows:
            return self.speak.say("requests_none")
        return "\n".join(
            self.speak.say("request_row", number=number, contact=row["contact"], moment=_moment(row["since"]))
            for number, row in enumerate(rows, 1)
        )

    async def _accept(self, said: Said) -> str:
        contact = await self._contact(said.who, "requests list")
        if said.rest and not said.level:
            names = ", ".join(self.speak.level(name) for name in self.levels())
            raise Unclear(self.speak.say("unknown_level", name=said.rest.split()[0], levels=names))
        level = said.level or "default"
        end = self._end(read_until(said.until, self.now())) if said.until else ""
        lines = self._effect(await self.ask("levels preview", {"contact": contact, "level": level}), end)
        arguments = {"contact": contact, **({"level": said.level} if said.level else {})}
        if said.until:
            arguments["until"] = said.until
        return self._confirm(lines, "requests accept", arguments, self._told_accepted)

    def _told_accepted(self, result: Any) -> str:
        return self.speak.say("accepted", contact=result["contact"], level=self.speak.level(result["level"]))

    async def _refuse(self, said: Said) -> str:
        contact = await self._contact(said.who, "requests list")
        await self.ask("requests refuse", {"contact": contact})
        return self.speak.say("refused", contact=contact)

    # -- history ---------------------------------------------------------------------------------------------------

    async def _history(self, said: Said) -> str:
        wanted = said.rest.casefold()
        now = await self.ask("history show", {})
        if not now["offered"]:
            return self.speak.say("history_none")
        state = next((name for name in ("on", "off") if wanted in self.speak.words[name]), "")
        if not state:
            by = self.speak.say("history_locked") if now["locked"] else ""
            if not now["on"]:
                return self.speak.say("history_is_off", locked=by)
            return self.speak.say("history_is_on", folder=now["folder"], waiting=now["waiting"], locked=by)
        preview = self.speak.say(f"history_{state}_preview", folder=now["folder"])
        told = self.speak.say(f"history_{state}")
        arguments = {"subject": "history", "state": state}
        return self._confirm([preview], "publish switch", arguments, lambda result: told)

    # -- the gateway itself ----------------------------------------------------------------------------------------

    async def _feedback(self, said: Said) -> str:
        if not said.rest:
            return self.speak.say("feedback_empty")
        shown = await self.ask("feedback", {"text": said.rest})
        line = self.speak.say("feedback_preview", to=shown["to"], document=shown["document"])
        told = self.speak.say("feedback_sent", to=shown["to"])
        return self._confirm([line], "feedback", {"text": said.rest, "yes": "yes"}, lambda result: told)

    async def _privacy(self, said: Said) -> str:
        since = said.rest.split()[-1:]
        arguments = {"format": "text", "language": self.language, **({"since": since[0]} if since else {})}
        return str((await self.ask("privacy-statement", arguments))["document"]).rstrip()

    # -- yes and no ------------------------------------------------------------------------------------------------

    def _confirm(self, lines: list[str], command: str, arguments: Mapping[str, Any], told: Callable[[Any], str]) -> str:
        self._pending = Pending(command, arguments, told, self.now() + CONFIRM_SECONDS)
        return "\n".join([*lines, self.speak.say("confirm")])

    async def _yes(self, said: Said) -> str:
        pending, self._pending = self._pending, None
        if pending is None or pending.until < self.now():
            return self.speak.say("nothing_to_confirm")
        return pending.told(await self.ask(pending.command, pending.arguments))

    async def _no(self, said: Said) -> str:
        pending, self._pending = self._pending, None
        return self.speak.say("cancelled" if pending else "nothing_to_confirm")

    # -- words -----------------------------------------------------------------------------------------------------

    async def _contact(self, name: str, command: str = "contacts list") -> str:
        """Gives the contact that a number, the beginning of a name, or an address means."""
        if name.isascii() and name.isdigit() and 0 < int(name) <= len(self._listed):
            return self._listed[int(name) - 1]
        plain = name.casefold()
        if "@" in plain:
            return str(Address.parse(plain).bare)
        known = [row["contact"] for row in await self.ask(command, {})]
        exact = [contact for contact in known if contact.split("@")[0] == plain]
        found = exact or [contact for contact in known if contact.startswith(plain)]
        if not found:
            raise Unclear(self.speak.say("unknown_contact", name=name))
        if len(found) > 1:
            raise Unclear(self.speak.say("several", name=name, names=", ".join(found)))
        return str(found[0])

    def _field(self, words: str) -> str:
        name = field_of(words, self.speak)
        if not name:
            raise self._no_field(words)
        return name

    def _no_field(self, words: str) -> "Unclear":
        return Unclear(self.speak.say("unknown_field", name=words, fields=", ".join(self.speak.fields.values())))

    def _fields(self, names: Sequence[str]) -> str:
        return ", ".join(map(self.speak.field, names)) or self.speak.say("nothing")

    def _end(self, moment: float | None) -> str:
        return "" if moment is None else self.speak.say("until", moment=_moment(moment))


class Unclear(CommandError):
    """Says in the person's language what he has to say more clearly."""


def _moment(posix: float) -> str:
    return datetime.fromtimestamp(posix).astimezone().strftime("%Y-%m-%d %H:%M")
