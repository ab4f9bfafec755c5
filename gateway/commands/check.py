"""`gateway check`: the configuration and everything it names; each failure says what, why, and what to paste."""

import os
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import evolve

from gateway.commands.operations import Checked, Finding
from gateway.config import (
    Config,
    Endpoint,
    InsideComponent,
    InsideServer,
    InsideSip,
    PartnerRoute,
    SipTransport,
    load,
)
from gateway.errors import CommandError, ConfigError
from gateway.model.address import ascii_domain
from gateway.transport.certificate import explain_failure, proves, read_certificate
from gateway.transport.dane import Distrusted, endorsed
from gateway.transport.queries import Failed, Queries
from gateway.transport.resolver import XMPP, LookupFailed, vouched_for
from gateway.transport.tls import Credentials, CredentialsError

SECTIONS = ("config", "certs", "dns", "inside", "partners", "state")
EXPIRY_DAYS = 21
"""Days before the end of a certificate from which on it is warned about."""
CONTRACT_DAYS = 30
"""Days before the end of a contract from which on it is warned about."""
LEAST_FREE = 200 * 1024 * 1024
"""Bytes that should be free for the state."""
CONNECT_SECONDS = 4.0
DNS_SECONDS = 4.0
_PROBES = 8
_DAY = 86400.0


def check(config: Path | None, sections: Sequence[str] = ()) -> Checked:
    """Checks the sections named, or all; without a readable configuration there is only the section `config`."""
    if config is None:
        raise CommandError("no configuration found; name one with --config F")
    try:
        loaded = load(config)
    except ConfigError as problem:
        return {"subject": str(config), "checks": [fail("config", line) for line in str(problem).splitlines()]}
    wanted = [name for name in SECTIONS if not sections or name in sections]
    return {"subject": str(config), "checks": [found for name in wanted for found in _CHECKS[name](loaded)]}


def ok(name: str, text: str) -> Finding:
    """Says that something is well."""
    return {"name": name, "outcome": "ok", "text": text, "paste": None}


def warn(name: str, text: str, paste: str | None = None) -> Finding:
    """Says that something works and should be looked at."""
    return {"name": name, "outcome": "warn", "text": text, "paste": paste}


def fail(name: str, text: str, paste: str | None = None) -> Finding:
    """Says that something does not work."""
    return {"name": name, "outcome": "fail", "text": text, "paste": paste}


def _config(config: Config) -> Iterator[Finding]:
    partners = len(config.partners.by_name)
    yield ok("config", f"{', '.join(config.domains)}; partners: {partners}; default level: {config.default_level}")
    if isinstance(config.inside, InsideComponent) and _others_may_read(config.path):
        yield warn("config", f"{config.path} may hold a secret and can be read by everybody", f"chmod o= {config.path}")
    if not partners:
        yield warn("config", "no partner: nobody outside is spoken to", '[[partner]]\ndomain = "partner.example"')
    yield from contract_findings(config, time.time())
    yield from _ports(config)


def contract_findings(config: Config, now: float) -> Iterator[Finding]:
    """Warns of contracts that end, and of partners that the deny list silences; `now` in posix seconds."""
    for name, contract in config.contracts.items():
        call = f"call {', '.join(contract.contacts)}" if contract.contacts else "contacts names nobody to call"
        if contract.ends is not None and contract.ends <= now:
            yield fail("config", f"{name}: the contract ({contract.file}) has expired; {call}")
        elif contract.ends is not None and contract.ends - now < CONTRACT_DAYS * _DAY:
            days = int((contract.ends - now) / _DAY)
            yield warn("config", f"{name}: the contract ({contract.file}) expires in {days} days; {call}")
        denied = sorted(domain for domain in config.partners.by_name[name].domains if domain in config.partners.denied)
        if denied:
            yield warn("config", f"{name}: [federation] deny keeps {', '.join(denied)} out")


def _others_may_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


# -- certificates --------------------------------------------------------------------------------------------------


