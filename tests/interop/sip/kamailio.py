"""Kamailio as a peer: registrar, presence server and router of one SIP domain, with mutual TLS towards others."""

import re
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field, frozen

from ..process import LabError, Process
from ..server import Server, ServerPlan

SIP_PORT = 5060
SIPS_PORT = 5061
_TEMPLATE = Path(__file__).with_name("kamailio.cfg.in")
_SCHEMAS = Path("/usr/share/kamailio/db_sqlite")
_PRES_RULES = 2  # what Kamailio's presence_xml calls this kind of document in its table xcap


@frozen(kw_only=True)
class KamailioPlan(ServerPlan):
    """How one Kamailio is set up; the names in `users` are the only ones that exist, their passwords are not asked."""

    flavour: str = "sip"
    next_hop: str = ""
    """Where requests for every foreign domain go, "tls:127.0.0.100:5061", or with tcp or udp; "" refuses them."""
    peer_check: bool = False
    """Whether a From that comes over TLS must be of the domain that the certificate names first."""
    rules: bool = False
    """Whether who sees what is asked from the users' presence rules (RFC 5025); everybody sees all otherwise."""
    contacts: bool = False
    """Whether it holds the presence of people of foreign domains as well, as far as the gateway publishes it."""
    watch: bool = False
    """Whether it logs every request with its source."""

    @property
    def sip(self) -> bool:
        """Whether its domain has SRV records for SIP."""
        return True


@define(kw_only=True)
class _Database:
    """The SQLite file behind one Kamailio."""

    path: Path = field()

    def create(self) -> None:
        """Make the tables as Kamailio's package describes them."""
        with sqlite3.connect(self.path) as database:
            database.execute("PRAGMA synchronous = OFF")
            for name in ("standard", "presence"):
                database.executescript((_SCHEMAS / f"{name}-create.sql").read_text("utf-8"))
        database.close()

    def put_rules(self, user: str, domain: str, document: str) -> None:
        """Keep a user's presence rules, in the place of those before."""
        uri = f"/pres-rules/users/sip:{user}@{domain}/index"
        row = (user, domain, document, _PRES_RULES, str(time.time_ns()), 0, uri, 0)
        with sqlite3.connect(self.path, timeout=5.0) as database:
            database.execute("DELETE FROM xcap WHERE doc_uri = ?", (uri,))
            columns = "username, domain, doc, doc_type, etag, source, doc_uri, port"
            database.execute(f"INSERT INTO xcap ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        database.close()


def _next_hop(written: str) -> str:
    """A "tls:address:port" as the SIP URI that Kamailio wants."""
    transport, _, place = written.partition(":")
    return f"sip:{place};transport={transport}"


class Kamailio(Server):
    """A Kamailio that serves one domain."""

    kind = "kamailio"
    plan_kind: type[ServerPlan] = KamailioPlan
    plan: KamailioPlan

    def prepare(self) -> Process:
        """Write configuration and tables below the site's folder."""
        self._database = _Database(path=self.site.folder / "kamailio.db")
        self._database.create()
        (self.site.folder / "tls.cfg").write_text(self._tls())
        configuration = self.site.folder / "kamailio.cfg"
        configuration.write_text(self._configuration())
        folder = str(self.site.folder)
        argv = ["kamailio", "-f", str(configuration), "-DD", "-E", "-m", "64", "-M", "8", "-Y", folder, "-w", folder]
        for name in self._switches():
            argv += ["-A", name]
        return self.process_for(argv)

    @property
    def control(self) -> Path:
        """The socket its administrator talks to."""
        return self.site.folder / "control"

    def start(self) -> None:
        """Start it; does not wait."""
        self.control.unlink(missing_ok=True)
        super().start()

    def ready(self) -> bool:
        """Whether it serves clients and servers."""
        ports = (SIP_PORT, SIPS_PORT)
        return self.control.is_socket() and all(self.site.namespace.answers(self.address, port) for port in ports)

    def rpc(self, *command: str) -> str:
        """The answer to an administration command, e.g. rpc("ul.dump"); raises LabError."""
        argv = ["kamcmd", "-s", f"unix:{self.control}", *command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=5.0, check=False)
        if done.returncode or done.stdout.startswith("error"):
            raise LabError(f"{self.domain}: {' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def published(self, user: str, domain: str) -> str:
        """The documents that it holds of somebody, one after the other."""
        with sqlite3.connect(self._database.path, timeout=5.0) as database:
            query = "SELECT body FROM presentity WHERE username = ? AND domain = ?"
            found = database.execute(query, (user, domain)).fetchall()
        database.close()
        return "\n".join(row[0].decode() if isinstance(row[0], bytes) else str(row[0]) for row in found)

    def set_rules(self, user: str, document: str) -> None:
        """Give a user these presence rules (RFC 5025) and apply them to who watches him already; needs `rules`."""
        if not self.plan.rules:
            raise LabError(f"{self.domain} does not ask rules")
        self._database.put_rules(user, self.domain, document)
        self.rpc("presence.refreshWatchers", f"sip:{user}@{self.domain}", "presence", "0")

    def registered(self) -> set[str]:
        """Who is registered now, names without the domain."""
        return set(re.findall(r"AoR: ([^\s@]+)", self.rpc("ul.dump")))

    def _switches(self) -> list[str]:
        wanted: Mapping[str, bool] = {
            "WITH_NEXT_HOP": bool(self.plan.next_hop),
            "WITH_PEER_CHECK": self.plan.peer_check,
            "WITH_RULES": self.plan.rules,
            "WITH_CONTACTS": self.plan.contacts,
            "WITH_WATCH": self.plan.watch,
        }
        return [name for name, on in wanted.items() if on]

    def _configuration(self) -> str:
        values = {
            "ADDRESS": self.address,
            "DOMAIN": self.domain,
            "FOLDER": str(self.site.folder),
            "NEXT_HOP": _next_hop(self.plan.next_hop) if self.plan.next_hop else "",
            "USERS": "|".join(re.escape(user) for user in self.plan.users) or "-",
            "EXTRA": self.plan.extra,
        }
        return re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], _TEMPLATE.read_text("utf-8"))

    def _tls(self) -> str:
        settings = {
            "method": "TLSv1.2+",
            "verify_certificate": "yes",
            "require_certificate": "yes",
            "private_key": self.site.leaf.key,
            "certificate": self.site.leaf.chain,
            "ca_list": self.site.trust,
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        return f"[server:default]\n{lines}[client:default]\n{lines}"
