"""Containers of the inside server into levels, without a wire: members, precedence, bounds, who still watches."""

from collections.abc import Mapping

import pytest

from gateway.protocols.sip.subscribing import SubscriptionKey
from plugins.legs.sip.ocs import MOST_MEMBERS, ROAMING_SELF, Containers

from .ocs_scene import ALICE, BOB, roaming

KEY = SubscriptionKey(ALICE, ALICE, ROAMING_SELF)


def given(containers: Mapping[int, tuple[str, ...]]) -> dict[str, str] | None:
    taken = Containers(lambda: 0.0).take(KEY, roaming(containers).encode())
    return None if taken is None else {str(member): level for member, level in taken.items()}


def test_every_container_is_its_level_and_the_others_are_none() -> None:
    numbers = {0: "everyone", 1: "user me@corp.example", 32000: "user a@x.example", 100: "federated"}
    found = given({number: (member,) for number, member in numbers.items()} | {200: ("sameEnterprise",)})
    assert found == {"a@x.example": "blocked", "federation": "public", "enterprise": "company"}
    assert given({300: ("publicCloud",), 400: ("domain y.example",)}) == {
        "public_cloud": "team",
        "y.example": "personal",
    }


def test_an_entry_that_says_remove_gives_nothing() -> None:
    body = roaming({400: ("user bob@partner.example",)}).replace("<member ", "<member action='remove' ")
    assert Containers(lambda: 0.0).take(KEY, body.encode()) == {}


def test_of_several_containers_the_largest_number_counts() -> None:
    both = ("user bob@partner.example",)
    assert given({32000: both, 400: both, 100: both}) == {"bob@partner.example": "blocked"}
    assert given({100: both, 400: both}) == {"bob@partner.example": "personal"}


@pytest.mark.parametrize(
    "member", ["user bob", "user @", "domain", "domain federation", "user", "strange x", "user a b"]
)
def test_what_names_nobody_is_left_out(member: str) -> None:
    found = given({400: (member, "user carol@partner.example")})
    assert found is not None and found["carol@partner.example"] == "personal"
    assert not {"federation", "everyone"} & found.keys()


def test_a_list_that_is_too_long_is_not_taken() -> None:
    members = tuple(f"user u{number}@x.example" for number in range(MOST_MEMBERS + 1))
    assert given({400: members}) is None
    assert len(given({400: members[1:]}) or ()) == MOST_MEMBERS


def test_containers_are_wanted_while_somebody_watches() -> None:
    containers = Containers(lambda: 0.0)
    bob, carol = SubscriptionKey(BOB, ALICE), SubscriptionKey("sip:carol@ally.example", ALICE)
    assert not containers.wanted(KEY)
    assert containers.shown(bob) == KEY
    assert containers.shown(carol) is None
    containers.gone(bob)
    assert containers.wanted(KEY)
    containers.gone(carol)
    assert not containers.wanted(KEY)
    assert containers.shown(bob) == KEY


def test_a_new_subscription_begins_with_all_containers() -> None:
    containers = Containers(lambda: 0.0)
    containers.take(KEY, roaming({400: ("user bob@partner.example",)}).encode())
    more = roaming({100: ("federated",)}).encode()
    assert len(containers.take(KEY, more) or ()) == 2
    containers.ended(KEY)
    assert len(containers.take(KEY, more) or ()) == 1
