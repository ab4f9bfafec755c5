"""Says in one line what the interop tests need, when they cannot run here."""

import importlib.util
import os

import pytest

from ..install_peers import LAB
from ..install_peers import missing as absent
from .namespace import Namespace


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "interop: runs against real servers in a network namespace; needs root")


def missing() -> str:
    """What keeps the lab from running here and how to get it, in one line; "" for nothing."""
    packages = [need.package for need in absent() if need.leaves_out == LAB]
    if packages:
        return f"interop tests left out: apt-get install {' '.join(packages)}"
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
