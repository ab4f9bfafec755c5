"""RFC 8048: each worked example, to the letter, in both directions; what is different on purpose is written out.

The texts are those of the RFC (examples/README.md). What cannot be sent as it stands there is put right, and shown to
be refused: no To (examples 2, 23, 24), no Contact and From and To exchanged in a NOTIFY (4, 10, 14, 16), another domain
in To (8, 11), a Request-URI that names the sender (19, 20), lengths that fit no body (4, 19, 20).
"""

import re

import pytest

from gateway.protocols.sip.message import Request
from gateway.protocols.sip.reader import Malformed, StreamReader

from .bridge import Bridge, OpenHouse, stanza_of
from .literal import Differences, differences, examples, leaves, length_said, sendable, stanza_differences, tokens

RFC = examples("rfc8048.txt")
CALL = "5BCF940D-793D-43F8-8972-218F7F4EAA8C"
OTHER_CALL = "AA5A8BE5-CBB7-42B9-8181-6230012B1E11"
TYPES = "application/pidf+xml, application/msrtc-event-categories+xml"
BODY = (RFC[4].partition("\n\n")[2], RFC[19].partition("\n\n")[2], RFC[20].partition("\n\n")[2])
TO_ROMEO, TO_JULIET = (
    ("Call-ID", "To: <sip:romeo@example.net>\nCall-ID"),
    ("Call-ID", "To: <sip:juliet@example.com>\nCall-ID"),
)
PUT_RIGHT = {11: ("<sip:juliet@example.net>", "<sip:juliet@example.com>")}
AGREED = "<presence from='romeo@example.net' to='juliet@example.com' type='subscribed'/>"


def verona(*made: str, approved: bool = False) -> Bridge:
    """Gives the gateway of juliet's XMPP server, which makes these tokens."""
    return _gateway("x2s.example.com", "example.com", "example.net", made, approved)


def mantua(*made: str, approved: bool = False) -> Bridge:
    """Gives the gateway of an XMPP server of romeo's: the other direction."""
    return _gateway("s2x.example.net", "example.net", "example.com", made, approved)


def _gateway(host: str, home: str, peer: str, made: tuple[str, ...], approved: bool) -> Bridge:
    house = OpenHouse(approved=approved)
    branch = tokens("na998sk")
    return Bridge(house, host=host, home=home, peer=peer, over="TCP", branches=branch, tokens=tokens(*made))


def other_way_round(text: str, branch: str) -> str:
    """Exchanges From and To of a NOTIFY, which comes from the one who is watched, and gives it a Contact."""
    head, _, body = text.partition("\n\n")
    head = head.replace("\nFrom: ", "\nX: ").replace("\nTo: ", "\nFrom: ").replace("\nX: ", "\nTo: ")
    if "\nContact: " not in head:
        sender = re.search(r"\nFrom: (<.*?>)", head)
        assert sender
        head = head.replace("\nEvent: ", f"\nContact: {sender[1]}\nEvent: ")
    return sendable(f"{head}\n\n{body}", ("z9hG4bKna998sk", branch))


def again(text: str, branch: str = "z9hG4bKna997sk") -> str:
    """Gives an example a branch of its own: in the RFC all transactions have the same."""
    return sendable(text, ("z9hG4bKna998sk", branch))


def usual(sent: Request, number: int, contact: str = "<sip:x2s.example.com:5061;transport=tls>") -> Differences:
    """Gives what differs from an example but for the Via and the Contact, which it checks.

    Our branch also finds circles (RFC 5393 section 4.2); our Contact is the gateway's: no device is named outside.
    """
    found = differences(sent, RFC[number])
    via = found.pop("Via")[1] or ""
    assert via.startswith(f"SIP/2.0/TCP {contact[5:20]};branch=z9hG4bK")
    assert found.pop("Contact")[1] == contact
    return found


def of_mantua(sent: Request, number: int) -> Differences:
    return usual(sent, number, "<sip:s2x.example.net:5061;transport=tls>")