def _certs(config: Config) -> Iterator[Finding]:
    for domain in config.domains:
        yield from certificate_findings(domain, *config.tls.of(domain), time.time())


def certificate_findings(domain: str, chain: Path, key: Path, now: float) -> Iterator[Finding]:
    """Checks the certificate for one of our domains; `now` in posix seconds."""
    try:
        credentials = Credentials.load(chain, key)
    except CredentialsError as problem:
        yield fail("certs", f"{domain}: {problem}")
        return
    shown = read_certificate(credentials.chain[0])
    days = (credentials.not_after - now) / _DAY
    end = time.strftime("%d %b %Y", time.gmtime(credentials.not_after))
    if not proves(shown, domain, accept_server_only_eku=True, now=now):
        text = explain_failure(shown, domain, accept_server_only_eku=True, now=now)
        yield fail("certs", f"{chain}: {text}", f"subjectAltName = DNS:{ascii_domain(domain)}" if days > 0 else None)
    elif days <= 0:
        yield fail("certs", f"{domain}: {chain} holds a certificate that has expired on {end}")
    elif days < EXPIRY_DAYS:
        yield warn("certs", f"{domain}: expires in {int(days)} days ({end})", "after the renewal: gateway reload")
    else:
        yield ok("certs", f"{domain}: valid until {end}")
    if _others_may_read(key):
        yield warn("certs", f"the private key {key} can be read by everybody", f"chmod 600 {key}")


# -- DNS -----------------------------------------------------------------------------------------------------------


def _dns(config: Config) -> Iterator[Finding]:
    for domain in config.domains:
        yield from dns_findings(domain, config, _queries(config))


def _queries(config: Config, secure: bool = False) -> Queries:
    servers = [nameserver.address for nameserver in config.xmpp.dns]
    return Queries.configured(
        [server.host for server in servers] or None, DNS_SECONDS, servers[0].port if servers else 53, secure
    )


def dns_findings(domain: str, config: Config, queries: Queries) -> Iterator[Finding]:
    """Checks whether partners find one of our domains."""
    name = ascii_domain(domain)
    for service, listen in (
        ("_xmpp-server", config.xmpp.listen),
        ("_xmpps-server", config.xmpp.listen_tls),
        ("_sips", config.sip.listen),
    ):
        ports = [address.port for address in listen]
        if ports:
            yield from _service_findings(name, f"{service}._tcp.{name}", ports, queries)
    yield from own_association_findings(domain, config, queries)


def _service_findings(name: str, service: str, ports: list[int], queries: Queries) -> Iterator[Finding]:
    paste = f"{service}. 3600 IN SRV 0 5 {ports[0]} gateway.{name}."
    try:
        records = queries.services(service).values
    except Failed as problem:
        yield warn("dns", f"cannot tell whether partners find us: {problem}")
        return
    if not records:
        # Without any SRV record partners try the domain itself on port 5269 (RFC 6120 section 3.2.2).
        direct = service.startswith("_xmpps")
        yield (warn if direct else fail)("dns", f"{service} has no SRV record", paste)
        return
    for _priority, _weight, port, host in records:
        if not host:
            yield fail("dns", f"{service} says that there is no such service", paste)
            continue
        yield _host_finding(service, host, port, ports, queries)


def own_association_findings(domain: str, config: Config, queries: Queries) -> Iterator[Finding]:
    """Holds our certificate against our own TLSA records: partners with DANE refuse one that none of them fits."""
    name = ascii_domain(domain)
    try:
        chain = Credentials.load(*config.tls.of(domain)).chain
        services = [queries.services(f"{service}._tcp.{name}").values for service, _ in XMPP.names]
        places = {(host, port) for records in services for _, _, port, host in records if host}
        found = {place: queries.associations(*place, validated=False).values for place in sorted(places)}
    except (CredentialsError, Failed):
        return  # the one is told with the certificates, the other with the services
    shown = evolve(read_certificate(chain[0], (), chain), presented=chain)
    for (host, port), records in found.items():
        usable = [each for each in records if each.usable]
        try:
            if usable:
                word = endorsed(shown, usable, name, host, time.time()).endorsement
                yield ok("dns", f"{host}:{port}: our certificate fits {word.words if word else ''}")
        except Distrusted as problem:
            paste = f"_{port}._tcp.{host}. 3600 IN TLSA 3 1 1 {shown.spki_sha256}"
            yield fail("dns", f"{domain}: partners refuse us. {problem}", paste)


