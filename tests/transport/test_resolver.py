from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import DeferredList
from twisted.internet.defer import ensureDeferred as ensure

from gateway.transport.resolver import (
    SIP,
    LookupFailed,
    NotFound,
    Resolver,
    ResolverFailed,
    ServiceNotOffered,
    SrvRecord,
    Target,
    in_srv_order,
    public_only,
)


@define(eq=False)
class Zone:
    """A name server on loopback that answers (name, type) with texts, with an rcode, or with silence."""

    answers: dict[tuple[str, str], list[str] | int | None] = field(factory=dict)
    asked: Counter[tuple[str, str]] = field(factory=Counter)
    port: int = 0
    ttl: int = 300
    validated: set[str] = field(factory=set)
    """Kinds of records of which it says that it has validated them."""

    def respond(self, wire: bytes) -> bytes | None:
        question = dns.message.from_wire(wire)
        name = question.question[0].name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        self.asked[name, kind] += 1
        reply = dns.message.make_response(question)
        if kind in self.validated and question.flags & dns.flags.AD:
            reply.flags |= dns.flags.AD
        known = {owner for owner, _ in self.answers}
        found = self.answers.get((name, kind), [] if name in known else int(dns.rcode.NXDOMAIN))
        if found is None:
            return None
        if isinstance(found, int):
            reply.set_rcode(dns.rcode.Rcode(found))
        elif found:
            reply.answer.append(dns.rrset.from_text(name + ".", self.ttl, "IN", kind, *found))
        return reply.to_wire()


@pytest.fixture
def zone() -> Iterator[Zone]:
    import socket

    server, stopping = Zone(), threading.Event()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(0.05)
    server.port = sock.getsockname()[1]

    def serve() -> None:
        while not stopping.is_set():
            try:
                wire, sender = sock.recvfrom(4096)
            except TimeoutError:
                continue
            reply = server.respond(wire)
            if reply is not None:
                sock.sendto(reply, sender)

    thread = threading.Thread(target=serve)
    thread.start()
    yield server
    stopping.set()
    thread.join()
    sock.close()


@pytest.fixture
def resolver(zone: Zone) -> Iterator[Resolver]:
    made = Resolver(reactor, ["127.0.0.1"], timeout=0.4, port=zone.port, draw=random.Random(1))
    yield made
    made.stop()


@ensureDeferred
async def test_both_kinds_of_records_are_merged_by_priority(zone: Zone, resolver: Resolver) -> None:
    zone.answers = {
        ("_xmpps-server._tcp.partner.example", "SRV"): ["10 0 443 tls.partner.example."],
        ("_xmpp-server._tcp.partner.example", "SRV"): ["5 0 5269 a.partner.example.", "20 0 5270 b.partner.example."],
        ("tls.partner.example", "A"): ["8.8.8.1"],
        ("a.partner.example", "AAAA"): ["2600::1"],
        ("a.partner.example", "A"): ["8.8.8.2"],
        ("b.partner.example", "A"): ["8.8.8.3"],
    }
    assert await resolver.targets("Partner.example") == [
        Target("a.partner.example", 5269, False, ("2600::1", "8.8.8.2")),
        Target("tls.partner.example", 443, True, ("8.8.8.1",)),
        Target("b.partner.example", 5270, False, ("8.8.8.3",)),
    ]


@ensureDeferred
async def test_without_srv_records_the_domain_itself_is_the_server(zone: Zone, resolver: Resolver) -> None:
    zone.answers = {("xn--bcher-kva.example", "A"): ["8.8.8.1"]}
    assert await resolver.targets("bücher.example") == [Target("xn--bcher-kva.example", 5269, False, ("8.8.8.1",))]


@ensureDeferred
async def test_a_dot_means_no_service_and_no_fallback(zone: Zone, resolver: Resolver) -> None:
    zone.answers = {
        ("_xmpp-server._tcp.partner.example", "SRV"): ["0 0 0 ."],
        ("partner.example", "A"): ["8.8.8.1"],
    }
    with pytest.raises(ServiceNotOffered):
        await resolver.targets("partner.example")


@ensureDeferred
@pytest.mark.parametrize("failure", [int(dns.rcode.SERVFAIL), int(dns.rcode.REFUSED), None])
async def test_a_failing_name_server_is_no_reason_to_fall_back(failure, zone: Zone, resolver: Resolver) -> None:
    zone.answers = {
        ("_xmpp-server._tcp.partner.example", "SRV"): failure,
        ("partner.example", "A"): ["8.8.8.1"],
    }
    with pytest.raises(ResolverFailed):
        await resolver.targets("partner.example")


@ensureDeferred
async def test_srv_targets_without_address_are_no_reason_to_fall_back(zone: Zone, resolver: Resolver) -> None:
    zone.answers = {
        ("_xmpp-server._tcp.partner.example", "SRV"): ["0 0 5269 gone.partner.example."],
        ("partner.example", "A"): ["8.8.8.1"],
    }
    with pytest.raises(NotFound, match="gone.partner.example has no address"):
        await resolver.targets("partner.example")