def watched_by_romeo(bridge: Bridge) -> None:
    """Lets romeo's SIP client subscribe to juliet, as example 11 does, and read the first NOTIFY."""
    bridge.hear(sendable(RFC[11], PUT_RIGHT[11]))
    bridge.reply(bridge.asked[-1], 200)


def watching_romeo(bridge: Bridge) -> Request:
    """Lets juliet subscribe to romeo, who agrees: examples 1 to 4."""
    (asked,) = bridge.stanza(RFC[1])
    bridge.hear(other_way_round(RFC[4], "z9hG4bKna999sk"))
    bridge.reply(asked, 200, Expires="3600")
    return asked


def watched_by_juliet(bridge: Bridge) -> None:
    """Lets a SIP client of juliet's subscribe to romeo on XMPP, as example 2 does, and read the first NOTIFY."""
    bridge.hear(sendable(RFC[2], TO_ROMEO))
    bridge.reply(bridge.asked[-1], 200)


def test_nothing_is_left_out() -> None:
    assert [*RFC] == [*range(1, 26)]


def test_lengths_that_fit_no_body() -> None:
    said = {number: length_said(text) for number, text in RFC.items() if "Content-Length" in text}
    assert {number: one for number, one in said.items() if one[0] != one[1]} == {
        4: (193, 292),
        19: (192, 294),
        20: (193, 247),
    }


@pytest.mark.parametrize("number", [2, 23, 24])
def test_without_to_they_are_refused(number: int) -> None:
    (read,) = StreamReader().feed(RFC[number].replace("\n", "\r\n").encode())
    assert isinstance(read, Malformed) and (read.status, read.problem) == (400, "To is missing")


# --- 5.2.1: examples 1 to 6


def test_5_2_1_examples_1_and_2_to_sip() -> None:
    (sent,) = verona("j89d", CALL).stanza(RFC[1])
    assert usual(sent, 2) == {
        "Accept": ("application/pidf+xml", TYPES),  # categories are read as well
        "To": (None, "<sip:romeo@example.net>"),
    }


def test_5_2_1_examples_2_and_1_to_xmpp() -> None:
    (stanza,) = mantua().hear(sendable(RFC[2], TO_ROMEO))
    assert stanza_differences(stanza, RFC[1]) == {}


def test_5_2_1_example_3_comes() -> None:
    bridge = verona("j89d", CALL)
    (asked,) = bridge.stanza(RFC[1])
    assert bridge.hear(RFC[3]) == [], "to the letter it has the Via of somebody else"
    branch = asked.top_via.parameter("branch") or ""
    via = ("s2x.example.net;branch=z9hG4bKna998sk", f"x2s.example.com;branch={branch}")
    assert bridge.hear(sendable(RFC[3], via)) == [], "the state is neutral"
    assert not bridge.house.failed


def test_5_2_1_example_3_goes() -> None:
    bridge = mantua("ffd2")
    bridge.hear(sendable(RFC[2], TO_ROMEO))
    assert differences(bridge.answered[0], RFC[3]) == {
        # a response has the Via of its request
        "Via": (
            "SIP/2.0/TCP s2x.example.net;branch=z9hG4bKna998sk",
            "SIP/2.0/TCP x2s.example.com;branch=z9hG4bKna998sk",
        ),
        "Contact": ("<sip:romeo@example.net>;gr=dr4hcr0st3lup4c", "<sip:s2x.example.net:5061;transport=tls>"),
    }


def test_5_2_1_examples_4_5_and_6_to_xmpp() -> None:
    bridge = verona("j89d", CALL)
    bridge.stanza(RFC[1])
    yes, shown = bridge.hear(other_way_round(RFC[4], "z9hG4bKna999sk"))
    assert stanza_differences(yes, RFC[5]) == {}
    # example 6 drops what note 3 to table 2 carries
    assert stanza_differences(shown, RFC[6]) == {"/presence/show": (None, "away")}
    assert [answer.status for answer in bridge.answered] == [200]


