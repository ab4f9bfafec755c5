"""Users of this machine, by number: who asks on the control socket."""

import grp
import os
import pwd
from collections.abc import Collection


def user_name(uid: int | None) -> str:
    """Gives the name of a user, his number where he has none, '' for nobody known."""
    if uid is None:
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_one_of(uid: int | None, names: Collection[str]) -> bool:
    """Says whether a user is among users and groups of this machine; who is not known is not."""
    if uid is None or not names:
        return False
    name = user_name(uid)
    if name in names:
        return True
    try:
        groups = os.getgrouplist(name, pwd.getpwuid(uid).pw_gid)
    except KeyError:
        return False
    return any(_group_name(gid) in names for gid in groups)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
