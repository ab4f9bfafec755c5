"""What a server of the lab is to a test, whichever program it is."""

import time
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from .dns import View
from .namespace import Namespace
from .pki import Flavour, Leaf
from .process import Process

CLIENT_PORT = 5222
SERVER_PORT = 5269
DIRECT_TLS_PORT = 5270
COMPONENT_PORT = 5347


@frozen(kw_only=True)
class ServerPlan:
    """How one server is set up."""

    domain: str
    address: str
    view: View = View.DIRECT
    """The DNS view it asks in."""
    users: Mapping[str, str] = field(factory=dict)
    """Local part to password."""
    components: Mapping[str, str] = field(factory=dict)
    """Domain of an XEP-0114 component to its secret; served at port 5347."""
    flavour: str = Flavour.BOTH
    """What its certificate is like."""
    trust: tuple[Path, ...] = ()
    """The files with its trust anchors; they must exist when it starts. None named: the test CA."""
    secure_auth: bool = True
    """Whether a peer needs a certificate that holds (Prosody s2s_secure_auth)."""
    dialback: bool = True
    """Whether it speaks Server Dialback (XEP-0220)."""
    bidi: bool = False
    """Whether it speaks bidirectional streams (XEP-0288)."""
    direct_tls: bool = False
    """Whether it listens at port 5270 with TLS from the first byte (XEP-0368)."""
    modules: tuple[str, ...] = ()
    """More modules to load."""
    extra: str = ""
    """More configuration: Lua lines of the global part for Prosody, a JSON object of top-level options for ejabberd."""

    @property
    def sip(self) -> bool:
        """Whether its domain has SRV records for SIP, and not for XMPP."""
        return False


@frozen(kw_only=True)
class Site:
    """Where a server may write, and what it needs from the lab."""

    folder: Path
    namespace: Namespace
    resolv_conf: Path
    nameserver: str
    leaf: Leaf
    trust: Path


class Server:
    """A running server of one domain; `log` is what it wrote about itself."""

    kind = "server"
    plan_kind: type[ServerPlan] = ServerPlan
    timeout = 20.0

    def __init__(self, plan: ServerPlan, site: Site) -> None:
        self.plan = plan
        self.site = site
        self.process: Process = self.prepare()

    def prepare(self) -> Process:
        """Write the configuration; the process that reads it."""
        raise NotImplementedError

    @property
    def domain(self) -> str:
        """The domain it serves."""
        return self.plan.domain

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.plan.address

    @property
    def log(self) -> str:
        """What it logged so far."""
        return self.process.text()

    def wait_for_log(self, text: str, timeout: float = 5.0) -> None:
        """Wait until the log holds `text`; raises AssertionError with the end of it after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while text not in self.log:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.domain} did not log {text!r} within {timeout} s:\n{self.log[-3000:]}")
            time.sleep(0.05)

    def start(self) -> None:
        """Start it; does not wait."""
        self.process.start()

    def ready(self) -> bool:
        """Whether it serves clients and servers."""
        ports = [CLIENT_PORT, SERVER_PORT, *([COMPONENT_PORT] if self.plan.components else [])]
        return all(self.site.namespace.answers(self.address, port) for port in ports)

    def await_ready(self) -> None:
        """Wait until it serves; raises LabError with the end of its log."""
        self.process.await_ready(self.ready, self.timeout)

    def stop(self) -> None:
        """Shut it down in order, as its administrator would."""
        self.process.stop(10.0)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it, start it again and wait until it serves."""
        self.stop()
        self.start()
        self.await_ready()

    def process_for(self, argv: list[str], environment: Mapping[str, str] | None = None) -> Process:
        """The process of this server, inside the namespace, in its DNS view."""
        command = self.site.namespace.command(self.site.resolv_conf, *argv)
        output = self.site.folder / f"{self.kind}.log"
        return Process(
            f"{self.kind} {self.domain}", command, output, environment=environment or {}, folder=self.site.folder
        )
