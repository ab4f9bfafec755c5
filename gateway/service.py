"""What the daemon tells the service manager (sd_notify)."""

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Tells systemd a state such as `READY=1`; does nothing when nobody listens (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying, suppress(OSError):
        # Nobody there, or nobody who reads: neither may stop or delay the house.
        notifying.setblocking(False)
        notifying.connect("\0" + address[1:] if address.startswith("@") else address)
        notifying.sendall(state.encode())


def watchdog_seconds() -> float | None:
    """Gives how often the service manager wants a sign of life: half of what it allows, or None."""
    if os.environ.get("WATCHDOG_PID") not in (None, "", str(os.getpid())):
        return None
    allowed = os.environ.get("WATCHDOG_USEC", "")
    return int(allowed) / 2e6 if allowed.isdigit() and int(allowed) else None
