"""What an administrator asserts is guaranteed only if nobody, with any level and any switch, can make it untrue."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.presence import Field
from gateway.policy.access_level import STANDARD, AccessLevel, Assignment, Member, Network, Origin
from gateway.policy.assertions import Mark, Who, read_assertions
from gateway.policy.authorization import Facts, permission
from gateway.policy.domains import Domains
from gateway.policy.guarantees import ANYWHERE, Ground, unmet
from gateway.policy.partners import Discovery, Lock, Modality, Partner, Partners
from gateway.policy.settings import Feature, Rule
from gateway.policy.walls import Right, Wall

TEAM = STANDARD["team"].fields
BOARD = frozenset({"dana@corp.example"})
PARTNER = Partner("partner.example", frozenset({"partner.example", "chat.partner.example"}))
ALLY = Partner("sub.ally.example", frozenset({"sub.ally.example"}))


def ground(*partners: Partner, **changes: Any) -> Ground:
    made = Ground(
        Partners(partners or (PARTNER, ALLY)), STANDARD, "public", frozenset({"corp.example"}), members={"board": BOARD}
    )
    return evolve(made, **changes)


def why(text: str, on: Ground) -> str | None:
    assertions, wrong = read_assertions(text)
    assert not wrong and len(assertions) == 1, wrong
    return unmet(assertions[0], on)


def given_to(member: str, level: str, owner: str = "", **changes: Any) -> tuple[Assignment, ...]:
    return (Assignment(owner, Member.parse(member), level, Origin.ADMINISTRATOR, **changes),)


MOBILE = "bob@partner.example never sees phone.mobile of anybody in group board"


# -- never -----------------------------------------------------------------------------------------------------------


def test_a_level_that_a_person_may_give_is_no_guarantee() -> None:
    assert why(MOBILE, ground()) == (
        "bob@partner.example may see phone.mobile of dana@corp.example: at personal, team, which may be given him"
    )
    assert why(MOBILE, ground(entries=given_to("bob@partner.example", "public"))) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"locks": (Lock(Field.PHONE_MOBILE),)},
        {"locks": (Lock(Field.PHONE_MOBILE, "partner.example"),)},
        {"locks": (Lock(Field.AVAILABILITY), Lock(Field.PHONE_MOBILE))},
        {"settings": (Rule(Field.PHONE_MOBILE, False, locked=True),)},
        {"settings": (Rule(Field.PHONE_MOBILE, False, group="board", locked=True),)},
        {"entries": given_to("partner.example", "company", locked=True)},
        {"entries": given_to("everyone", "blocked", locked=True)},
        {"walls": (Wall("board", "partner.example"),)},
        {"right": Right(barred=frozenset({"board"}))},
        {"right": Right(people=frozenset({"sales"}))},
        {"partners": Partners([evolve(PARTNER, ceiling=STANDARD["company"].fields)])},
        {"partners": Partners([evolve(PARTNER, people=frozenset({"sales"}))])},
        {"partners": Partners([PARTNER], denied=Domains.of(["partner.example"]))},
        {"partners": Partners([ALLY])},
        {"partners": Partners([evolve(PARTNER, modalities=frozenset({Modality.IM}))])},
        {"levels": {"public": STANDARD["public"], "blocked": STANDARD["blocked"]}},
    ],
)
def test_what_no_person_can_lift_is_one(changes: dict[str, Any]) -> None:
    assert why(MOBILE, ground(**changes)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"locks": (Lock(Field.PHONE_MOBILE, "sub.ally.example"),)},
        {"settings": (Rule(Field.PHONE_MOBILE, False),)},
        {"settings": (Rule(Field.PHONE_MOBILE, False, group="sales", locked=True),)},
        {"entries": given_to("partner.example", "company", locked=True, until=10.0)},
        {
            "entries": given_to("partner.example", "company", locked=True)
            + given_to("bob@partner.example", "team", locked=True, until=10.0)
        },
        {"entries": given_to("partner.example", "company", owner="other@corp.example", locked=True)},
        {"walls": (Wall("sales", "partner.example"),)},
        {"walls": (Wall("board", "partner.example", frozenset({Modality.PRESENCE})),)},
        {"right": Right(people=frozenset({"board"}))},
        {"locks": (Lock(Field.PHONE_MOBILE),), "observing": True},
    ],
)
def test_what_may_be_lifted_or_does_not_hold_for_all_is_none(changes: dict[str, Any]) -> None:
    assert why(MOBILE, ground(**changes)) is not None


def test_who_may_be_in_further_groups_counts_for_the_worse() -> None:
    closed = ground(right=Right(people=frozenset({"sales"})))
    assert why(MOBILE, closed) is None and why(MOBILE, evolve(closed, open=True)) is not None
    told = why("anybody never exchanges messages with partner.example", evolve(closed, open=True))
    assert told is not None


def test_everybody_is_meant_by_anybody() -> None:
    sentence = "anybody at *.ally.example never sees note of alice@corp.example"
    assert why(sentence, ground()) == (
        "somebody at sub.ally.example may see note of alice@corp.example: "
        "at company, personal, team, which may be given him"
    )
    assert why(sentence, ground(PARTNER)) is None
    found = Partners([PARTNER], discovery=Discovery(on=True))
    assert why(sentence, ground(partners=found)) is not None
    assert why(
        "anybody never sees note of anybody", ground(partners=found, locks=(Lock(Field.NOTE, "partner.example"),))
    )
    assert why("anybody never sees note of anybody", ground(locks=(Lock(Field.NOTE),))) is None
    assert why("anybody sees nothing of anybody", ground(locks=tuple(map(Lock, Field)))) is None
    one = ground(locks=tuple(Lock(name) for name in Field if name is not Field.URL))
    assert "may see url" in str(why("anybody sees nothing of anybody", one))


def test_somebody_of_our_own_who_is_named_anywhere_is_found() -> None:
    let = ground(
        settings=(Rule(Field.NOTE, False, locked=True),),
        members={},
        right=Right(people=frozenset({"carol@corp.example"})),
    )
    sentence = "anybody never exchanges messages with partner.example"
    assert "carol@corp.example" in str(why(sentence, let))
    assert why("alice@corp.example never exchanges messages with partner.example", let) is None


# -- always ----------------------------------------------------------------------------------------------------------


def test_what_is_seen_at_a_level_is_seen_by_everybody_meant() -> None:
    seen = "bob@partner.example sees phone.mobile of alice@corp.example at team"
    assert why(seen, ground()) is None
    assert "at public: level" in str(why(seen.removesuffix(" at team"), ground()))
    assert why(seen.removesuffix(" at team"), ground(entries=given_to("bob@partner.example", "team"))) is None
    assert str(why(seen, ground(locks=(Lock(Field.PHONE_MOBILE),)))).endswith(": lock")
    everybody = "anybody at partner.example sees availability of anybody in group board at team"
    assert why(everybody, ground()) is None
    assert why(
        everybody, ground(walls=(Wall("dana@corp.example", "", frozenset({Modality.PRESENCE}) | {Modality.QUERIES}),))
    )
    assert why(everybody, ground(walls=(Wall("sales"),))) is None
    assert why(everybody, ground(walls=(Wall("sales"),), open=True)) is not None
    assert why(everybody, ground(right=Right(barred=BOARD))) is not None


def test_traffic_is_asserted_as_well() -> None:
    never = "nobody in group board exchanges messages with partner.example"
    assert why(never, ground()) == "somebody at chat.partner.example and dana@corp.example may exchange im"
    assert why(never, ground(walls=(Wall("board", "partner.example", frozenset({Modality.IM})),))) is None
    assert why("alice@corp.example exchanges messages with bob@partner.example", ground()) is None
    shut = ground(entries=given_to("bob@partner.example", "blocked"))
    assert "blocked" in str(why("alice@corp.example exchanges messages with bob@partner.example", shut))
    typing = "alice@corp.example never exchanges typing with partner.example"
    assert why(typing, ground(settings=(Rule(Feature.TYPING, False, locked=True),))) is None
    assert why(typing, ground(settings=(Rule(Feature.TYPING, False),))) is not None


@given(
    st.lists(st.builds(Lock, st.sampled_from(list(Field)), st.sampled_from(["", "partner.example"])), max_size=4),
    st.frozensets(st.sampled_from(list(Field))),
    st.lists(st.builds(Rule, st.sampled_from(list(Field)), st.booleans(), locked=st.booleans()), max_size=4),
    st.sampled_from(list(Field)),
)
def test_never_is_true_of_every_level(
    locks: list[Lock], ceiling: frozenset[Field], settings: list[Rule], name: Field
) -> None:
    on = ground(evolve(PARTNER, ceiling=ceiling), locks=tuple(locks), settings=tuple(settings))
    if why(f"bob@partner.example never sees {name.value} of alice@corp.example", on) is None:
        partner = on.partners.of("partner.example")
        for level in (*STANDARD.values(), AccessLevel("own", TEAM, 50)):
            facts = Facts(partner, level, None, locks=on.locks)
            without_settings = name not in permission(facts).fields
            switched_off = any(rule.subject is name and not rule.on for rule in settings)
            assert without_settings or (switched_off and any(rule.locked for rule in settings if rule.subject is name))


OFF = Rule(Field.NOTE, False)
NOTE_AT_TEAM = "bob@partner.example sees note of {} at team"
ALICE, DANA = "alice@corp.example", "dana@corp.example"


@pytest.mark.parametrize(
    ("person", "settings", "opened", "seen"),
    [
        (ALICE, (OFF,), False, False),
        (ALICE, (OFF, Rule(Field.NOTE, True, partner="partner.example")), False, True),
        (ALICE, (Rule(Field.NOTE, False, group="sales"),), False, True),
        (ALICE, (Rule(Field.NOTE, False, group="sales"),), True, False),
        (ALICE, (OFF, Rule(Field.NOTE, True, group="sales")), True, False),
        (DANA, (OFF, Rule(Field.NOTE, True, group="board")), True, True),
        (DANA, (OFF, Rule(Field.NOTE, True, group="board")), False, True),
        (ALICE, (OFF, Rule(Field.NOTE, True, group="board")), False, False),
    ],
)
def test_settings_of_groups_count_for_the_worse(
    person: str, settings: tuple[Rule, ...], opened: bool, seen: bool
) -> None:
    told = why(NOTE_AT_TEAM.format(person), ground(settings=settings, open=opened))
    assert (told is None) is seen
    assert told is None or told.endswith(": switched-off")


def test_what_a_person_switched_off_himself_is_not_seen() -> None:
    assert "switched-off" in str(why(NOTE_AT_TEAM.format(ALICE), ground(own=lambda person: {Field.NOTE: False})))


def test_a_contact_has_the_level_of_his_class_of_network_and_a_stranger_none() -> None:
    of_class = ground(evolve(PARTNER, network=Network.PUBLIC_CLOUD), entries=given_to("public_cloud", "team"))
    assert why("bob@partner.example sees note of alice@corp.example", of_class) is None
    assert str(why("eve@stranger.example sees note of alice@corp.example", of_class)).endswith(": unknown-partner")


def test_who_asks_sees_the_rest_even_where_availability_is_withheld_and_who_is_told_does_not() -> None:
    locked = {"locks": (Lock(Field.AVAILABILITY),)}
    asked = evolve(PARTNER, modalities=frozenset({Modality.QUERIES}))
    told = evolve(PARTNER, modalities=frozenset({Modality.PRESENCE}))
    assert why(MOBILE, ground(asked, **locked)) is not None and why(MOBILE, ground(asked)) is not None
    assert why(MOBILE, ground(told, **locked)) is None and why(MOBILE, ground(told)) is not None


# -- who is known ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"partners": Partners([evolve(PARTNER, people=frozenset({"sales"}))])},
        {"right": Right(people=frozenset({"sales"}))},
        {"settings": (Rule(Field.PHONE_MOBILE, False), Rule(Field.PHONE_MOBILE, False, group="x", locked=True))},
    ],
)
def test_whoever_may_be_in_a_group_that_anything_names_may_be_admitted_by_it(changes: dict[str, Any]) -> None:
    assert why(MOBILE, ground(open=True, **changes)) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"right": Right(people=frozenset({"carol@corp.example"}))},
        {"partners": Partners([evolve(PARTNER, people=frozenset({"carol@corp.example"}))])},
    ],
)
def test_nobody_may_be_somebody_else_who_is_admitted_by_name(changes: dict[str, Any]) -> None:
    sentence = "bob@partner.example never sees note of {}"
    assert why(sentence.format(ALICE), ground(open=True, **changes)) is None
    assert why(sentence.format("carol@corp.example"), ground(open=True, **changes)) is not None


@pytest.mark.parametrize(
    ("sentence", "changes"),
    [
        ("bob@partner.example sees note of anybody at team",
         {"walls": (Wall("carol@corp.example"),)}),
        ("bob@partner.example sees note of anybody at team",
         {"settings": (Rule(Field.NOTE, False, person="carol@corp.example", locked=True),)}),
        ("bob@partner.example sees availability of anybody",
         {"entries": given_to("bob@partner.example", "blocked", owner="carol@corp.example")}),
        ("anybody never exchanges messages with partner.example",
         {"partners": Partners([evolve(PARTNER, people=frozenset({"carol@corp.example"}))])}),
    ],
)  # fmt: skip
def test_whoever_is_named_anywhere_is_one_of_anybody(sentence: str, changes: dict[str, Any]) -> None:
    assert "carol@corp.example" in str(why(sentence, ground(**changes)))


STRICT = given_to("everyone", "public", locked=True)


@pytest.mark.parametrize(
    ("member", "who"),
    [
        ("*.cloud.example", "somebody at any-other.cloud.example"),
        ("cloud.example", "somebody at cloud.example"),
        ("zoe@cloud.example", "zoe@cloud.example"),
    ],
)
def test_a_domain_that_an_entry_names_is_known(member: str, who: str) -> None:
    found = Partners([], discovery=Discovery(on=True))
    looser = given_to(member, "team", locked=True)
    told = why("anybody never sees note of anybody", ground(partners=found, entries=STRICT + looser))
    assert str(told).startswith(f"{who} may see note")
    assert why("anybody never sees note of anybody", ground(partners=found, entries=STRICT)) is None


def test_a_star_alone_is_no_domain_and_those_below_one_are_known_by_one() -> None:
    allowed = Partners([], discovery=Discovery(allow=Domains.of(["*", "*.cloud.example"])))
    told = str(why("anybody never sees note of anybody", ground(partners=allowed)))
    assert told.startswith(("somebody at any-other.cloud.example may", "somebody at a domain that is not listed may"))
    assert ANYWHERE.endswith(".invalid"), "a name that is nobody's (RFC 2606 section 2)"


def test_what_ends_after_now_counts_and_now_is_the_beginning_unless_said() -> None:
    seen = "bob@partner.example sees note of alice@corp.example"
    assert why(seen, ground(entries=given_to("bob@partner.example", "team", until=0.5))) is None
    assert why(seen, ground(entries=given_to("bob@partner.example", "team", until=0.5), now=0.5)) is not None


# -- sense -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("bob@partner.example likes note of alice@corp.example", "expected WHO sees"),
        ("bob@partner.example never sees shoe of alice@corp.example", "'shoe' is no field"),
        ("bob@partner.example never sees note", "expected sees FIELD of PERSON"),
        ("bob@partner.example never sees nothing of anybody", "the opposite"),
        ("nobody never sees note of anybody", "the opposite"),
        ("nobody exchanges words with partner.example", "the kinds are"),
        ("nobody exchanges im with partner.example", "the kinds are"),
        ("partner.example never sees note of anybody", "expected name@domain, anybody or nobody"),
        ("anybody in group x never sees note of anybody", "expected anybody [at DOMAIN or *.DOMAIN]"),
        ("anybody never sees note of anybody in group", "expected anybody [at DOMAIN] [in group NAME]"),
        ("anybody never sees  of anybody", "expected"),
        ("bob@@x never sees note of anybody", ""),
    ],
)
def test_what_is_no_sentence_says_what_was_expected(sentence: str, told: str) -> None:
    assertions, wrong = read_assertions(f"# a comment\n\n{sentence}\n")
    assert assertions == [] and [line for line, _ in wrong] == [3]
    assert told in wrong[0][1]


@pytest.mark.parametrize(
    ("words", "who"),
    [
        ("anybody", Who(Mark.ALL, "", "")),
        ("anybody at Partner.example", Who(Mark.DOMAIN, "partner.example", "")),
        ("anybody at *.ally.example", Who(Mark.BELOW, "ally.example", "")),
        ("bob@partner.example", Who(Mark.ONE, "bob@partner.example", "")),
    ],
)
def test_whom_words_mean(words: str, who: Who) -> None:
    ((found,), _) = read_assertions(f"{words} never sees note of anybody at corp.example in group board")
    assert found.contact == who == Who(who.mark, who.value)
    assert found.person == Who(Mark.DOMAIN, "corp.example", "board") and who.group == Who(Mark.ALL).value == ""


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("bob@partner.example never sees note of anybody in group bored", "there is no group bored"),
        ("bob@partner.example sees note of alice@corp.example at friends", "'friends' is no level"),
        ("bob@partner.example never sees note of eve@stranger.example", "none of our people"),
        ("alice@corp.example never sees note of alice@corp.example", "one of our own people"),
        ("bob@partner.example never sees note of anybody at x.example", "none of our domains"),
    ],
)
def test_what_makes_no_sense_here_is_no_success(sentence: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        why(sentence, ground())


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_assertions(text)
    read_assertions(f"anybody sees {text} of anybody")
    read_assertions(f"{text} never exchanges messages with {text}")
