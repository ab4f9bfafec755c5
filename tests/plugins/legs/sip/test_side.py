"""Two sides that call each other over TLS on loopback: what happens on one is told to its desk, in its time."""

import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field, frozen
from twisted.internet import reactor

from gateway.config import Endpoint
from gateway.config.sections import Limits
from gateway.metrics import Metrics
from gateway.protocols.sip.pager import Delivered, Undelivered
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.user_agent import MessageReceived, UserAgentEvent
from gateway.protocols.sip.watching import Document
from gateway.transport.authority import CertificateAuthority, MintedContexts
from gateway.transport.resolver import Target
from gateway.transport.tls import TrustAnchors
from plugins.legs.sip import flows
from plugins.legs.sip.side import SipSide
from tests.protocols.sip.talk import ALICE, BOB
from tests.transport.wires import rest, until

from .test_flows import Host

TEXT = Document("text/plain", b"hi")


@frozen
class Config:
    """Is as much of the configuration as a side reads."""

    limits: Limits = Limits()
    state: Path = Path()


@define
class Surroundings:
    """Is what a side is built with."""

    config: Config
    own: bytes
    """What tells this gateway from the other: its requests must not come back to it."""
    reactor: Any = reactor
    metrics: Metrics = field(factory=Metrics)

    def now(self) -> float:
        return time.time()

    def secret(self, name: str) -> bytes:
        return self.own


@define(eq=False)
class Desk:
    """Accepts every message and writes down everything."""

    side: SipSide
    happenings: list[UserAgentEvent] = field(factory=list)
    fails: bool = False
    status: int = 202

    def happened(self, event: UserAgentEvent) -> None:
        self.happenings.append(event)
        if self.fails:
            raise ValueError("a defect")
        if isinstance(event, MessageReceived):
            self.side.agent.answer(event.transaction, self.status, self.side.reactor.seconds())

    def watcher(self, presentity: str, watcher: str) -> int:
        return 200

    def session(self, local: str, remote: str) -> int:
        return 200

    def wanted(self, key: SubscriptionKey) -> bool:
        return True

    def all(self, kind: type) -> list[Any]:
        return [event for event in self.happenings if isinstance(event, kind)]


@define(eq=False)
class Serving(Host):
    """Serves its own domain; the other may have several servers."""

    ports: tuple[int, ...] = ()

    def serves(self, domain: str) -> bool:
        return domain == self.domain

    async def targets(self, domain: str, port: int | None = None) -> list[Target]:
        if self.ports:
            return [Target("127.0.0.1", each, True, ("127.0.0.1",)) for each in self.ports]
        return await super().targets(domain, port)


@define
class End:
    """A side, its desk, its host."""

    side: SipSide
    desk: Desk
    host: Serving
    port: int

    def say(self, sender: str, recipient: str, handle: str) -> None:
        self.side.agent.pager.send(sender, recipient, TEXT, handle, self.side.reactor.seconds())
        self.side.turn()


def end(domain: str, other: str, minted: MintedContexts) -> End:
    host = Serving(domain, other, minted)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    side = SipSide("outside", Surroundings(Config(), domain.encode()), host, "tls", ("127.0.0.1", port))  # type: ignore[arg-type]
    side.desk = desk = Desk(side)
    side.listen(Endpoint("127.0.0.1", port), 5)
    host.port = port
    return End(side, desk, host, port)


@pytest_twisted.async_yield_fixture
async def ends(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[End, End]]:
    """The gateway's side and a partner's; each knows where the other is."""
    authority = CertificateAuthority.open(tmp_path_factory.mktemp("ca"))
    minted = MintedContexts(authority, TrustAnchors(authority.ca_file))
    ours, theirs = end("corp.example", "partner.example", minted), end("partner.example", "corp.example", minted)
    ours.host.port, theirs.host.port = theirs.host.port, ours.host.port
    yield ours, theirs
    for one in (ours, theirs):
        await one.side.stop()
    await rest(0.02)


