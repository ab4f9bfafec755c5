from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from pytest_twisted import ensureDeferred

from gateway.transport.authority import CertificateAuthority, MintedContexts
from gateway.transport.certificate import PeerCertificate, proves
from gateway.transport.tls import Credentials, CredentialsError, TrustAnchors, client_context, server_context
from tests.transport.wires import pair, rest, until

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


async def seen_by_server(presented: Credentials, authority: CertificateAuthority) -> PeerCertificate:
    (server, ear), (caller, _) = pair()
    anchors = TrustAnchors(authority.ca_file)
    server.start_tls(server_context(authority.credentials_for("corp.example"), anchors), server=True)
    caller.start_tls(client_context(presented, anchors), server=False)
    await until(lambda: ear.certificates)
    server.abort("end of test")
    caller.abort("end of test")
    await rest(0.01)
    assert ear.certificates[0] is not None
    return ear.certificates[0]


@ensureDeferred
async def test_chain_errors_are_recorded_and_the_handshake_goes_on(authority, folder) -> None:
    stranger = CertificateAuthority.open(folder)
    cases = {
        "trusted": (authority.mint("partner.example"), frozenset()),
        "for servers only": (authority.mint("partner.example", (SERVER,)), frozenset({26})),
        "for signing code": (authority.mint("partner.example", (ExtendedKeyUsageOID.CODE_SIGNING,)), frozenset({28})),
    }
    for presented, errors in cases.values():
        assert (await seen_by_server(presented, authority)).chain_errors == errors
    unknown = await seen_by_server(stranger.mint("partner.example"), authority)
    assert unknown.chain_errors and unknown.chain_errors <= {18, 19, 20, 21}
    options = {"accept_server_only_eku": True, "now": time.time()}
    assert proves(unknown, "partner.example", **options) is None
    pinned = proves(unknown, "partner.example", pins=frozenset({unknown.spki_sha256}), **options)
    assert pinned is not None and pinned.how == "pin"


@ensureDeferred
async def test_an_expired_leaf_is_recorded_as_such(authority, folder) -> None:
    long_ago = CertificateAuthority(authority.folder, authority._credentials, lambda: time.time() - 200 * 86400)
    seen = await seen_by_server(long_ago.mint("partner.example"), authority)
    assert 10 in seen.chain_errors


@ensureDeferred
async def test_tls_one_point_one_is_refused(authority, anchors) -> None:
    (server, ear), (caller, caller_ear) = pair()
    server.start_tls(server_context(authority.credentials_for("corp.example"), anchors), server=True)
    old = SSL.Context(SSL.TLS_CLIENT_METHOD)
    old.set_max_proto_version(SSL.TLS1_1_VERSION)
    old.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    caller.start_tls(old, server=False)
    await until(lambda: ear.losses and caller_ear.losses)
    assert ear.losses[0].startswith("TLS handshake failed")
    assert ear.certificates == []


def test_written_credentials_load_again_and_the_key_is_private(authority, folder: Path) -> None:
    chain_path, key_path = authority.write_leaf("partner.example", folder)
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600
    assert stat.S_IMODE((authority.folder / "ca.key").stat().st_mode) == 0o600
    loaded = Credentials.load(chain_path, key_path)
    assert len(loaded.chain) == 2
    assert "PrivateKey" not in repr(loaded)


def test_credentials_that_do_not_fit_are_refused(authority, folder: Path) -> None:
    chain_path, _ = authority.write_leaf("partner.example", folder)
    _, other_key = authority.write_leaf("ally.example", folder)
    with pytest.raises(CredentialsError, match="does not belong"):
        Credentials.load(chain_path, other_key)
    with pytest.raises(CredentialsError, match="cannot read"):
        Credentials.load(folder / "missing.crt", other_key)
    with pytest.raises(CredentialsError, match="no PEM certificates"):
        Credentials.load(other_key, other_key)
    with pytest.raises(CredentialsError, match="private key"):
        Credentials.load(chain_path, chain_path)
    (folder / "empty.crt").write_text("")
    with pytest.raises(CredentialsError, match="no usable CA"):
        client_context(None, TrustAnchors(folder / "empty.crt"))


def test_an_authority_opened_again_is_the_same(folder: Path) -> None:
    first, second = CertificateAuthority.open(folder), CertificateAuthority.open(folder)
    assert first._credentials.chain == second._credentials.chain


def test_half_an_authority_is_not_replaced(folder: Path) -> None:
    CertificateAuthority.open(folder)
    (folder / "ca.key").unlink()
    with pytest.raises(CredentialsError):
        CertificateAuthority.open(folder)


def test_leaves_are_kept_within_a_bound_and_minted_again_in_time(folder: Path) -> None:
    now = [time.time()]
    authority = CertificateAuthority.open(folder, lambda: now[0], size=2)
    contexts = MintedContexts(authority, TrustAnchors(authority.ca_file), 2)
    first, context = authority.credentials_for("a.example"), contexts.server("a.example")
    assert authority.credentials_for("A.example") is first and contexts.server("a.example") is context
    now[0] += 61 * 86400
    assert authority.credentials_for("a.example") is not first
    assert contexts.server("a.example") is not context
    for name in ("b.example", "c.example"):
        contexts.server(name)
    assert len(authority._minted) == len(contexts._kept) == 2
    with pytest.raises(ValueError):
        authority.credentials_for("no domain")