@ensureDeferred
async def test_addresses_of_our_own_network_are_refused_by_name(zone: Zone, resolver: Resolver) -> None:
    zone.answers = {
        ("partner.example", "A"): ["127.0.0.1", "10.1.2.3"],
        ("mixed.example", "A"): ["10.1.2.3", "8.8.8.1"],
    }
    with pytest.raises(NotFound, match=r"10\.1\.2\.3, which may not be dialled"):
        await resolver.targets("partner.example")
    assert (await resolver.targets("mixed.example"))[0].addresses == ("8.8.8.1",)
    with pytest.raises(NotFound):
        await resolver.targets("169.254.169.254")


@ensureDeferred
async def test_answers_are_kept_and_askers_at_once_ask_once(zone: Zone, resolver: Resolver) -> None:
    zone.answers = {("partner.example", "A"): ["8.8.8.1"]}
    results = await DeferredList([ensure(resolver.targets("partner.example")) for _ in range(5)])
    assert all(success and targets[0].addresses == ("8.8.8.1",) for success, targets in results)
    await resolver.targets("partner.example")
    assert zone.asked["partner.example", "A"] == 1


@ensureDeferred
async def test_what_is_not_found_is_kept_too_but_not_for_ever(zone: Zone, resolver: Resolver) -> None:
    for _ in range(2):
        with pytest.raises(NotFound):
            await resolver.targets("nowhere.example")
    assert zone.asked["nowhere.example", "A"] == 1
    assert 30 <= resolver._kept["nowhere.example"].until - reactor.seconds() <= 60


