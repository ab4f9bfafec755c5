"""Two desks with a whole house between them: who is told what, when, and with which status."""

import pytest

from gateway.model.envelope import Envelope, Problem, Side
from gateway.model.message import ChatState, EncryptedPayload, Message
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument, Show
from gateway.model.subscription import Ask, State, Subscription
from gateway.protocols.sip.message import Request, Response
from tests.protocols.sip.talk import line, response
from tests.stage import ALICE as PERSON
from tests.stage import BOB as CONTACT
from tests.stage import DESK

from .ocs_scene import ALICE, BOB, PIDF, End, Scene, told

BUSY = PresenceDocument({Field.AVAILABILITY: True, Field.SHOW: Show.DND, Field.NOTE: (("", "Budget"),)})
OPEN = (
    "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='x'><tuple id='t'><status><basic>open</basic></status>"
    "<contact>sip:alice@corp.example</contact></tuple></presence>"
)


def shows(scene: Scene, document: PresenceDocument = BUSY) -> None:
    scene.house.receive(Envelope(DESK, CONTACT, Presence(document), Side.INTERNAL))


def states_of(sent: list[Request | Response]) -> list[str]:
    return [(one.headers.get("Subscription-State") or "").partition(";")[0] for one in sent if isinstance(one, Request)]


def message(scene: Scene, **fields: str | None) -> list[str]:
    given: dict[str, str | None] = {"Content_Type": "text/plain"}
    return [line(one) for one in scene.from_outside("MESSAGE", b"hi", **given | fields)]


def stranger(scene: Scene) -> None:
    """Lets bob be no subscriber."""
    scene.house.roster._states.set(PERSON, CONTACT, State.NONE)


# -- watchers --------------------------------------------------------------------------------------------------------


def test_approved_watcher_is_shown_the_present_at_once() -> None:
    scene = Scene("company")
    shows(scene)
    kind, text = scene.watch(PIDF)
    assert kind == PIDF and "Budget" in text


def test_stranger_waits_and_is_shown_the_first_document_at_once() -> None:
    scene = Scene("company")
    stranger(scene)
    given: dict[str, str | None] = {"Event": "presence"}
    sent = scene.from_outside("SUBSCRIBE", b"", **given)
    assert states_of(sent) == ["pending"] and told(sent) == ("", "")
    (asked,) = scene.asked_inside()
    assert scene.notify(asked, PIDF, OPEN)
    kind, text = scene.shown()
    assert kind == PIDF and "<basic>open</basic>" in text


def test_more_waits_for_its_turn_and_less_does_not() -> None:
    scene = Scene("company")
    shows(scene)
    scene.watch(PIDF)
    shows(scene, PresenceDocument({Field.AVAILABILITY: True}))
    assert "Budget" not in scene.shown()[1]
    shows(scene)
    assert scene.shown() == ("", "")
    assert "Budget" in scene.shown(5.0)[1]


def test_offline_is_a_closed_document_and_nothing_else() -> None:
    scene = Scene("company")
    shows(scene)
    scene.watch(PIDF)
    shows(scene, OFFLINE)
    _, text = scene.shown()
    assert "<basic>closed</basic>" in text and text.count("<tuple") == 1
    assert not [word for word in ("note", "person", "contact", "show") if f"<{word}" in text]


@pytest.mark.parametrize("status", [404, 410, 480, 604])
def test_who_does_not_exist_is_never_said(status: int) -> None:
    scene = Scene("company")
    stranger(scene)
    given: dict[str, str | None] = {"Event": "presence"}
    scene.from_outside("SUBSCRIBE", b"", **given)
    (asked,) = scene.asked_inside()
    scene.inside.hear(response(asked, status))
    scene.turn()
    assert scene.outside.taken() == []


@pytest.mark.parametrize("status", [403, 603])
def test_a_refusal_of_the_person_ends_the_subscription(status: int) -> None:
    scene = Scene("company")
    stranger(scene)
    given: dict[str, str | None] = {"Event": "presence"}
    scene.from_outside("SUBSCRIBE", b"", **given)
    (asked,) = scene.asked_inside()
    scene.inside.hear(response(asked, status))
    scene.turn()
    assert states_of(scene.outside.taken()) == ["terminated"]


