"""RFC 8048: the worked examples of subscriptions, notifications and polling, both ways."""

import pytest

from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.protocols.element import Element
from gateway.protocols.pidf import read_pidf, read_priority, write_priority
from gateway.protocols.sip.message import Request
from gateway.protocols.xml_document import read_document

from .bridge import JULIET, NOW, ROMEO, Bridge, OpenHouse, named, stanza_of

PIDF = "application/pidf+xml"
SUBSCRIBE = "<presence from='juliet@example.com' to='romeo@example.net' type='subscribe'/>"
OPEN = (
    "<?xml version='1.0' encoding='UTF-8'?><presence xmlns='urn:ietf:params:xml:ns:pidf' "
    "entity='pres:romeo@example.net'><tuple id='ID-orchard'><status><basic>open</basic>"
    "<show xmlns='jabber:client'>away</show></status></tuple></presence>"
)
CLOSED = OPEN.replace("open", "closed").replace("<show xmlns='jabber:client'>away</show>", "")
HEAD = {
    "Via": "SIP/2.0/TLS s2x.example.net;branch=z9hG4bKna998sk",
    "Max-Forwards": "70",
    "From": f"<{ROMEO}>;tag=yt66",
    "To": f"<{JULIET}>",
    "Call-ID": "AA5A8BE5-CBB7-42B9-8181-6230012B1E11",
    "Event": "presence",
    "Contact": "<sip:s2x.example.net:5061;transport=tls>",
}


def written(method: str, fields: dict[str, str], body: str = "") -> str:
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return f"{method} {JULIET} SIP/2.0\n{lines}Content-Length: {len(body.encode())}\n\n{body}"


def notify(asked: Request, state: str, body: str = "", cseq: int = 8775, kind: str = PIDF) -> str:
    """Writes romeo's NOTIFY in the dialog of juliet's SUBSCRIBE."""
    fields = HEAD | {
        "Via": f"SIP/2.0/TLS s2x.example.net;branch=z9hG4bKn{cseq}",
        "To": str(asked.headers.get("From")),
        "Call-ID": asked.call_id,
        "CSeq": f"{cseq} NOTIFY",
        "Subscription-State": state,
    }
    return written("NOTIFY", fields | ({"Content-Type": kind} if body else {}), body)


def subscribe(expires: str = "3600", cseq: int = 263, tag: str = "", accept: str = PIDF) -> str:
    """Writes romeo's SUBSCRIBE to juliet."""
    fields = HEAD | {"CSeq": f"{cseq} SUBSCRIBE", "Expires": expires, "Accept": accept}
    fields["Via"] = f"SIP/2.0/TLS s2x.example.net;branch=z9hG4bKs{cseq}"
    return written("SUBSCRIBE", fields | ({"To": f"<{JULIET}>;tag={tag}"} if tag else {}))


def followed(bridge: Bridge) -> Request:
    """Lets juliet subscribe to romeo, who agrees; gives her SUBSCRIBE."""
    (asked,) = bridge.stanza(SUBSCRIBE)
    assert bridge.reply(asked, 200, Contact="<sip:s2x.example.net>", Expires="3600") == []
    assert bridge.hear(notify(asked, "active;expires=3600", OPEN))
    return asked


def document_in(request: Request) -> Element:
    return read_document(request.body)


# --- 5.2: an XMPP user subscribes to a SIP user


def test_5_2_1_the_request() -> None:
    (asked,) = Bridge().stanza(SUBSCRIBE)
    assert (asked.method, asked.uri) == ("SUBSCRIBE", ROMEO)
    assert named(asked, "Event", "Expires", "Max-Forwards") == {
        "Event": "presence",
        "Expires": "3600",
        "Max-Forwards": "70",
    }
    assert (asked.headers.get("Accept") or "").partition(",")[0] == PIDF
    assert str(asked.to) == f"<{ROMEO}>", "the RFC's example has no To; RFC 3261 demands it"
    assert str(asked.from_.uri) == JULIET and asked.from_.tag
    assert asked.headers.get("Contact") == "<sip:x2s.example.com:5061;transport=tls>"


