"""What RFC 7572 and RFC 8048 ask for and the leg does not do yet; each test fails as soon as it does."""

import pytest

from .bridge import Bridge, OpenHouse
from .test_messages import from_juliet, from_romeo
from .test_presence import subscribe


@pytest.mark.xfail(reason="a Call-ID is no thread (RFC 7572 table 2)")
def test_messages_of_one_call_have_one_thread() -> None:
    bridge = Bridge()
    (first,) = bridge.hear(from_romeo("1"))
    assert "<thread>" in first


@pytest.mark.xfail(reason="a thread is no Call-ID (RFC 7572 table 1)")
def test_messages_of_one_thread_have_one_call() -> None:
    bridge = Bridge()
    (one,) = bridge.stanza(from_juliet("<body>1</body><thread>t7</thread>"))
    bridge.reply(one, 202)
    (two,) = bridge.stanza(from_juliet("<body>2</body><thread>t7</thread>"))
    assert one.call_id == two.call_id and two.cseq.number > one.cseq.number


@pytest.mark.xfail(reason="the end of a watcher's dialog is not told to XMPP (RFC 8048 section 5.3.3)")
def test_a_watcher_who_leaves_is_unavailable() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    bridge.hear(subscribe())
    tag = bridge.answered[0].to.tag or ""
    bridge.reply(bridge.asked[-1], 200)
    assert any("type='unavailable'" in stanza for stanza in bridge.hear(subscribe("0", 264, tag)))


@pytest.mark.xfail(reason="a probe of somebody who is not watched subscribes and does not fetch (RFC 8048 section 7.1)")
def test_a_probe_is_a_fetch() -> None:
    (asked,) = Bridge().stanza("<presence from='juliet@example.com' to='romeo@example.net' type='probe'/>")
    assert asked.headers.get("Expires") == "0"