def test_5_2_1_example_4_to_the_letter_comes_from_somebody_else() -> None:
    bridge = verona("j89d", CALL)
    bridge.stanza(RFC[1])
    assert bridge.hear(sendable(RFC[4])) == []
    assert [answer.status for answer in bridge.answered] == [403], "romeo's server speaks as juliet"


def test_5_2_1_examples_6_and_4_to_sip() -> None:
    bridge = mantua("ffd2", approved=True)
    watched_by_juliet(bridge)
    bridge.stanza(RFC[6].replace("/>", "><show>away</show></presence>"))
    bridge.wait(6.0)
    assert of_mantua(bridge.asked[-1], 4) == {
        "From": ("<sip:juliet@example.com>;tag=j89d", "<sip:romeo@example.net>;tag=ffd2"),
        "To": ("<sip:romeo@example.net>;tag=ffd2", "<sip:juliet@example.com>;tag=j89d"),
        "Subscription-State": ("active;expires=499", "active;expires=3600"),
        "Content-Length": ("193", str(len(bridge.asked[-1].body))),
    }
    assert shows(bridge.asked[-1], BODY[0]) == {"romeo@example.net"}


def test_5_2_1_examples_5_and_6_to_sip() -> None:
    bridge = mantua("ffd2")
    watched_by_juliet(bridge)
    bridge.stanza(RFC[5])
    bridge.wait(6.0)
    assert str(bridge.asked[-1].headers.get("Subscription-State")).startswith("active;expires=")


# --- 5.2.3: examples 7 to 10


def test_5_2_3_examples_7_and_8_to_sip() -> None:
    bridge = verona("j89d", CALL)
    watching_romeo(bridge)
    (sent,) = bridge.stanza(RFC[7])
    assert usual(sent, 8) == {
        "To": ("<sip:romeo@example.com>;tag=ffd2", "<sip:romeo@example.net>;tag=ffd2"),  # his domain in all the others
        "CSeq": ("42 SUBSCRIBE", "2 SUBSCRIBE"),
        "Accept": ("application/pidf+xml", TYPES),
    }


def test_5_2_3_examples_8_and_7_to_xmpp() -> None:
    """The end of a dialog is not that of the authorization (5.3.3), so example 7 does not come of example 8."""
    bridge = mantua("ffd2", approved=True)
    watched_by_juliet(bridge)
    (stanza,) = bridge.hear(again(RFC[8].replace("romeo@example.com", "romeo@example.net")))
    assert stanza_differences(stanza, RFC[7]) == {"/presence@type": ("unsubscribe", "unavailable")}


def test_5_2_3_example_9_is_not_sent() -> None:
    """Her server has ended the subscription when it sent example 7 (RFC 6121 section 3.3.2), and drops example 9.

    If she has asked again in the meantime, it would be read as his refusal. Example 9 itself is RFC 6121's refusal.
    """
    bridge = verona("j89d", CALL)
    watching_romeo(bridge)
    (sent,) = bridge.stanza(RFC[7])
    assert bridge.reply(sent, 200, Expires="0") == []


def test_5_2_3_example_9_to_sip() -> None:
    bridge = mantua("ffd2", approved=True)
    watched_by_juliet(bridge)
    bridge.stanza(RFC[9])
    assert bridge.asked[-1].headers.get("Subscription-State") == "terminated;reason=rejected"


def test_5_2_3_example_10_comes_and_does_not_go() -> None:
    """The notifier ends a subscription (RFC 6665 section 4.2.2), not the one who has asked to end it."""
    bridge = verona("j89d", CALL)
    watching_romeo(bridge)
    (sent,) = bridge.stanza(RFC[7])
    bridge.reply(sent, 200, Expires="0")
    said = bridge.hear(other_way_round(RFC[10], "z9hG4bKna996sk"))
    assert said == ["<presence from='romeo@example.net/dr4hcr0st3lup4c' to='juliet@example.com' type='unavailable'/>"]
    assert bridge.answered[-1].status == 200 and len(bridge.agent.subscriber) == 0
    assert "NOTIFY" not in [request.method for request in bridge.asked]


