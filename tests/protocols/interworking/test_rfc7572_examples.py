"""RFC 7572: each worked example, to the letter, in both directions; what is different on purpose is written out.

The texts are those of the RFC (examples/README.md). Content-Length of example 6 fits no body: it is put right.
"""

import re

import pytest

from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.reader import StreamReader

from .bridge import Bridge
from .literal import differences, examples, length_said, sendable, stanza_differences, tokens

RFC = examples("rfc7572.txt")
VERONA = ("x2s.example.com", "example.com", "example.net")
MANTUA = ("s2x.example.net", "example.net", "example.com")
CALLS = {2: "D9AA95FD-2BD5-46E2-AF0F-6CFAA96BDDFA", 4: "9E97FB43-85F4-4A00-8751-1124FD4C7B2E"}


def gateway(of: tuple[str, str, str], *, branch: str = "", made: tuple[str, ...] = ()) -> Bridge:
    """Gives the gateway of juliet's or of romeo's XMPP server, which makes the tokens of the example."""
    host, home, peer = of
    return Bridge(host=host, home=home, peer=peer, over="TCP", branches=tokens(branch), tokens=tokens(*made))


def bytes_meant(text: str) -> str:
    """Turns `&#xC3A9;` of examples 6 and 7 into the two bytes that it stands for."""
    return re.sub("&#x([0-9A-F]{4});", lambda found: bytes.fromhex(found[1]).decode(), text)


def test_nothing_is_left_out() -> None:
    assert [*RFC] == [1, 2, 3, 4, 5, 6, 7]


def test_lengths_that_the_examples_give() -> None:
    said = {number: length_said(text) for number, text in RFC.items() if "Content-Length" in text}
    assert said == {2: (35, 35), 3: (0, 0), 4: (44, 44), 6: (45, 110)}
    assert length_said(bytes_meant(RFC[6]))[1] == 68, "nor is 45 the length of what is meant"


def test_section_4_examples_1_and_2_to_sip() -> None:
    bridge = gateway(VERONA, branch="776sgdkse", made=("12345", CALLS[2]))
    (sent,) = bridge.stanza(RFC[1])
    assert sent.body.decode() == "Art thou not Romeo, and a Montague?"
    via = "SIP/2.0/TCP x2s.example.com;branch=z9hG4bK776sgdkse"
    assert differences(sent, RFC[2]) == {
        # a branch that also finds circles (RFC 5393 section 4.2)
        "Via": (via, f"{via}.3d837977"),
        # the same address, in the form that may bear parameters
        "To": ("sip:romeo@example.net", "<sip:romeo@example.net>"),
        # no device is named outside
        "From": ("<sip:juliet@example.com;gr=yn0cl4bnw0yr3vym>;tag=12345", "<sip:juliet@example.com>;tag=12345"),
        "Content-Type": ("text/plain", "text/plain;charset=UTF-8"),
    }


def test_section_4_examples_2_and_1_to_xmpp() -> None:
    (stanza,) = gateway(MANTUA).hear(RFC[2])
    assert stanza_differences(stanza, RFC[1]) == {
        # the instance of a sender is not shown, in either direction
        "/message@from": ("juliet@example.com/yn0cl4bnw0yr3vym", "juliet@example.com"),
        # table 2, which the example leaves aside
        "/message@id": (None, "st1"),
        "/message/thread": (None, CALLS[2]),
    }


def test_section_4_example_3_comes() -> None:
    bridge = gateway(VERONA, branch="776sgdkse", made=("12345", CALLS[2]))
    (sent,) = bridge.stanza(RFC[1])
    branch = ("z9hG4bK776sgdkse", sent.top_via.parameter("branch") or "")
    assert bridge.hear(sendable(RFC[3], branch)) == [] and bridge.house.failed == []
    assert bridge.wait(40.0) == [] and bridge.house.failed == [], "the request is over"


def test_section_4_example_3_to_the_letter_answers_no_request_of_ours() -> None:
    bridge = gateway(VERONA, branch="776sgdkse", made=("12345", CALLS[2]))
    bridge.stanza(RFC[1])
    bridge.hear(RFC[3])
    bridge.wait(40.0)
    assert len(bridge.house.failed) == 1