def test_5_2_1_a_2xx_and_pending_say_nothing_yet() -> None:
    bridge = Bridge()
    (asked,) = bridge.stanza(SUBSCRIBE)
    assert bridge.reply(asked, 200, Contact="<sip:s2x.example.net>", Expires="3600") == []
    assert bridge.hear(notify(asked, "pending;expires=3600")) == []
    assert [answer.status for answer in bridge.answered] == [200]


def test_5_2_1_the_first_active_is_the_yes() -> None:
    """Example 6 drops the show that table 2 carries: it is carried."""
    bridge = Bridge()
    (asked,) = bridge.stanza(SUBSCRIBE)
    bridge.reply(asked, 200, Contact="<sip:s2x.example.net>", Expires="3600")
    assert bridge.hear(notify(asked, "active;expires=499", OPEN)) == [
        "<presence from='romeo@example.net' to='juliet@example.com' type='subscribed'/>",
        "<presence from='romeo@example.net/orchard' to='juliet@example.com'><show>away</show></presence>",
    ]
    assert [answer.status for answer in bridge.answered] == [200]


def test_5_2_1_a_notify_may_overtake_the_2xx() -> None:
    bridge = Bridge()
    (asked,) = bridge.stanza(SUBSCRIBE)
    assert len(bridge.hear(notify(asked, "active;expires=499", OPEN))) == 2


def test_5_2_1_active_without_a_body_is_closed() -> None:
    bridge = Bridge()
    (asked,) = bridge.stanza(SUBSCRIBE)
    assert bridge.hear(notify(asked, "active;expires=499")) == [
        "<presence from='romeo@example.net' to='juliet@example.com' type='subscribed'/>"
    ]


def test_5_2_2_refreshed_before_it_ends_while_somebody_is_there() -> None:
    bridge = Bridge()
    asked = followed(bridge)
    (again,) = bridge.wait(3590.0)
    assert again.method == "SUBSCRIBE" and again.call_id == asked.call_id and again.to.tag == "yt66"
    assert again.cseq.number == asked.cseq.number + 1 and again.headers.get("Expires") == "3600"


def test_5_2_2_not_refreshed_when_nobody_is_to_be_told() -> None:
    """Section 8.1: idle users cost nothing."""
    bridge = Bridge()
    followed(bridge)
    bridge.house.wanted = False
    before = len(bridge.house.received)
    assert bridge.wait(3590.0) == []
    assert bridge.wait(20.0) == []
    said = [stanza_of(envelope) for envelope in bridge.house.received[before:]]
    assert said == ["<presence from='romeo@example.net/orchard' to='juliet@example.com' type='unavailable'/>"]


def test_5_2_3_unsubscribe() -> None:
    """Example 10 lets the subscriber send the last NOTIFY; by RFC 6665 the notifier does."""
    bridge = Bridge()
    asked = followed(bridge)
    (ended,) = bridge.stanza(SUBSCRIBE.replace("subscribe", "unsubscribe"))
    assert (ended.method, ended.headers.get("Expires"), ended.call_id) == ("SUBSCRIBE", "0", asked.call_id)
    bridge.reply(ended, 200, Expires="0")
    bridge.hear(notify(asked, "terminated;reason=timeout", cseq=8776))
    assert bridge.answered[-1].status == 200
    assert all(request.method != "NOTIFY" for request in bridge.asked)


@pytest.mark.parametrize("reason", ["rejected", "noresource", "invariant"])
def test_5_2_terminated_for_good(reason: str) -> None:
    bridge = Bridge()
    asked = followed(bridge)
    assert bridge.hear(notify(asked, f"terminated;reason={reason}", cseq=8776)) == [
        "<presence from='romeo@example.net/orchard' to='juliet@example.com' type='unavailable'/>",
        "<presence from='romeo@example.net' to='juliet@example.com' type='unsubscribed'/>",
    ]
    assert bridge.wait(7200.0) == [], "he has said no"


