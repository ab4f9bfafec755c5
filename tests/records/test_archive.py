"""The archive as a tap: what must be kept is on the disk before it goes on; what must not be kept is nowhere."""

import base64
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.task import deferLater

from gateway.metrics import Metrics
from gateway.model.chain import Anchor, canonical
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.message import ChatState, EncryptedPayload, Message, MessageKind
from gateway.model.records import Record, RecordKind, body_text, verify_records
from gateway.policy.archiving import ArchiveRule, Mode
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.records.archive import Archive, ArchiveRules, Surroundings
from gateway.store.archive import PASSED, ArchiveStore, Place, chained
from gateway.store.archive_reading import ArchiveSearch, lines, search
from gateway.store.ledger import anchors
from gateway.store.sealing import Keys
from tests.stage import ALICE, BOB, CAROL, DESK, PARTNER, TABLET, Stage, away

CANARY = "canary7f3a"
HELLO = Message(MessageKind.CHAT, "m1", bodies=(("", CANARY),), thread="t1")
KEY = base64.b64encode(bytes(range(32))).decode()
CONTENT, ACTIVITY = ArchiveRule(Mode.CONTENT), ArchiveRule(Mode.ACTIVITY)
CRITICAL = ArchiveRule(Mode.CONTENT, critical=True)
GROUPS = {str(ALICE): frozenset({"sales"})}


@define
class Kept:
    """Is an archive on a disk, and a stage whose house records in it."""

    place: Place
    archive: Archive
    stage: Stage

    async def until(self, done: Callable[[], object]) -> None:
        """Waits until something is so, a few seconds at most."""
        end = time.monotonic() + 10
        while not done():
            assert time.monotonic() < end, "it does not come"
            await deferLater(reactor, 0.01)

    async def quiet(self) -> None:
        """Waits until nothing waits for the disk."""
        await self.until(lambda: self.archive.journal.newest is None)

    def found(self, **wanted: Any) -> list[dict[str, Any]]:
        return search(self.place, self.archive.keys, ArchiveSearch(**wanted), 1000)

    def kinds(self, **wanted: Any) -> list[str]:
        return [record["kind"] for record in self.found(**wanted)]

    def verified(self) -> int:
        done, closed = verify_records(lines(self.place, self.archive.keys), anchors(self.place.path))
        assert closed == 0
        return done.entries


def kept_in(place: Place, *rules: ArchiveRule, groups: Any = GROUPS) -> Kept:
    """Opens an archive."""
    archive = Archive(ArchiveStore(place, reactor), Keys.parse(KEY), ArchiveRules(rules), Metrics(), reactor, time.time)
    stage = Stage(taps=[archive])
    stage.befriend()
    stage.level("team")
    facts = lambda envelope: stage.house.relay.pair_of(envelope).facts  # noqa: E731
    archive.attach(Surroundings(facts, lambda person: groups.get(person, frozenset()) if groups is not None else None))
    return Kept(place, archive, stage)


@pytest_twisted.async_yield_fixture
async def keep(tmp_path: Path) -> AsyncIterator[Callable[..., Kept]]:
    opened: list[Kept] = []

    def keep(*rules: ArchiveRule, **more: Any) -> Kept:
        opened.append(kept_in(Place(tmp_path / "archive.db"), *rules, **more))
        return opened[-1]

    yield keep
    for each in opened:
        await each.archive.close()


Keep = Callable[..., Kept]


@pytest_twisted.ensureDeferred
async def test_a_conversation_is_kept_from_both_sides_and_its_text_opens_with_the_key_only(keep: Keep) -> None:
    kept = keep(CONTENT)
    stage = kept.stage
    assert len(stage.from_inside(DESK, BOB, HELLO)) == 1
    assert len(stage.from_outside(TABLET, ALICE, Message(MessageKind.CHAT, "m2", bodies=(("en", "fine"),)))) == 1
    await kept.quiet()
    begun, said, answered = kept.found()
    assert (begun["kind"], begun["by"], begun["level"], begun["partner"], begun["protocol"], begun["mode"]) == (
        "conversation",
        "out",
        "team",
        "partner.example",
        "xmpp",
        "content",
    )
    assert {(each["about"], each["to"]) for each in (begun, said, answered)} == {(str(ALICE), str(BOB))}
    assert [each["direction"] for each in (said, answered)] == ["out", "in"]
    assert said["text"]["bodies"] == [["", CANARY]]
    assert (said["text"]["id"], said["text"]["thread"]) == ("m1", "t1")
    assert answered["text"]["bodies"] == [["en", "fine"]]
    assert len({each["conversation"] for each in (begun, said, answered)}) == 1
    assert kept.verified() == 3
    raw = b"".join(path.read_bytes() for path in kept.place.path.parent.iterdir())
    assert CANARY.encode() not in raw and b"fine" not in raw
    other = Keys.parse(base64.b64encode(b"o" * 32).decode())
    assert search(kept.place, other, ArchiveSearch(), 10)[1]["text"] == {"unreadable": True}