def _host_finding(service: str, host: str, port: int, ports: list[int], queries: Queries) -> Finding:
    try:
        addresses = queries.addresses(host).values
    except Failed as problem:
        return warn("dns", f"{service} leads to {host}: {problem}")
    if not addresses:
        return fail("dns", f"{service} leads to {host}, which has no address", f"{host}. 3600 IN AAAA 2001:db8::1")
    if port not in ports:
        return warn("dns", f"{service} leads to port {port}, but the gateway listens on {', '.join(map(str, ports))}")
    return ok("dns", f"{service} -> {host}:{port} ({', '.join(addresses)})")


# -- connections ---------------------------------------------------------------------------------------------------


def _inside(config: Config) -> Iterator[Finding]:
    inside = config.inside
    if isinstance(inside, InsideComponent):
        yield _reach("inside", f"our server's component port for {inside.name}", inside.connect)
        return
    for domain in config.domains:
        target = inside.connect.of(domain)
        if target is not None and not (isinstance(inside, InsideSip) and inside.transport is SipTransport.UDP):
            yield _reach("inside", f"our server for {domain}", target)
    if isinstance(inside, InsideServer):
        yield from _inside_authority(config, inside)


def _inside_authority(config: Config, inside: InsideServer) -> Iterator[Finding]:
    made = config.authority / "ca.crt"
    if inside.auth.value == "minted" and not made.exists():
        yield warn("inside", f"{made} is made when the gateway starts; our server must trust it")


def _reach(section: str, what: str, target: Endpoint) -> Finding:
    problem, milliseconds = reach(target.host, target.port)
    if problem:
        return fail(section, f"{what} at {target}: {problem}")
    return ok(section, f"{what} answers at {target} ({milliseconds:.0f} ms)")


def reach(host: str, port: int) -> tuple[str, float]:
    """Opens a connection and closes it: gives what is wrong or '', and the time in milliseconds."""
    begun = time.monotonic()
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except TimeoutError:
        return "no answer", 0.0
    except OSError as problem:
        return problem.strerror or "cannot be reached", 0.0
    return "", (time.monotonic() - begun) * 1000


def _partners(config: Config) -> Iterator[Finding]:
    queries, standing = _queries(config), _standing(config)
    with ThreadPoolExecutor(_PROBES) as threads:
        yield from threads.map(lambda route: _partner(route, queries, _speaks_sip(config, route)), standing)
        careful = [route for route in standing if route.dane]
        secure = _queries(config, True) if careful else queries
        yield from threads.map(lambda route: dane_finding(ascii_domain(route.partner), secure), careful)


def _speaks_sip(config: Config, route: PartnerRoute) -> bool:
    partner = config.partners.of(route.partner)
    return partner is not None and partner.via == "sip"


def _standing(config: Config) -> list[PartnerRoute]:
    return [config.routes[name] for name in config.partners.by_name if config.partners.of(name)]


def _partner(route: PartnerRoute, queries: Queries, sip: bool) -> Finding:
    name = route.partner
    if route.route is not None:
        return _reach("partners", f"{name} (fixed route)", route.route)
    try:
        targets = locate(ascii_domain(name), queries, sip)
    except Failed as problem:
        return fail("partners", f"{name}: {problem}")
    misses = []
    for host, port in targets[:3]:
        miss, milliseconds = reach(host, port)
        if not miss:
            return ok("partners", f"{name} answers at {host}:{port} ({milliseconds:.0f} ms)")
        misses.append(f"{host}:{port} {miss}")
    nobody = f"says that it has no {'SIP' if sip else 'XMPP'} servers"
    return fail("partners", f"{name}: {'; '.join(misses) or nobody}")


