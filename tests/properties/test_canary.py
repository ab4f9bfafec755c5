"""Nothing that people say or publish stands in a log line or on the metrics page, whatever goes wrong (I19)."""

import io
from collections.abc import Iterator

import pytest
from attrs import evolve
from prometheus_client import generate_latest
from twisted.internet.defer import fail
from twisted.logger import LogLevel, globalLogPublisher

from gateway import relay as relay_module
from gateway.log import LineObserver
from gateway.metrics import registry
from gateway.model.envelope import Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import Message
from gateway.model.presence import Field
from gateway.policy.partners import Partners, Rates
from gateway.protocols.element import Element
from gateway.protocols.xmpp.limits import AFTER_AUTHENTICATION
from gateway.protocols.xmpp.reader import Reader
from gateway.protocols.xmpp.stanzas.queries import question_of
from plugins.legs.xmpp.dialect import InsideDialect, OutsideDialect
from tests.policy.samples import CANARY
from tests.properties.wire import Player, staged
from tests.stage import ALICE, BOB, CAROL, DESK, PARTNER, Stage

EVERYTHING = frozenset(Field)
NS = "http://etherx.jabber.org/streams"
EVENT = f"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{CANARY}'/></event>"
GONE = f"<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{CANARY}</gone></error>"
SAYS = f"<body>{CANARY}</body><subject>{CANARY}</subject><thread>{CANARY}</thread>"
VCARD = f"<vCard xmlns='vcard-temp'><FN>{CANARY}</FN><TEL><NUMBER>{CANARY}</NUMBER></TEL></vCard>"
STANZAS = (
    f"<message id='{CANARY}' type='chat'>{SAYS}</message>",
    f"<message type='{CANARY}'>{SAYS}</message>",
    f"<message type='error' id='{CANARY}'>{GONE}</message>",
    f"<message type='headline'>{EVENT}</message>",
    f"<presence type='{CANARY}'><status>{CANARY}</status></presence>",
    f"<presence><show>{CANARY}</show><status>{CANARY}</status><priority>{CANARY}</priority></presence>",
    f"<iq type='get' id='{CANARY}'><query xmlns='{CANARY}'>{CANARY}</query></iq>",
    f"<iq type='{CANARY}' id='{CANARY}'/>",
    f"<iq type='set' id='x'>{VCARD}</iq>",
    f"<iq type='result' id='{CANARY}'>{VCARD}</iq>",
)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """All that is logged meanwhile, at level debug."""
    stream = io.StringIO()
    observer = LineObserver(stream, True, LogLevel.debug)
    globalLogPublisher.addObserver(observer)
    yield stream
    globalLogPublisher.removeObserver(observer)


def element(text: str) -> Element:
    reader = Reader(AFTER_AUTHENTICATION)
    opened = f"<stream:stream xmlns='jabber:server' xmlns:stream='{NS}'>{text}"
    return next(one for one in reader.feed(opened.encode()) if isinstance(one, Element))


class BrokenTap:
    """Is a tap that fails with what it was shown."""

    def __init__(self, required: bool) -> None:
        self.required = required

    def record(self, received: Envelope, verdict: object) -> None:
        raise ValueError(f"cannot record {received!r} {verdict!r} {CANARY}")


def everything_happens(stage: Stage, player: Player) -> None:
    """Lets every kind of content through, in both directions, at every level."""
    for level in ("personal", "company", "blocked"):
        player.play(("level", BOB, level))
        player.play(("card", EVERYTHING - {Field.AVAILABILITY}))
        for name in (Field.MOOD, Field.ACTIVITY, Field.LOCATION, Field.DISPLAY_NAME):
            player.play(("event", name, True))
        player.play(("presence", BOB, DESK, frozenset({Field.NOTE, Field.MOOD, Field.SHOW})))
        for kind in (QueryKind.CARD, QueryKind.MOOD, QueryKind.LAST_ACTIVITY, QueryKind.PICTURE):
            player.play(("query", BOB, kind))
        message = Message(id=CANARY, bodies=(("", CANARY),), subjects=(("", CANARY),), thread=CANARY)
        for sender, recipient, side in ((DESK, BOB, Side.INTERNAL), (BOB.at("x"), ALICE, Side.EXTERNAL)):
            stage.house.receive(Envelope(sender, recipient, message, side))
            stage.house.undeliverable(Envelope(sender, recipient, message, side), Problem.REMOTE_SERVER_TIMEOUT)
    player.play(("down",))
    stage.house.receive(Envelope(DESK, BOB, Message(id=CANARY, bodies=(("", CANARY),)), Side.INTERNAL))
    player.play(("wait", 700.0))
    player.play(("up",))


