"""Storms and echoes: what comes by the hundred costs little, and errors have no answer (protocols.md L-04, L-05)."""

from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.presence import Field, Presence, PresenceDocument, Show
from gateway.protocols.sip.message import Request
from tests.stage import ALICE as PERSON
from tests.stage import BOB as CONTACT
from tests.stage import DESK

from .ocs_scene import PIDF, Scene

SHOWS = (Show.DND, Show.AWAY, Show.XA, Show.CHAT)


def requests(sent: list[object], method: str) -> list[Request]:
    return [one for one in sent if isinstance(one, Request) and one.method == method]


def test_a_flood_of_fetches_asks_our_own_server_once() -> None:
    scene = Scene("company")
    answers = 0
    for _ in range(200):
        sent = scene.from_outside("SUBSCRIBE", Event="presence", Expires="0")
        answers += len([one for one in sent if not isinstance(one, Request)])
    assert answers == 200
    assert len(requests([*scene.inside.taken()], "SUBSCRIBE")) <= 1


def test_a_flood_of_changes_is_one_notification_in_five_seconds() -> None:
    scene = Scene("company")
    scene.watch(PIDF)
    scene.turn(6.0)
    scene.outside.taken()
    for number in range(200):
        document = PresenceDocument({Field.AVAILABILITY: True, Field.SHOW: SHOWS[number % 4]})
        scene.house.receive(Envelope(DESK, CONTACT, Presence(document), Side.INTERNAL))
        scene.turn(0.02)
    told = requests([*scene.outside.taken()], "NOTIFY")
    assert len(told) <= 2
    scene.turn(6.0)
    (last,) = requests([*scene.outside.taken()], "NOTIFY")
    assert b"chat" in last.body, "the latest is told"


def test_an_error_about_an_error_presence_or_a_question_ends() -> None:
    scene = Scene("company")
    for of in ("message", "presence", "query"):
        bounce = Bounce(of, "m1", Problem.SERVICE_UNAVAILABLE)
        scene.outside.desk.deliver(Envelope(PERSON, CONTACT, bounce, Side.INTERNAL))
    scene.turn()
    assert scene.outside.taken() == []


def test_subscriptions_to_a_server_that_is_back_are_refreshed_apart() -> None:
    scene = Scene("company")
    subscriber = scene.inside.agent.subscriber
    numbers = iter((0.1, 0.5, 0.9, 0.3) * 10)
    object.__setattr__(scene.inside.agent.station, "jitter", lambda: next(numbers))
    for name in ("alice", "dave", "erin"):
        person = PERSON.parse(f"{name}@corp.example")
        scene.house.roster._states.set(person, CONTACT, scene.house.roster._states.state(PERSON, CONTACT))
        scene.house.roster._ask_inside(scene.house.pairs.of(person, CONTACT))
    body = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='x'/>"
    for asked in scene.asked_inside():
        scene.notify(asked, PIDF, body)
    assert len(subscriber) == 3
    scene.inside.taken()
    scene.inside.desk.back("corp.example")
    times = []
    for tenth in range(60):
        scene.turn(0.1)
        times += [tenth] * len(requests([*scene.inside.taken()], "SUBSCRIBE"))
    assert len(times) == 3 and len(set(times)) == 3