@pytest_twisted.ensureDeferred
async def test_activity_has_no_texts_and_nothing_made_from_them(keep: Keep) -> None:
    kept = keep(ACTIVITY)
    kept.stage.from_inside(DESK, BOB, HELLO)
    await kept.quiet()
    begun, said = kept.found()
    assert (begun["mode"], said["text"], said["open"]) == ("activity", {}, False)
    assert set(said) == {
        "seq",
        "at",
        "kind",
        "seal",
        "direction",
        "outcome",
        "conversation",
        "about",
        "to",
        "text",
        "open",
    }


@pytest.mark.parametrize("body", [None, Message(MessageKind.CHAT, bodies=(("", CANARY),))])
@pytest.mark.parametrize("facts", PASSED)
def test_what_most_records_are_is_written_quickly_and_alike(facts: Any, body: Any) -> None:
    record = Record(1.0005, RecordKind.MESSAGE, facts, conversation=7, body=body)
    (made,), _ = chained([record], Anchor(41, "0" * 64), Keys.parse(KEY))
    entry = json.loads(made[6])
    assert made[6] == canonical(record.entry(42, "", entry.get("body", "")))
    assert bool(entry.get("body")) is (body is not None)


_WORDS = st.text(max_size=20)
_TEXTS = st.lists(st.tuples(_WORDS, _WORDS), max_size=3).map(tuple)


@given(
    st.builds(
        Message,
        st.sampled_from(MessageKind),
        _WORDS,
        _TEXTS,
        _TEXTS,
        _WORDS,
        replaces=_WORDS,
        delayed_since=st.none() | st.floats(1, 2e9),
        encrypted=st.lists(st.builds(EncryptedPayload, _WORDS, _WORDS), max_size=2).map(tuple),
        notice=st.booleans(),
    )
)
def test_what_was_said_is_written_quickly_and_in_the_one_form_that_is_hashed(message: Message) -> None:
    told = {
        "kind": message.kind.value,
        "id": message.id,
        "bodies": message.bodies,
        "subjects": message.subjects,
        "thread": message.thread,
        "replaces": message.replaces,
        "notice": message.notice,
        "delayed_since": message.delayed_since,
        "encrypted": [(each.scheme, each.form) for each in message.encrypted],
    }
    assert body_text(message, "5a17") == canonical({**{k: v for k, v in told.items() if v}, "salt": "5a17"})


@pytest_twisted.ensureDeferred
async def test_without_a_rule_nothing_is_kept(keep: Keep) -> None:
    kept = keep()
    kept.stage.from_inside(DESK, BOB, HELLO)
    kept.stage.from_outside(TABLET, ALICE, HELLO)
    kept.stage.online()
    await kept.quiet()
    assert kept.found() == []


@pytest_twisted.ensureDeferred
async def test_rules_choose_by_partner_person_and_side(keep: Keep) -> None:
    kept = keep(
        ArchiveRule(Mode.ACTIVITY),
        ArchiveRule(Mode.NONE, partner="ally.example"),
        ArchiveRule(Mode.CONTENT, person=str(ALICE), side=Side.EXTERNAL),
    )
    kept.stage.befriend(CAROL)
    kept.stage.from_inside(DESK, CAROL, HELLO)
    kept.stage.from_inside(DESK, BOB, HELLO)
    kept.stage.from_outside(TABLET, ALICE, HELLO)
    await kept.quiet()
    assert kept.found(to=str(CAROL)) == []
    _, out, back = kept.found()
    assert (out["open"], back["open"]) == (False, True)


@pytest_twisted.ensureDeferred
async def test_typing_and_receipts_are_not_kept(keep: Keep) -> None:
    kept = keep(CONTENT)
    kept.stage.from_inside(DESK, BOB, Message(MessageKind.CHAT, chat_state=ChatState.COMPOSING))
    kept.stage.from_inside(DESK, BOB, Message(receipt_for="m1"))
    await kept.quiet()
    assert kept.found() == []


