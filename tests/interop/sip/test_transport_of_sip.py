"""How requests find their way to real servers: connections that are shared, servers that fail, passwords, moves."""

import re
import threading
import time
from collections.abc import Iterator, Mapping

import pytest
from attrs import define

from ..dns import View, Zone
from ..lab import Lab
from ..scene import READY, inside_server, inside_trust, partner, until
from .crossing import (
    CORP,
    GATE,
    INSIDE,
    OUTSIDE,
    House,
    SipPerson,
    XmppPerson,
    build,
    sip_configuration,
    sip_inside,
    sip_partner,
)
from .kamailio import Kamailio
from .raw import RawPeer, dial, edge

pytestmark = pytest.mark.interop

ALICE, BOB = "sip:alice@corp.example", "sip:bob@partner.example"
PASSWORD = "correct horse"
CHALLENGE = """    if ($pr == "tls" && !has_totag() && !is_method("ACK|CANCEL")) {
        if (!pv_proxy_authenticate("corp.example", "correct horse", "0") || $au != "gateway") {
            xlog("L_ERR", "challenged: code $retcode, answered: $hdr(Proxy-Authorization)\\n");
            proxy_challenge("corp.example", "1");
            exit;
        }
        xlog("L_ERR", "proven: $hdr(Proxy-Authorization)\\n");
        consume_credentials();
    }
"""
AUTH = """loadmodule "auth.so"
modparam("auth", "nonce_expire", 2)
modparam("auth", "nonce_auth_max_drift", 1)
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("auth", "algorithm", "%s")
"""
MOVED = """    if ($rU == "moved") {
        append_to_reply("Contact: <sip:bob@partner.example>\\r\\n");
        sl_send_reply("302", "Moved Temporarily");
        exit;
    }
    if ($rU == "away") {
        append_to_reply("Contact: <sip:bob@ally.example>\\r\\n");
        sl_send_reply("302", "Moved Temporarily");
        exit;
    }
"""