@pytest.mark.parametrize("reason", ["deactivated", "probation", "timeout", "giveup", "strange"])
def test_5_2_terminated_for_now(reason: str) -> None:
    bridge = Bridge()
    asked = followed(bridge)
    said = bridge.hear(notify(asked, f"terminated;reason={reason};retry-after=10", cseq=8776))
    assert not any("unsubscribed" in stanza for stanza in said), "the authorization stays"
    again = bridge.wait(7200.0)
    assert [request.method for request in again[:1]] == ["SUBSCRIBE"] and again[0].to.tag is None


@pytest.mark.parametrize("status", [403, 489, 603])
def test_5_2_refused_for_good(status: int) -> None:
    bridge = Bridge()
    (asked,) = bridge.stanza(SUBSCRIBE)
    assert bridge.reply(asked, status) == [
        "<presence from='romeo@example.net' to='juliet@example.com' type='unsubscribed'/>"
    ]


@pytest.mark.parametrize("status", [500, 503, 408])
def test_5_2_refused_for_now(status: int) -> None:
    bridge = Bridge()
    (asked,) = bridge.stanza(SUBSCRIBE)
    assert bridge.reply(asked, status) == []
    assert [request.method for request in bridge.wait(7200.0)[:1]] == ["SUBSCRIBE"]


def test_5_2_an_interval_too_brief_is_asked_for_again() -> None:
    bridge = Bridge()
    (asked,) = bridge.stanza(SUBSCRIBE)
    bridge.reply(asked, 423, Min_Expires="7200")
    assert bridge.asked[-1].headers.get("Expires") == "7200" and bridge.asked[-1].call_id != asked.call_id


# --- 5.3: a SIP user subscribes to an XMPP user


def test_5_3_1_nobody_has_agreed_yet() -> None:
    bridge = Bridge()
    assert bridge.hear(subscribe()) == ["<presence from='romeo@example.net' to='juliet@example.com' type='subscribe'/>"]
    (answer,) = bridge.answered
    assert answer.status == 200 and answer.headers.get("Expires") == "3600", "202 is deprecated (RFC 6665)"
    (told,) = bridge.asked
    assert told.headers.get("Subscription-State") == "pending;expires=3600" and told.body == b""
    assert told.to.tag == "yt66" and told.from_.tag == answer.to.tag and told.call_id == HEAD["Call-ID"]


def test_5_3_1_then_juliet_agrees() -> None:
    bridge = Bridge()
    bridge.hear(subscribe())
    bridge.reply(bridge.asked[-1], 200)
    bridge.stanza("<presence from='juliet@example.com' to='romeo@example.net' type='subscribed'/>")
    bridge.wait(5.0)
    told = bridge.asked[-1]
    assert str(told.headers.get("Subscription-State")).startswith("active;expires=")
    assert read_pidf(told.body, NOW).document == PresenceDocument(), "nothing is known of her yet"


def test_5_3_1_or_declines() -> None:
    bridge = Bridge()
    bridge.hear(subscribe())
    (told,) = bridge.stanza("<presence from='juliet@example.com' to='romeo@example.net' type='unsubscribed'/>")
    assert told.headers.get("Subscription-State") == "terminated;reason=rejected"


def test_5_3_1_she_had_agreed_before() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    assert bridge.hear(subscribe()) == ["<presence from='romeo@example.net' to='juliet@example.com' type='probe'/>"]
    assert str(bridge.asked[0].headers.get("Subscription-State")).startswith("active;expires=")


def test_5_3_2_a_refresh_asks_nobody_again() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    bridge.hear(subscribe())
    tag = bridge.answered[0].to.tag or ""
    bridge.reply(bridge.asked[-1], 200)
    assert bridge.hear(subscribe(cseq=264, tag=tag)) == []
    assert [answer.status for answer in bridge.answered] == [200, 200]
    assert [request.method for request in bridge.asked] == ["NOTIFY", "NOTIFY"]