# --- 5.3.1: examples 11 to 16


def test_5_3_1_examples_11_and_12_to_xmpp() -> None:
    bridge = verona()
    (stanza,) = bridge.hear(sendable(RFC[11], PUT_RIGHT[11]))
    assert stanza_differences(stanza, RFC[12]) == {}
    assert bridge.answered[0].headers.get("Expires") == "3600", "nothing said is an hour"


def test_5_3_1_example_11_to_the_letter_is_about_the_request_uri() -> None:
    (stanza,) = verona().hear(RFC[11])
    assert stanza_differences(stanza, RFC[12]) == {}


def test_5_3_1_examples_12_and_11_to_sip() -> None:
    (sent,) = mantua("xfg9", OTHER_CALL).stanza(RFC[12])
    assert of_mantua(sent, 11) == {
        "To": ("<sip:juliet@example.net>", "<sip:juliet@example.com>"),  # a slip of the example
        "Accept": ("application/pidf+xml", TYPES),
        "Expires": (None, "3600"),
    }


@pytest.mark.parametrize(
    ("stanza", "number", "state"),
    [(13, 14, ("active", "active;expires=3594")), (15, 16, None)],
)
def test_5_3_1_examples_13_to_16_to_sip(stanza: int, number: int, state: tuple[str, str] | None) -> None:
    bridge = verona("ur93")
    watched_by_romeo(bridge)
    bridge.stanza(RFC[stanza])
    bridge.wait(6.0)
    sent = bridge.asked[-1]
    found = usual(sent, number)
    # expires is demanded of an active subscription (RFC 6665 section 4.2.2)
    assert found.pop("Subscription-State", None) == state
    # a closed document and no empty body: who is approved and shown nothing looks like who is not there
    assert found.pop("Content-Type") == (None, "application/pidf+xml")
    assert found.pop("Content-Length") == ("0", str(len(sent.body))) and shows(sent, BODY[2]) == {"juliet@example.com"}
    assert found == {
        "From": ("<sip:romeo@example.net>;tag=xfg9", "<sip:juliet@example.com>;tag=ur93"),
        "To": ("<sip:juliet@example.com>;tag=ur93", "<sip:romeo@example.net>;tag=xfg9"),
    }


@pytest.mark.parametrize(("number", "stanza"), [(14, 13), (16, 15)])
def test_5_3_1_examples_13_to_16_to_xmpp(number: int, stanza: int) -> None:
    bridge = mantua("xfg9", OTHER_CALL)
    bridge.stanza(RFC[12])
    (said,) = bridge.hear(other_way_round(RFC[number], "z9hG4bKna995sk"))
    assert stanza_differences(said, RFC[stanza]) == {}


# --- 5.3.3: example 17


def test_5_3_3_example_17_to_xmpp() -> None:
    bridge = verona("ur93", approved=True)
    watched_by_romeo(bridge)
    assert bridge.hear(again(RFC[17])) == [
        "<presence from='romeo@example.net' to='juliet@example.com' type='unavailable'/>"
    ]
    last = bridge.asked[-1]
    assert last.headers.get("Subscription-State") == "terminated;reason=timeout"
    assert shows(last, BODY[2]) == {"juliet@example.com"}, "closed"


def test_5_3_3_example_17_to_sip() -> None:
    bridge = mantua("xfg9", OTHER_CALL)
    bridge.stanza(RFC[12])
    bridge.hear(other_way_round(RFC[14], "z9hG4bKna995sk"))
    (sent,) = bridge.stanza(RFC[12].replace("subscribe", "unsubscribe"))
    assert of_mantua(sent, 17) == {"CSeq": ("66 SUBSCRIBE", "2 SUBSCRIBE"), "Accept": (None, TYPES)}


# --- 6: examples 18 to 21


