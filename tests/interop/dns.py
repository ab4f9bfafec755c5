"""Split-horizon DNS: three dnsmasq processes, each with its own idea of who is who."""

from enum import StrEnum
from pathlib import Path

from attrs import define, field, frozen

from .namespace import Namespace
from .process import Process

INSIDE_FACE = "127.0.0.100"
"""Where the gateway stands for every foreign domain."""
OUTSIDE_FACE = "127.0.0.101"
"""Where the gateway stands for every inside domain."""


class View(StrEnum):
    """Who asks."""

    DIRECT = "direct"
    """Everybody is where he really is: the gateway's own view, or a lab without a gateway."""
    INSIDE = "inside"
    """Inside domains are real, every other name in the world is the gateway's inside face.

    Not names below test and invalid for Prosody: its resolver (libunbound) answers those itself (RFC 6761)."""
    PUBLIC = "public"
    """Partners are real, inside domains are the gateway's outside face."""


_SERVERS = {View.DIRECT: "127.0.0.53", View.INSIDE: "127.0.0.54", View.PUBLIC: "127.0.0.55"}


@frozen
class Zone:
    """One domain and the address of its server."""

    domain: str
    address: str
    inside: bool = False
    """Whether it belongs to the organisation behind the gateway."""
    direct_tls: int | None = None
    """The port of an _xmpps-server record (XEP-0368), if there is one."""
    sip: bool = False
    """Whether it speaks SIP, and not XMPP, to the world: SRV records for SIP over TLS (RFC 3263) and federation."""


CAST = (
    Zone("corp.example", "127.0.0.10", inside=True),
    Zone("corpej.example", "127.0.0.11", inside=True),
    Zone("partner.example", "127.0.0.20"),
    Zone("ally.example", "127.0.0.30"),
    Zone("stranger.example", "127.0.0.40"),
)
"""Who is who unless a test says otherwise."""


def _services(domain: str, *, xmpp: bool, sip: bool) -> dict[str, str]:
    """Which services a domain has, and where."""
    found: dict[str, str] = {}
    if xmpp:
        found |= {"_xmpp-server._tcp": f"xmpp.{domain},5269", "_xmpp-client._tcp": f"xmpp.{domain},5222"}
    if sip:
        found |= dict.fromkeys(("_sips._tcp", "_sipfederationtls._tcp"), f"sip.{domain},5061")
    return found


def _records(zone: Zone, address: str, *, both: bool = False) -> list[str]:
    services = _services(zone.domain, xmpp=both or not zone.sip, sip=both or zone.sip)
    lines = [f"srv-host={service}.{zone.domain},{place},0,5" for service, place in services.items()]
    lines += [f"address=/{zone.domain}/{address}", f"local=/{zone.domain}/"]
    if zone.direct_tls:
        lines.append(f"srv-host=_xmpps-server._tcp.{zone.domain},xmpp.{zone.domain},{zone.direct_tls},0,5")
    return lines


def view_lines(view: View, zones: list[Zone]) -> list[str]:
    """What dnsmasq is told in `view`."""
    lines = []
    for zone in zones:
        if view is View.PUBLIC and zone.inside:
            lines += _records(Zone(zone.domain, OUTSIDE_FACE), OUTSIDE_FACE, both=True)
        elif view is not View.INSIDE or zone.inside:
            lines += _records(zone, zone.address)
    if view is View.INSIDE:
        lines.append(f"address=/#/{INSIDE_FACE}")
    # an unknown name is "no such record", never a refusal, which peers take for a broken resolver
    return [*lines, "local=/#/"]


@define
class Dns:
    """The three resolvers; `extra` holds more dnsmasq lines per view."""

    namespace: Namespace
    folder: Path
    zones: list[Zone]
    extra: dict[str, list[str]] = field(factory=dict)
    processes: dict[View, Process] = field(init=False, factory=dict)

    def start(self) -> None:
        """Start all three; they answer when `ready` says so."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        for view, server in _SERVERS.items():
            self.resolv_conf(view).write_text(f"nameserver {server}\noptions timeout:2 attempts:2\n")
            self.resolv_conf(view).chmod(0o644)
            self._start(view)

    def ready(self) -> bool:
        """Whether all three answer."""
        return all(self.namespace.answers(server, 53) for server in _SERVERS.values())

    def add(self, zone: Zone) -> None:
        """Make one more domain known, or one known otherwise, in every view."""
        if zone in self.zones:
            return
        self.zones = [*(known for known in self.zones if known.domain != zone.domain), zone]
        for view, process in self.processes.items():
            process.kill()
            self._start(view)

    def zone(self, domain: str) -> Zone | None:
        """What is known of `domain`."""
        return next((zone for zone in self.zones if zone.domain == domain), None)

    def resolv_conf(self, view: View) -> Path:
        """The /etc/resolv.conf of a process that asks in `view`."""
        return self.folder / f"resolv.{view}"

    def nameserver(self, view: View) -> str:
        """The address of the resolver of `view`."""
        return _SERVERS[view]

    def queries(self, view: View) -> str:
        """The log of what was asked and answered in `view`."""
        return self.processes[view].text()

    def _start(self, view: View) -> None:
        settings = [
            "no-resolv",
            "no-hosts",
            "bind-interfaces",
            "keep-in-foreground",
            "user=root",
            "log-queries",
            "log-facility=-",
            "local-ttl=5",
            f"listen-address={_SERVERS[view]}",
            f"pid-file={self.folder / view}.pid",
        ]
        configuration = self.folder / f"{view}.conf"
        lines = [*settings, *view_lines(view, self.zones), *self.extra.get(view, [])]
        configuration.write_text("\n".join(lines) + "\n")
        argv = self.namespace.command(self.resolv_conf(view), "dnsmasq", "-C", str(configuration))
        self.processes[view] = Process(f"dnsmasq-{view}", argv, self.folder / f"{view}.log")
        self.processes[view].start()
