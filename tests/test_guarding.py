"""What happens when something is about to leave that may not: one stanza is lost, and everybody hears of it."""

from typing import Any

import pytest

from gateway.guarding import NOBODY, OutputGuard
from gateway.metrics import Metrics
from gateway.model.envelope import Envelope, QueryKind, Side
from gateway.model.message import Message
from gateway.model.presence import Field, PresenceDocument
from gateway.policy import authorization
from gateway.protocols.xmpp.stanzas import messages
from plugins.legs.xmpp import dialect
from tests.plugins.legs.sip.ocs_scene import CATEGORIES, PIDF, Scene
from tests.plugins.legs.sip.test_desk import shows
from tests.policy.samples import value_of
from tests.properties.wire import Player, Wire, staged
from tests.protocols.documents import CANARIES
from tests.stage import ALICE, BOB, DESK, Stage

pytestmark = pytest.mark.guard_refuses
LEAKED = [name for name in Field if name is not Field.AVAILABILITY]


def refusals(metrics: Metrics, protocol: str = "xmpp") -> float:
    """Gives how often the guard has refused."""
    return float(metrics.guard_refused(protocol).value)


def leaky(monkeypatch: pytest.MonkeyPatch, leaked: Field) -> None:
    """Makes strip() let one field too many through."""

    def strip(document: PresenceDocument, permitted: frozenset[Field]) -> PresenceDocument:
        return document.only(permitted | {leaked})

    monkeypatch.setattr(authorization, "strip", strip)


def public_but(leaked: Field) -> tuple[Stage, Wire]:
    """Gives a house in which the contact may see everything but one field."""
    stage, wire = staged("personal")
    player = Player(stage, wire)
    player.play(("ceiling", frozenset(Field) - {leaked}))
    stage.befriend(BOB)
    stage.house.published(ALICE, {name: value_of(name) for name in Field if name is not Field.AVAILABILITY})
    return stage, wire


@pytest.mark.parametrize("leaked", LEAKED, ids=lambda name: name.value)
def test_a_strip_that_leaks_one_field_is_caught_before_the_socket(
    leaked: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaky(monkeypatch, leaked)
    stage, wire = public_but(leaked)
    player = Player(stage, wire)
    player.play(("presence", BOB, DESK, frozenset(Field)))
    for kind in QueryKind:
        if kind not in (QueryKind.OTHER, QueryKind.FORM):
            player.play(("query", BOB, kind))
    assert refusals(stage.metrics) > 0


def test_the_contact_sees_nobody_there_and_the_next_stanza_goes() -> None:
    with pytest.MonkeyPatch.context() as patch:
        leaky(patch, Field.NOTE)
        stage, wire = public_but(Field.NOTE)
        Player(stage, wire).play(("presence", BOB, DESK, frozenset({Field.NOTE, Field.SHOW})))
        assert wire.to(BOB)[-1][1].endswith("type='unavailable'/>")
    before = refusals(stage.metrics)
    stage.pairs.refresh(stage.pairs.of(ALICE, BOB))
    stage.pairs.of(ALICE, BOB).permission.decided.clear()
    Player(stage, wire).play(("presence", BOB, DESK, frozenset({Field.NOTE, Field.MOOD})))
    assert "unavailable" not in wire.to(BOB)[-1][1]
    assert refusals(stage.metrics) == before


def test_a_writer_that_says_more_than_the_document_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, wire = public_but(Field.MOOD)
    original = dialect.OutwardPresence.write

    def write(self: Any, *given: Any) -> str:
        return original(self, *given).replace("</presence>", "<priority>5</priority></presence>")

    monkeypatch.setattr(dialect.OutwardPresence, "write", write)
    Player(stage, wire).play(("presence", BOB, DESK, frozenset({Field.NOTE})))
    assert refusals(stage.metrics) == 1
    assert "priority" not in "".join(text for _, text in wire.to(BOB))


def test_a_message_that_holds_too_much_comes_back_to_its_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, wire = public_but(Field.MOOD)
    monkeypatch.setattr(
        dialect, "write_message", lambda *given: messages.write_message(*given).replace("<body>", "<other/><body>")
    )
    stage.inside.taken()
    stage.house.receive(Envelope(DESK, BOB, Message(id="m1", bodies=(("", "hello"),)), Side.INTERNAL))
    assert wire.to(BOB) == []
    (back,) = stage.inside.taken()
    assert back.recipient == DESK and refusals(stage.metrics) == 1


@pytest.mark.parametrize("kind", [PIDF, CATEGORIES])
@pytest.mark.parametrize("leaked", [Field.NOTE, Field.MOOD, Field.PHONE_HOME, Field.WORKING_HOURS])
def test_a_leak_over_sip_becomes_nobody_there(leaked: Field, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    leaky(monkeypatch, leaked)
    scene = Scene("public")
    shows(scene, PresenceDocument({Field.AVAILABILITY: True, leaked: CANARIES[leaked][0]}))
    _, text = scene.watch(kind)
    assert text and CANARIES[leaked][1] not in text
    assert ("closed" in text) if kind == PIDF else ("18500" in text)


def test_a_guard_that_fails_lets_nothing_through() -> None:
    metrics = Metrics()
    guard = OutputGuard("sip", metrics)

    def broken(words: frozenset[str]) -> None:
        raise RuntimeError("a defect")

    assert not guard.passes(NOBODY, broken)
    assert refusals(metrics, "sip") == 1
