"""The protocol log: for whom, until when, in which file; and never what somebody said."""

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from gateway.config.federation import Day
from gateway.config.informing import Scoped, TraceTerms
from gateway.errors import CommandError
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.message import Message, MessageKind
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import Ask, State, Subscription
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.records.signalling import Signal, Way, Wire, Word
from gateway.records.trace_file import TraceFile
from gateway.records.tracing import Tracing, party_of

CANARY = "canary-4711"
ALICE, CAROL = Address.parse("alice@corp.example"), Address.parse("carol@corp.example")
BOB, DAVE = Address.parse("bob@partner.example"), Address.parse("dave@ally.example")
GROUPS = {"carol@corp.example": frozenset({"council"})}


class Known:
    """Two partners, one of whom has two domains."""

    def ours(self, domain: str) -> bool:
        return domain == "corp.example"

    def groups(self, person: str) -> frozenset[str]:
        return GROUPS.get(person, frozenset())

    def partner(self, domain: str) -> frozenset[str]:
        both = frozenset({"partner.example", "chat.partner.example"})
        return both if domain in both else frozenset({"ally.example"} & {domain})

    def state(self, one: Address, other: Address) -> State:
        return State.BOTH


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made(tmp_path: Path, clock: Clock) -> Callable[..., Tracing]:
    return lambda *scopes: Tracing(Known(), TraceTerms(scope=scopes), tmp_path, clock)


def signal(sender: Address = BOB, recipient: Address = ALICE) -> Signal:
    return Signal(wire=Wire.XMPP, side=Side.EXTERNAL, way=Way.IN, word=Word.MESSAGE, sender=sender, recipient=recipient)


def lines(tracing: Tracing) -> list[dict[str, Any]]:
    tracing.file.flush()
    try:
        return [json.loads(line) for line in tracing.file.path.read_text().splitlines()]
    except FileNotFoundError:
        return []


def begun(tracing: Tracing, text: str, clock: Clock, seconds: float = 600) -> None:
    tracing.begin(evolve(party_of(text, tracing.known), until=clock() + seconds))


def test_nothing_is_written_by_default(made: Any) -> None:
    tracing = made()
    tracing.note(signal)
    tracing.note(lambda: 1 / 0)
    assert not tracing.on and lines(tracing) == [] and not tracing.file.path.exists()


def test_a_partner_is_traced_under_all_its_domains_until_the_end(made: Any, clock: Clock) -> None:
    tracing = made()
    switched: list[bool] = []
    tracing.on_switch = switched.append
    begun(tracing, "chat.partner.example", clock)
    tracing.note(signal)
    tracing.note(signal, DAVE)
    tracing.note(signal, ALICE, Address.parse("bob@chat.partner.example"))
    assert [line["from"] for line in lines(tracing)] == ["bob@partner.example", "alice@corp.example"]
    clock.seconds += 600
    tracing.note(signal)
    tracing.tick()
    assert switched == [True, False] and not tracing.runs and len(lines(tracing)) == 2


def test_a_person_is_traced_and_nobody_else(made: Any, clock: Clock) -> None:
    tracing = made()
    begun(tracing, "alice@corp.example", clock)
    tracing.note(signal)
    tracing.note(signal, BOB, CAROL)
    assert [line["to"] for line in lines(tracing)] == ["alice@corp.example"]


def test_a_lock_of_the_administrator_keeps_a_group_out(made: Any, clock: Clock) -> None:
    tracing = made(Scoped(on=False, whom="council", locked=True))
    begun(tracing, "partner.example", clock)
    tracing.note(signal)
    tracing.note(signal, BOB, CAROL)
    tracing.note(signal, CAROL, BOB)
    assert [line["to"] for line in lines(tracing)] == ["alice@corp.example"]
    with pytest.raises(CommandError, match="for a group that this person is in"):
        begun(tracing, "carol@corp.example", clock)


def test_a_lock_for_everybody_refuses_every_trace(made: Any, clock: Clock) -> None:
    tracing = made(Scoped(on=False, locked=True))
    for whom in ("partner.example", "alice@corp.example"):
        with pytest.raises(CommandError, match="for everybody"):
            begun(tracing, whom, clock)
    assert not tracing.on


@pytest.mark.parametrize("text", ["stranger.example", "bob@partner.example", "", "nobody", "corp.example", "@"])
def test_whom_a_trace_may_name(text: str) -> None:
    with pytest.raises(CommandError):
        party_of(text, Known())


def test_the_same_is_not_traced_twice_and_can_be_ended(made: Any, clock: Clock) -> None:
    tracing = made()
    begun(tracing, "partner.example", clock)
    with pytest.raises(CommandError, match="already"):
        begun(tracing, "partner.example", clock)
    assert tracing.end("partner.example") and not tracing.end("partner.example") and not tracing.on


