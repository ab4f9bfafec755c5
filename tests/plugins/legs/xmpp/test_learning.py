"""A caller of whom something must be known before TLS waits for that, and may give up meanwhile."""

import pytest_twisted
from twisted.internet.defer import Deferred

from tests.plugins.legs.xmpp.faces import End, pause
from tests.transport.wires import until

Ends = tuple[End, End]


async def _waiting(ends: Ends) -> "Deferred[None]":
    """Has our end call the other one, which has to learn something first."""
    ours, theirs = ends
    waits: Deferred[None] = Deferred()
    theirs.host.waits = waits
    ours.message("1")
    await until(lambda: theirs.face.connections and theirs.host.waits is None)
    await pause(0.1)
    assert not any(connection.stream.secure for connection in theirs.face.connections)
    return waits


@pytest_twisted.ensureDeferred
async def test_a_caller_waits_before_tls_and_loses_nothing(ends: Ends) -> None:
    waits = await _waiting(ends)
    assert ends[1].house.bodies == [] and len(ends[1].face.connections) == 1
    waits.callback(None)
    await until(lambda: ends[1].house.bodies == ["1"])


@pytest_twisted.ensureDeferred
async def test_a_caller_who_has_left_meanwhile_is_forgotten(ends: Ends) -> None:
    ours, theirs = ends
    waits = await _waiting(ends)
    (left,) = theirs.face.connections
    ours.face.stopping = True
    for connection in list(ours.face.connections):
        connection.link.abort("the caller leaves")
    await pause()
    waits.callback(None)
    await until(lambda: left not in theirs.face.connections)


@pytest_twisted.ensureDeferred
async def test_who_was_cut_meanwhile_is_not_taken_up_again(ends: Ends) -> None:
    ours, theirs = ends
    waits = await _waiting(ends)
    (cut,) = theirs.face.connections
    ours.face.stopping = True
    cut.end()
    waits.callback(None)
    await pause()
    assert not cut.securing and not cut.stream.secure
    for connection in list(ours.face.connections):
        connection.link.abort("the test is over")
    await until(lambda: cut not in theirs.face.connections)