def test_watcher_of_no_partner_is_refused() -> None:
    scene = Scene()
    assert scene.outside.desk.watcher(ALICE, "sip:eve@unknown.example") == 403
    assert scene.outside.desk.watcher(ALICE, "sip:@") == 403
    assert scene.outside.desk.session(ALICE, BOB) == 200


def test_subscriptions_are_kept_and_bad_ones_left_out() -> None:
    scene, again = Scene("company"), Scene("company")
    shows(scene)
    scene.watch(PIDF)
    kept = scene.outside.desk.to_plain()
    assert len(kept) == 1
    again.outside.desk.restore([{"dialog": 1}, *kept, {}])
    assert again.outside.agent.notifier.subscriptions(ALICE, BOB)
    shows(again)
    assert "Budget" in again.shown()[1]


# -- messages --------------------------------------------------------------------------------------------------------


def test_message_is_accepted_when_it_has_left() -> None:
    scene = Scene()
    assert message(scene) == ["202 MESSAGE"]
    (sent,) = scene.inside.taken()
    assert isinstance(sent, Request) and (sent.method, sent.body) == ("MESSAGE", b"hi")
    assert str(sent.from_.uri) == BOB and sent.uri == ALICE


def test_blocked_sender_hears_what_everybody_hears() -> None:
    scene = Scene("blocked")
    assert message(scene) == ["202 MESSAGE"]
    assert scene.inside.taken() == []


def test_too_long_a_message_comes_back() -> None:
    scene = Scene()
    refused = watched(scene.outside)
    scene.outside.desk.deliver(Envelope(PERSON, CONTACT, Message(bodies=(("", "x" * 2000),)), Side.INTERNAL))
    assert refused == [Problem.POLICY_VIOLATION]


def test_what_has_no_form_comes_back() -> None:
    scene = Scene()
    refused = watched(scene.outside)
    sealed = Message(encrypted=(EncryptedPayload("urn:example:sealed", "x"),))
    scene.outside.desk.deliver(Envelope(PERSON, CONTACT, sealed, Side.INTERNAL))
    assert refused == [Problem.NOT_ACCEPTABLE]


@pytest.mark.parametrize(("status", "problem"), [(404, Problem.ITEM_NOT_FOUND), (480, Problem.RECIPIENT_UNAVAILABLE)])
def test_status_of_the_peer_is_the_problem_of_the_sender(status: int, problem: Problem) -> None:
    scene = Scene()
    refused = watched(scene.outside)
    scene.outside.desk.deliver(Envelope(PERSON, CONTACT, Message(bodies=(("", "x"),)), Side.INTERNAL))
    scene.turn()
    (sent,) = scene.outside.taken()
    assert isinstance(sent, Request)
    scene.outside.hear(response(sent, status))
    assert refused == [problem]


def test_typing_alone_goes_in_a_session_or_not_at_all() -> None:
    scene = Scene()
    scene.outside.desk.deliver(Envelope(PERSON, CONTACT, Message(chat_state=ChatState.COMPOSING), Side.INTERNAL))
    scene.turn()
    assert scene.outside.taken() == []


def watched(end: End) -> list[Problem]:
    """Gives the list in which the problems of this end will be found."""
    found: list[Problem] = []

    class Ear:
        def undeliverable(self, envelope: Envelope, problem: Problem) -> None:
            found.append(problem)

    end.desk._post.house = Ear()
    return found


# -- our subscriptions -----------------------------------------------------------------------------------------------


def test_asking_again_tells_what_is_known() -> None:
    scene = Scene()
    ask = Envelope(PERSON, CONTACT, Subscription(Ask.SUBSCRIBE), Side.INTERNAL)
    scene.outside.desk.deliver(ask)
    scene.outside.turn()
    (sent,) = scene.outside.taken()
    assert isinstance(sent, Request) and (sent.method, sent.uri) == ("SUBSCRIBE", BOB)
    scene.notify(sent, PIDF, OPEN, end=scene.outside)
    scene.inside.taken()
    scene.outside.desk.deliver(Envelope(PERSON, CONTACT, Subscription(Ask.PROBE), Side.INTERNAL))
    scene.outside.turn()
    assert scene.outside.taken() == []
    scene.outside.desk.deliver(Envelope(PERSON, CONTACT, Subscription(Ask.UNSUBSCRIBE), Side.INTERNAL))
    scene.outside.turn()
    (ended,) = scene.outside.taken()
    assert isinstance(ended, Request) and ended.headers.get("Expires") == "0"
