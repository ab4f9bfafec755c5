"""Who stands for each member: somebody whom no more specific member means, whatever names are taken."""

from attrs import evolve

from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.policy.access_level import CUSTOM_RANK, STANDARD, AccessLevel, Assignment, Member, Network
from gateway.policy.members import Circle, Standing
from tests.policy.rule_samples import ALICE, network_of

EVERYONE, BOB = Member.parse("everyone"), Member.parse("bob@partner.example")
CLASSES = [Member.parse(one.value) for one in Network]


def circle(*members: str) -> Circle:
    return Circle.of((Member.parse(text) for text in members), network_of)


def standing_for(circle: Circle, member: str) -> list[tuple[str, str]]:
    return [(str(address), network.value) for address, network in circle.standing_for(Member.parse(member))]


def test_members_stand_in_their_order_each_once_the_least_specific_first() -> None:
    found = circle("bob@partner.example", "partner.example", "*.example", "*.partner.example", "federation", "everyone")
    assert [str(one) for one in found.members] == [
        "everyone",
        "federation",
        "*.example",
        "*.partner.example",
        "partner.example",
        "bob@partner.example",
    ]
    assert circle("bob@partner.example", "bob@partner.example").members == (EVERYONE, BOB)


def test_nobody_is_left_for_everyone_where_every_network_is_named() -> None:
    assert Circle.of(CLASSES[:-1], network_of).has_anybody(EVERYONE)
    every = Circle.of(CLASSES, network_of)
    assert not every.has_anybody(EVERYONE) and every.has_anybody(BOB) and every.has_anybody(CLASSES[0])
    assert [network for _, network in every.standing_for(EVERYONE)] == list(Network)
    left = Circle.of(CLASSES[:-1], network_of).standing_for(EVERYONE)
    assert [network for _, network in left] == [list(Network)[-1]]


def test_somebody_stands_for_each_member_in_a_network_of_his() -> None:
    found = circle()
    assert standing_for(found, "bob@partner.example") == [("bob@partner.example", "federation")]
    assert standing_for(found, "partner.example") == [("somebody-else@partner.example", "federation")]
    assert standing_for(found, "public_cloud") == [("somebody-else@anywhere.invalid", "public_cloud")]
    below = [("somebody-else@any-other.ally.example", one.value) for one in Network]
    assert standing_for(found, "*.ally.example") == below


def test_who_stands_for_others_is_nobody_whom_a_member_means() -> None:
    taken = circle(
        "somebody-else@partner.example",
        "somebody-else-else@partner.example",
        "any-other.ally.example",
        "any-other-one.ally.example",
    )
    assert standing_for(taken, "partner.example") == [("somebody-else-else-else@partner.example", "federation")]
    (name, *_) = (address for address, _ in standing_for(taken, "*.ally.example"))
    assert name == "somebody-else@any-other-one-one.ally.example"


def test_what_counts_for_a_contact_is_found_among_his_entries_and_the_general_ones() -> None:
    entries = tuple(
        Assignment(str(ALICE), Member.parse(who), level)
        for who, level in (
            ("bob@partner.example", "team"),
            ("carol@partner.example", "personal"),
            ("everyone", "public"),
        )
    )
    standing = Standing(entries, STANDARD, "blocked")
    people = [(Address.parse(text), Network.FEDERATION) for text in ("bob@partner.example", "eve@stranger.example")]
    assert [level.name for level in standing.found(people, 0.0)] == ["team", "public"]
    again = [Assignment(str(ALICE), Member.parse("eve@stranger.example"), "company")]
    assert [level.name for level in standing.found(people, 0.0, again)] == ["team", "company"]
    assert [one.member for one in standing._general] == [EVERYONE], "what is about one contact is found by his name"
    assert Standing((), STANDARD, "company").found(people[:1], 0.0)[0].name == "company"
    assert standing == evolve(standing)


def test_a_bound_leaves_of_a_level_what_is_in_both() -> None:
    wide = AccessLevel("wide", frozenset({Field.AVAILABILITY, Field.NOTE, Field.MOOD}), CUSTOM_RANK)
    most = AccessLevel("most", frozenset({Field.AVAILABILITY, Field.NOTE, Field.TITLE}), CUSTOM_RANK)
    entries = (
        Assignment("", Member.parse("partner.example"), "most", locked=True),
        Assignment(str(ALICE), BOB, "wide"),
    )
    standing = Standing(entries, {**STANDARD, "wide": wide, "most": most}, "blocked")
    (level,) = standing.found([(Address.parse("bob@partner.example"), Network.FEDERATION)], 0.0)
    assert (level.name, level.fields) == ("wide", {Field.AVAILABILITY, Field.NOTE})
