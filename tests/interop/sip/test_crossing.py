"""SIP and XMPP inside and outside, in every combination: presence, messages, typing, both ways."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from ..lab import Lab
from ..scene import until
from .crossing import PATIENCE, House, Person, SipPerson, XmppPerson, build

pytestmark = pytest.mark.interop

OUTSIDE = {
    "kamailio": {"partner.example": "kamailio", "ally.example": "prosody", "stranger.example": "ejabberd"},
    "prosody": {"partner.example": "kamailio"},
    "ejabberd": {"partner.example": "kamailio"},
}
COMBINATIONS = [(inside, domain) for inside, partners in OUTSIDE.items() for domain in partners]


@frozen
class Cast:
    """One of ours and one of theirs."""

    house: House
    alice: Person
    bob: Person

    @property
    def both(self) -> list[tuple[Person, Person]]:
        """Each and the other."""
        return [(self.alice, self.bob), (self.bob, self.alice)]


@pytest.fixture(scope="module", params=OUTSIDE)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Person]]:
    """A lab with one server inside, and alice."""
    with Lab(tmp_path_factory.mktemp(f"crossing-{request.param}")) as lab:
        made = build(lab, request.param, OUTSIDE[request.param])
        yield made, made.person("alice@corp.example")


@pytest.fixture(scope="module", params=["partner.example", "ally.example", "stranger.example"])
def cast(request: pytest.FixtureRequest, house: tuple[House, Person]) -> Cast:
    """alice, and a bob of one of the partners; they see each other."""
    made, alice = house
    if request.param not in made.outside:
        pytest.skip("not in this lab")
    found = Cast(made, alice, made.person(f"bob@{request.param}"))
    for one, other in found.both:
        other.shows("away", f"{other.name} before")
        one.watches(other)
        other.lets(one)
        one.sees(other, "away", f"{other.name} before")
    return found


def test_presence_crosses_both_ways(cast: Cast) -> None:
    for one, other in cast.both:
        other.shows("busy", f"{other.name} at it")
    for one, other in cast.both:
        one.sees(other, "busy", f"{other.name} at it")