def test_5_3_3_the_end_of_a_dialog_is_not_the_end_of_the_authorization() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    bridge.hear(subscribe())
    tag = bridge.answered[0].to.tag or ""
    bridge.reply(bridge.asked[-1], 200)
    said = bridge.hear(subscribe("0", 264, tag))
    assert not any("unsubscribe" in stanza for stanza in said)
    assert bridge.asked[-1].headers.get("Subscription-State") == "terminated;reason=timeout"


@pytest.mark.parametrize("way", ["unsubscribe", "lapse"])
def test_5_3_3_a_watcher_who_leaves_is_unavailable(way: str) -> None:
    bridge = Bridge(OpenHouse(approved=True))
    bridge.hear(subscribe())
    tag = bridge.answered[0].to.tag or ""
    bridge.reply(bridge.asked[-1], 200)
    before = len(bridge.house.received)
    if way == "lapse":
        bridge.wait(3601.0)
    else:
        bridge.hear(subscribe("0", 264, tag))
    said = [stanza_of(envelope) for envelope in bridge.house.received[before:]]
    assert said == ["<presence from='romeo@example.net' to='juliet@example.com' type='unavailable'/>"]


def test_5_3_3_unless_his_own_notifications_say_that_he_is_there() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    followed(bridge)
    bridge.hear(subscribe())
    tag = bridge.answered[-1].to.tag or ""
    bridge.reply(bridge.asked[-1], 200)
    assert bridge.hear(subscribe("0", 264, tag)) == []


def test_5_3_3_nor_while_another_of_his_clients_watches() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    bridge.hear(subscribe())
    tag = bridge.answered[-1].to.tag or ""
    bridge.hear(subscribe(cseq=300).replace("Call-ID: AA", "Call-ID: BB"))
    assert bridge.hear(subscribe("0", 264, tag)) == []


def test_5_3_3_nor_is_its_lapse() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    bridge.hear(subscribe("3600"))
    bridge.reply(bridge.asked[-1], 200)
    before = len(bridge.house.received)
    bridge.wait(3601.0)
    assert bridge.asked[-1].headers.get("Subscription-State") == "terminated;reason=timeout"
    assert not any(type(each.content).__name__ == "Subscription" for each in bridge.house.received[before:])


def test_5_3_a_stranger_to_the_house_is_refused() -> None:
    bridge = Bridge(OpenHouse(known=False))
    assert bridge.hear(subscribe()) == [] and [answer.status for answer in bridge.answered] == [403]


def test_glare_makes_two_subscriptions_that_do_not_touch() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    followed(bridge)
    bridge.hear(subscribe())
    (ended,) = bridge.stanza(SUBSCRIBE.replace("subscribe", "unsubscribe"))
    assert ended.method == "SUBSCRIBE"
    assert len(bridge.agent.notifier) == 1, "romeo still watches juliet"


# --- 6.2: notifications from XMPP to SIP


def told(bridge: Bridge, stanza: str) -> Request:
    bridge.hear(subscribe())
    bridge.reply(bridge.asked[-1], 200)
    bridge.stanza(stanza)
    bridge.wait(6.0)
    return bridge.asked[-1]


def juliet(inside: str = "", attributes: str = "") -> str:
    return f"<presence from='juliet@example.com/balcony' to='romeo@example.net'{attributes}>{inside}</presence>"


def test_6_2_example() -> None:
    request = told(
        Bridge(OpenHouse(approved=True)), juliet("<show>dnd</show><status>Wooing</status>", " xml:lang='en'")
    )
    assert request.method == "NOTIFY" and request.headers.get("Event") == "presence"
    assert request.headers.get("Content-Type") == PIDF
    root = document_in(request)
    assert root.attributes["entity"] == JULIET
    (one,) = [each for each in root.elements() if each.name == "tuple"]
    status = one.child("status")
    assert status is not None
    basic, show = status.child("basic"), status.child("show", "jabber:client")
    assert basic is not None and show is not None and (basic.text, show.text) == ("open", "dnd")
    note = one.child("note")
    assert note is not None and (note.text, note.lang) == ("Wooing", "en")


