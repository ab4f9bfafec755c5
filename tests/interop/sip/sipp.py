"""SIPp as our own server: scripted calls over UDP, thousands of them if need be, and its verdict."""

from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from ..lab import Lab

HERE = "127.0.0.10"
"""Where the server of corp.example is."""
_SCENARIOS = Path(__file__).parent / "scenarios"


@frozen
class Verdict:
    """What SIPp says at its end."""

    status: int
    """0 when every call went as the scenario says."""
    said: str


def sipp(lab: "Lab", scenario: str, target: str, *, calls: int, rate: int, **keys: str) -> Verdict:
    """Run a scenario against "address:port" as often as said; `keys` stand for [name] in it."""
    argv = ["sipp", target, "-sf", str(_SCENARIOS / f"{scenario}.xml"), "-i", HERE, "-p", "5060", "-t", "u1"]
    argv += ["-m", str(calls), "-r", str(rate), "-l", "50", "-timeout", "25", "-timeout_error", "-nostdin"]
    argv += ["-trace_err", "-error_file", str(lab.folder / f"sipp-{scenario}.log")]
    for name, value in keys.items():
        argv += ["-key", name, value]
    done = lab.run(*argv, timeout=40.0)
    errors = lab.folder / f"sipp-{scenario}.log"
    return Verdict(done.returncode, (errors.read_text() if errors.exists() else "") + done.stderr + done.stdout[-1500:])
