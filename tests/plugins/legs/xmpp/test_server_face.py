"""Two faces over real sockets: links come, carry, break and come back, and nothing is lost in silence."""

import socket

import pytest
import pytest_twisted
from attrs import evolve

from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, Side, Ticket
from gateway.model.message import Message
from gateway.model.presence import Presence
from gateway.protocols.xmpp.stream_error import StreamError
from tests.plugins.legs.xmpp.faces import LIMITS, End, pause
from tests.stage import away, here
from tests.transport.wires import until

Ends = tuple[End, End]


@pytest_twisted.ensureDeferred
async def test_what_waits_for_the_first_link_crosses_in_order(ends: Ends) -> None:
    ours, theirs = ends
    assert [ours.message(str(number)) for number in range(5)] == [False] * 5
    await until(lambda: len(theirs.house.bodies) == 5)
    assert theirs.house.bodies == ["0", "1", "2", "3", "4"]
    assert ours.message("5") and ours.lane.connection is not None
    await until(lambda: theirs.house.bodies[-1] == "5")
    assert ours.face.lane("corp.example", "partner.example").connection.method == "dialback"


@pytest_twisted.ensureDeferred
async def test_both_directions_use_streams_of_their_own(ends: Ends) -> None:
    ours, theirs = ends
    ours.message("out")
    theirs.message("back")
    await until(lambda: ours.house.bodies == ["back"] and theirs.house.bodies == ["out"])
    assert ours.lane.connection is not theirs.lane.connection


@pytest_twisted.ensureDeferred
async def test_what_is_said_while_a_stream_closes_waits_for_the_next_one(ends: Ends) -> None:
    """Our side is closed and the peer's is not: the old stream takes nothing any more."""
    ours, theirs = ends
    ours.message("1")
    await until(lambda: theirs.house.bodies)
    old = ours.lane.connection
    old.stream.close()
    assert not ours.message("2")
    ours.face.say("corp.example", "partner.example", "<presence from='alice@corp.example' to='bob@partner.example'/>")
    await until(lambda: theirs.house.bodies == ["1", "2"])
    assert ours.lane.connection is not old and ours.house.refused == []


