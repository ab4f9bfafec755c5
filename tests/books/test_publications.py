"""What several sources say about a person, and what of it counts."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.books.publications import LEG, PublicationBook
from gateway.model.presence import Field
from gateway.model.publication import Origin

ALICE = "alice@corp.example"
TITLE, MOBILE, NOTE, SHOW = Field.TITLE, Field.PHONE_MOBILE, Field.NOTE, Field.SHOW


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def book() -> tuple[PublicationBook, Clock]:
    clock = Clock()
    return PublicationBook(clock), clock


def test_a_directory_counts_over_the_card_and_gives_way_when_it_withdraws() -> None:
    known, _ = book()
    assert known.say(ALICE, LEG, Origin.LEG, {TITLE: "Own word"}) == {TITLE}
    assert known.say(ALICE, "staff", Origin.ADMINISTRATOR, {TITLE: "Head of Budget"}) == {TITLE}
    assert known.above(ALICE) == {TITLE: "Head of Budget"}
    assert known.say(ALICE, LEG, Origin.LEG, {TITLE: "Another word"}) == frozenset()
    assert known.say(ALICE, "staff", Origin.ADMINISTRATOR, {}, whole=True) == {TITLE}
    assert known.above(ALICE) == {TITLE: "Another word"}


def test_each_field_bears_its_origin_and_the_time_since_when_it_is_said() -> None:
    known, clock = book()
    known.say(ALICE, "own", Origin.PERSON, {MOBILE: ("+15550100",)})
    clock.now += 60
    known.say(ALICE, "own", Origin.PERSON, {MOBILE: ("+15550100",), NOTE: (("", "back at two"),)})
    assert {name: (said.origin, said.since) for name, said in known.of(ALICE).items()} == {
        MOBILE: (Origin.PERSON, 1000.0),
        NOTE: (Origin.PERSON, 1060.0),
    }


def test_a_calendar_stands_beneath_what_the_client_says_and_a_card_above() -> None:
    known, _ = book()
    known.say(ALICE, "calendar", Origin.CALENDAR, {SHOW: "busy", Field.MEETING_SUBJECT: "Budget"})
    assert known.beneath(ALICE) == {SHOW: "busy"}
    assert known.above(ALICE) == {Field.MEETING_SUBJECT: "Budget"}
    known.say(ALICE, LEG, Origin.LEG, {SHOW: "dnd"})
    assert known.beneath(ALICE) == {}
    assert known.above(ALICE)[SHOW] == "dnd"


def test_saying_the_same_again_changes_nothing() -> None:
    known, _ = book()
    assert known.say(ALICE, "own", Origin.PERSON, {MOBILE: ("+15550100",)})
    assert not known.say(ALICE, "own", Origin.PERSON, {MOBILE: ("+15550100",)})
    assert not known.say(ALICE, "own", Origin.PERSON, {NOTE: None})


def test_nothing_is_kept_of_somebody_of_whom_nothing_is_said() -> None:
    known, _ = book()
    known.say(ALICE, "own", Origin.PERSON, {MOBILE: ("+15550100",)})
    assert known.say(ALICE, "own", Origin.PERSON, {MOBILE: None}) == {MOBILE}
    assert known.of(ALICE) == {}
    assert not known._people


says = st.tuples(
    st.sampled_from(
        [("staff", Origin.ADMINISTRATOR), ("own", Origin.PERSON), (LEG, Origin.LEG), ("cal", Origin.CALENDAR)]
    ),
    st.dictionaries(st.sampled_from([TITLE, MOBILE, NOTE, SHOW]), st.one_of(st.none(), st.integers(0, 2)), max_size=3),
    st.booleans(),
)


@given(st.lists(says, max_size=30))
def test_what_is_told_as_changed_is_exactly_what_changed(
    steps: list[tuple[tuple[str, Origin], dict[Field, int | None], bool]],
) -> None:
    known, _ = book()
    for (source, origin), values, whole in steps:
        before = dict(known.above(ALICE)), dict(known.beneath(ALICE))
        changed = known.say(ALICE, source, origin, values, whole=whole)
        after = known.above(ALICE), known.beneath(ALICE)
        names = {name for one in (*before, *after) for name in one}
        assert changed == {
            name for name in names if any(x.get(name) != y.get(name) for x, y in zip(before, after, strict=True))
        }
        assert {**after[0], **after[1]} == {name: said.value for name, said in known.of(ALICE).items()}


def test_what_no_longer_counts_over_the_client_has_changed_although_it_says_the_same() -> None:
    known, _ = book()
    known.say(ALICE, LEG, Origin.LEG, {SHOW: "chat"})
    assert known.say(ALICE, "staff", Origin.ADMINISTRATOR, {SHOW: "chat"}) == {SHOW}
    assert (known.above(ALICE), known.beneath(ALICE)) == ({}, {SHOW: "chat"})
    assert known.say(ALICE, "staff", Origin.ADMINISTRATOR, {}, whole=True) == {SHOW}
    assert (known.above(ALICE), known.beneath(ALICE)) == ({SHOW: "chat"}, {})


def test_what_a_source_says_is_known_and_what_it_repeats_beside_something_new_stays() -> None:
    kept = PublicationBook(lambda: 5.0)
    assert kept.said_by("alice@corp.example", LEG) == {} and LEG == "leg"
    kept.say("alice@corp.example", LEG, Origin.LEG, {Field.TITLE: "Dr"})
    kept.say("alice@corp.example", LEG, Origin.LEG, {Field.TITLE: "Dr", Field.OFFICE: "4"}, whole=True)
    assert kept.said_by("alice@corp.example", LEG).keys() == {Field.TITLE, Field.OFFICE}