@pytest_twisted.ensureDeferred
async def test_what_is_encrypted_is_kept_as_it_is(keep: Keep) -> None:
    kept = keep(CONTENT)
    sealed = Message(encrypted=(EncryptedPayload("urn:xmpp:openpgp:0", "<x/>"),))
    verdict = Verdict(Decision.DELIVER, Reason.ALLOWED, "team", sealed)
    kept.archive.record(Envelope(DESK, BOB, sealed, Side.INTERNAL), verdict)
    await kept.quiet()
    assert kept.found()[-1]["text"]["encrypted"] == [["urn:xmpp:openpgp:0", "<x/>"]]


@pytest_twisted.ensureDeferred
async def test_of_what_is_refused_is_kept_that_it_was_and_why(keep: Keep) -> None:
    kept = keep(CRITICAL)
    kept.stage.level("blocked")
    kept.stage.from_outside(TABLET, ALICE, HELLO)
    await kept.quiet()
    (refused,) = kept.found()
    assert (refused["kind"], refused["outcome"], refused["rule"], refused["open"]) == (
        "message",
        "refused",
        "blocked",
        False,
    )
    assert (refused["about"], refused["to"]) == (str(ALICE), str(BOB))


@pytest_twisted.ensureDeferred
async def test_sign_ins_are_kept_once_whoever_is_told(keep: Keep) -> None:
    kept = keep(ACTIVITY)
    stage = kept.stage
    stage.befriend(CAROL)
    stage.online(BOB)
    stage.online(CAROL)
    stage.from_inside(DESK, BOB, away())
    await kept.quiet()
    assert kept.kinds() == ["sign-in"]
    stage.from_inside(DESK, CAROL, away())
    await kept.quiet()
    assert [(each["kind"], each["about"], each["to"]) for each in kept.found()] == [
        ("sign-in", str(ALICE), ""),
        ("sign-out", str(ALICE), ""),
    ]


@pytest_twisted.ensureDeferred
async def test_silence_ends_a_conversation_with_its_counts(keep: Keep) -> None:
    kept = keep(ACTIVITY)
    kept.stage.from_inside(DESK, BOB, HELLO)
    kept.stage.from_inside(DESK, BOB, HELLO)
    kept.stage.from_outside(TABLET, ALICE, HELLO)
    now = time.time()
    kept.archive._now = lambda: now + 3600
    kept.archive.tick()
    await kept.quiet()
    ended = kept.found()[-1]
    assert (ended["kind"], ended["out"], ended["in"], ended["about"]) == ("end", 2, 1, str(ALICE))
    assert abs(ended["ended"] / 1000 - now) < 10
    assert kept.verified() == 5


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("side", list(Side))
async def test_what_is_critical_waits_for_the_disk_on_both_sides(keep: Keep, side: Side) -> None:
    kept = keep(CRITICAL)
    stage = kept.stage
    out = stage.from_inside(DESK, BOB, HELLO) if side is Side.INTERNAL else stage.from_outside(TABLET, ALICE, HELLO)
    assert out == []
    leg = stage.outside if side is Side.INTERNAL else stage.inside
    await kept.until(lambda: leg.out)
    assert kept.kinds() == ["conversation", "message"]
    (gone,) = leg.taken()
    assert gone.content.bodies == HELLO.bodies


@pytest_twisted.ensureDeferred
async def test_what_is_critical_comes_back_while_the_archive_is_not_written_and_presence_goes_on(keep: Keep) -> None:
    kept = keep(CRITICAL)
    stage = kept.stage
    kept.archive.journal.close("the disk is full")
    assert stage.from_inside(DESK, BOB, HELLO) == []
    (back,) = stage.inside.taken()
    assert back.content == Bounce("message", "m1", Problem.RESOURCE_CONSTRAINT)
    assert stage.from_outside(TABLET, ALICE, HELLO) == []
    (back,) = stage.outside.taken()
    assert back.content == Bounce("message", "m1", Problem.RESOURCE_CONSTRAINT)
    assert len(stage.online()) == 1
    assert kept.archive._metrics.archive_up().value == 0
    kept.archive.tick()
    assert kept.archive.check() is None and kept.archive._metrics.archive_up().value == 1
    stage.from_inside(DESK, BOB, HELLO)
    await kept.until(lambda: stage.outside.out)
    await kept.quiet()
    begun, *_ = kept.found()
    assert (begun["kind"], begun["missed"]) == ("start", 3)  # the sign-in as well
    assert kept.kinds()[-2:] == ["conversation", "message"]


