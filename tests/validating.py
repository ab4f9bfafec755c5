"""A real validating resolver (unbound) that serves zones which the test has signed itself."""

import hashlib
import os
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.dnssec
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.zone
import pytest
from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.install_peers import DNSSEC
from tests.interop.process import Process

_UNBOUND = shutil.which("unbound", path="/usr/sbin:/sbin:/usr/bin")
_DAYS = timedelta(days=2)


def needs_unbound() -> None:
    """Skips what cannot run without it; in CI that is a failure."""
    if _UNBOUND is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{DNSSEC} left out: apt-get install unbound")


def tlsa(certificate: x509.Certificate, usage: int, selector: int, matching: int) -> str:
    """Gives the TLSA record of a certificate as a zone file has it."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    whole = key if selector else certificate.public_bytes(Encoding.DER)
    octets = {0: whole, 1: hashlib.sha256(whole).digest(), 2: hashlib.sha512(whole).digest()}[matching]
    return f"{usage} {selector} {matching} {octets.hex()}"


def xmpp_zone(
    domain: str, address: str, port: int, records: Sequence[str], host: str = "", seconds: int = 60
) -> list[str]:
    """Gives the lines of a zone with one XMPP server and its TLSA records."""
    host = host or f"xmpp.{domain}"
    lines = [f"_xmpp-server._tcp.{domain}. {seconds} IN SRV 0 5 {port} {host}."]
    if host.endswith(domain):
        lines.append(f"{host}. {seconds} IN A {address}")
        lines += [f"_{port}._tcp.{host}. {seconds} IN TLSA {record}" for record in records]
    return lines


@define
class Validating:
    """Unbound on loopback; `zones` are signed and anchored, `plain` are not signed."""

    folder: Path
    zones: Mapping[str, Sequence[str]]
    plain: Mapping[str, Sequence[str]] = field(factory=dict)
    address: str = "127.0.0.1"
    port: int = 0
    wrapped: Callable[[list[str]], list[str]] = list
    """Puts the command into a namespace."""
    spoilt: frozenset[str] = frozenset()
    """Owners whose signatures are broken."""
    process: Process | None = field(init=False, default=None)
    _keys: dict[str, ec.EllipticCurvePrivateKey] = field(init=False, factory=dict)

    def start(self, answers: Callable[[], bool] | None = None) -> None:
        """Signs, starts, and waits until it answers."""
        if not self.port:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind((self.address, 0))
                self.port = sock.getsockname()[1]
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "unbound.conf"
        path.write_text(self._configuration())
        argv = self.wrapped([str(_UNBOUND), "-d", "-p", "-c", str(path)])
        self.process = Process("unbound", argv, self.folder / "unbound.log")
        self.process.start()
        try:
            self.process.await_ready(answers or self.answers, 10.0)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends it."""
        if self.process is not None:
            self.process.kill()

    kill = stop

    def again(self, zones: Mapping[str, Sequence[str]], answers: Callable[[], bool] | None = None) -> None:
        """Starts anew with other records, signed by the same keys."""
        self.stop()
        self.zones = zones
        self.start(answers)

    def answers(self) -> bool:
        """Whether it answers."""
        domain = next(iter(self.zones))
        try:
            reply = dns.query.udp(dns.message.make_query(domain, "SOA"), self.address, 0.5, port=self.port)
        except (OSError, dns.exception.DNSException):
            return False
        return bool(reply.answer)

    def _configuration(self) -> str:
        anchors, zones = [], []
        for domain, lines in (*self.zones.items(), *self.plain.items()):
            path, anchor = self._zone(domain, lines, domain in self.zones)
            anchors += [f'  trust-anchor: "{anchor}"'] if anchor else []
            zones += ["auth-zone:", f"  name: {domain}", f"  zonefile: {path}", "  for-downstream: no"]
            zones += ["  for-upstream: yes", "  fallback-enabled: no"]
        server = [
            "server:",
            f"  interface: {self.address}@{self.port}",
            '  username: ""',
            '  chroot: ""',
            f'  pidfile: "{self.folder}/unbound.pid"',
            f'  directory: "{self.folder}"',
            "  use-syslog: no",
            '  logfile: ""',
            "  verbosity: 1",
            "  do-ip6: no",
            "  num-threads: 1",
            "  do-not-query-localhost: no",
            '  module-config: "validator iterator"',
            "  cache-max-negative-ttl: 1",
            *anchors,
        ]
        return "\n".join([*server, "remote-control:", "  control-enable: no", *zones]) + "\n"

    def _zone(self, domain: str, lines: Sequence[str], signed: bool) -> tuple[Path, str]:
        head = [
            f"{domain}. 60 IN SOA ns.{domain}. root.{domain}. 1 3600 600 86400 1",
            f"{domain}. 60 IN NS ns.{domain}.",
            f"ns.{domain}. 60 IN A 127.0.0.1",
        ]
        zone = dns.zone.from_text("\n".join([*head, *lines]), origin=domain + ".", relativize=False)
        anchor = ""
        if signed:
            key = self._keys.setdefault(domain, ec.generate_private_key(ec.SECP256R1()))
            dnskey = dns.dnssec.make_dnskey(key.public_key(), dns.dnssec.ECDSAP256SHA256, 257)
            begin, end = datetime.now(UTC) - _DAYS, datetime.now(UTC) + _DAYS
            times = {"inception": begin, "expiration": end}
            dns.dnssec.sign_zone(zone, keys=[(key, dnskey)], add_dnskey=True, dnskey_ttl=60, **times)
            ds = dns.dnssec.make_ds(domain + ".", dnskey, "SHA256")
            anchor = f"{domain}. DS {ds.to_text()}"
        for owner in self.spoilt:
            if dns.name.from_text(owner) in zone.nodes:
                self._spoil(zone, owner)
        path = self.folder / f"{domain}.zone"
        path.write_text(zone.to_text(relativize=False))
        return path, anchor

    def _spoil(self, zone: dns.zone.Zone, owner: str) -> None:
        node = zone[dns.name.from_text(owner)]
        for place, found in enumerate(node.rdatasets):
            if found.rdtype == dns.rdatatype.RRSIG and found.covers != dns.rdatatype.NSEC:
                (record,) = found
                wrong = record.replace(signature=bytes(byte ^ 1 for byte in record.signature))
                node.rdatasets[place] = dns.rdataset.from_rdata(found.ttl, wrong)
