"""Which level a contact has: the conformance vectors, and that nothing uncertain widens."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import AddressError
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.policy.access_level import (
    CUSTOM_RANK,
    STANDARD,
    AccessLevel,
    Assignment,
    Member,
    MemberKind,
    Network,
    Origin,
    Resolution,
    resolve,
)

OWNER = "alice@corp.example"
LEVEL_OF = {0: "blocked", 100: "public", 200: "company", 300: "team", 400: "personal", 32000: "blocked"}
NETWORK_OF = {
    "sameEnterprise": Network.ENTERPRISE,
    "federated": Network.FEDERATION,
    "publicCloud": Network.PUBLIC_CLOUD,
}
NOW = 1_000.0


def entry(member: str, container: int, **changes: Any) -> Assignment:
    """Gives an entry of the person's own; a member is written as in the reference."""
    text = NETWORK_OF[member].value if member in NETWORK_OF else member
    return evolve(Assignment(OWNER, Member.parse(text), LEVEL_OF[container]), **changes)


def level_of(entries: list[Assignment], contact: str, network: str = "federated", default: str = "blocked") -> str:
    return resolution_of(entries, contact, network, default).level.name


def resolution_of(
    entries: list[Assignment], contact: str, network: str = "federated", default: str = "blocked"
) -> Resolution:
    return resolve(entries, Address.parse(contact), NETWORK_OF[network], STANDARD, default, NOW)


V2 = [("federated", 100), ("partner.example", 200)]
V4 = [("partner.example", 32000), ("bob@partner.example", 300)]
VECTORS = [
    ("V1", [("federated", 100)], "bob@partner.example", "federated", 100),
    ("V2", V2, "bob@partner.example", "federated", 200),
    ("V3", [*V2, ("bob@partner.example", 32000)], "bob@partner.example", "federated", 32000),
    ("V4", V4, "bob@partner.example", "federated", 300),
    ("V5", V4, "carol@partner.example", "federated", 32000),
    ("V6", [("bob@partner.example", 100), ("bob@partner.example", 400)], "bob@partner.example", "federated", 400),
    ("V7", [("bob@partner.example", 32000), ("bob@partner.example", 400)], "bob@partner.example", "federated", 32000),
    ("V8", [], "bob@partner.example", "federated", 0),
    ("V9", [("sameEnterprise", 200)], "dave@corp.example", "sameEnterprise", 200),
    ("V10", [("federated", 100)], "eve@public.example", "publicCloud", 0),
    ("V11", [("publicCloud", 100)], "eve@public.example", "publicCloud", 100),
    ("V12", [("BOB@Partner.Example", 300)], "bob@partner.example", "federated", 300),
    ("V13", [("partner.example", 200)], "x@sub.partner.example", "federated", 0),
    ("V13b", V2, "x@sub.partner.example", "federated", 100),
]


@pytest.mark.parametrize(
    ("members", "contact", "network", "expected"), [v[1:] for v in VECTORS], ids=[v[0] for v in VECTORS]
)
@pytest.mark.parametrize("order", [1, -1], ids=["forward", "backward"])
def test_conformance_vector(
    members: list[tuple[str, int]], contact: str, network: str, expected: int, order: int
) -> None:
    entries = [entry(*member) for member in members][::order]
    assert level_of(entries, contact, network) == LEVEL_OF[expected]


def test_v8_and_v10_are_blocked_by_default_and_not_by_name() -> None:
    assert resolution_of([], "bob@partner.example").assignment is None
    assert resolution_of([entry("federated", 100)], "eve@public.example", "publicCloud").assignment is None


LADDER = ["x@sub.partner.example", "sub.partner.example", "*.partner.example", "*.example", "federated", "everyone"]


@pytest.mark.parametrize("first", range(len(LADDER)))
def test_most_specific_member_wins_against_every_broader_one(first: int) -> None:
    """Even Blocked of a broader member does not beat a narrower one, nor does a person's beat an administrator's."""
    narrow = entry(LADDER[first], 200, owner="", origin=Origin.ADMINISTRATOR)
    broader = [entry(member, 32000) for member in LADDER[first + 1 :]]
    assert resolution_of([*broader, narrow], "x@sub.partner.example").assignment == narrow


def test_longest_subdomain_wins() -> None:
    entries = [entry("*.example", 400), entry("*.partner.example", 100), entry("*.sub.partner.example", 300)]
    assert level_of(entries, "x@a.sub.partner.example") == "team"
    assert level_of(entries, "x@sub.partner.example") == "public"
    assert level_of(entries, "x@partner.example") == "personal"


def test_subdomain_member_is_neither_its_own_domain_nor_a_lookalike() -> None:
    entries = [entry("*.partner.example", 400)]
    assert level_of(entries, "x@partner.example") == "blocked"
    assert level_of(entries, "x@evilpartner.example") == "blocked"
    assert level_of(entries, "x@partner.example.stranger.example") == "blocked"


def test_inside_a_step_the_person_beats_the_administrators_default() -> None:
    house = entry("partner.example", 400, owner="", origin=Origin.ADMINISTRATOR)
    own = entry("partner.example", 100)
    assert resolution_of([house, own], "bob@partner.example").assignment == own
    assert resolution_of([own, house], "bob@partner.example").assignment == own


def test_full_address_is_matched_by_its_bare_form() -> None:
    assert level_of([entry("bob@partner.example", 300)], "bob@partner.example/desk") == "team"
    assert level_of([entry("bob@partner.example/desk", 300)], "bob@partner.example/phone") == "team"