@pytest_twisted.ensureDeferred
async def test_messages_cross_both_ways_on_kept_connections(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    for number in range(3):
        ours.say(ALICE, BOB, f"out {number}")
        theirs.say(BOB, ALICE, f"in {number}")
    await until(lambda: len(ours.desk.all(Delivered)) == len(theirs.desk.all(Delivered)) == 3)
    assert [one.handle for one in ours.desk.all(Delivered)] == ["out 0", "out 1", "out 2"]
    assert {one.sender for one in theirs.desk.all(MessageReceived)} == {ALICE}
    assert [flow.domain for flow in ours.side.flows] == ["partner.example"]


@pytest_twisted.ensureDeferred
async def test_connection_that_is_lost_is_made_again(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    ours.say(ALICE, BOB, "first")
    await until(lambda: ours.desk.all(Delivered))
    ours.side.flows[0].close()
    await until(lambda: not ours.side.flows)
    ours.say(ALICE, BOB, "second")
    await until(lambda: len(ours.desk.all(Delivered)) == 2)
    assert len(theirs.desk.all(MessageReceived)) == 2


@pytest_twisted.ensureDeferred
async def test_nobody_there_is_told_at_once(ends: tuple[End, End]) -> None:
    ours, _ = ends
    ours.host.port = None
    ours.say(ALICE, BOB, "into the void")
    await until(lambda: ours.desk.all(Undelivered))
    assert (ours.desk.all(Undelivered)[0].handle, ours.side.flows) == ("into the void", [])


@pytest_twisted.ensureDeferred
async def test_defect_at_the_desk_hurts_one_request(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    theirs.desk.fails = True
    ours.say(ALICE, BOB, "hurt")
    await until(lambda: theirs.desk.happenings)
    theirs.desk.fails = False
    ours.say(ALICE, "sip:carol@partner.example", "not hurt")
    await until(lambda: [one for one in ours.desk.all(Delivered) if one.handle == "not hurt"])


@pytest_twisted.ensureDeferred
async def test_idle_connections_are_closed(ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = ends
    ours.say(ALICE, BOB, "then silence")
    await until(lambda: ours.desk.all(Delivered))
    ours.side.tick()
    assert ours.side.flows
    monkeypatch.setattr(flows, "IDLE_SECONDS", -1.0)
    ours.side.tick()
    await until(lambda: not ours.side.flows)


# --- connections of a partner's (RFC 5923)


@pytest_twisted.ensureDeferred
async def test_what_a_partner_has_opened_carries_our_requests_to_him(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    theirs.say(BOB, ALICE, "in")
    await until(lambda: theirs.desk.all(Delivered))
    ours.host.port = None
    ours.say(ALICE, BOB, "out, and we could not call him")
    await until(lambda: ours.desk.all(Delivered))
    assert ours.side.flows == [] and len(theirs.side.flows) == 1
    assert [one.sender for one in theirs.desk.all(MessageReceived)] == [ALICE]


@pytest_twisted.ensureDeferred
async def test_what_he_has_not_offered_carries_answers_alone(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    theirs.side.agent.station.transactions.offers = lambda flow: False
    theirs.say(BOB, ALICE, "in")
    await until(lambda: theirs.desk.all(Delivered))
    ours.host.port = None
    ours.say(ALICE, BOB, "out")
    await until(lambda: ours.desk.all(Undelivered))


@pytest_twisted.ensureDeferred
async def test_he_has_called_one_of_our_domains_and_hears_of_no_other(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    theirs.say(BOB, ALICE, "in")
    await until(lambda: theirs.desk.all(Delivered))
    ours.host.port = None
    ours.say("sip:carol@second.example", BOB, "as another identity")
    await until(lambda: ours.desk.all(Undelivered))
    assert theirs.desk.all(MessageReceived) == []


@pytest_twisted.ensureDeferred
async def test_when_his_connection_ends_we_call_him(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    theirs.say(BOB, ALICE, "in")
    await until(lambda: theirs.desk.all(Delivered))
    theirs.side.flows[0].close()
    await until(lambda: not ours.side.ways.accepted)
    ours.say(ALICE, BOB, "out")
    await until(lambda: ours.desk.all(Delivered))
    assert [flow.domain for flow in ours.side.flows] == ["partner.example"]


# --- several servers (RFC 3263 section 4.3)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest_twisted.ensureDeferred
async def test_next_server_is_called_and_the_dead_one_comes_last(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    ours.host.ports = (dead := closed_port(), theirs.port)
    ours.say(ALICE, BOB, "first")
    await until(lambda: ours.desk.all(Delivered))
    (flow,) = ours.side.flows
    assert flow.at is not None and flow.at.port == theirs.port
    assert [place.port for place in await ours.side.places(flow)] == [theirs.port, dead]


@pytest_twisted.ensureDeferred
async def test_server_that_shows_another_certificate_is_passed_over(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    impostor = end("ally.example", "corp.example", theirs.host.minted)
    ours.host.ports = (impostor.port, theirs.port)
    ours.say(ALICE, BOB, "for bob alone")
    await until(lambda: ours.desk.all(Delivered))
    assert impostor.desk.happenings == [] and len(theirs.desk.all(MessageReceived)) == 1
    await impostor.side.stop()


@pytest_twisted.ensureDeferred
async def test_server_that_is_overloaded_gives_way(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    second = end("partner.example", "corp.example", theirs.host.minted)
    ours.host.ports, theirs.desk.status = (theirs.port, second.port), 503
    ours.say(ALICE, BOB, "first")
    ours.say(ALICE, "sip:carol@partner.example", "second")
    await until(lambda: len(ours.desk.all(Delivered)) == 2)
    assert ours.desk.all(Undelivered) == [] and len(second.desk.all(MessageReceived)) == 2
    (flow,) = ours.side.flows
    assert [place.port for place in await ours.side.places(flow)] == [second.port, theirs.port]
    await second.side.stop()


@pytest_twisted.ensureDeferred
async def test_only_server_that_is_overloaded_says_so(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    theirs.desk.status = 503
    ours.say(ALICE, BOB, "first")
    await until(lambda: ours.desk.all(Undelivered))
    assert ours.desk.all(Undelivered)[0].status == 503


@pytest_twisted.ensureDeferred
async def test_request_on_a_connection_that_is_lost_goes_on_another(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    theirs.desk.fails = True
    ours.say(ALICE, BOB, "never answered")
    await until(lambda: theirs.desk.happenings)
    theirs.desk.fails = False
    for flow in list(theirs.side.ways.accepted):
        flow._cut("a test")
    await until(lambda: ours.desk.happenings)
    # the same request again: its server knows it, and does not deliver twice
    assert len(theirs.desk.all(MessageReceived)) == 1 and ours.desk.all(Undelivered)[0].status == 482
