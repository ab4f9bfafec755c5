"""Tries to reach a partner over SIP step by step, in words on which the other side's administrator can act."""

from typing import Any

from gateway.transport.connector import ConnectFailed, connect
from gateway.transport.resolver import LookupFailed
from plugins.legs.sip.side import SipSide


async def examine(side: SipSide, local: str, remote: str) -> list[dict[str, Any]]:
    """Looks a domain up and connects; gives one row per step."""
    try:
        targets = await side.host.targets(remote)
    except LookupFailed as problem:
        paste = f"_sips._tcp.{remote}. 3600 IN SRV 0 5 5061 sip.{remote}."
        return [_row("dns", "fail", f"{problem}. If {remote} speaks SIP, its DNS needs this record.", paste)]
    rows = [_row("dns", "ok", ", ".join(f"{target.host}:{target.port}" for target in targets))]
    try:
        sock, target, address = await connect(side.reactor, targets)
    except ConnectFailed as problem:
        return [*rows, _row("connect", "fail", f"{problem}. Is the port open in {remote}'s firewall?")]
    sock.close()
    return [*rows, _row("connect", "ok", f"{target.host}:{target.port} at {address}")]


def _row(name: str, outcome: str, text: str, paste: str = "") -> dict[str, Any]:
    return {"name": name, "outcome": outcome, "text": text, "paste": paste or None}