def test_6_2_the_resource_is_no_tuple_id() -> None:
    """Table 1 makes the id of the resource; ours names no device and is the same for everybody."""
    request = told(Bridge(OpenHouse(approved=True)), juliet())
    assert b"balcony" not in request.body
    (one,) = [each for each in document_in(request).elements() if each.name == "tuple"]
    assert one.attributes["id"][0].isalpha()


def test_6_2_unavailable_is_closed_and_no_more() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    told(bridge, juliet("<show>dnd</show>"))
    bridge.reply(bridge.asked[-1], 200)
    bridge.stanza(juliet("<status>gone to bed</status>", " type='unavailable'"))
    bridge.wait(6.0)
    body = bridge.asked[-1].body
    assert b"<basic>closed</basic>" in body and b"bed" not in body


@pytest.mark.parametrize("kind", ["subscribe", "unsubscribe", "probe"])
def test_6_2_other_types_are_no_notification(kind: str) -> None:
    bridge = Bridge(OpenHouse(approved=True))
    bridge.hear(subscribe())
    bridge.reply(bridge.asked[-1], 200)
    before = len(bridge.asked)
    bridge.stanza(f"<presence from='juliet@example.com' to='romeo@example.net' type='{kind}'/>")
    bridge.wait(6.0)
    assert all(request.method == "SUBSCRIBE" for request in bridge.asked[before:])


def test_6_2_who_has_not_subscribed_is_told_nothing() -> None:
    assert Bridge().stanza(juliet("<show>dnd</show>")) == []


def test_6_2_the_latest_wins_within_five_seconds() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    told(bridge, juliet("<show>dnd</show>"))
    bridge.reply(bridge.asked[-1], 200)
    before = len(bridge.asked)
    bridge.stanza(juliet("<show>away</show>"))
    for show in ("xa", "dnd", "chat"):
        for request in bridge.asked[before:]:
            bridge.reply(request, 200)
        bridge.stanza(juliet(f"<show>{show}</show>"))
        assert bridge.wait(1.0) == []
    (last,) = bridge.wait(6.0)
    assert b">chat<" in last.body and len(bridge.asked) - before <= 2


@pytest.mark.parametrize("status", [408, 486, 500, 503])
def test_6_2_a_refused_notification_is_nobodys_error(status: int) -> None:
    bridge = Bridge(OpenHouse(approved=True))
    bridge.hear(subscribe())
    before = len(bridge.asked)
    assert bridge.reply(bridge.asked[-1], status) == [] and bridge.house.failed == []
    assert len(bridge.asked) == before and len(bridge.agent.notifier) == 1


# --- 6.3: notifications from SIP to XMPP


def test_6_3_example() -> None:
    bridge = Bridge()
    asked = followed(bridge)
    body = OPEN.replace("away", "dnd").replace("</tuple>", "<note xml:lang='it'>Al lavoro</note></tuple>")
    (_, stanza) = bridge.hear(notify(asked, "active;expires=400", body, 8776))
    assert stanza == (
        "<presence from='romeo@example.net/orchard' to='juliet@example.com'><show>dnd</show>"
        "<status xml:lang='it'>Al lavoro</status></presence>"
    )


def test_6_3_closed_is_unavailable() -> None:
    bridge = Bridge()
    asked = followed(bridge)
    said = bridge.hear(notify(asked, "active;expires=400", CLOSED, 8776))
    assert said[-1] == "<presence from='romeo@example.net/orchard' to='juliet@example.com' type='unavailable'/>"


