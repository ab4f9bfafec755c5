"""Two ends that know of each other."""

from collections.abc import AsyncIterator

import pytest
import pytest_twisted

from gateway.transport.authority import CertificateAuthority, MintedContexts
from gateway.transport.tls import TrustAnchors
from tests.plugins.legs.xmpp.faces import End, pause


@pytest.fixture(scope="session")
def minted(tmp_path_factory: pytest.TempPathFactory) -> MintedContexts:
    """One certificate authority for the whole run."""
    authority = CertificateAuthority.open(tmp_path_factory.mktemp("ca"))
    return MintedContexts(authority, TrustAnchors(authority.ca_file))


@pytest_twisted.async_yield_fixture
async def ends(minted: MintedContexts) -> AsyncIterator[tuple[End, End]]:
    """The gateway's end and the partner's, both listening."""
    ours, theirs = (
        End("corp.example", "partner.example", minted),
        End("partner.example", "corp.example", minted, inside=True),
    )
    ours.host.port, theirs.host.port = theirs.listen(), ours.listen()
    yield ours, theirs
    for end in (ours, theirs):
        await end.stop()
    await pause(0.02)
