"""Says in one line what the interop tests need, when they cannot run here."""

import importlib.util
import os
import shutil

import pytest

from .namespace import Namespace

_PROGRAMS = {
    "prosody": "prosody",
    "ejabberdctl": "ejabberd",
    "dnsmasq": "dnsmasq-base",
    "ip": "iproute2",
    "setpriv": "util-linux",
    "mount": "mount",
}
"""Program to the Debian package it comes in."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "interop: runs against real XMPP servers in a network namespace; needs root")


def missing() -> str:
    """What keeps the lab from running here and how to get it, in one line; "" for nothing."""
    # Prosody's resolver follows the lab's DNS views only with lua-unbound, which no program shows
    packages = {package for program, package in _PROGRAMS.items() if shutil.which(program) is None}
    if packages:
        return f"interop tests left out: apt-get install {' '.join(sorted(packages | {'lua-unbound'}))}"
    if importlib.util.find_spec("slixmpp") is None:
        return "interop tests left out: pip install slixmpp"
    if os.geteuid() != 0:
        return "interop tests left out: they make a network namespace, so run pytest as root"
    try:
        Namespace.create().remove()
    except OSError as problem:
        return f"interop tests left out: no network namespace here ({problem}); in a container give CAP_SYS_ADMIN"
    return ""


@pytest.fixture(scope="session", autouse=True)
def lab_available() -> None:
    """Skip what needs the lab where it cannot run; in CI that is a failure."""
    if reason := missing():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
