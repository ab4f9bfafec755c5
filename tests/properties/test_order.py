"""Order within a pair of people, and the table of subscriptions, over links that come and go and over restarts."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, Side
from gateway.model.message import Message
from gateway.model.subscription import INBOUND, OUTBOUND, Ask, State, Subscription
from gateway.queues.outbox import LinkClosed, Outbox, OutboxLimits
from gateway.store.database import Database
from gateway.store.subscriptions import SubscriptionStore
from tests.properties.wire import profile
from tests.stage import ALICE, BOB, CAROL, DESK, Stage, here

happenings = st.lists(
    st.one_of(
        st.sampled_from(["message", "ask", "presence", "down", "fails", "late"]),
        st.tuples(st.just("up"), st.integers(0, 6)),
    ),
    max_size=60,
)


@profile
@given(happenings)
def test_each_envelope_is_sent_or_refused_once_and_in_its_order(history: list[str | tuple[str, int]]) -> None:
    """Conservation (I24) and order per pair (I25): what was put in is out, back, or still waiting."""
    clock, sent, refused, put = Clock(), [], [], []
    box = Outbox(
        OutboxLimits(stanzas=8, seconds=60, bytes=4000),
        lambda envelope: envelope,
        lambda envelope, problem: refused.append(envelope.content.id),  # type: ignore[union-attr]
        clock.seconds,
    )
    for number, what in enumerate(history):
        if isinstance(what, tuple):
            left = [what[1]]

            def transmit(envelope: Envelope, left: list[int] = left) -> None:
                left[0] -= 1
                if left[0] < 0:
                    raise LinkClosed
                sent.append(getattr(envelope.content, "id", ""))

            box.opened(transmit)
        elif what == "down":
            box.closed()
        elif what == "fails" and not box.is_open:
            box.failed(Problem.REMOTE_SERVER_TIMEOUT)
        elif what == "late":
            clock.advance(40)
            box.expire()
        elif what in ("message", "ask", "presence"):
            identity = str(number)
            content = {"message": Message(id=identity), "ask": Subscription(Ask.SUBSCRIBED, identity)}.get(what, here())
            box.put(Envelope(ALICE, BOB, content, Side.INTERNAL))
            put += [identity] if what != "presence" else []
    numbers = [identity for identity in sent if identity]
    assert numbers == sorted(numbers, key=int), "order"
    assert len(set(numbers)) == len(numbers), "nothing twice"
    assert not set(numbers) & set(refused)
    waiting = sum(1 for _ in box._waiting)
    assert len(put) == len(numbers) + len(refused) + waiting, "nothing lost"
    assert box.bytes == sum(entry.weight for entry in (*box._waiting, *box._presence.values()))


moves = st.lists(
    st.tuples(
        st.booleans(), st.sampled_from([BOB, CAROL]), st.sampled_from([one for one in Ask if one is not Ask.PROBE])
    ),
    max_size=20,
)


@profile
@given(moves)
def test_subscriptions_follow_the_table_whatever_comes(history: list[tuple[bool, Address, Ask]]) -> None:
    stage, states = Stage(), {BOB: State.NONE, CAROL: State.NONE}
    for outward, contact, asked in history:
        side = Side.INTERNAL if outward else Side.EXTERNAL
        sender, recipient = (DESK, contact) if outward else (contact, ALICE)
        stage.house.receive(Envelope(sender, recipient, Subscription(asked, "s"), side))
        states[contact] = (OUTBOUND if outward else INBOUND)[states[contact], asked].state
    assert {contact: stage.states.state(ALICE, contact) for contact in states} == states
    assert all(stage.pairs.of(ALICE, contact).facts.subscription is state for contact, state in states.items())
    kept = stage.house.roster._kept
    assert {contact.domain: kept[contact.domain] for contact in states} == {
        contact.domain: int(state is not State.NONE) for contact, state in states.items()
    }


class _Threads:
    """Runs what the writer thread reports when it is asked to."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def callFromThread(self, call: object, *arguments: object) -> None:
        self.calls.append((call, *arguments))


def test_every_state_survives_a_round_trip_through_the_store(tmp_path: Path) -> None:
    people = {Address.parse(f"a{number}@corp.example"): state for number, state in enumerate(State)}
    database = Database(tmp_path / "s.db", _Threads())
    store = SubscriptionStore(database)
    for person, state in people.items():
        store.set(person, BOB, state)
    database.close()
    database._writer._thread.join(10)
    database._closed()
    again = Database(tmp_path / "s.db", _Threads())
    read = SubscriptionStore(again)
    assert {person: read.state(person, BOB) for person in people} == people
    again.close()
    again._writer._thread.join(10)