def test_decisions_name_fields_and_states_and_nothing_else(made: Any, clock: Clock) -> None:
    tracing = made()
    begun(tracing, "partner.example", clock)
    document = PresenceDocument({Field.AVAILABILITY: True, Field.NOTE: (("", CANARY),), Field.PHONE_HOME: (CANARY,)})
    said = Message(MessageKind.CHAT, CANARY, (("", CANARY),), thread=CANARY)
    told = Verdict(
        Decision.DELIVER,
        Reason.ALLOWED,
        CANARY,
        Presence(document),
        sent=frozenset({Field.AVAILABILITY}),
        withheld={Field.NOTE: Reason.LEVEL},
    )
    tracing.record(Envelope(ALICE.at(CANARY), BOB, Presence(document), Side.INTERNAL), told)
    tracing.record(
        Envelope(BOB.at(CANARY), ALICE, said, Side.EXTERNAL),
        Verdict(Decision.REFUSE, Reason.BLOCKED, CANARY),
    )
    tracing.record(
        Envelope(BOB, ALICE, Subscription(Ask.SUBSCRIBE, CANARY), Side.EXTERNAL),
        Verdict(Decision.DELIVER, Reason.ALLOWED, CANARY, Subscription(Ask.SUBSCRIBE, CANARY)),
    )
    shown = lines(tracing)
    assert [line["about"] for line in shown] == ["presence", "message", "subscription"]
    assert shown[0]["fields"] == ["availability"] and shown[0]["withheld"] == ["note"]
    assert (shown[1]["word"], shown[1]["reason"], shown[1]["size"]) == ("refuse", "blocked", len(CANARY))
    assert shown[2]["state"] == "both"
    assert CANARY not in tracing.file.path.read_text()


def test_a_fault_in_a_leg_s_note_hurts_nobody(made: Any, clock: Clock) -> None:
    tracing = made()
    begun(tracing, "partner.example", clock)

    def broken() -> Signal:
        raise ValueError(CANARY)

    tracing.note(broken)
    tracing.note(signal)
    assert len(lines(tracing)) == 1


def test_who_listens_hears_each_line(made: Any, clock: Clock) -> None:
    tracing = made()
    begun(tracing, "partner.example", clock)
    heard: list[str] = []
    tracing.listeners.add(lambda noted, line, whom: heard.append(line))
    tracing.note(signal)
    assert json.loads(heard[0])["word"] == "message"


def test_files_are_bounded_and_for_our_own_user_only(tmp_path: Path, clock: Clock) -> None:
    file = TraceFile(tmp_path / "trace.log", 5000, 3, 7, clock)
    for number in range(400):
        file.write(json.dumps({"number": number, "filling": "x" * 100}))
    file.close()
    names = sorted(place.name for place in tmp_path.iterdir())
    assert names == ["trace.log", "trace.log.1", "trace.log.2"]
    assert all(place.stat().st_size <= 5000 for place in tmp_path.iterdir())
    assert {stat.S_IMODE(place.stat().st_mode) for place in tmp_path.iterdir()} == {0o600}
    assert json.loads((tmp_path / "trace.log").read_text().splitlines()[-1])["number"] == 399


def test_old_and_surplus_files_are_removed(tmp_path: Path, clock: Clock) -> None:
    for name, age in (("trace.log", 8), ("trace.log.1", 9), ("trace.log.2", 1), ("trace.log.9", 1)):
        (tmp_path / name).write_text("{}\n")
        then = clock() - age * 86_400
        os.utime(tmp_path / name, (then, then))
    TraceFile(tmp_path / "trace.log", 5000, 5, 7, clock).prune()
    assert [place.name for place in tmp_path.iterdir()] == ["trace.log.2"]


def test_what_is_written_about_somebody_is_found_and_taken_out(made: Any, clock: Clock) -> None:
    tracing = made()
    begun(tracing, "partner.example", clock)
    tracing.note(signal)
    tracing.note(signal, BOB, CAROL)
    tracing.file.close()
    tracing.file.path.rename(tracing.file.path.with_name("trace.log.1"))
    tracing.note(signal)
    assert len(tracing.file.about(ALICE)) == 2 and len(tracing.file.about(BOB)) == 3
    assert tracing.file.forget(ALICE) == 2 and tracing.file.about(ALICE) == []
    assert [line["to"] for line in tracing.file.about(BOB)] == ["carol@corp.example"]
    tracing.note(signal)
    assert len(lines(tracing)) == 1
    assert {stat.S_IMODE(place.stat().st_mode) for place in tracing.file.path.parent.iterdir()} == {0o600}


def test_a_link_in_the_file_s_place_is_not_followed(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "trace.log").symlink_to(tmp_path / "elsewhere")
    file = TraceFile(tmp_path / "trace.log", 5000, 3, 7, clock)
    file.write("{}")
    assert file.lost == 1 and not (tmp_path / "elsewhere").exists()


def test_a_scope_of_the_configuration_counts_until_its_day(made: Any, clock: Clock) -> None:
    day = Day(datetime.fromtimestamp(clock(), UTC).date())
    tracing = made(Scoped(on=True, partner="partner.example", until=day))
    tracing.note(signal)
    clock.seconds = day.end
    tracing.note(signal)
    tracing.tick()
    assert len(lines(tracing)) == 1 and not tracing.on