def shows(sent: Request, body: str) -> set[str]:
    """Says whose presence the body of a NOTIFY shows, which must show what the example does.

    Ours names the person as `sip:` and its tuple of no device; rich presence stands beside it (4.1 of protocols.md).
    """
    ours, rfc = leaves(sent.body), leaves(body.encode())
    for name in ("/presence/tuple/status/basic", "/presence/tuple/status/show"):
        assert ours.get(name) == rfc.get(name), name
    assert ours["/presence/tuple@id"] == "t1" != rfc["/presence/tuple@id"]
    assert rfc["/presence@entity"].startswith("pres:") and ours["/presence@entity"].startswith("sip:")
    return {ours["/presence@entity"].removeprefix("sip:")}


def test_6_2_examples_18_and_19_to_sip() -> None:
    bridge = verona("gh19", approved=True)
    watched_by_romeo(bridge)
    # her server adds the address; example 19 has a show that example 18 has not
    stanza = RFC[18].replace("/>", " to='romeo@example.net'><show>away</show></presence>")
    bridge.stanza(stanza)
    bridge.wait(6.0)
    sent = bridge.asked[-1]
    assert usual(sent, 19) == {
        "": ("NOTIFY sip:juliet@example.com SIP/2.0", "NOTIFY sip:romeo@example.net SIP/2.0"),  # to romeo's Contact
        "To": ("<sip:romeo@example.net>", "<sip:romeo@example.net>;tag=xfg9"),  # it is in his dialog
        "Call-ID": ("2B44E147-3B53-45E4-9D48-C051F3216D14", OTHER_CALL),
        "Subscription-State": ("active;expires=599", "active;expires=3600"),
        "Content-Length": ("192", str(len(sent.body))),
    }
    assert shows(sent, BODY[1]) == {"juliet@example.com"}


def test_6_2_examples_19_and_18_to_xmpp() -> None:
    bridge = mantua("xfg9", "2B44E147-3B53-45E4-9D48-C051F3216D14")
    bridge.stanza(RFC[12])
    # to romeo, in the dialog that he began
    tagged = ("To: <sip:romeo@example.net>", "To: <sip:romeo@example.net>;tag=xfg9")
    yes, shown = bridge.hear(
        sendable(RFC[19], ("NOTIFY sip:juliet@example.com", "NOTIFY sip:romeo@example.net"), tagged)
    )
    assert stanza_differences(yes, RFC[13]) == {}
    assert stanza_differences(shown, RFC[18]) == {
        "/presence@to": (None, "romeo@example.net"),
        "/presence/show": (None, "away"),
    }


def test_6_3_examples_20_and_21_to_xmpp() -> None:
    bridge = verona("bi54", "C33C6C9D-0F4A-42F9-B95C-7CE86B526B5B")
    (asked,) = bridge.stanza(RFC[1])
    was_open = RFC[20].replace("closed", "open").replace("8 NOTIFY", "7 NOTIFY")
    to_juliet = ("NOTIFY sip:romeo@example.net", "NOTIFY sip:juliet@example.com")
    assert len(bridge.hear(again(sendable(was_open, to_juliet)))) == 2
    bridge.house.approved = True
    (gone,) = bridge.hear(sendable(RFC[20], to_juliet))
    assert stanza_differences(gone, RFC[21]) == {
        # the resource of his that has gone; to whoever she is just now
        "/presence@from": ("romeo@example.net", "romeo@example.net/dr4hcr0st3lup4c"),
        "/presence@to": ("juliet@example.com/yn0cl4bnw0yr3vym", "juliet@example.com"),
    }
    assert asked.from_.tag == "bi54"


