"""A stand-in for an Office Communications Server as a server of the lab."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ..process import Process
from ..server import Server, ServerPlan

_ROOT = Path(__file__).parents[3]
Event = dict[str, Any]


@frozen(kw_only=True)
class OcsPlan(ServerPlan):
    """How it is set up; passwords of `users` are not asked."""

    flavour: str = "sip"
    next_hop: str = ""
    """Where requests for every foreign domain go, "tcp:127.0.0.100:5060"; "" refuses them."""
    contacts: Mapping[str, tuple[str, ...]] = field(factory=dict)
    """User to the contacts on his list, "sip:bob@partner.example"."""

    @property
    def sip(self) -> bool:
        """Whether its domain has SRV records for SIP."""
        return True


class OcsServer(Server):
    """Registers Communicator's clients over TCP and keeps their publications and containers."""

    kind = "ocs"
    plan_kind: type[ServerPlan] = OcsPlan
    plan: OcsPlan

    def prepare(self) -> Process:
        """The process with its plan."""
        users = {user: list(self.plan.contacts.get(user, ())) for user in self.plan.users}
        plan = {"address": self.address, "domain": self.domain, "next_hop": self.plan.next_hop, "users": users}
        program = [sys.executable, "-m", "tests.interop.sip.ocs_program", json.dumps(plan)]
        return self.process_for(["env", f"PYTHONPATH={_ROOT}", *program])

    def ready(self) -> bool:
        """Whether it serves clients."""
        return self.site.namespace.answers(self.address, 5060)

    def events(self, kind: str = "") -> list[Event]:
        """What happened: request, published, members, problem."""
        told = [json.loads(line) for line in self.log.splitlines() if line.startswith("{") and line.endswith("}")]
        return [event for event in told if kind in ("", event["event"])]

    def wait_for(self, kind: str, that: Callable[[Event], bool] = bool, timeout: float = 10.0) -> Event:
        """The first event of which `that` holds; raises AssertionError."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self.events(kind):
                if that(event):
                    return event
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.domain}: no such {kind} within {timeout} s:\n{self.log[-4000:]}")
            time.sleep(0.05)

    def members(self, user: str) -> dict[int, list[tuple[str, str]]]:
        """Who is in which of a user's containers now: type and value."""
        told = [event for event in self.events("members") if event["user"] == f"sip:{user}@{self.domain}"]
        current = told[-1]["members"] if told else {}
        return {int(number): [(kind, value) for kind, value in entries] for number, entries in current.items()}
