"""A real OpenLDAP server for one test module: its files, its certificate, its entries."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import ldap
from attrs import define, field
from ldap.modlist import addModlist

from tests.interop.pki import Pki

from .ports import free_port

PEOPLE, GROUPS, ROOT, PASSWORD = (
    "ou=people,dc=corp,dc=example",
    "ou=groups,dc=corp,dc=example",
    "dc=corp,dc=example",
    "pw",
)
READER = "cn=gateway,dc=corp,dc=example"
_CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {folder}/pid
sizelimit size.soft=50 size.hard=50 size.prtotal=unlimited
TLSCertificateFile {chain}
TLSCertificateKeyFile {key}
TLSCACertificateFile {ca}
database mdb
suffix "{root}"
rootdn "cn=admin,{root}"
rootpw pw
directory {folder}/db
overlay memberof
access to attrs=userPassword by anonymous auth
access to * by users read by anonymous auth
"""


@define
class Slapd:
    """Runs slapd on loopback; ldap:// with StartTLS and ldaps:// on ports of its own."""

    folder: Path
    pki: Pki
    plain: int = field(factory=free_port)
    tls: int = field(factory=free_port)
    _running: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """The address for StartTLS."""
        return f"ldap://localhost:{self.plain}"

    @property
    def tls_url(self) -> str:
        """The address with TLS from the first byte."""
        return f"ldaps://localhost:{self.tls}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        # libldap takes the name of the machine where it reads localhost.
        names = sorted({"localhost", socket.gethostname(), socket.getfqdn()})
        leaf = self.pki.special("slapd", *(f"DNS:{name}" for name in names))
        (self.folder / "db").mkdir(exist_ok=True)
        conf = self.folder / "slapd.conf"
        conf.write_text(
            _CONF.format(folder=self.folder, chain=leaf.chain, key=leaf.key, ca=self.pki.ca, root=ROOT), "utf-8"
        )
        program = shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert program is not None
        where = f"ldap://127.0.0.1:{self.plain}/ ldaps://127.0.0.1:{self.tls}/"
        with (self.folder / "log").open("ab") as log:
            self._running = subprocess.Popen(
                [program, "-f", str(conf), "-h", where, "-d", "0"], stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.plain), 1).close()
                return
            except OSError:
                assert self._running.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        """Ends it."""
        if self._running is not None:
            self._running.terminate()
            self._running.wait(10)
            self._running = None

    def admin(self) -> ldap.ldapobject.LDAPObject:
        """Gives a connection that may write."""
        link = ldap.initialize(f"ldap://127.0.0.1:{self.plain}")
        link.simple_bind_s(f"cn=admin,{ROOT}", PASSWORD)
        return link

    def add(self, dn: str, **attributes: str | bytes | list[str]) -> None:
        """Adds an entry."""
        encoded: dict[str, list[bytes]] = {}
        for name, value in attributes.items():
            values = value if isinstance(value, list) else [value]
            encoded[name] = [one if isinstance(one, bytes) else one.encode() for one in values]
        link = self.admin()
        link.add_s(dn, addModlist(encoded))
        link.unbind_s()

    def replace(self, dn: str, changes: Mapping[str, list[str]]) -> None:
        """Replaces attributes."""
        link = self.admin()
        link.modify_s(
            dn, [(ldap.MOD_REPLACE, name, [one.encode() for one in values]) for name, values in changes.items()]
        )
        link.unbind_s()

    def delete(self, dn: str) -> None:
        """Takes an entry away."""
        link = self.admin()
        link.delete_s(dn)
        link.unbind_s()
