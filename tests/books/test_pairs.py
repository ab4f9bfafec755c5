"""What is known of each pair: facts that hold now, one token per person and partner, a table that is bounded."""

from attrs import evolve

from gateway.books.pairs import PairBook
from gateway.model.address import Address
from gateway.model.presence import PresenceDocument
from gateway.model.subscription import State
from gateway.policy.access_level import Assignment, Member
from gateway.policy.partners import Partner, Partners
from tests.stage import ALICE, BOB, CAROL, DESK, PARTNER, START, TABLET, MemoryAssignments, MemoryStates, Stage


def small(stage: Stage, most: int) -> PairBook:
    return PairBook(stage.pairs.rules, MemoryAssignments(), stage.states, b"secret", stage.clock.seconds, most)


def test_full_and_bare_addresses_find_the_same_pair() -> None:
    stage = Stage()
    assert stage.pairs.of(DESK, TABLET) is stage.pairs.of(ALICE, BOB)
    assert stage.pairs.of_person(ALICE) == [stage.pairs.of(ALICE, BOB)]


def test_a_token_is_one_for_a_partner_and_tells_nothing() -> None:
    stage = Stage()
    other = Address.parse("bill@partner.example")
    token = stage.pairs.of(ALICE, BOB).token
    assert token == stage.pairs.of(ALICE, other).token != stage.pairs.of(ALICE, CAROL).token
    assert token != stage.pairs.of(Address.parse("dave@corp.example"), BOB).token
    assert len(token) == 16 and "alice" not in token
    again = PairBook(stage.pairs.rules, MemoryAssignments(), MemoryStates(), b"other", stage.clock.seconds)
    assert again.of(ALICE, BOB).token != token


def test_an_assignment_counts_until_it_ends() -> None:
    stage = Stage()
    stage.assignments.set(Assignment(str(ALICE), Member.parse("bob@partner.example"), "team", until=START + 10))
    pair = stage.pairs.of(ALICE, BOB)
    assert pair.facts.level.name == "team" and stage.pairs.ended() == []
    stage.clock.advance(10)
    assert stage.pairs.ended() == [pair] and pair.facts.level.name == "public"
    assert stage.pairs.ended() == []


def test_an_ended_assignment_is_seen_by_who_looks_before_the_timer() -> None:
    stage = Stage()
    stage.assignments.set(Assignment(str(ALICE), Member.parse("bob@partner.example"), "team", until=START + 10))
    stage.pairs.of(ALICE, BOB)
    stage.clock.advance(11)
    assert stage.pairs.of(ALICE, BOB).facts.level.name == "public"


def test_new_rules_count_for_every_pair_and_epoch_grows() -> None:
    stage = Stage()
    pair, epoch = stage.pairs.of(ALICE, BOB), stage.pairs.epoch
    pair.waiting = True
    stage.pairs.take(evolve(stage.pairs.rules, default_level="team", partners=Partners([PARTNER])))
    assert pair.facts.level.name == "team" and stage.pairs.epoch == epoch + 1 and not pair.waiting
    assert stage.pairs.of(ALICE, CAROL).facts.partner is None


def test_the_table_forgets_the_idle_and_stays_bounded() -> None:
    stage = Stage()
    book = small(stage, 3)
    for number in range(3):
        book.of(ALICE, Address.parse(f"b{number}@partner.example")).last = PresenceDocument()
    busy = book.of(ALICE, Address.parse("b0@partner.example"))
    busy.heard.add("x")
    assert book.of(ALICE, BOB) is book.of(ALICE, BOB) and len(book) == 2
    assert busy is book.of(ALICE, busy.contact)


def test_a_table_full_of_the_busy_keeps_no_more_strangers_and_does_not_search_each_time() -> None:
    stage = Stage()
    book = small(stage, 2)
    for number in range(2):
        book.of(ALICE, Address.parse(f"b{number}@partner.example")).heard.add("x")
    assert book.of(ALICE, BOB) is not book.of(ALICE, BOB) and len(book) == 2
    searched = book._full_at
    stage.clock.advance(1)
    book.of(ALICE, BOB)
    assert book._full_at == searched
    stage.states.set(ALICE, BOB, State.FROM)
    assert book.of(ALICE, BOB) is book.of(ALICE, BOB), "a subscription is always kept"


def test_a_pair_about_which_something_is_owed_is_not_idle() -> None:
    stage = Stage()
    pair = stage.pairs.of(ALICE, BOB)
    assert pair.idle
    for name, value in (("unsure", True), ("waiting", True), ("revoking_since", 5.0), ("heard", {"x"})):
        before = getattr(pair, name)
        setattr(pair, name, value)
        assert not pair.idle, name
        setattr(pair, name, before)


def test_nobody_is_kept_of_who_is_no_partner() -> None:
    stage = Stage(Partner("other.example", frozenset({"other.example"})))
    assert stage.pairs.of(ALICE, BOB).facts.partner is None and len(stage.pairs) == 0
    assert not stage.pairs.of(ALICE, BOB).permission.fields


def test_an_end_is_told_although_the_pair_was_looked_at_meanwhile() -> None:
    """A stanza between the end and the next tick must not hide that something has ended (I15)."""
    stage = Stage()
    stage.assignments.set(Assignment(str(ALICE), Member.parse("bob@partner.example"), "team", until=START + 10))
    pair = stage.befriend()
    stage.online(note=(("", "x"),))
    stage.clock.advance(10)
    assert stage.pairs.of(ALICE, BOB).facts.level.name == "public"
    assert stage.pairs.ended() == [pair] and stage.pairs.ended() == []


def test_a_reload_that_changes_nothing_for_a_pair_leaves_its_place_in_the_queue() -> None:
    stage = Stage()
    bob, carol = stage.befriend(), stage.befriend(CAROL)
    bob.waiting = carol.waiting = True
    partners = Partners([PARTNER, evolve(stage.pairs.rules.partners.by_name["ally.example"], ceiling=frozenset())])
    stage.pairs.take(evolve(stage.pairs.rules, partners=partners))
    assert bob.waiting and not carol.waiting


def test_of_whom_no_pair_is_kept_any_more_that_is_told() -> None:
    stage, gone = Stage(), list[str]()
    book = small(stage, 2)
    book.on_parting = gone.append
    for name in ("alice", "carol", "dave"):
        book.of(Address.parse(f"{name}@corp.example"), BOB)
    assert gone == ["alice@corp.example", "carol@corp.example"]
