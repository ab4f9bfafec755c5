"""What ties messages together and what becomes of them: threads, failures, circles, polls, over real servers."""

import re
from collections.abc import Iterator

import pytest

from ..lab import Lab
from .crossing import House, SipPerson, XmppPerson, build

pytestmark = pytest.mark.interop

ASKS = (
    "From: <sip:bob@partner.example>\r\nTo: <sip:{name}>\r\n"
    "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: late1\r\n"
    "imdn.Disposition-Notification: positive-delivery, negative-delivery\r\n"
    "\r\nContent-Type: text/plain\r\n\r\nthere?"
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Prosody inside, a Kamailio outside."""
    with Lab(tmp_path_factory.mktemp("conversations")) as lab:
        yield build(lab, "prosody", {"partner.example": "kamailio"}, theirs={"languages": ["cs"]})


@pytest.fixture(scope="module")
def alice(house: House) -> XmppPerson:
    """One of ours."""
    found = house.person("alice@corp.example")
    assert isinstance(found, XmppPerson)
    return found


@pytest.fixture(scope="module")
def bob(house: House) -> SipPerson:
    """One of theirs."""
    found = house.person("bob@partner.example")
    assert isinstance(found, SipPerson)
    return found


def test_a_thread_is_a_call_and_a_call_is_a_thread(alice: XmppPerson, bob: SipPerson) -> None:
    for text in ("one", "two"):
        alice.client.raw(f"<message to='{bob.name}' type='chat'><body>{text}</body><thread>t1</thread></message>")
    one, two = bob.hears("one"), bob.hears("two")
    assert one["call-id"] == two["call-id"] and int(two["cseq"].split()[0]) > int(one["cseq"].split()[0])
    alice.client.raw(f"<message to='{bob.name}' type='chat'><body>three</body><thread>t2</thread></message>")
    assert bob.hears("three")["call-id"] != one["call-id"]
    bob.says(alice, "and mine")
    thread = alice.hears("and mine").text("thread")
    assert thread
    alice.client.raw(f"<message to='{bob.name}' type='chat'><body>yours</body><thread>{thread}</thread></message>")
    assert bob.hears("yours")["call-id"] == thread


def test_the_language_of_the_contract_goes_unless_the_peer_asks_for_another(alice: XmppPerson, bob: SipPerson) -> None:
    bodies = "<body xml:lang='en'>{0} welcome</body><body xml:lang='cs'>{0} vítej</body>"
    alice.client.raw(f"<message to='{bob.name}' type='chat'>{bodies.format('first')}</message>")
    assert bob.hears("first vítej")["content-language"] == "cs"
    assert (
        bob.ua.message(f"sip:{alice.name}", "in English", headers=[("Accept-Language", "en-GB, cs;q=0.2")]).status
        == 202
    )
    alice.hears("in English")
    alice.client.raw(f"<message to='{bob.name}' type='chat'>{bodies.format('second')}</message>")
    assert bob.hears("second welcome")["content-language"] == "en"


def test_who_asks_is_told_that_nobody_was_there(house: House, bob: SipPerson) -> None:
    nobody = "nobody@corp.example"
    got = bob.ua.message(f"sip:{nobody}", ASKS.format(name=nobody), content_type="message/cpim")
    assert got.status == 202
    told = bob.ua.wait_for("MESSAGE", lambda one: one.content_type == "message/cpim", 8.0)
    assert told.sender == f"sip:{nobody}" and "<message-id>late1</message-id>" in told.text and "<failed" in told.text


def test_what_crosses_to_xmpp_is_marked_and_does_not_come_back(alice: XmppPerson, bob: SipPerson) -> None:
    bob.says(alice, "to be forwarded")
    got = alice.hears("to be forwarded")
    mark = re.search(r"<gw [^>]*>", got.xml)
    assert mark and "urn:example:gateway:hop" in mark[0]
    alice.client.raw(f"<message to='{bob.name}' id='c1' type='chat'><body>forwarded</body>{mark[0]}</message>")
    alice.client.wait_for("message[@type='error'][@id='c1']", 8.0)
    alice.says(bob, "behind it")
    bob.hears("behind it")
    assert not bob.ua.requests("MESSAGE", lambda one: one.text == "forwarded")


def test_a_poll_is_answered_with_the_present(alice: XmppPerson, bob: SipPerson) -> None:
    alice.shows("busy", "here I am")
    bob.watches(alice)
    alice.lets(bob)
    bob.sees(alice, "busy", "here I am")
    fetched = bob.ua.subscribe(f"sip:{alice.name}", 0)
    got = fetched.wait_for("NOTIFY")
    assert "here I am" in got.text and got["subscription-state"].startswith("terminated")