def test_section_4_example_3_goes() -> None:
    bridge = gateway(MANTUA, made=("", "vwxyz"))
    bridge.hear(RFC[2])
    (answer,) = bridge.answered
    assert differences(answer, RFC[3]) == {
        # it is accepted for delivery, nobody has it yet (RFC 3428 section 7)
        "": ("SIP/2.0 200 OK", "SIP/2.0 202 Accepted"),
        # From and To are those of the request (RFC 3261 section 8.2.6.2); the example has lost brackets and gr
        "From": ("sip:juliet@example.com;tag=12345", "<sip:juliet@example.com;gr=yn0cl4bnw0yr3vym>;tag=12345"),
    }


def test_section_5_examples_4_and_5_to_xmpp() -> None:
    bridge = gateway(VERONA)
    (stanza,) = bridge.hear(RFC[4])
    assert stanza_differences(stanza, RFC[5]) == {
        # example 4 bears no gr, so nothing can be known of the resource in example 5
        "/message@from": ("romeo@example.net/dr4hcr0st3lup4c", "romeo@example.net"),
        "/message@id": (None, "st1"),
        "/message/thread": (None, CALLS[4]),
    }
    assert [answer.status for answer in bridge.answered] == [202], "section 5 says 200: see example 3"


def test_section_5_examples_5_and_4_to_sip() -> None:
    bridge = gateway(MANTUA, branch="eskdgs677", made=("vwxyz", CALLS[4]))
    (sent,) = bridge.stanza(RFC[5])
    assert sent.body.decode() == "Neither, fair saint, if either thee dislike."
    via = "SIP/2.0/TCP s2x.example.net;branch=z9hG4bKeskdgs677"
    assert differences(sent, RFC[4]) == {
        "Via": (via, str(sent.headers.get("Via"))),
        "To": ("sip:juliet@example.com", "<sip:juliet@example.com>"),
        "From": ("sip:romeo@example.net;tag=vwxyz", "<sip:romeo@example.net>;tag=vwxyz"),
        "Content-Type": ("text/plain", "text/plain;charset=UTF-8"),
    }
    assert str(sent.headers.get("Via")).startswith(f"{via}.")


def test_section_8_examples_6_and_7_to_xmpp() -> None:
    (stanza,) = gateway(VERONA).hear(sendable(bytes_meant(RFC[6])))
    text = "Nic z ob\u00e9ho, m\u00e1 d\u011bvo spanil\u00e1,\nnenavid\u00ed\u0161-li jedno nebo druh\u00e9."
    assert f"<body xml:lang='cs'>{text}</body>" in stanza
    assert stanza_differences(stanza, bytes_meant(RFC[7])) == {
        # said of the text itself, not of the stanza: it means the same (RFC 6121 section 5.2.3)
        "/message@xml:lang": ("cs", None),
        "/message/body@xml:lang": (None, "cs"),
        "/message@id": (None, "st1"),
        "/message/thread": (None, "5A37A65D-304B-470A-B718-3F3E6770ACAF"),
    }


def test_section_8_examples_7_and_6_to_sip() -> None:
    bridge = gateway(MANTUA, branch="eskdgs677", made=("vwxyz", "5A37A65D-304B-470A-B718-3F3E6770ACAF"))
    (sent,) = bridge.stanza(bytes_meant(RFC[7]))
    meant = bytes_meant(RFC[6]).partition("\n\n")[2]
    assert sent.body.decode().strip() == meant, "the blanks of example 7 are those of its printing"
    different = {*differences(sent, sendable(bytes_meant(RFC[6])))}
    assert different == {"Via", "To", "From", "Content-Type", "Content-Length"}
    assert sent.headers.get("Content-Language") == "cs"


@pytest.mark.parametrize("number", [2, 3, 4])
def test_the_strict_reader_reads_them_to_the_letter(number: int) -> None:
    (message,) = StreamReader().feed(RFC[number].replace("\n", "\r\n").encode())
    assert isinstance(message, Response if number == 3 else Request)