def test_6_3_examples_21_and_20_to_sip() -> None:
    bridge = mantua("yt66", approved=True)
    bridge.hear(sendable(RFC[2], TO_ROMEO, (CALL, "C33C6C9D-0F4A-42F9-B95C-7CE86B526B5B"), ("j89d", "bi54")))
    bridge.reply(bridge.asked[-1], 200)
    bridge.stanza(RFC[6])
    bridge.reply(bridge.asked[-1], 200)
    bridge.stanza(RFC[21])
    sent = bridge.asked[-1]
    assert of_mantua(sent, 20) == {
        "": ("NOTIFY sip:romeo@example.net SIP/2.0", "NOTIFY sip:juliet@example.com SIP/2.0"),
        "Subscription-State": ("active;expires=499", "active;expires=3600"),
        "CSeq": ("8 NOTIFY", "3 NOTIFY"),
        "Content-Length": ("193", str(len(sent.body))),
    }
    assert shows(sent, BODY[2]) == {"romeo@example.net"}


# --- 7: examples 22 to 25


def test_7_1_examples_22_and_23_to_sip() -> None:
    (sent,) = verona("j89d", "2398B737-566F-4CBB-A21A-1F8EEF7AF423").stanza(RFC[22])
    assert usual(sent, 23) == {
        "Accept": ("application/pidf+xml", TYPES),
        "To": (None, "<sip:romeo@example.net>"),
    }


def test_7_1_examples_23_and_22_to_xmpp() -> None:
    (stanza,) = mantua(approved=True).hear(sendable(RFC[23], TO_ROMEO))
    # the instance of who asks is not shown
    assert stanza_differences(stanza, RFC[22]) == {
        "/presence@from": ("juliet@example.com/chamber", "juliet@example.com")
    }


def test_7_2_examples_24_and_25_to_xmpp() -> None:
    bridge = verona(approved=True)
    (stanza,) = bridge.hear(sendable(RFC[24], TO_JULIET))
    assert stanza_differences(stanza, RFC[25]) == {}


def test_7_2_example_25_is_not_asked_by_a_stranger_or_about_who_is_known() -> None:
    assert verona().hear(sendable(RFC[24], TO_JULIET)) == []
    bridge = verona(approved=True)
    watched_by_romeo(bridge)
    bridge.stanza(RFC[18].replace("/>", " to='romeo@example.net'/>"))
    assert bridge.hear(again(sendable(RFC[24], TO_JULIET))) == []
    assert [stanza_of(one) for one in bridge.house.received if "probe" in stanza_of(one)] == [
        RFC[25].replace("\n         ", "")
    ], "the first SUBSCRIBE has asked"


def test_7_2_examples_25_and_24_to_sip() -> None:
    (sent,) = mantua("yt66", "717B1B84-F080-4F12-9F44-0EC1ADE767B9").stanza(RFC[25])
    assert of_mantua(sent, 24) == {"To": (None, "<sip:juliet@example.com>"), "Accept": (None, TYPES)}


# --- tables 1 and 2: xml:lang


def test_table_1_the_language_of_a_note() -> None:
    bridge = verona("gh19", approved=True)
    watched_by_romeo(bridge)
    presence = (
        "<presence from='juliet@example.com/a' to='romeo@example.net' xml:lang='cs'><status>{}</status></presence>"
    )
    bridge.stanza(presence.format("Nic"))
    bridge.wait(6.0)
    assert bridge.asked[-1].headers.get("Content-Language") == "cs"
    bridge.stanza(presence.format("Nic</status><status xml:lang='en'>Nothing"))
    bridge.reply(bridge.asked[-1], 200)
    bridge.wait(6.0)
    assert b"Nothing" in bridge.asked[-1].body and "Content-Language" not in bridge.asked[-1].headers


def test_table_2_the_language_of_a_note() -> None:
    bridge = verona("j89d", CALL)
    bridge.stanza(RFC[1])
    noted = RFC[4].replace("    </status>\n", "    </status>\n    <note>Nic</note>\n")
    noted = noted.replace("Content-Type", "Content-Language: cs\nContent-Type")
    (_, shown) = bridge.hear(other_way_round(noted, "z9hG4bKna999sk"))
    assert "<status xml:lang='cs'>Nic</status>" in shown
