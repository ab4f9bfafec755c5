"""Which TLSA records are believed: against a real validating resolver (unbound) with zones signed here."""

from collections.abc import Iterator

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from gateway.transport.dane import Association
from gateway.transport.resolver import Resolver, ResolverFailed, Target
from tests.validating import Validating, needs_unbound, xmpp_zone

pytestmark = pytest.mark.interop

WORD = Association(3, 1, 1, bytes(32))
RECORD = "3 1 1 " + "00" * 32


def _zones() -> dict[str, list[str]]:
    made = {name: xmpp_zone(name, "8.8.8.1", 5269, [RECORD]) for name in ("partner.example", "forged.example")}
    made["none.example"] = xmpp_zone("none.example", "8.8.8.1", 5269, [])
    made["odd.example"] = xmpp_zone("odd.example", "8.8.8.1", 5269, ["3 1 9 00", "7 1 1 " + "00" * 32])
    made["hosted.example"] = xmpp_zone("hosted.example", "", 5269, [], "xmpp.plain.example")
    made["straight.example"] = [
        "straight.example. 60 IN A 8.8.8.2",
        f"_5269._tcp.straight.example. 60 IN TLSA {RECORD}",
    ]
    made["moved.example"] = xmpp_zone("moved.example", "8.8.8.1", 5269, [RECORD])
    made["torn.example"] = xmpp_zone("torn.example", "8.8.8.1", 5269, [RECORD])
    return made


@pytest.fixture(scope="module")
def unbound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Validating]:
    needs_unbound()
    forward = xmpp_zone("astray.example", "", 5269, [], "xmpp.partner.example")
    plain = {"astray.example": forward, "plain.example": xmpp_zone("plain.example", "8.8.8.1", 5269, [RECORD])}
    spoilt = frozenset({"_5269._tcp.xmpp.forged.example", "_xmpp-server._tcp.moved.example", "xmpp.torn.example"})
    made = Validating(tmp_path_factory.mktemp("unbound"), _zones(), plain, spoilt=spoilt)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def resolver(unbound: Validating) -> Iterator[Resolver]:
    made = Resolver(reactor, [unbound.address], timeout=3.0, port=unbound.port, dane=True)
    yield made
    made.stop()


@ensureDeferred
async def test_validated_records_are_taken_from_the_target_of_the_service(resolver: Resolver) -> None:
    host = "xmpp.partner.example"
    assert await resolver.targets("partner.example") == [Target(host, 5269, False, ("8.8.8.1",), (WORD,), "TLSA 3 1 1")]


@ensureDeferred
async def test_what_is_not_signed_counts_for_nothing(resolver: Resolver) -> None:
    (target,) = await resolver.targets("plain.example")
    assert target.associations == () and target.dane == "does not apply: its SRV record is not validated"
    # whoever forges an SRV record cannot lead to a place of his own whose records are signed
    (target,) = await resolver.targets("astray.example")
    assert target.host == "xmpp.partner.example" and target.associations == ()
    # the SRV record is signed, and leads out of the signed part of the world
    (target,) = await resolver.targets("hosted.example")
    assert target.addresses == ("8.8.8.1",)
    assert target.associations == () and target.dane == "does not apply: its addresses are not validated"


@ensureDeferred
async def test_without_a_record_or_with_none_that_can_be_used_the_usual_way_goes_on(resolver: Resolver) -> None:
    (target,) = await resolver.targets("none.example")
    assert target.associations == () and target.dane == "no TLSA record"
    (target,) = await resolver.targets("odd.example")
    assert target.associations == () and target.dane.startswith("no TLSA record that can be used (")


@ensureDeferred
@pytest.mark.parametrize("domain", ["forged.example", "moved.example", "torn.example"])
async def test_nobody_is_dialled_when_an_answer_is_forged(resolver: Resolver, domain: str) -> None:
    with pytest.raises(ResolverFailed):
        await resolver.targets(domain)


@ensureDeferred
async def test_a_domain_without_service_records_has_its_own(resolver: Resolver) -> None:
    (target,) = await resolver.targets("straight.example")
    assert (target.host, target.port, target.associations) == ("straight.example", 5269, (WORD,))


@ensureDeferred
async def test_nobody_is_asked_unless_the_contract_says_so(unbound: Validating) -> None:
    resolver = Resolver(reactor, [unbound.address], timeout=3.0, port=unbound.port)
    try:
        (target,) = await resolver.targets("partner.example")
        assert (target.associations, target.dane) == ((), "")
    finally:
        resolver.stop()
