"""The one form of the gateway: the access of a contact, in a single step (XEP-0050)."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.bot.catalogue import Catalogue
from gateway.bot.dialogue import Ask
from gateway.errors import GatewayError
from gateway.model.form import ACCESS, Filled, Form, FormField

UNTIL = ("", "1h", "8h", "tomorrow", "friday", "1w")
"""For how long, '' for good; anything that `gateway.commands.moments` reads may be answered."""
DEFAULT = "default"


async def answer(filled: Filled, ask: Ask, speak: Catalogue, levels: Sequence[str]) -> Form:
    """Answers one step: the empty form, or what came of it."""
    session = filled.session or secrets.token_hex(8)
    if filled.name != ACCESS:
        return Form(filled.name, session, note=speak.say("not_understood"), done=True, failed=True)
    if filled.cancelled:
        return Form(ACCESS, session, note=speak.say("cancelled"), done=True)
    try:
        if filled.values is None:
            return await _empty(session, ask, speak, levels)
        return Form(ACCESS, session, note=await _carried_out(filled.values, ask, speak), done=True)
    except GatewayError as problem:
        note = speak.say("failed", problem=problem)
        return Form(ACCESS, session, note=note, done=True, failed=True)


async def _empty(session: str, ask: Ask, speak: Catalogue, levels: Sequence[str]) -> Form:
    """Shows beside each level what it would let be seen of what is published now, so that the effect comes first."""
    contacts = await ask("contacts list", {})
    if not contacts:
        return Form(ACCESS, session, note=speak.say("who_none"), done=True)
    first = contacts[0]["contact"]
    offered = []
    for level in [DEFAULT, *levels]:
        effect = await ask("levels preview", {"contact": first, "level": level})
        seen = ", ".join(map(speak.field, effect["sees"])) or speak.say("nothing")
        name = speak.say("form_default") if level == DEFAULT else speak.level(level)
        offered.append((level, f"{name}: {seen}"))
    rows = [(row["contact"], f"{row['contact']} ({speak.level(row['level'])})") for row in contacts]
    spans = [(span, span or speak.say("form_for_good")) for span in UNTIL]
    return Form(
        ACCESS,
        session,
        speak.say("form_title"),
        speak.say("form_instructions"),
        (
            FormField("contact", speak.say("form_contact"), first, tuple(rows)),
            FormField("level", speak.say("form_level"), contacts[0]["level"], tuple(offered)),
            FormField("until", speak.say("form_until"), "", tuple(spans)),
        ),
    )


async def _carried_out(values: Mapping[str, str], ask: Ask, speak: Catalogue) -> str:
    contact, level, until = values.get("contact", ""), values.get("level", ""), values.get("until", "")
    result: Any
    if level == DEFAULT:
        result = await ask("levels unset", {"contact": contact})
        return speak.say("reset", contact=contact, level=speak.level(result["level"]))
    result = await ask("levels set", {"contact": contact, "level": level, **({"until": until} if until else {})})
    seen = await ask("levels preview", {"contact": contact, "level": level})
    lines = [
        speak.say(
            "saved" if level != "blocked" else "blocked", contact=contact, level=speak.level(result["level"]), until=""
        ),
        speak.say("would_see", fields=", ".join(map(speak.field, seen["sees"])) or speak.say("nothing")),
    ]
    if seen["ceiling"]:
        lines.append(speak.say("limited", ceiling=speak.level(seen["ceiling"])))
    return " ".join(lines)
