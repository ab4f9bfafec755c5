"""Who asks for too many of our people, and whose questions come to nothing (OCS: discovered partners)."""

from attrs import evolve

from gateway.federation.watches import LEAST_FAILED, MOST_ADDRESSES, MOST_WATCHED, PERIOD_SECONDS, Watches
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.message import Message, MessageKind
from gateway.model.subscription import Ask, State
from gateway.policy.access_level import STANDARD, Assignment, Member
from gateway.policy.partners import DISCOVERED_RATES, Discovery, Partners, Start, Verification
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.policy.walls import Right, Wall
from tests.stage import ALICE, BOB, CAROL, DESK, EVE, PARTNER, START, Stage, ask, documents, here

TEXT = Message(MessageKind.CHAT, "m1", bodies=(("", "hello"),))
FOUND = evolve(PARTNER, found=True, rates=evolve(DISCOVERED_RATES, people=3))


def people(number: int) -> list[Address]:
    """Addresses of ours, existing or not."""
    return [Address.parse(f"p{count}@corp.example") for count in range(number)]


def refused(stage: Stage) -> list[Problem]:
    """What the contact was told of his messages."""
    return [each.content.problem for each in stage.outside.taken() if isinstance(each.content, Bounce)]


def test_a_discovered_partner_reaches_so_many_addresses_and_no_more() -> None:
    stage = Stage(FOUND)
    for person in people(3):
        assert stage.from_outside(BOB, person, TEXT)
    stage.outside.taken()
    (late, _) = people(5)[3:]
    assert not stage.from_outside(BOB, late, TEXT)
    assert refused(stage) == [Problem.SERVICE_UNAVAILABLE]
    assert stage.from_outside(BOB, people(1)[0], TEXT), "whom it has reached before it reaches again"
    counted = stage.metrics.decisions("partner.example", "message", "public", "refuse", Reason.HARVEST)
    assert counted.value == 1


def test_whoever_knows_the_contact_is_no_harvest() -> None:
    stage = Stage(FOUND)
    for person in people(3):
        stage.from_outside(BOB, person, TEXT)
    assert not stage.from_outside(BOB, ALICE, TEXT)
    stage.befriend(BOB, State.TO)
    assert stage.from_outside(BOB, ALICE, TEXT)


def test_a_listed_partner_is_counted_and_not_stopped() -> None:
    stage = Stage()
    for person in people(MOST_ADDRESSES + 5):
        stage.clock.advance(1)
        assert stage.from_outside(BOB, person, TEXT)
    ((_, watch),) = list(stage.house.relay.watches)
    assert len(watch.people) == MOST_ADDRESSES


def test_a_discovered_partner_whose_questions_come_to_nothing_is_slowed_down() -> None:
    slow = evolve(FOUND, rates=evolve(DISCOVERED_RATES, people=None, burst_seconds=5.0))
    stage = Stage(slow, level="blocked")
    for _ in range(LEAST_FAILED):
        stage.from_outside(BOB, ALICE, TEXT)
    assert stage.house.relay.watches.suspicious(slow)
    stage.outside.taken()
    for _ in range(10):
        stage.from_outside(BOB, ALICE, TEXT)
    assert refused(stage).count(Problem.RESOURCE_CONSTRAINT) == 9, "one a second"
    stage.clock.advance(1)
    stage.from_outside(BOB, ALICE, TEXT)
    assert refused(stage) == [Problem.SERVICE_UNAVAILABLE]


def test_a_listed_partner_under_suspicion_keeps_its_rate() -> None:
    stage = Stage(level="blocked")
    for _ in range(LEAST_FAILED + 50):
        stage.from_outside(BOB, ALICE, TEXT)
    assert Problem.RESOURCE_CONSTRAINT not in refused(stage)


def test_errors_of_our_own_server_count_as_failures() -> None:
    stage = Stage(FOUND)
    for number in range(LEAST_FAILED):
        stage.clock.advance(1)
        stage.from_outside(BOB, ALICE, TEXT)
        stage.from_inside(ALICE, BOB, Bounce("message", f"m{number}", Problem.ITEM_NOT_FOUND))
    assert stage.house.relay.watches.suspicious(FOUND)


def test_who_is_mostly_answered_is_above_suspicion() -> None:
    stage = Stage(FOUND)
    stage.assignments.set(Assignment(str(ALICE), Member.parse("bad@partner.example"), "blocked"))
    for number in range(4 * LEAST_FAILED):
        stage.clock.advance(1)
        sender = Address.parse("bad@partner.example") if number % 3 == 0 else BOB
        stage.from_outside(sender, ALICE, TEXT)
    assert not stage.house.relay.watches.suspicious(FOUND)


