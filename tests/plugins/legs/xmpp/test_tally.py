"""What a face counts of its streams, over real sockets."""

import socket
import time

import pytest
import pytest_twisted

from gateway.protocols.xmpp.events import StreamTerms
from tests.plugins.legs.xmpp.faces import End, pause
from tests.transport.wires import until

Ends = tuple[End, End]
CERTIFICATES = StreamTerms(external=True, dialback=False, bidi=False)


@pytest_twisted.ensureDeferred
async def test_a_stream_that_comes_up_counts_its_session_and_shows_when_the_peers_certificate_ends(ends: Ends) -> None:
    ours, theirs = ends
    metrics = ours.surroundings.metrics
    ours.message("1")
    await until(lambda: theirs.house.bodies)
    link = ours.lane.connection.link
    assert metrics.tls_sessions("partner.example", link.tls_version, link.cipher).value == 1
    assert metrics.peer_cert_expiry("partner.example").value == ours.lane.connection.stream.certificate.not_after
    assert metrics.peer_cert_expiry("partner.example").value > time.time()
    # To the other end it is the inside that calls: that says nothing of the partner's certificate.
    shown = theirs.surroundings.metrics.peer_cert_expiry
    assert (shown("corp.example").value, shown("").value) == (0, 0)


@pytest_twisted.ensureDeferred
async def test_it_is_shown_when_the_partner_was_last_heard_or_spoken_to(ends: Ends) -> None:
    ours, theirs = ends
    ours.message("1")
    await until(lambda: theirs.house.bodies)
    ours.lane.connection.used_at -= 100
    ours.face.tick()
    shown = ours.surroundings.metrics.last_success("partner.example")
    assert abs(time.time() - 100 - shown.value) < 2
    ours.message("2")
    await until(lambda: len(theirs.house.bodies) == 2)
    ours.face.tick()
    assert time.time() - shown.value < 2


@pytest_twisted.ensureDeferred
async def test_a_handshake_that_fails_is_counted(ends: Ends) -> None:
    ours, _ = ends
    sock = socket.create_connection(("127.0.0.1", ours.listener.port))
    sock.setblocking(False)
    await until(lambda: ours.face.connections)
    (connection,) = ours.face.connections
    connection.start_tls(ours.host.server(None, None), True)
    sock.send(b"this is no TLS at all, and long enough to be read as a record")
    await until(lambda: not ours.face.connections)
    sock.close()
    failures = ours.surroundings.metrics.tls_failures
    assert (failures("in").value, failures("out").value) == (1, 0)


@pytest_twisted.ensureDeferred
async def test_a_key_that_is_not_the_pinned_one_is_counted_when_it_kept_the_link_down(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = ends
    monkeypatch.setattr("tests.plugins.legs.xmpp.faces.DIALBACK", CERTIFICATES)
    mismatches = ours.surroundings.metrics.pin_mismatch("partner.example")
    ours.message("1")
    await until(lambda: ours.lane.failures)
    await pause()
    assert mismatches.value == 0  # the name is not proven, but no key is pinned
    ours.host.pinned = True
    await until(lambda: ours.lane.failures >= 2)
    await until(lambda: mismatches.value)
