"""Installs what the tests need from Debian, where it may; says in a line each what stays left out otherwise.

`python -m tests.install_peers`: exit status 0, or 1 when the environment variable CI is set and something is missing.
"""

import os
import shutil
import subprocess
import sys

from attrs import frozen


@frozen
class Need:
    """One Debian package: a sign that it is there, and the tests that are left out without it."""

    package: str
    sign: str
    """A program, or the path of a file."""
    leaves_out: str

    def present(self) -> bool:
        """Whether the sign is there; system folders count although they may not be in PATH."""
        if "/" in self.sign:
            return os.path.exists(self.sign)
        return shutil.which(self.sign, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


LAB = "the tests against real servers (tests/interop)"
SIP = "the tests against SIP servers and clients (tests/interop/sip)"
SIPE = "the test with a client of Communicator's protocol (tests/interop/sip)"
DIRECTORIES = "the tests against an LDAP server and a calendar server (tests/plugins/directories)"
MAIL = "the tests against a mail server (conversation history)"
POSTGRESQL = "the tests against PostgreSQL (tests/store, tests/records)"
DNSSEC = "the tests against a validating resolver (tests/transport, tests/interop)"
FAULTS = "the cases that need it of the faults under load (tests/faults)"
NEEDS = (
    Need("prosody", "prosody", LAB),
    Need("ejabberd", "ejabberdctl", LAB),
    # Prosody's resolver follows the lab's DNS views only with it
    Need("lua-unbound", "/usr/share/doc/lua-unbound", LAB),
    Need("dnsmasq-base", "dnsmasq", LAB),
    Need("iproute2", "ip", LAB),
    Need("util-linux", "setpriv", LAB),
    Need("mount", "mount", LAB),
    Need("openssl", "openssl", LAB),
    Need("unbound", "unbound", DNSSEC),
    Need("strace", "strace", FAULTS),
    Need("nftables", "nft", FAULTS),
    Need("faketime", "faketime", FAULTS),
    Need("kamailio", "kamailio", SIP),
    Need("kamailio-tls-modules", "/usr/share/doc/kamailio-tls-modules", SIP),
    Need("kamailio-presence-modules", "/usr/share/doc/kamailio-presence-modules", SIP),
    Need("kamailio-xml-modules", "/usr/share/doc/kamailio-xml-modules", SIP),
    Need("kamailio-sqlite-modules", "/usr/share/kamailio/db_sqlite", SIP),
    Need("baresip-core", "baresip", SIP),
    Need("sip-tester", "sipp", SIP),
    Need("finch", "finch", SIPE),
    Need("pidgin-sipe", "/usr/share/doc/pidgin-sipe", SIPE),
    Need("dbus-daemon", "dbus-daemon", SIPE),
    Need("dbus-bin", "dbus-send", SIPE),
    Need("tmux", "tmux", SIPE),
    Need("gcc", "gcc", SIPE),
    Need("libc6-dev", "/usr/include/dlfcn.h", SIPE),
    Need("slapd", "slapd", DIRECTORIES),
    Need("libldap-dev", "/usr/include/ldap.h", DIRECTORIES),
    Need("libsasl2-dev", "/usr/include/sasl/sasl.h", DIRECTORIES),
    Need("python3-dev", "/usr/share/doc/python3-dev", DIRECTORIES),
    Need("radicale", "radicale", DIRECTORIES),
    Need("postgresql", "/usr/lib/postgresql", POSTGRESQL),
    Need("dovecot-imapd", "/usr/lib/dovecot/imap", MAIL),
)
_SERVICES = "/usr/sbin/policy-rc.d"
"""While this program says no, Debian's packages start no service of their own."""


def missing() -> list[Need]:
    """Gives what is not there."""
    return [need for need in NEEDS if not need.present()]


def obstacle() -> str:
    """Says why nothing can be installed here, or ''."""
    if os.geteuid() != 0:
        return "only root may install it"
    return "" if shutil.which("apt-get") else "there is no apt-get here"


def install(packages: list[str]) -> str:
    """Installs packages without starting their services; gives '' or why it did not work."""
    ours = not os.path.exists(_SERVICES)
    if ours:
        _forbid_services()
    try:
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            done = _apt(words)
            if done.returncode and words[0] == "install":
                return (done.stderr.strip().splitlines() or ["apt-get failed"])[-1]
    except (OSError, subprocess.TimeoutExpired) as problem:
        return str(problem)
    finally:
        if ours:
            os.unlink(_SERVICES)
    return ""


def _forbid_services() -> None:
    with open(_SERVICES, "w", encoding="ascii") as script:
        script.write("#!/bin/sh\nexit 101\n")
    os.chmod(_SERVICES, 0o755)


def _apt(words: list[str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", "-qq", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False, env=environment)


def main() -> int:
    """Installs what is missing, and tells what still is."""
    wanted = missing()
    if not wanted:
        return 0
    why = obstacle() or install([need.package for need in wanted])
    left = missing()
    for need in left:
        reason = f" ({why})" if why else ""
        print(f"left out: {need.leaves_out}, for {need.package} is missing{reason}: apt-get install {need.package}")  # noqa: T201
    return 1 if left and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