@ensureDeferred
async def test_what_is_no_domain_is_not_asked_for(zone: Zone, resolver: Resolver) -> None:
    for text in ("", "a b", "a..example", "-.example", "x" * 64 + ".example", "[::1]"):
        with pytest.raises(LookupFailed):
            await resolver.targets(text)
    assert not zone.asked


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "fe80::1", "fc00::1", "224.0.0.1",
     "ff02::1", "0.0.0.0", "::", "255.255.255.255", "100.64.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
     "64:ff9b::a00:1", "2002:7f00:1::1", "no address", ""],
)  # fmt: skip
def test_what_is_not_public_may_not_be_dialled(address: str) -> None:
    assert not public_only(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2600::1", "::ffff:8.8.8.8"])
def test_what_is_public_may_be_dialled(address: str) -> None:
    assert public_only(address)


TARGETS = st.builds(Target, st.text("abc"), st.just(1), st.just(False))
RECORDS = st.lists(st.builds(SrvRecord, st.integers(0, 3), st.integers(0, 65535), TARGETS), max_size=8)


@given(RECORDS, st.integers(0, 1000))
def test_every_record_comes_once_and_lower_priorities_first(records: list[SrvRecord], seed: int) -> None:
    ordered = in_srv_order(records, random.Random(seed))
    assert Counter(ordered) == Counter(records)
    assert [r.priority for r in ordered] == sorted(r.priority for r in records)


def test_weights_set_the_chances() -> None:
    heavy, light, none = (SrvRecord(0, weight, Target(str(weight), 1, False)) for weight in (75, 25, 0))
    draw = random.Random(4)
    first = Counter(in_srv_order([heavy, light, none], draw)[0].weight for _ in range(4000))
    assert 0.70 < first[75] / 4000 < 0.80
    assert 0 < first[0] / 4000 < 0.03


@ensureDeferred
async def test_each_look_up_is_timed_once(zone: Zone) -> None:
    times: list[tuple[float, str]] = []
    made = Resolver(
        reactor,
        ["127.0.0.1"],
        timeout=0.4,
        port=zone.port,
        timed=lambda seconds, outcome: times.append((seconds, outcome)),
    )
    zone.answers = {("partner.example", "A"): ["8.8.8.1"]}
    await made.targets("partner.example")
    await made.targets("partner.example")
    with pytest.raises(NotFound):
        await made.targets("nowhere.example")
    made.stop()
    assert [outcome for _, outcome in times] == ["ok", "missing"]
    assert all(0 < seconds < 5 for seconds, _ in times)


# -- SIP (RFC 3263)

NAPTR = "partner.example", "NAPTR"
SIPS = "_sips._tcp.partner.example", "SRV"
EDGES = "_sipfederationtls._tcp.partner.example", "SRV"


@pytest.fixture
def sip(zone: Zone) -> Iterator[Resolver]:
    made = Resolver(reactor, ["127.0.0.1"], timeout=0.4, port=zone.port, draw=random.Random(1), service=SIP)
    zone.answers = {(f"{name}.example", "A"): [f"8.8.8.{number}"] for number, name in enumerate("abcd", 1)}
    zone.answers["partner.example", "A"] = ["8.8.8.9"]
    yield made
    made.stop()


async def hosts(resolver: Resolver, port: int | None = None) -> list[str]:
    return [f"{found.host}:{found.port}" for found in await resolver.targets("partner.example", port)]


@ensureDeferred
async def test_naptr_says_where_the_servers_of_a_sip_domain_are_named(zone: Zone, sip: Resolver) -> None:
    zone.answers |= {
        NAPTR: [
            '10 1 "s" "SIP+D2U" "" _sip._udp.partner.example.',
            '30 1 "s" "SIPS+D2T" "" _sips._tcp.second.example.',
            '20 9 "s" "sips+d2t" "" _sips._tcp.first.example.',
            '20 1 "u" "SIPS+D2T" "!^.*$!sip:x@c.example!" .',
        ],
        SIPS: ["0 0 5061 d.example."],
        ("_sips._tcp.first.example", "SRV"): ["5 0 5061 b.example.", "1 0 5071 a.example."],
        ("_sips._tcp.second.example", "SRV"): ["0 0 5061 c.example."],
    }
    assert await hosts(sip) == ["a.example:5071", "b.example:5061"]
    assert zone.asked[SIPS] == zone.asked["_sip._udp.partner.example", "SRV"] == 0


@pytest.mark.parametrize(
    "pointers",
    [
        [],
        ['10 1 "s" "SIP+D2U" "" _sip._udp.partner.example.'],
        ['10 1 "s" "SIPS+D2T" "" _sips._tcp.nowhere.example.'],
        2,
    ],
    ids=["none", "for others", "to nothing", "failing"],
)
@ensureDeferred
async def test_without_a_pointer_srv_records_say_it(zone: Zone, sip: Resolver, pointers: list[str] | int) -> None:
    zone.answers |= {NAPTR: pointers, SIPS: ["0 0 5061 d.example."]}
    assert await hosts(sip) == ["d.example:5061"]


@ensureDeferred
async def test_edges_of_microsoft_are_asked_for_last(zone: Zone, sip: Resolver) -> None:
    zone.answers |= {SIPS: ["9 0 5061 a.example."], EDGES: ["0 0 5061 b.example."]}
    assert await hosts(sip) == ["a.example:5061"]
    assert zone.asked[EDGES] == 0


@ensureDeferred
async def test_edges_of_microsoft_are_enough(zone: Zone, sip: Resolver) -> None:
    zone.answers |= {EDGES: ["0 0 5061 b.example."]}
    assert await hosts(sip) == ["b.example:5061"]


@ensureDeferred
async def test_a_port_that_is_named_is_not_for_dns_to_say(zone: Zone, sip: Resolver) -> None:
    zone.answers |= {SIPS: ["0 0 5061 a.example."]}
    assert await hosts(sip, 5071) == ["partner.example:5071"]
    assert await hosts(sip) == ["a.example:5061"]
    assert zone.asked[SIPS] == 1


@ensureDeferred
@pytest.mark.parametrize("missing", [None, "SRV", "A", "TLSA"])
async def test_secure_names_count_when_every_answer_on_the_way_is_validated(missing: str | None, zone: Zone) -> None:
    zone.answers = {
        ("_xmpp-server._tcp.partner.example", "SRV"): ["0 0 5269 a.partner.example."],
        ("a.partner.example", "A"): ["8.8.8.1"],
        ("_5269._tcp.a.partner.example", "TLSA"): ["3 1 1 " + "00" * 32],
    }
    zone.validated = {"SRV", "A", "AAAA", "TLSA"} - {missing or ""}
    careful = Resolver(reactor, ["127.0.0.1"], timeout=0.4, port=zone.port, dane=True)
    try:
        (target,) = await careful.targets("partner.example")
        assert len(target.associations) == (0 if missing else 1)
    finally:
        careful.stop()


@ensureDeferred
@pytest.mark.parametrize("failure", [int(dns.rcode.SERVFAIL), None])
async def test_nobody_is_dialled_while_it_is_not_known_whether_there_are_secure_names(failure, zone: Zone) -> None:
    zone.answers = {
        ("_xmpp-server._tcp.partner.example", "SRV"): ["0 0 5269 a.partner.example.", "9 0 5269 b.partner.example."],
        ("a.partner.example", "A"): ["8.8.8.1"],
        ("b.partner.example", "A"): ["8.8.8.2"],
        ("_5269._tcp.a.partner.example", "TLSA"): failure,
        ("_5269._tcp.b.partner.example", "TLSA"): [],
    }
    zone.validated = {"SRV", "A", "AAAA", "TLSA"}
    careful = Resolver(reactor, ["127.0.0.1"], timeout=0.4, port=zone.port, dane=True)
    try:
        assert [target.host for target in await careful.targets("partner.example")] == ["b.partner.example"]
    finally:
        careful.stop()
