"""The SIP lab itself, without the gateway: what these tests show broken, the gateway's tests cannot be blamed for."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import frozen

from ..dns import OUTSIDE_FACE
from ..lab import Lab
from ..pki import Pki
from .baresip import baresip
from .documents import COMPOSING, pidf
from .kamailio import Kamailio
from .raw import dial, edge, refusal
from .ua import Ua, user_agent

pytestmark = pytest.mark.interop

CORP, PARTNER = "127.0.0.10", "127.0.0.20"
_RESOLVE = """import sys; from dns.resolver import resolve; (found,) = resolve(sys.argv[1], "SRV")
print(found.port, found.target, *resolve(found.target, "A"))"""


@frozen
class Cast:
    """Two domains that federate directly, and their users."""

    lab: Lab
    corp: Kamailio
    partner: Kamailio
    alice: Ua
    bob: Ua


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    """corp.example and partner.example over mutual TLS; alice speaks UDP to her server, bob TCP."""
    with Lab(tmp_path_factory.mktemp("sip")) as lab:
        started = time.monotonic()
        corp = lab.kamailio("corp.example", users={"alice": "", "carol": ""}, next_hop=f"tls:{PARTNER}:5061")
        partner = lab.kamailio("partner.example", users={"bob": ""}, next_hop=f"tls:{CORP}:5061", peer_check=True)
        lab.ready()
        assert time.monotonic() - started < 2.0 * 2
        alice, bob = user_agent(lab, "alice@corp.example"), user_agent(lab, "bob@partner.example", transport="tcp")
        assert (alice.register().status, bob.register().status) == (200, 200)
        yield Cast(lab, corp, partner, alice, bob)


def test_both_are_registered(cast: Cast) -> None:
    assert (cast.corp.registered(), cast.partner.registered()) == ({"alice"}, {"bob"})


@pytest.mark.parametrize(
    ("view", "domain", "address"),
    [
        ("direct", "partner.example", PARTNER),
        ("public", "corp.example", OUTSIDE_FACE),
        ("direct", "corp.example", CORP),
    ],
)
def test_domains_are_found_by_their_records(cast: Cast, view: str, domain: str, address: str) -> None:
    for service in ("_sips._tcp", "_sipfederationtls._tcp"):
        done = cast.lab.run(sys.executable, "-c", _RESOLVE, f"{service}.{domain}", view=view)
        assert done.stdout.split() == ["5061", f"sip.{domain}.", address], done.stderr


@pytest.mark.parametrize(("one", "other"), [("alice", "bob"), ("bob", "alice")])
def test_message_crosses_over_tls(cast: Cast, one: str, other: str) -> None:
    sender, receiver = getattr(cast, one), getattr(cast, other)
    assert sender.message(receiver.aor, f"grüße von {one}").status == 200
    got = receiver.wait_for("MESSAGE", lambda got: got.text == f"grüße von {one}")
    assert got.sender == sender.aor and got.content_type == "text/plain"
    assert any(via.startswith("SIP/2.0/TLS") for via in got.all("via"))


@pytest.mark.parametrize(("one", "other"), [("alice", "bob"), ("bob", "alice")])
def test_presence_crosses_over_tls(cast: Cast, one: str, other: str) -> None:
    presentity, watcher = getattr(cast, one), getattr(cast, other)
    assert presentity.publish(activity="busy", note="at it").status == 200
    watched = watcher.subscribe(presentity.aor)
    assert watched.opened.status == 200
    first = watched.wait_for("NOTIFY", lambda got: "<rpid:busy/>" in got.text)
    assert first["subscription-state"].startswith("active;expires=")
    presentity.publish(activity="away")
    watched.wait_for("NOTIFY", lambda got: "<rpid:away/>" in got.text)
    assert watched.refresh().status == 200
    assert watched.end().status == 200
    watched.wait_for("NOTIFY", lambda got: got["subscription-state"].startswith("terminated"))
    assert presentity.unpublish().status == 200


def test_fetch_is_one_notification(cast: Cast) -> None:
    # Kamailio ends a fetch with an empty NOTIFY
    cast.alice.publish(note="only now")
    fetched = cast.bob.subscribe(cast.alice.aor, 0)
    fetched.wait_for("NOTIFY", lambda got: got["subscription-state"].startswith("terminated"))
    cast.alice.publish(note="later")
    time.sleep(0.3)
    assert len(fetched.notifications()) == 1
    cast.alice.unpublish()


def test_kept_subscription_and_publication_are_refreshed(cast: Cast) -> None:
    cast.alice.publish(expires=2, keep=True, note="goes on")
    watched = cast.bob.subscribe(cast.alice.aor, 2, keep=True)
    time.sleep(2.6)
    assert len(cast.bob.responses("SUBSCRIBE", lambda got: got.call_id == watched.dialog)) >= 2
    assert "goes on" in watched.notifications()[-1].text
    published = [got for got in cast.alice.messages(lambda got: got.method == "PUBLISH" and got.sent) if not got.body]
    assert published and all(got["sip-if-match"] for got in published)
    watched.end()
    cast.alice.unpublish()


def test_nobody_is_told_from_somebody_who_is_away(cast: Cast) -> None:
    assert cast.alice.message("sip:nobody@partner.example", "anyone?").status == 404
    assert cast.bob.message("sip:carol@corp.example", "anyone?").status == 480


def test_winfo_names_the_watchers(cast: Cast) -> None:
    watched = cast.bob.subscribe(cast.alice.aor)
    watchers = cast.alice.subscribe(cast.alice.aor, event="presence.winfo", accept="application/watcherinfo+xml")
    got = watchers.wait_for("NOTIFY", lambda got: "sip:bob@partner.example" in got.text)
    assert got.content_type == "application/watcherinfo+xml"
    watchers.end()
    watched.end()


def test_session_of_messages(cast: Cast) -> None:
    session = cast.alice.invite_session(cast.bob.aor)
    assert session.opened.status == 200 and "m=message" in session.opened.text
    theirs = cast.bob.session(cast.bob.wait_for("INVITE"))
    theirs.wait_for("ACK")
    assert (session.typing().status, session.keyboard().status) == (200, 200)
    assert theirs.wait_for("MESSAGE").content_type == COMPOSING
    assert 'status="type"' in theirs.wait_for("INFO").text
    assert (session.message("one").status, theirs.message("two").status) == (200, 200)
    theirs.wait_for("MESSAGE", lambda got: got.text == "one")
    session.wait_for("MESSAGE", lambda got: got.text == "two")
    assert theirs.bye().status == 200
    session.wait_for("BYE")
    assert theirs.message("to the dead").status == 481


def test_answers_as_told(cast: Cast) -> None:
    cast.bob.answer("MESSAGE", 415, headers=[("Accept", "text/plain")], content_type="text/html", times=1)
    refused = cast.alice.message(cast.bob.aor, "<p>hi</p>", "text/html")
    assert (refused.status, refused["accept"]) == (415, "text/plain")
    assert cast.alice.message(cast.bob.aor, "<p>hi</p>", "text/html").status == 200
    cast.bob.answer("INVITE", 486, "Busy Here", times=1)
    assert cast.alice.invite_session(cast.bob.aor).opened.status == 486
    cast.bob.answer("INVITE", 200, delay=0.3, times=1)
    session = cast.alice.invite_session(cast.bob.aor)
    assert [got.status for got in cast.alice.responses("INVITE", lambda got: got.call_id == session.dialog)][-2:] == [
        180,
        200,
    ]
    session.bye()


def test_user_agent_notifies_by_itself(cast: Cast) -> None:
    with edge(cast.lab, "127.0.0.99", None, 5060) as registrar:
        hermit = user_agent(cast.lab, "hermit@ally.example", transport="tcp", registrar="127.0.0.99:5060")
        hermit.document(pidf(hermit.aor, note="own word"))
        with dial(cast.lab, hermit.address, hermit.port, tls=False) as peer:
            asked = peer.request("SUBSCRIBE", hermit.aor, "sip:bob@partner.example", headers=[("Event", "presence")])
            assert peer.exchange(asked)["expires"] == "3600"
        with registrar.accept() as towards:
            told = towards.receive()
            assert told.method == "NOTIFY" and "own word" in told.text
            assert told["subscription-state"] == "active;expires=3600"


def test_wrong_certificates_are_refused(cast: Cast) -> None:
    foreign = Pki(cast.lab.folder / "foreign", "Foreign CA")
    for address in (CORP, PARTNER):
        assert "certificate required" in refusal(cast.lab, address).lower()
        assert "unknown ca" in refusal(cast.lab, address, leaf=foreign.leaf("corp.example", "sip")).lower()
        assert refusal(cast.lab, address, leaf=cast.lab.pki.leaf("ally.example", "sip")) == ""


def test_sender_must_be_of_the_certificates_domain_where_that_is_asked(cast: Cast) -> None:
    leaf = cast.lab.pki.leaf("corp.example", "sip")
    with dial(cast.lab, PARTNER, leaf=leaf) as peer:
        own = peer.request("MESSAGE", cast.bob.aor, "sip:ghost@corp.example", body="mine")
        other = peer.request("MESSAGE", cast.bob.aor, "sip:ghost@ally.example", body="not mine")
        assert (peer.exchange(own).status, peer.exchange(other).status) == (200, 403)
    cast.bob.wait_for("MESSAGE", lambda got: got.text == "mine")
    assert not cast.bob.requests("MESSAGE", lambda got: got.text == "not mine")


def test_same_bytes_again_are_answered_from_the_transaction(cast: Cast) -> None:
    with dial(cast.lab, CORP, leaf=cast.lab.pki.leaf("ally.example", "sip")) as peer:
        twice = peer.request("MESSAGE", cast.alice.aor, "sip:eve@ally.example", body="replayed")
        assert [peer.exchange(twice).status for _ in range(2)] == [200, 200]
    assert len(cast.alice.requests("MESSAGE", lambda got: got.text == "replayed")) == 1


def test_baresip_sees_and_is_seen(cast: Cast) -> None:
    cast.bob.publish()
    carol = baresip(cast.lab, "carol@corp.example", "bob@partner.example")
    carol.wait_to_see(cast.bob.aor, "Online")
    watched = cast.bob.subscribe("sip:carol@corp.example")
    carol.online()
    watched.wait_for("NOTIFY", lambda got: "<basic>open</basic>" in got.text)
    carol.online(False)
    watched.wait_for("NOTIFY", lambda got: "<basic>closed</basic>" in got.text)
    cast.bob.unpublish()
    carol.wait_to_see(cast.bob.aor, "Offline")
    carol.message("from a real client")
    cast.bob.wait_for("MESSAGE", lambda got: got.text == "from a real client")
    cast.bob.message("sip:carol@corp.example", "to a real client")
    assert carol.wait_for_message("to a real client") == cast.bob.aor
    watched.end()
    carol.kill()


def test_server_comes_back_after_a_restart(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        corp = lab.kamailio("corp.example", users={"alice": ""})
        alice = user_agent(lab, "alice@corp.example", transport="tcp")
        alice.register()
        corp.restart()
        assert corp.registered() == set()
        assert alice.register().status == 200 and corp.registered() == {"alice"}


def test_edge_of_a_partner_played_by_the_test(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        lab.kamailio("corp.example", users={"alice": ""}, next_hop="tls:127.0.0.40:5061")
        alice = user_agent(lab, "alice@corp.example", transport="tcp")
        alice.register()
        leaf = lab.pki.leaf("stranger.example", "sip")
        with edge(lab, "127.0.0.40", leaf) as partner, ThreadPoolExecutor(1) as thread:
            asked = thread.submit(alice.message, "sip:eve@stranger.example", "to the edge")
            with partner.accept() as peer:
                got = peer.receive()
                assert got.text == "to the edge" and got.sender == alice.aor
                peer.answer(got, 603, "Decline")
                assert asked.result().status == 603


def test_rules_decide_who_sees_what(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        corp = lab.kamailio("corp.example", users={"alice": "", "carol": "", "dave": ""}, rules=True)
        alice, carol, dave = (user_agent(lab, f"{name}@corp.example") for name in ("alice", "carol", "dave"))
        corp.set_rules("alice", _RULES.format(carol="allow"))
        assert alice.publish(activity="busy").status == 200
        seen, unseen = carol.subscribe(alice.aor), dave.subscribe(alice.aor)
        seen.wait_for("NOTIFY", lambda got: "<rpid:busy/>" in got.text)
        assert unseen.wait_for("NOTIFY")["subscription-state"].startswith("pending") or unseen.opened.status == 202
        corp.set_rules("alice", _RULES.format(carol="block"))
        gone = seen.wait_for("NOTIFY", lambda got: got["subscription-state"].startswith("terminated"))
        assert "rejected" in gone["subscription-state"]


_RULES = """<?xml version="1.0" encoding="UTF-8"?>
<cr:ruleset xmlns:pr="urn:ietf:params:xml:ns:pres-rules" xmlns:cr="urn:ietf:params:xml:ns:common-policy">
<cr:rule id="carol"><cr:conditions><cr:identity><cr:one id="sip:carol@corp.example"/></cr:identity></cr:conditions>
<cr:actions><pr:sub-handling>{carol}</pr:sub-handling></cr:actions><cr:transformations/></cr:rule></cr:ruleset>"""