@pytest_twisted.ensureDeferred
async def test_a_peer_that_never_closes_its_side_is_cut(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.legs.xmpp.server_face.CLOSE_SECONDS", 0.05)
    ours, theirs = ends
    ours.message("1")
    await until(lambda: theirs.house.bodies)
    connection = ours.lane.connection
    for other in theirs.face.connections:
        other.link.pause_reading()
    connection.end()
    assert connection in ours.face.connections
    await pause(0.1)
    ours.face.tick()
    await until(lambda: connection not in ours.face.connections)


@pytest_twisted.ensureDeferred
async def test_an_idle_stream_is_closed_and_opened_again_when_needed(ends: Ends) -> None:
    ours, theirs = ends
    ours.message("1")
    await until(lambda: theirs.house.bodies)
    ours.lane.connection.used_at -= LIMITS.idle_seconds + 1
    ours.face.tick()
    await until(lambda: ours.lane.connection is None and not ours.face.connections)
    ours.message("2")
    await until(lambda: theirs.house.bodies == ["1", "2"])
    assert ours.house.lost == ours.house.restored == []


@pytest_twisted.ensureDeferred
async def test_when_only_the_stream_of_the_other_side_breaks_what_came_on_it_is_asked_for_again(ends: Ends) -> None:
    ours, theirs = ends
    ours.message("1")
    theirs.message("2")
    await until(lambda: theirs.house.bodies and ours.house.bodies)
    way_out, (way_in,) = ours.lane.connection, ours.lane.heard_on
    assert way_in is not way_out
    way_in.link.abort("lost on its way")
    await until(lambda: ours.house.asked, 1.0)
    assert ours.house.asked == [("corp.example", "partner.example")] and ours.house.restored == []
    assert ours.lane.connection is way_out and way_in not in ours.lane.heard_on and len(ours.lane.heard_on) == 1


@pytest_twisted.ensureDeferred
async def test_a_broken_link_is_called_again_mourned_and_restored(ends: Ends) -> None:
    ours, theirs = ends
    ours.message("1")
    await until(lambda: theirs.house.bodies)
    port = ours.host.port
    theirs.deaf()
    for connection in list(theirs.face.connections):
        connection.link.abort("power cut")
    await until(lambda: ours.house.lost)
    assert ours.house.lost == [("corp.example", "partner.example")] and ours.lane.failures >= 1
    ours.put(here())
    theirs.listen(port or 0)
    await until(lambda: ours.house.restored)
    assert ours.house.restored == [("corp.example", "partner.example")]
    await until(lambda: any(isinstance(one.content, Presence) for one in theirs.house.received))


@pytest_twisted.ensureDeferred
async def test_who_is_not_found_is_answered_and_tried_again_ever_more_rarely(ends: Ends) -> None:
    ours, theirs = ends
    ours.host.port = None
    ours.message("1")
    await until(lambda: ours.house.refused)
    assert [(one.content.id, problem) for one, problem in ours.house.refused] == [  # type: ignore[union-attr]
        ("1", Problem.REMOTE_SERVER_NOT_FOUND)
    ]
    delays = [delay_after(ours, number) for number in range(1, 6)]
    assert delays == sorted(delays) and delays[-1] <= 300
    assert not ours.put(away())
    await until(lambda: ours.host.asked >= 3)


def delay_after(end: End, failures: int) -> float:
    end.lane.failures = failures
    return float(end.lane.delay(1.0, 300.0, 1.0))


@pytest_twisted.ensureDeferred
async def test_a_ping_is_answered_and_silence_after_answers_ends_the_link(ends: Ends) -> None:
    ours, theirs = ends
    await ours.face.ping("corp.example", "partner.example")
    lane = ours.lane
    lane.connection.heard_at -= 100
    lane.connection.used_at -= 100
    ours.face.tick()
    await until(lambda: lane.answers_pings)
    assert ours.surroundings.metrics.probe_rtt("partner.example").value >= 0
    first, lane.pinged_at = lane.connection, ours.face.clock() - 1000
    ours.face.tick()
    await until(lambda: first not in ours.face.connections)
    assert first.reason == "no answer to a ping" and lane.broken


@pytest_twisted.ensureDeferred
async def test_a_stanza_that_trips_a_defect_is_answered_and_the_stream_stays(ends: Ends) -> None:
    ours, theirs = ends
    theirs.house.fails = True
    ours.message("1")
    theirs.message("hello")
    await until(lambda: len(ours.house.received) == 2)
    theirs.house.fails = False
    ours.message("2")
    await until(lambda: theirs.house.bodies == ["2"])
    assert theirs.surroundings.metrics.errors().value == 1
    assert any(one.content.__class__.__name__ == "Bounce" for one in ours.house.received)


@pytest_twisted.ensureDeferred
async def test_a_contract_that_ends_closes_the_streams_and_forgets_what_waits(ends: Ends) -> None:
    ours, theirs = ends
    ours.message("1")
    await until(lambda: theirs.house.bodies)
    ours.host.connected = False
    ours.face.policy_changed()
    await until(lambda: not ours.face.connections)
    assert ours.face.lanes == {}
    asked = ours.host.asked
    await pause(0.3)
    assert ours.host.asked == asked, "nobody calls a partner that is none"


@pytest_twisted.ensureDeferred
async def test_what_waits_for_a_contract_that_ends_is_answered(ends: Ends) -> None:
    ours, _ = ends
    ours.host.port = 1
    ours.message("1")
    ours.host.connected = False
    ours.face.policy_changed()
    assert [problem for _, problem in ours.house.refused] == [Problem.REMOTE_SERVER_NOT_FOUND]


@pytest_twisted.ensureDeferred
async def test_whoever_does_not_prove_himself_in_time_is_cut(ends: Ends) -> None:
    ours, _ = ends
    slow = End("corp.example", "partner.example", ours.minted, evolve(LIMITS, handshake_seconds=0.05))
    port = slow.listen()
    with socket.create_connection(("127.0.0.1", port)) as caller:
        await until(lambda: slow.face.connections)
        await pause(0.1)
        slow.face.tick()
        await pause(0.05)
        assert b"connection-timeout" in caller.recv(4096)
    await until(lambda: not slow.face.connections)
    await slow.stop()


@pytest_twisted.ensureDeferred
async def test_a_stream_error_is_no_good_bye(ends: Ends) -> None:
    ours, theirs = ends
    ours.message("1")
    await until(lambda: theirs.house.bodies)
    ours.lane.connection.end(StreamError("reset"))
    await until(lambda: ours.lane.broken or ours.lane.connection is not None)
    await until(lambda: ours.house.restored)


@pytest_twisted.ensureDeferred
async def test_stopping_says_good_bye_and_calls_nobody_any_more(ends: Ends) -> None:
    ours, theirs = ends
    ours.message("1")
    await until(lambda: theirs.house.bodies)
    ours.put(Message(id="2", bodies=(("", "last"),)))
    ours.face.outflow.flush()
    await ours.face.stop()
    await until(lambda: theirs.house.bodies == ["1", "last"])
    await until(lambda: not ours.face.connections)
    asked = ours.host.asked
    ours.message("3")
    await pause(0.2)
    assert ours.host.asked == asked and theirs.house.lost == []


@pytest_twisted.ensureDeferred
async def test_a_long_read_is_worked_off_whole_and_in_order(ends: Ends) -> None:
    ours, theirs = ends
    ours.message("first")
    await until(lambda: theirs.house.bodies == ["first"])
    (connection,) = [one for one in theirs.face.connections if one.stream.pairs]
    one = "<message from='alice@corp.example/x' to='bob@partner.example'><body>{}</body></message>"
    texts = [str(number) * (number % 7 + 1) for number in range(400)] + ["x" * 30_000, "last"]
    connection.data_received("".join(map(one.format, texts)).encode())
    assert theirs.house.bodies[1:] == texts
    connection.data_received("".join([*map(one.format, texts), "</stream:stream>", one.format("too late")]).encode())
    assert theirs.house.bodies[1:] == texts * 2 and connection.clean


def kept(end: End, number: int) -> Envelope:
    sender, recipient = Address.parse(f"alice@{end.domain}"), Address.parse(f"bob@{end.other}")
    content = Message(id=f"k{number}", bodies=(("", f"kept {number}"),))
    return Envelope(sender, recipient, content, Side.INTERNAL, ticket=Ticket(number, end.face.now()))


@pytest_twisted.ensureDeferred
async def test_what_a_peer_has_who_closes_after_us_is_not_said_again(ends: Ends) -> None:
    ours, theirs = ends
    ours.message("1")
    await until(lambda: theirs.house.bodies)
    ours.face.deliver(kept(ours, 1))
    ours.lane.connection.end()
    ours.face.deliver(kept(ours, 2))
    ours.face.say("alice@corp.example", "bob@partner.example", "")
    await until(lambda: len(ours.house.confirmed) == 2)
    assert theirs.house.bodies == ["1", "kept 1", "kept 2"]
