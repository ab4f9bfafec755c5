"""What the process may do: it gives up root before it reads anything of anybody, and cannot get it back."""

import ctypes
import errno
import os
import pwd
import resource
import stat
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from gateway.config import Config
from gateway.errors import GatewayError
from gateway.log import Log

log = Log("daemon")

ROOT = "root"
_SET_DUMPABLE = 4
_SET_KEEP_CAPABILITIES = 8
_SET_NO_NEW_PRIVILEGES = 38
_CAPABILITIES_3 = 0x20080522
_BIND_LOW_PORTS = 1 << 10
_FIRST_FREE_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_OTHERS_READ_OR_WRITE = 0o066


class _Header(ctypes.Structure):
    """Says which version of the two sets follows (capset(2))."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Set(ctypes.Structure):
    """Is one half of the sets."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@frozen
class Account:
    """Is whom the process becomes."""

    name: str
    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> "Account":
        """Looks an account up; raises GatewayError when there is none, or when it is root under another name."""
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            raise GatewayError(f"[gateway] user: there is no account {name}") from None
        if found.pw_uid == 0:
            raise GatewayError(f"[gateway] user: {name} has the number of root")
        return cls(name, found.pw_uid, found.pw_gid)


def give_up(config: Config) -> None:
    """Becomes the configured user when started as root, for good; raises GatewayError when that is not possible.

    What can listen below 1024 is kept until `lock`, if a port there is configured. Somebody else's account stays as it
    is; in any case nothing that is executed can gain more, what is written is for the user alone, and the memory, in
    which texts and keys stand, is written to no core file and shown to no other process of the user.
    """
    os.umask(0o077)
    user = config.gateway.user
    if os.geteuid() == 0 and user == ROOT:
        log.warn("running as root")
    elif os.geteuid() == 0:
        _become(user, config)
    _control(_SET_NO_NEW_PRIVILEGES, 1)
    _keep_memory()
    check_state(config.gateway.state)


def _become(user: str, config: Config) -> None:
    if not user:
        raise GatewayError('started as root: name the account to run as, [gateway] user = "gateway", or start as that')
    account = Account.named(user)
    _own_state(config.gateway.state, account)
    keeps = _listens_low(config)
    if keeps:
        _control(_SET_KEEP_CAPABILITIES, 1)
    os.initgroups(account.name, account.gid)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    _limit(_BIND_LOW_PORTS if keeps else 0)
    log.info("root given up", uid=account.uid)


def _keep_memory() -> None:
    """Forbids core files. The kernel forgets the second word when the account changes, so this comes after that."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _control(_SET_DUMPABLE, 0)  # the limit does not bind a program that takes cores by /proc/sys/kernel/core_pattern


def lock() -> None:
    """Gives up the last capability, now that every port is open."""
    if os.geteuid() != 0:
        _limit(0)


def check_state(folder: Path) -> None:
    """Sees that nobody else reads or writes the state; raises GatewayError when it belongs to somebody else."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
    for path in [folder, *(each for each in folder.iterdir() if each.is_file() and not each.is_symlink())]:
        found = path.stat()
        if found.st_uid != os.geteuid():
            raise GatewayError(f"{path} belongs to another user; run: chown {os.geteuid()} {path}")
        if stat.S_IMODE(found.st_mode) & _OTHERS_READ_OR_WRITE:
            log.warn("state was open to others", path=str(path))
            path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS_READ_OR_WRITE)


def _own_state(folder: Path, account: Account) -> None:
    """Makes the state folder when there is none; what is there already must be the user's."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        os.chown(folder, account.uid, account.gid)


def _listens_low(config: Config) -> bool:
    try:
        first = int(_FIRST_FREE_PORT.read_text())
    except (OSError, ValueError):
        first = 1024
    return any(port < first for port in _ports(config))


def _ports(config: Config) -> Iterable[int]:
    inside = getattr(config.inside, "listen", ())
    for where in (*config.xmpp.listen, *config.xmpp.listen_tls, *config.sip.listen, *inside):
        yield where.port


def _limit(capabilities: int) -> None:
    """Keeps these capabilities of the lower 32, and no other, in this thread and all that it starts."""
    header = _Header(_CAPABILITIES_3, 0)
    sets = (_Set * 2)(_Set(capabilities, capabilities, 0), _Set(0, 0, 0))
    _called("capset", ctypes.byref(header), ctypes.byref(sets))


def _control(option: int, value: int) -> None:
    _called("prctl", option, value, 0, 0, 0)


def _called(name: str, *arguments: object) -> None:
    call = getattr(ctypes.CDLL(None, use_errno=True), name)
    if call(*arguments) != 0:
        code = ctypes.get_errno() or errno.EPERM
        raise GatewayError(f"{name}: {os.strerror(code)}")