def dane_finding(name: str, queries: Queries) -> Finding:
    """Says of a partner whose contract has DANE what secure DNS holds about its servers (RFC 7673)."""
    try:
        found = vouched_for(queries, name)
    except (Failed, LookupFailed) as problem:
        return fail("partners", f"{name}: DANE: {problem}")
    text = "; ".join(f"{each.host}:{each.port} {each.dane}" for each in found)
    finding = ok if all(each.associations for each in found) else warn
    return finding("partners", f"{name}: DANE: {text}")


def locate(name: str, queries: Queries, sip: bool = False) -> list[tuple[str, int]]:
    """Gives (host, port) of a domain's servers, the preferred first; raises Failed (RFC 6120 3.2, RFC 3263 4)."""
    services = ("_sips", "_sipfederationtls") if sip else ("_xmpp-server", "_xmpps-server")
    found = [record for service in services for record in queries.services(f"{service}._tcp.{name}").values]
    if not found:
        return [(name, 5061 if sip else 5269)]
    return [(host, port) for _priority, _weight, port, host in sorted(found, key=lambda record: record[0]) if host]


# -- ports ---------------------------------------------------------------------------------------------------------


def _ports(config: Config) -> Iterator[Finding]:
    """A port that our own daemon holds is well: its control socket answers."""
    if not _answers(config.control):
        inside = () if isinstance(config.inside, InsideComponent) else config.inside.listen
        datagrams = isinstance(config.inside, InsideSip) and config.inside.transport is SipTransport.UDP
        metrics = [config.metrics.listen] if config.metrics.listen is not None else []
        for endpoint in (*config.xmpp.listen, *config.xmpp.listen_tls, *config.sip.listen, *metrics):
            yield from _port(endpoint, unusable(endpoint.host, endpoint.port), "t")
        for endpoint in inside:
            kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
            yield from _port(endpoint, unusable(endpoint.host, endpoint.port, kind), "u" if datagrams else "t")


def _port(endpoint: Endpoint, problem: str, kind: str) -> Iterator[Finding]:
    if problem:
        yield fail("config", f"cannot listen on {endpoint}: {problem}", f"ss -l{kind}np 'sport = :{endpoint.port}'")


def _answers(control: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(control))
        except PermissionError:
            return True
        except OSError:
            return False
    return True


def unusable(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> str:
    """Says why nobody can begin to listen on an address, or ''."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as sock:
        try:
            if kind is socket.SOCK_STREAM:  # with it two programs may hold one port for datagrams
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            if kind is socket.SOCK_STREAM:
                sock.listen(1)
        except OSError as problem:
            return problem.strerror or str(problem)
    return ""


# -- state ---------------------------------------------------------------------------------------------------------


def _state(config: Config) -> Iterator[Finding]:
    folder = config.state
    try:
        found = folder.stat()
    except OSError as problem:
        yield fail("state", f"{folder}: {problem.strerror}", f"install -d -m 700 -o gateway {folder}")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield fail("state", f"{folder} is not a folder")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield fail("state", f"{folder} cannot be written by this user", f"chown gateway {folder}")
        return
    if found.st_mode & 0o077:
        yield warn("state", f"{folder} is open to others; it holds who knows whom", f"chmod 700 {folder}")
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        yield warn("state", f"{folder} has only {free // 1024 // 1024} MiB free")
    yield ok("state", f"{folder} can be written")


_CHECKS: dict[str, Callable[[Config], Iterator[Finding]]] = {
    "config": _config,
    "certs": _certs,
    "dns": _dns,
    "inside": _inside,
    "partners": _partners,
    "state": _state,
}