def pages(stage: Stage, lines: io.StringIO) -> str:
    return lines.getvalue() + generate_latest(registry(stage.metrics)).decode()


def test_nothing_said_or_published_is_logged_or_counted_by_name(lines: io.StringIO) -> None:
    stage, wire = staged()
    stage.befriend()
    everything_happens(stage, Player(stage, wire))
    assert any(CANARY in said.text for said in wire.said), "the canaries were really there"
    assert CANARY not in pages(stage, lines)


@pytest.mark.parametrize("required", [True, False])
def test_a_tap_that_fails_with_what_it_saw_shows_none_of_it(lines: io.StringIO, required: bool) -> None:
    stage, wire = staged()
    stage.house.relay._taps._taps = (BrokenTap(required),)  # type: ignore[assignment]
    stage.befriend()
    everything_happens(stage, Player(stage, wire))
    text = pages(stage, lines)
    assert "tap failed" in text and CANARY not in text


def test_a_policy_that_fails_with_what_it_saw_shows_none_of_it(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(envelope: Envelope, *rest: object) -> None:
        raise ValueError(f"{envelope!r} {CANARY}")

    monkeypatch.setattr(relay_module, "authorize", broken)
    stage, wire = staged()
    stage.befriend()
    everything_happens(stage, Player(stage, wire))
    text = pages(stage, lines)
    assert "policy failed" in text and CANARY not in text


def test_an_inside_server_that_fails_shows_none_of_it(lines: io.StringIO) -> None:
    stage, wire = staged()
    stage.inside.answers = [fail(RuntimeError(CANARY)) for _ in range(9)]
    Player(stage, wire).play(("query", BOB, QueryKind.CARD))
    text = pages(stage, lines)
    assert "card not fetched" in text and CANARY not in text


def test_a_partner_over_its_rate_shows_none_of_it(lines: io.StringIO) -> None:
    slow = evolve(PARTNER, rates=Rates(0.1, 0.1, 1))
    stage, wire = staged(partners=Partners([slow]))
    for _ in range(3):
        stage.house.receive(Envelope(BOB, ALICE, Message(id=CANARY, bodies=(("", CANARY),)), Side.EXTERNAL))
    assert CANARY not in pages(stage, lines)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("stanza", STANZAS)
def test_malformed_stanzas_show_none_of_what_is_in_them(lines: io.StringIO, stanza: str, inside: bool) -> None:
    stage, wire = staged()
    stage.befriend()
    seconds, said = stage.clock.seconds, []
    say = lambda local, remote, text: said.append(text)  # noqa: E731
    if inside:
        InsideDialect(stage.house, seconds, say, stage.metrics, stage.clock).take(DESK, CAROL, element(stanza))
    else:
        OutsideDialect(stage.house, seconds, say, stage.metrics).take(BOB.at("x"), ALICE, element(stanza))
    assert CANARY not in pages(stage, lines)


def test_envelopes_print_none_of_it(lines: io.StringIO) -> None:
    message = Message(bodies=(("", CANARY),), subjects=(("", CANARY),), thread=CANARY)
    query = Query(QueryKind.CARD, "q", question_of(QueryKind.CARD))
    for content in (message, query):
        assert CANARY not in repr(Envelope(ALICE, BOB, content, Side.INTERNAL))
    assert lines.getvalue() == ""
