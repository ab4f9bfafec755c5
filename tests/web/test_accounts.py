"""Users of this machine by number."""

import grp
import os
import pwd

import pytest

from gateway.web.accounts import is_one_of, user_name

ME = pwd.getpwuid(os.geteuid())
UNKNOWN = 54_321


def test_a_user_has_his_name_or_his_number() -> None:
    assert user_name(ME.pw_uid) == ME.pw_name
    assert user_name(UNKNOWN) == "54321" and user_name(None) == ""


@pytest.mark.parametrize(
    ("uid", "names", "found"),
    [
        (ME.pw_uid, [ME.pw_name], True),
        (ME.pw_uid, [grp.getgrgid(ME.pw_gid).gr_name], True),
        (ME.pw_uid, ["somebody-else"], False),
        (ME.pw_uid, [], False),
        (UNKNOWN, ["54321"], True),
        (UNKNOWN, [ME.pw_name], False),
        (None, [""], False),
    ],
)
def test_he_is_among_users_and_groups(uid: int | None, names: list[str], found: bool) -> None:
    assert is_one_of(uid, names) is found