@pytest.mark.parametrize(
    ("until", "expected"), [(NOW - 1, "public"), (NOW, "public"), (NOW + 0.001, "team"), (None, "team")]
)
def test_assignment_ends_at_its_instant(until: float | None, expected: str) -> None:
    entries = [entry("bob@partner.example", 300, until=until), entry("federated", 100)]
    assert level_of(entries, "bob@partner.example") == expected


@pytest.mark.parametrize("name", ["gone", "Team", "", "TEAM "])
def test_unknown_level_never_widens(name: str) -> None:
    assert (
        level_of([entry("bob@partner.example", 300, level=name), entry("federated", 400)], "bob@partner.example")
        == "blocked"
    )
    assert level_of([], "bob@partner.example", default=name) == "blocked"


def test_unknown_level_beats_a_known_one_of_the_same_step() -> None:
    entries = [entry("bob@partner.example", 400), entry("bob@partner.example", 100, level="gone")]
    assert level_of(entries, "bob@partner.example") == "blocked"


def test_custom_level_is_one_more_column() -> None:
    auditors = AccessLevel("auditors", frozenset({Field.AVAILABILITY, Field.PHONE_HOME}), CUSTOM_RANK)
    given_ = [entry("bob@partner.example", 100, level="auditors")]
    found = resolve(
        given_,
        Address.parse("bob@partner.example"),
        Network.FEDERATION,
        {**STANDARD, "auditors": auditors},
        "public",
        NOW,
    )
    assert found.level is auditors and found.assignment == given_[0]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("bob@partner.example", MemberKind.CONTACT, "bob@partner.example"),
        (" Bob@Partner.Example/desk ", MemberKind.CONTACT, "bob@partner.example"),
        ("Partner.Example.", MemberKind.DOMAIN, "partner.example"),
        ("*.Partner.Example", MemberKind.SUBDOMAINS, "partner.example"),
        ("*.xn--bcher-kva.example", MemberKind.SUBDOMAINS, "bücher.example"),
        ("Federation", MemberKind.NETWORK, "federation"),
        ("public_cloud", MemberKind.NETWORK, "public_cloud"),
        ("everyone", MemberKind.EVERYONE, ""),
        ("*", MemberKind.EVERYONE, ""),
    ],
)
def test_member_is_read_and_written(text: str, kind: MemberKind, value: str) -> None:
    member = Member.parse(text)
    assert (member.kind, member.value) == (kind, value)
    assert Member.parse(str(member)) == member


@pytest.mark.parametrize(
    "text", ["", "*.", "*.*.example", "bob@", "@partner.example", "*bob@partner.example x", "*.a@b.example"]
)
def test_what_is_no_member_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        Member.parse(text)


_members = st.sampled_from([*LADDER, "bob@partner.example", "publicCloud", "sameEnterprise"])
_entries = st.lists(
    st.builds(
        entry,
        _members,
        st.sampled_from([100, 200, 300, 400, 32000]),
        until=st.sampled_from([None, NOW - 1, NOW, NOW + 1]),
        owner=st.sampled_from(["", OWNER]),
        level=st.sampled_from([*STANDARD, "gone"]),
    ),
    max_size=6,
)


@given(_entries, st.sampled_from(["x@sub.partner.example", "bob@partner.example"]), st.randoms())
def test_level_does_not_depend_on_the_order_and_comes_from_a_standing_match(
    entries: list[Assignment], contact: str, random: Any
) -> None:
    found = resolution_of(entries, contact)
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert level_of(shuffled, contact) == found.level.name
    if found.assignment is not None:
        assert found.assignment.until is None or found.assignment.until > NOW
        assert found.assignment.member.matches(Address.parse(contact), Network.FEDERATION)
        assert found.level.name in (found.assignment.level, "blocked")
    else:
        assert found.level.name == "blocked"


@given(_entries)
def test_a_block_by_name_of_the_person_always_stands(entries: list[Assignment]) -> None:
    assert level_of([*entries, entry("bob@partner.example", 32000)], "bob@partner.example") == "blocked"


CONTACT = "bob@partner.example"


def locked(member: str, level: str, owner: str = "") -> Assignment:
    return Assignment(owner, Member.parse(member), level, Origin.ADMINISTRATOR, locked=True)


def found(*entries: Assignment) -> Resolution:
    return resolve(entries, Address.parse(CONTACT), Network.FEDERATION, STANDARD, "public", 0.0)


def test_a_locked_level_is_the_most_that_a_person_may_give() -> None:
    own = Assignment(OWNER, Member.parse(CONTACT), "personal")
    given = found(own, locked("partner.example", "company"))
    assert (given.level.name, given.assignment) == ("personal", own)
    assert given.bound is not None and given.bound.name == "company"


def test_less_than_the_locked_level_is_always_a_persons_to_give() -> None:
    given = found(Assignment(OWNER, Member.parse(CONTACT), "blocked"), locked("partner.example", "company"))
    assert given.level.name == "blocked"


def test_whoever_is_locked_out_stays_out_whatever_a_person_says() -> None:
    lock = locked("partner.example", "blocked")
    assert found(Assignment(OWNER, Member.parse(CONTACT), "personal"), lock) == Resolution(STANDARD["blocked"], lock)


def test_of_two_locks_the_more_specific_counts() -> None:
    given = found(locked("everyone", "public"), locked(CONTACT, "team"))
    assert given.bound is not None and given.bound.name == "team"
