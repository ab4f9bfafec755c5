"""Says in one line what the SIP tests need, when they cannot run here."""

import os

import pytest

from ...install_peers import SIP, SIPE, missing


def _leave_out(what: str) -> None:
    packages = [need.package for need in missing() if need.leaves_out == what]
    if not packages:
        return
    reason = f"{what} left out: apt-get install {' '.join(packages)}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def sip_available(lab_available: None) -> None:
    """Skip what needs Kamailio and SIP clients where they are missing; in CI that is a failure."""
    _leave_out(SIP)


@pytest.fixture(scope="session")
def sipe_available(sip_available: None) -> None:
    """Skip what needs Communicator's client where it is missing; in CI that is a failure."""
    _leave_out(SIPE)