def test_6_3_each_open_tuple_is_a_resource_and_what_falls_away_is_unavailable() -> None:
    bridge = Bridge()
    asked = followed(bridge)
    second = "<tuple id='ID-church'><status><basic>open</basic></status></tuple></presence>"
    said = bridge.hear(notify(asked, "active;expires=400", OPEN.replace("</presence>", second), 8776))
    assert [stanza.split("'")[1] for stanza in said[1:]] == ["romeo@example.net/orchard", "romeo@example.net/church"]
    said = bridge.hear(notify(asked, "active;expires=400", OPEN, 8777))
    assert said[-1] == "<presence from='romeo@example.net/church' to='juliet@example.com' type='unavailable'/>"


def test_6_3_no_tuple_and_no_note_is_no_stanza() -> None:
    bridge = Bridge()
    asked = followed(bridge)
    empty = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:romeo@example.net'/>"
    said = bridge.hear(notify(asked, "active;expires=400", empty, 8776))
    assert said[-1].endswith("type='unavailable'/>") and len(said) == 2, "only what was there is gone"


@pytest.mark.parametrize("entity", ["pres:tybalt@example.net", "sip:romeo@example.org", "tybalt@example.net", "sip:@x"])
def test_6_3_a_document_about_somebody_else_changes_nothing(entity: str) -> None:
    bridge = Bridge()
    asked = followed(bridge)
    body = CLOSED.replace("pres:romeo@example.net", entity)
    assert bridge.hear(notify(asked, "active;expires=400", body, 8776)) == [
        "<presence from='romeo@example.net' to='juliet@example.com' type='subscribed'/>"
    ], "that romeo agrees is said by the NOTIFY, what he shows by nobody"


@pytest.mark.parametrize(
    "entity",
    ["pres:romeo@example.net", "sip:Romeo@EXAMPLE.net", "romeo@example.net", "sip:romeo@example.net;gr=x", "r"],
)
def test_6_3_his_own_is_his_however_it_is_written(entity: str) -> None:
    bridge = Bridge()
    asked = followed(bridge)
    body = CLOSED.replace("pres:romeo@example.net", entity)
    assert "unavailable" in bridge.hear(notify(asked, "active;expires=400", body, 8776))[-1]


FORWARD = {0: "0", 1: "0.007", 2: "0.015", 126: "0.992", 127: "1"}


@pytest.mark.parametrize(("priority", "number"), FORWARD.items())
def test_table_1_priorities(priority: int, number: str) -> None:
    assert write_priority(priority) == number


def test_priorities_are_one_to_one_and_rise() -> None:
    numbers = [float(write_priority(each) or 0) for each in range(128)]
    assert numbers == sorted(set(numbers))
    assert [read_priority(write_priority(each)) for each in range(128)] == [*range(128)]
    assert write_priority(-1) is None and write_priority(-128) is None


@pytest.mark.parametrize(
    ("number", "priority"),
    [
        ("0.001", 1),
        ("0.007", 1),
        ("0.008", 2),
        ("0.015", 2),
        ("0.992", 126),
        ("0.999", 126),
        ("1", 127),
        ("1.000", 127),
    ],
)
def test_table_2_priorities(number: str, priority: int) -> None:
    assert read_priority(number) == priority


# --- 7: polling


PROBE = "<presence from='juliet@example.com' to='romeo@example.net' type='probe'/>"


def test_7_1_a_probe_of_somebody_who_is_not_watched_is_a_fetch() -> None:
    bridge = Bridge()
    (asked,) = bridge.stanza(PROBE)
    assert asked.method == "SUBSCRIBE" and asked.headers.get("Event") == "presence"
    assert asked.headers.get("Expires") == "0"
    bridge.reply(asked, 200, Contact="<sip:s2x.example.net>", Expires="0")
    assert bridge.hear(notify(asked, "terminated;reason=timeout", OPEN)) == [
        "<presence from='romeo@example.net/orchard' to='juliet@example.com'><show>away</show></presence>"
    ], "neither subscribed nor unavailable: nothing was agreed to, and nothing has ended"
    assert bridge.wait(7200.0) == [] and len(bridge.agent.subscriber) == 0


