"""The lab: real servers, real clients and the gateway, in a network namespace that nobody else sees."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from .client import Client
from .dns import CAST, Dns, View, Zone
from .ejabberd import Ejabberd
from .gateway import Gateway
from .namespace import Namespace, remove_orphans
from .pki import Pki
from .prosody import Prosody
from .server import DIRECT_TLS_PORT, Server, ServerPlan, Site
from .sip.kamailio import Kamailio
from .web import request

_Kind = TypeVar("_Kind", bound=Server)


class Guest(Protocol):
    """Whatever else runs in a lab."""

    def kill(self) -> None:
        """End it at once; does nothing when it has ended."""


_Guest = TypeVar("_Guest", bound=Guest)


class Lab:
    """A context manager; leaving it ends every process inside by its id and removes the namespace.

    Its files are below `folder`, which is gone afterwards; the logs are then in `keep`.
    """

    def __init__(
        self, keep: Path, *, zones: Sequence[Zone] = CAST, dns_lines: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.keep = keep
        self.servers: dict[str, Server] = {}
        self.clients: list[Client] = []
        self.gateways: list[Gateway] = []
        self.guests: list[Guest] = []
        self._addresses = (f"127.0.6.{number}" for number in range(1, 255))
        self._zones = list(zones)
        self._dns_lines = {view: list(lines) for view, lines in (dns_lines or {}).items()}

    def __enter__(self) -> Self:
        """Make the namespace and start the resolvers."""
        remove_orphans()
        self.namespace = Namespace.create()
        # not pytest's tmp_path: ejabberd's user may not pass through its parents
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.namespace.name}-"))
        self.dns = Dns(self.namespace, self.folder / "dns", self._zones, self._dns_lines)
        try:
            self.folder.chmod(0o711)
            self.pki = Pki(self.folder / "pki")
            self.dns.start()
            self.dns.processes[View.DIRECT].await_ready(self.dns.ready, 5.0)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End and remove everything, whatever happened."""
        self._close()

    # what can be put into it

    def prosody(self, domain: str, **plan: Any) -> Prosody:
        """Start a Prosody for `domain`, set up as ServerPlan says; does not wait."""
        return self._begin(Prosody, domain, plan)

    def ejabberd(self, domain: str, **plan: Any) -> Ejabberd:
        """Start an ejabberd for `domain`, set up as ServerPlan says; does not wait."""
        return self._begin(Ejabberd, domain, plan)

    def kamailio(self, domain: str, **plan: Any) -> Kamailio:
        """Start a Kamailio for `domain`, set up as KamailioPlan says; does not wait."""
        return self._begin(Kamailio, domain, plan)

    def server(self, kind: type[_Kind], domain: str, **plan: Any) -> _Kind:
        """Start a server of any other kind for `domain`, set up as its plan says; does not wait."""
        return self._begin(kind, domain, plan)

    def join(self, guest: _Guest) -> _Guest:
        """Give back `guest`, to be ended with the lab."""
        self.guests.append(guest)
        return guest

    def free_address(self) -> str:
        """An address for one more client, never the same twice."""
        return next(self._addresses)

    def gateway(
        self, config: str, *, ready: str | Path, view: str = View.DIRECT, start: bool = True, **more: Any
    ) -> Gateway:
        """Start the gateway and wait until `ready` (URL, or path of a socket) says yes; `more` is as in Gateway."""
        folder = self.folder / f"gateway{len(self.gateways) or ''}"
        folder.mkdir()
        gateway = Gateway(self.namespace, folder, self.dns.resolv_conf(View(view)), config, ready, **more)
        self.gateways.append(gateway)
        if start:
            gateway.start()
        return gateway

    def client(
        self, jid: str, address: str | None = None, *, password: str | None = None, plugins: Sequence[str] = ()
    ) -> Client:
        """A client of `jid`, not connected yet; address and password are the server's unless given."""
        user, domain = jid.split("/")[0].split("@")
        server = self.servers[domain]
        own = password if password is not None else server.plan.users[user]
        command = Client.argv(jid, own, address or server.address, tuple(plugins))
        argv = self.namespace.command(self.dns.resolv_conf(View.DIRECT), *command)
        errors = self.folder / f"client-{len(self.clients)}-{user}.log"
        client = Client(jid, argv, errors, before_connect=server.await_ready)
        self.clients.append(client)
        return client

    def online(self, *jids: str) -> list[Client]:
        """Clients of these users, logged in and available."""
        clients = [self.client(jid) for jid in jids]
        for client in clients:
            client.connect()
        return clients

    def ready(self) -> None:
        """Wait until every server serves; raises LabError with the end of the log of one that does not."""
        for server in self.servers.values():
            server.await_ready()

    # what can be done in it

    def run(self, *argv: str, view: str = View.DIRECT, timeout: float = 20.0) -> "subprocess.CompletedProcess[str]":
        """Run a program inside and wait for its end."""
        command = self.namespace.command(self.dns.resolv_conf(View(view)), *argv)
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    def http(self, url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
        """Status and text of a web page inside; raises OSError."""
        return request(self.namespace, method, url, body)

    def connect(self, address: str, port: int, timeout: float = 5.0) -> socket.socket:
        """A TCP connection inside, for a test that plays a peer itself."""
        return self.namespace.connect(address, port, timeout)

    def listen(self, address: str, port: int) -> socket.socket:
        """A listening TCP socket inside, for a test that plays a peer itself."""
        return self.namespace.listen(address, port)

    # how

    def _begin(self, kind: type[_Kind], domain: str, options: dict[str, Any]) -> _Kind:
        plan = self._plan(domain, options, kind.plan_kind)
        folder = self.folder / domain
        folder.mkdir()
        site = Site(
            folder=folder,
            namespace=self.namespace,
            resolv_conf=self.dns.resolv_conf(plan.view),
            nameserver=self.dns.nameserver(plan.view),
            leaf=self.pki.leaf(domain, plan.flavour),
            trust=self.pki.bundle(domain, plan.trust or (self.pki.ca,)),
        )
        server = kind(plan, site)
        self.servers[domain] = server
        server.start()
        return server

    def _plan(self, domain: str, options: dict[str, Any], kind: type[ServerPlan]) -> ServerPlan:
        known = self.dns.zone(domain)
        options.setdefault("address", known.address if known else "")
        if not options["address"]:
            raise ValueError(f"{domain} is not in the lab's zones: give it an address")
        for name in ("trust", "modules"):
            options[name] = tuple(options.get(name, ()))
        plan = kind(**{**options, "domain": domain, "view": View(options.get("view", View.DIRECT))})
        inside = plan.view is View.INSIDE or (known is not None and known.inside)
        self.dns.add(Zone(domain, plan.address, inside, DIRECT_TLS_PORT if plan.direct_tls else None, plan.sip))
        return plan

    def _close(self) -> None:
        """End what runs: the gateway in order, for what it writes at its end; the others at once."""
        with ExitStack() as reversed_order:
            reversed_order.callback(self._keep_logs)
            reversed_order.callback(self.namespace.remove)
            for resolver in self.dns.processes.values():
                reversed_order.callback(resolver.kill)
            for server in self.servers.values():
                reversed_order.callback(server.kill)
            for guest in self.guests:
                reversed_order.callback(guest.kill)
            for client in self.clients:
                reversed_order.callback(client.kill)
            for gateway in self.gateways:
                reversed_order.callback(gateway.stop, 5.0)

    def _keep_logs(self) -> None:
        for log in self.folder.rglob("*.log"):
            shutil.copy(log, self.keep / "-".join(log.relative_to(self.folder).parts))
        shutil.rmtree(self.folder)