@pytest.fixture
def bent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, str]]:
    """By domain: what is put behind a line of the configuration of its Kamailio."""
    changes: dict[str, Mapping[str, str]] = {}
    really = Kamailio._configuration

    def written(server: Kamailio) -> str:
        text = really(server)
        for line, more in changes.get(server.domain, {}).items():
            assert line in text, line
            text = text.replace(line, line + more, 1)
        return text

    monkeypatch.setattr(Kamailio, "_configuration", written)
    return changes


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of its own for each test: each needs other servers."""
    with Lab(tmp_path_factory.mktemp("transport")) as made:
        yield made


def asking(lab: Lab, bent: dict[str, Mapping[str, str]], password: str, algorithm: str = "") -> House:
    """A Kamailio inside that asks the gateway for a password, and a Prosody outside."""
    auth = AUTH % algorithm if algorithm else AUTH.replace('modparam("auth", "algorithm", "%s")\n', "")
    bent[CORP] = {'loadmodule "xlog.so"\n': auth, 'if ($pr == "tls") route(PEER);\n': CHALLENGE}
    secret = lab.folder / "password"
    secret.write_text(password + "\n")
    inside = sip_inside(lab, user="gateway") + f'password = {{ file = "{secret}" }}\n'
    gateway = lab.gateway(sip_configuration(lab, partner("ally.example"), inside=inside), ready=READY)
    lab.kamailio(CORP, users={"alice": ""}, next_hop=f"tls:{INSIDE}:{GATE}", watch=True)
    lab.prosody("ally.example", users={"bob": "pw"}, view="public", trust=[lab.pki.ca], dialback=False)
    lab.ready()
    return House(lab, gateway, "kamailio", {"ally.example": "prosody"})


def towards(lab: Lab, *sections: str, hop: str = f"tls:{OUTSIDE}:{GATE}") -> House:
    """A Prosody inside, and a Kamailio that is partner.example and finds the gateway at `hop`."""
    gateway = lab.gateway(sip_configuration(lab, *sections, inside=inside_server(lab)), ready=READY)
    trust = inside_trust(lab, gateway)
    lab.prosody(CORP, users={"alice": "pw"}, view="inside", trust=trust, dialback=False)
    lab.kamailio("partner.example", users={"bob": ""}, next_hop=hop)
    lab.ready()
    return House(lab, gateway, "prosody", {"partner.example": "kamailio"})


def xmpp(house: House) -> XmppPerson:
    """alice inside, who speaks XMPP."""
    found = house.person("alice@corp.example")
    assert isinstance(found, XmppPerson)
    return found


def sip(house: House, name: str = "bob@partner.example") -> SipPerson:
    """Somebody who speaks SIP."""
    found = house.person(name)
    assert isinstance(found, SipPerson)
    return found


# --- passwords (RFC 7616)


@pytest.mark.parametrize("algorithm", ["", "SHA-256"], ids=["MD5", "SHA-256"])
def test_our_own_server_may_ask_for_a_password(lab: Lab, bent: dict[str, Mapping[str, str]], algorithm: str) -> None:
    house = asking(lab, bent, PASSWORD, algorithm)
    alice, bob = sip(house, "alice@corp.example"), house.person("bob@ally.example")
    for number in range(3):
        bob.says(alice, f"text {number}")
        alice.hears(f"text {number}")
    log = lab.servers["corp.example"].process.text()
    assert log.count("challenged:") == 1
    proven = re.findall(r'nonce="([^"]+)".*nc=(\d+)', log)
    assert [count for _, count in proven] == ["00000001", "00000002", "00000003"] and len({n for n, _ in proven}) == 1
    if algorithm:
        assert "algorithm=SHA-256" in log
    time.sleep(3.0)  # the nonce is stale now
    bob.says(alice, "with a new nonce")
    alice.hears("with a new nonce")
    alice.shows("busy", "watched with a password")
    bob.watches(alice)
    bob.sees(alice, "watched with a password")
    assert PASSWORD not in house.gateway.log and PASSWORD not in lab.servers["corp.example"].process.text()


def test_a_wrong_password_fails_the_message_and_is_not_repeated(lab: Lab, bent: dict[str, Mapping[str, str]]) -> None:
    house = asking(lab, bent, "wrong")
    alice, bob = sip(house, "alice@corp.example"), house.person("bob@ally.example")
    bob.says(alice, "never told")
    log = lab.servers["corp.example"].process
    until(lambda: log.text().count("challenged:") == 2, "two challenges", 5.0)
    time.sleep(0.5)
    assert log.text().count("challenged:") == 2 and not alice.ua.requests("MESSAGE")


# --- connections that are shared (RFC 5923)


def test_a_partner_reaches_us_on_the_connection_that_we_have_opened(
    lab: Lab, bent: dict[str, Mapping[str, str]]
) -> None:
    # nobody listens there: it is only the name of our connection, whose sent-by has this port
    bent["partner.example"] = {"tcp_async=yes\n": "tcp_accept_aliases=yes\n"}
    house = towards(lab, sip_partner("partner.example"), hop="tls:127.0.0.1:5061")
    alice, bob = xmpp(house), sip(house)
    assert bob.ua.message(ALICE, "too early").status >= 400
    alice.says(bob, "the first word is ours")
    bob.hears("the first word is ours")
    bob.says(alice, "back on your connection")
    alice.hears("back on your connection")
    bob.watches(alice)
    alice.lets(bob)
    alice.shows("busy", "seen on one connection")
    bob.sees(alice, "seen on one connection")


def test_we_reach_a_partner_on_the_connection_that_he_has_opened(lab: Lab) -> None:
    """The test itself is the partner: nobody listens where DNS says that he is."""
    house = build(lab, "prosody", {"partner.example": "kamailio"})
    alice = xmpp(house)
    lab.servers["partner.example"].kill()
    with dial(lab, OUTSIDE, leaf=lab.pki.leaf("partner.example", "sip")) as peer:
        first = offered(peer.request("MESSAGE", ALICE, BOB, body="mine"))
        assert peer.exchange(first).status == 202
        alice.hears("mine")
        alice.client.message("bob@partner.example", "on yours")
        got = peer.receive(8.0)
        assert (got.method, got.text, got.sender) == ("MESSAGE", "on yours", ALICE)
        assert len(got.all("via")) == 1 and "alias" not in got["via"]
        peer.answer(got)


def test_a_connection_that_was_not_offered_carries_no_request(lab: Lab) -> None:
    house = build(lab, "prosody", {"partner.example": "kamailio"})
    alice = xmpp(house)
    lab.servers["partner.example"].kill()
    with dial(lab, OUTSIDE, leaf=lab.pki.leaf("partner.example", "sip")) as peer:
        assert peer.exchange(peer.request("MESSAGE", ALICE, BOB, body="mine")).status == 202
        alice.hears("mine")
        name = alice.client.message("bob@partner.example", "on yours")
        alice.client.wait_for(f"message[@id='{name}'][@type='error']", 20.0)
        with pytest.raises(AssertionError):
            pytest.fail(f"told {peer.receive(0.3)}")


def test_a_partners_connection_is_his_alone(lab: Lab) -> None:
    """ally.example offers its connection; nothing for partner.example comes on it, though it asks for it by name."""
    house = build(lab, "prosody", {"partner.example": "kamailio", "ally.example": "kamailio"})
    alice, bob = xmpp(house), sip(house)
    with dial(lab, OUTSIDE, leaf=lab.pki.leaf("ally.example", "sip")) as peer:
        mine = offered(peer.request("MESSAGE", ALICE, "sip:eve@ally.example", body="mine"))
        assert peer.exchange(mine.replace(f"{peer.address}:{peer.port}".encode(), b"127.0.0.20:5061", 1)).status == 202
        assert peer.exchange(offered(peer.request("MESSAGE", ALICE, BOB, body="as bob"))).status == 403
        alice.says(bob, "for bob alone")
        bob.hears("for bob alone")
        with pytest.raises(AssertionError, match="nothing came"):
            peer.receive(0.3)


def offered(message: bytes) -> bytes:
    """The same with the connection offered."""
    return message.replace(b";branch=", b";alias;branch=", 1)


# --- several servers (RFC 3263)


@define
class Busy:
    """The first of two servers of partner.example: it takes requests and says that it is overloaded."""

    lab: Lab
    address: str
    asked: int = 0

    def serve(self, peers: int = 1) -> threading.Thread:
        """Begin, for so many connections."""
        listening = edge(self.lab, self.address, self.lab.pki.leaf("partner.example", "sip"))

        def run() -> None:
            with listening:
                for _ in range(peers):
                    self._answer(listening.accept(20.0))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _answer(self, peer: RawPeer) -> None:
        with peer:
            got = peer.receive(20.0)
            self.asked += 1
            peer.answer(got, 503, "Overloaded", [("Retry-After", "60")])
            peer.closed(1.0)


def records(*places: str, pointer: bool) -> list[str]:
    """DNS of partner.example: its servers in this order, found by NAPTR or by SRV alone."""
    service = "_sips._tcp.edge.partner.example" if pointer else "_sips._tcp.partner.example"
    lines = [f"srv-host={service},s{number}.partner.example,5061,{number},0" for number, _ in enumerate(places)]
    lines += [f"address=/s{number}.partner.example/{place}" for number, place in enumerate(places)]
    if pointer:
        # what is preferred is not for us: another transport; and SRV without a pointer leads nowhere
        lines.append("naptr-record=partner.example,10,50,s,SIP+D2U,,_sip._udp.partner.example")
        lines.append(f"naptr-record=partner.example,20,50,s,SIPS+D2T,,{service}")
    return lines


@pytest.fixture(params=[True, False], ids=["NAPTR", "SRV"])
def several(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """partner.example at three places: nobody is at the first, the second is overloaded, Kamailio is the third."""
    lines = records("127.0.0.21", "127.0.0.22", "127.0.0.20", pointer=request.param)
    with Lab(tmp_path_factory.mktemp("several"), dns_lines={"direct": lines}) as made:
        yield made


def test_what_fails_gives_way_to_the_next_server(several: Lab) -> None:
    busy = Busy(several, "127.0.0.22")
    serving = busy.serve()
    house = towards(several, partner("partner.example", via="sip"))
    several.dns.add(Zone("partner.example", "127.0.0.20"))  # without the records of a lab's Kamailio
    until(several.dns.ready, "DNS answers", 5.0)
    alice, bob = xmpp(house), sip(house)
    for number in range(3):
        alice.says(bob, f"text {number}")
        bob.hears(f"text {number}")
    assert busy.asked == 1
    assert not alice.client.stanzas("message[@type='error']")
    assert "query[NAPTR] partner.example" in several.dns.queries(View.DIRECT)
    serving.join(5.0)


# --- who has moved


def test_a_partner_sends_us_on_within_its_own_domain(lab: Lab, bent: dict[str, Mapping[str, str]]) -> None:
    bent["partner.example"] = {'if ($pr == "tls") route(PEER);\n': MOVED}
    house = build(lab, "prosody", {"partner.example": "kamailio", "ally.example": "kamailio"})
    alice, bob = xmpp(house), sip(house)
    other = sip(house, "bob@ally.example")
    alice.client.message("moved@partner.example", "wherever you are")
    got = bob.hears("wherever you are")
    assert "moved@partner.example" in got["to"]
    name = alice.client.message("away@partner.example", "for partner.example alone")
    alice.client.wait_for(f"message[@id='{name}'][@type='error']/error/{{*}}redirect", 8.0)
    assert not other.ua.requests("MESSAGE")


# --- how far a request may go (RFC 7332)


def test_max_forwards_is_counted_down_from_one_kamailio_to_the_other(lab: Lab) -> None:
    house = build(lab, "kamailio", {"partner.example": "kamailio"})
    alice, bob = sip(house, "alice@corp.example"), sip(house)
    for one, other in ((alice, bob), (bob, alice)):
        assert one.ua.message(f"sip:{other.name}", f"from {one.name}").status in (200, 202)
        # begun at 70; one server, the gateway and the other server have each taken one
        assert other.hears(f"from {one.name}")["max-forwards"] == "67"