@pytest_twisted.ensureDeferred
async def test_what_is_not_critical_goes_on_and_is_counted(keep: Keep) -> None:
    kept = keep(CONTENT)
    kept.archive.journal.close("the disk is full")
    assert len(kept.stage.from_inside(DESK, BOB, HELLO)) == 1
    assert len(kept.stage.from_outside(TABLET, ALICE, HELLO)) == 1
    assert kept.archive._metrics.archive_records("failed").value == 2


@pytest_twisted.ensureDeferred
async def test_a_key_that_cannot_seal_refuses_what_is_critical(keep: Keep) -> None:
    kept = keep(CRITICAL)
    kept.archive.keys = None  # type: ignore[assignment]
    assert kept.stage.from_inside(DESK, BOB, HELLO) == []
    await kept.until(lambda: kept.stage.inside.out)
    assert kept.stage.outside.taken() == []
    kept.archive.keys = Keys.parse(KEY)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("rule", "records"),
    [
        (ArchiveRule(Mode.CONTENT, group="sales"), False),
        (ArchiveRule(Mode.CONTENT, True, group="sales"), True),
    ],
)
async def test_while_groups_are_not_known_only_what_is_critical_is_kept(
    keep: Keep, rule: ArchiveRule, records: bool
) -> None:
    kept = keep(rule, groups=None)
    kept.stage.from_inside(DESK, BOB, HELLO)
    await kept.quiet()
    assert bool(kept.found()) is records


@pytest_twisted.ensureDeferred
async def test_new_rules_count_for_the_next_message(keep: Keep) -> None:
    kept = keep(CONTENT)
    kept.stage.from_inside(DESK, BOB, HELLO)
    kept.archive.take(ArchiveRules((ArchiveRule(Mode.NONE),)), kept.archive.keys)
    kept.stage.from_inside(DESK, BOB, HELLO)
    await kept.quiet()
    assert kept.kinds() == ["conversation", "message"]


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("fault", ["full", "locked"])
async def test_a_file_that_is_full_or_locked_refuses_what_is_critical_until_it_is_well(keep: Keep, fault: str) -> None:
    kept = keep(CRITICAL)
    stage = kept.stage
    stage.from_inside(DESK, BOB, HELLO)
    await kept.until(lambda: stage.outside.taken())
    other = sqlite3.connect(kept.place.path, isolation_level=None)
    if fault == "locked":
        other.execute("BEGIN IMMEDIATE")
    else:
        limit_room(kept)
    large = Message(MessageKind.CHAT, "m2", bodies=(("", "x" * 300_000),))
    stage.house.receive(Envelope(DESK, BOB, large, Side.INTERNAL))
    stage.house.receive(Envelope(TABLET, ALICE, large, Side.EXTERNAL))
    refused = Bounce("message", "m2", Problem.RESOURCE_CONSTRAINT)
    await kept.until(lambda: stage.inside.out and stage.outside.out)
    assert [envelope.content for envelope in (*stage.inside.taken(), *stage.outside.taken())] == [refused, refused]
    assert ("locked" if fault == "locked" else "full") in (kept.archive.check() or "")
    if fault == "locked":
        other.execute("ROLLBACK")
    else:
        limit_room(kept, 2**30)
    other.close()
    await kept.until(lambda: (kept.archive.tick(), kept.archive.check())[1] is None)
    stage.from_inside(DESK, BOB, HELLO)
    await kept.until(lambda: stage.outside.taken())
    assert kept.verified() == len(kept.found())


def limit_room(kept: Kept, pages: int = 0) -> None:
    """Lets the file have so many pages at most; the one that writes finds it full with 0 more than it has."""
    kept.archive.store.write(((f"PRAGMA max_page_count = {pages or 1}", ()),))


@pytest_twisted.ensureDeferred
async def test_what_is_said_to_the_gateway_itself_is_not_kept(keep: Keep) -> None:
    kept = keep(CRITICAL)
    house = evolve(PARTNER, house=True)
    verdict = Verdict(Decision.DELIVER, Reason.ALLOWED, "team", HELLO)
    facts = evolve(kept.stage.pairs.of(ALICE, BOB).facts, partner=house)
    kept.archive.attach(Surroundings(lambda envelope: facts, lambda person: frozenset()))
    assert kept.archive.record(Envelope(DESK, BOB, HELLO, Side.INTERNAL), verdict) is None
    await kept.quiet()
    assert kept.found() == []
