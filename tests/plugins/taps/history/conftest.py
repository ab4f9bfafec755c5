"""A Dovecot for the tests of the mailbox; says in one line what is missing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ....install_peers import MAIL, missing
from ....interop.dovecot import Dovecot
from ....interop.pki import Pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def dovecot(pki: Pki) -> Iterator[Dovecot]:
    """A mail server for alice and bob that shows a certificate for localhost."""
    reasons = [f"apt-get install {need.package}" for need in missing() if need.leaves_out == MAIL]
    if os.geteuid() != 0:
        reasons.append("run pytest as root")
    if reasons:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{MAIL} left out: {', '.join(reasons)}")
    leaf = pki.leaf("localhost")
    server = Dovecot(Path(leaf.chain), Path(leaf.key), users=("alice@corp.example", "bob@corp.example"))
    try:
        server.start()
        yield server
    finally:
        server.kill()