def test_suspicion_fades() -> None:
    now = [START]
    watches = Watches(lambda: now[0])
    verdict = Verdict(Decision.REFUSE, Reason.BLOCKED, "blocked")
    for _ in range(LEAST_FAILED):
        watches.judged(Envelope(BOB, ALICE, TEXT, Side.EXTERNAL), FOUND, verdict)
    assert watches.suspicious(FOUND)
    now[0] += PERIOD_SECONDS
    watches.judged(Envelope(BOB, ALICE, TEXT, Side.EXTERNAL), FOUND, Verdict(Decision.DELIVER, Reason.ALLOWED, ""))
    assert not watches.suspicious(FOUND)


def test_suspects_are_forgotten_last() -> None:
    watches = Watches(lambda: START)
    suspect = evolve(FOUND, name="suspect.example")
    envelope = Envelope(BOB, ALICE, TEXT, Side.EXTERNAL)
    for _ in range(LEAST_FAILED):
        watches.judged(envelope, suspect, Verdict(Decision.REFUSE, Reason.BLOCKED, ""))
    for number in range(MOST_WATCHED + 1):
        watches.judged(
            envelope, evolve(FOUND, name=f"d{number}.example"), Verdict(Decision.DELIVER, Reason.ALLOWED, "")
        )
    assert watches.suspicious(suspect) and len(list(watches)) == MOST_WATCHED


# -- the same rules in the house -------------------------------------------------------------------------------------


def test_who_may_only_answer_is_heard_for_as_long_as_the_conversation_lasts() -> None:
    stage = Stage(evolve(PARTNER, start=Start.OURS))
    assert not stage.from_outside(BOB, ALICE, TEXT) and refused(stage) == [Problem.SERVICE_UNAVAILABLE]
    assert stage.from_inside(DESK, BOB, TEXT)
    for _ in range(3):
        assert stage.from_outside(BOB, ALICE, TEXT)
        stage.clock.advance(3000)
    stage.clock.advance(601)
    assert not stage.from_outside(BOB, ALICE, TEXT)


def test_an_unverified_contact_may_answer_whom_he_was_written_by() -> None:
    stage = Stage(evolve(PARTNER, verification=Verification.MARKED))
    assert not stage.from_outside(BOB, ALICE, TEXT)
    assert stage.from_inside(DESK, BOB, TEXT) and stage.from_outside(BOB, ALICE, TEXT)


def test_a_wall_that_is_put_up_ends_what_both_sides_believe() -> None:
    stage = Stage()
    stage.befriend()
    stage.online()
    assert stage.from_outside(Address.parse("bob@partner.example/tablet"), ALICE, here())
    stage.house.pairs.take(
        evolve(stage.house.pairs.rules, walls=(Wall("research"),), groups=lambda who: frozenset({"research"}))
    )
    stage.house.reveal_again(list(stage.house.pairs))
    assert [len(each) for each in documents(stage.outside.taken())] == [0], "she is gone for him"
    assert [len(each) for each in documents(stage.inside.taken())] == [0], "he is gone for her"
    assert not stage.from_inside(DESK, BOB, TEXT)
    stage.inside.taken()
    assert not stage.from_outside(BOB, ALICE, TEXT)


def test_who_may_not_federate_looks_like_somebody_who_blocks() -> None:
    barred, blocked = Stage(right=Right(frozenset({"staff"}))), Stage()
    blocked.assignments.set(Assignment(str(ALICE), Member.parse(str(BOB)), "blocked"))
    for stage in (barred, blocked):
        stage.befriend()
        stage.online()
        for content in (TEXT, ask(Ask.SUBSCRIBE), ask(Ask.PROBE), here()):
            stage.from_outside(BOB, ALICE, content)
    assert [(each.content, each.sender) for each in barred.outside.taken()] == [
        (each.content, each.sender) for each in blocked.outside.taken()
    ]


def test_a_discovered_domain_is_a_partner_and_a_denied_one_is_not() -> None:
    found = Partners([PARTNER], discovery=Discovery(on=True), ours=frozenset({"corp.example"}))
    stage = Stage(partners=found)
    assert stage.pairs.of(ALICE, EVE).facts.partner is not None
    assert stage.pairs.of(ALICE, CAROL).facts.level is STANDARD["public"]