def test_7_1_a_probe_of_who_is_subscribed_goes_on() -> None:
    """The server of somebody who is subscribed probes when he comes, and the house does after a restart."""
    (asked,) = Bridge(OpenHouse(approved=True)).stanza(PROBE)
    assert asked.headers.get("Expires") == "3600"


def test_7_1_a_fetch_that_shows_that_she_is_subscribed_is_followed_by_a_subscription() -> None:
    bridge = Bridge()
    (asked,) = bridge.stanza(PROBE)
    bridge.house.approved = True
    said = bridge.hear(notify(asked, "terminated;reason=timeout", OPEN))
    assert len(said) == 1 and "unavailable" not in said[0]
    assert [request.headers.get("Expires") for request in bridge.asked] == ["0", "3600"]


def test_7_1_a_probe_of_somebody_who_is_watched_is_answered_from_what_is_known() -> None:
    bridge = Bridge()
    followed(bridge)
    before = len(bridge.house.received)
    assert bridge.stanza("<presence from='juliet@example.com' to='romeo@example.net' type='probe'/>") == []
    (said,) = bridge.house.received[before:]
    assert isinstance(said.content, Presence) and said.sender == "romeo@example.net/orchard"


def test_7_2_a_fetch_waits_for_the_answer_to_a_probe() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    assert bridge.hear(subscribe("0")) == ["<presence from='romeo@example.net' to='juliet@example.com' type='probe'/>"]
    assert bridge.asked == []
    (told_once,) = bridge.stanza(juliet("<show>dnd</show>"))
    assert told_once.headers.get("Subscription-State") == "terminated;reason=timeout" and b">dnd<" in told_once.body
    assert len(bridge.agent.notifier) == 0


def test_7_2_a_fetch_of_who_is_shown_is_answered_at_once() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    told(bridge, juliet("<show>dnd</show>"))
    bridge.hear(subscribe("0", 900).replace("Call-ID: AA", "Call-ID: BB"))
    assert bridge.asked[-1].headers.get("Subscription-State") == "terminated;reason=timeout"
    assert b">dnd<" in bridge.asked[-1].body


def test_7_2_a_fetch_by_a_stranger_is_answered_at_once_with_nothing() -> None:
    bridge = Bridge()
    assert bridge.hear(subscribe("0")) == []
    (told_once,) = bridge.asked
    assert Field.AVAILABILITY not in read_pidf(told_once.body, NOW).document


def test_7_2_a_fetch_is_answered_and_leaves_nothing_behind() -> None:
    bridge = Bridge(OpenHouse(approved=True))
    bridge.hear(subscribe("0"))
    (told_once,) = bridge.wait(2.0)
    assert bridge.answered[0].status == 200 and bridge.answered[0].headers.get("Expires") == "0"
    assert told_once.headers.get("Subscription-State") == "terminated;reason=timeout"
    assert Field.AVAILABILITY not in read_pidf(told_once.body, NOW).document
    assert len(bridge.agent.notifier) == 0


def test_a_subscription_for_something_else_is_refused() -> None:
    bridge = Bridge()
    bridge.hear(subscribe().replace("Event: presence", "Event: dialog"))
    (answer,) = bridge.answered
    assert answer.status == 489 and "presence" in (answer.headers.get("Allow-Events") or "")


def test_a_watcher_who_reads_no_pidf_is_refused() -> None:
    bridge = Bridge()
    bridge.hear(subscribe(accept="application/xpidf+xml"))
    assert [answer.status for answer in bridge.answered] == [406]


def test_a_brief_subscription_is_refused_with_what_would_do() -> None:
    bridge = Bridge()
    bridge.hear(subscribe("1"))
    (answer,) = bridge.answered
    assert answer.status == 423 and int(answer.headers.get("Min-Expires") or 0) > 1
