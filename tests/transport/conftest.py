"""Real sockets on loopback, one certificate authority for the whole run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.transport.authority import CertificateAuthority
from gateway.transport.tls import TrustAnchors


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority.open(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def anchors(authority: CertificateAuthority) -> TrustAnchors:
    return TrustAnchors(authority.ca_file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
