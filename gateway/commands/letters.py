"""What a partner test says at its end: the echo, and a text that can be sent to the other side's administrator."""

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from gateway.commands.operations import Finding


class Echoes(Protocol):
    """Is what tries the echo of another gateway."""

    def try_out(self, domain: str) -> Awaitable[float]:
        """Gives the seconds until its answer; raises an exception whose text says why there is none."""

    @property
    def address(self) -> str:
        """Gives the address of our own echo, '' when there is none."""

    def heard_ago(self, domain: str) -> float | None:
        """Gives the seconds since our own echo last answered a domain; None when it never has."""


async def echo_findings(echo: Echoes, domain: str) -> list[Finding]:
    """Writes to the echo of the other side, and says when the other side last wrote to ours."""
    name = echo.address.partition("@")[0]
    if not name:
        return []
    try:
        seconds = await echo.try_out(domain)
        text = f"{name}@{domain} answered after {seconds * 1000:.0f} ms: messages pass in both directions"
    except Exception as problem:  # noqa: BLE001 whatever it is, it is what the test has found
        # That is no warning: who runs another kind of server has no such address.
        text = f"{name}@{domain}: {problem}; only a gateway of this kind answers there"
    ago = echo.heard_ago(domain)
    if ago is None:
        heard = f"nobody at {domain} has written to {echo.address} since our start; what is written there comes back"
    else:
        heard = f"{echo.address} answered {domain} {ago:.0f} s ago"
    return [_row("echo there", "ok", text), _row("echo here", "ok", heard)]


def letter(ours: str, theirs: str, checks: Sequence[Any], contacts: Sequence[str] = ()) -> str:
    """Writes what the other side's administrator can act on; '' when everything is well."""
    troubles = [each for each in checks if each["outcome"] in ("fail", "warn")]
    if not troubles:
        return ""
    lines = [
        f"To: {', '.join(contacts)}" if contacts else f"To the administrator of {theirs}",
        f"Subject: federation between {ours} and {theirs}",
        "",
        f"We have tried the connection from {ours} to {theirs}. What worked and what did not, in this order:",
        "",
    ]
    for each in checks:
        lines.append(f"  [{each['outcome']:<4}] {each['name']}: {each['text']}")
        if each["paste"] and each["outcome"] != "ok":
            lines += [f"         {line}" for line in str(each["paste"]).splitlines()]
    first = next((each for each in troubles if each["outcome"] == "fail"), None)
    lines.append("")
    if first is not None:
        lines.append(f"The first that has to be repaired is: {first['name']}. The rest may follow from it.")
    else:
        lines.append("The connection works; the warnings may become failures later.")
    return "\n".join(lines)


def _row(name: str, outcome: str, text: str, paste: str | None = None) -> Finding:
    return {"name": name, "outcome": outcome, "text": text, "paste": paste}
