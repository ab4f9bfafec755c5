"""RFC 4475 and RFC 5118: each message with the outcome that the document gives it."""

from collections.abc import Callable

import pytest

from gateway.protocols.sip.faults import SipFault
from gateway.protocols.sip.headers import CSeq
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.reader import Limits, Malformed, StreamReader, read_datagram
from gateway.protocols.sip.uri import SipUri
from gateway.protocols.sip.writer import serialise

from .torture_messages import RFC4475, RFC5118

LENIENT = Limits(lenient=True)
ALL = RFC4475 | RFC5118

VALID = [  # RFC 4475 section 3.1.1
    "wsinv intmeth esc01 escnull esc02 lwsdisp longreq dblreq semiuri transports mpart01 unreason noreason"
]
REFUSED_BY_THE_STRICT_READER = {
    "wsinv": "white space before the colon",
    "longreq": "white space before the colon",
    "intmeth": "a control character in a header",
}
REFUSED = {  # RFC 4475 sections 3.1.2, 3.3.1, 3.3.8, 3.3.9 and RFC 5118 section 4.2: status, and why
    "badinv01": (400, "Via is malformed"),
    "clerr": (400, "the body is shorter than Content-Length"),
    "ncl": (400, "Content-Length is not a number"),
    "scalar02": (400, "CSeq is malformed"),
    "quotbal": (400, "To is malformed"),
    "ltgtruri": (400, "the Request-URI is malformed"),
    "lwsruri": (400, "the first line is malformed"),
    "lwsstart": (400, "the first line is malformed"),
    "trws": (400, "the first line is malformed"),
    "escruri": (400, "the Request-URI is malformed"),
    "regbadct": (400, "Contact is malformed"),
    "badaspec": (400, "To is malformed"),
    "baddn": (400, "From is malformed"),
    "badvers": (505, "another version of SIP"),
    "mismatch01": (400, "CSeq has another method"),
    "mismatch02": (400, "CSeq has another method"),
    "insuf": (400, "Call-ID is missing"),
    "multi01": (400, "a header stands twice that stands once"),
    "mcl01": (400, "Content-Length stands twice"),
    "ipv6-bad": (400, "the Request-URI is malformed"),
}
UNANSWERABLE = {"badinv01", "insuf"}  # no Via that can be read; nothing to copy
DROPPED = {"scalarlg": "CSeq is malformed", "bigcode": "the first line is malformed"}  # responses
ACCEPTED = [  # sections 3.2, 3.3 and 3.4: well-formed, what is wrong is for those who know dialogs, bodies and options
    "badbranch unkscm novelsc unksm2 bext01 invut regaut01 bcast zeromf cparam01 cparam02 regescrt sdp01 inv2543",
    "baddate",  # 3.1.2.12: a Date that nobody looks at may be ignored
]
UNFRAMED = {  # on a stream these end the connection
    "wsinv": "white space after Content-Length",
    "ncl": "Content-Length is not a number",
    "mcl01": "two values of Content-Length",
    "inv2543": "no Content-Length",
}
UNFINISHED = {"clerr", "multi01"}  # on a stream more is awaited: 9999 bytes; 154 of 152


def names(lists: list[str]) -> list[str]:
    return " ".join(lists).split()


def request(name: str, limits: Limits = LENIENT) -> Request:
    read = read_datagram(ALL[name], limits)
    assert isinstance(read, Request), read
    return read


def test_every_message_has_an_outcome() -> None:
    outcomes = [*names(VALID), *REFUSED, *DROPPED, *names(ACCEPTED)]
    assert len(RFC4475) == 49
    assert len(RFC5118) == 12
    assert sorted(outcomes) == sorted([*RFC4475, "ipv6-bad"])


@pytest.mark.parametrize("name", [*names(VALID), *names(ACCEPTED), *sorted(set(RFC5118) - {"ipv6-bad"})])
def test_the_well_formed_are_read(name: str) -> None:
    assert isinstance(read_datagram(ALL[name], LENIENT), Request | Response)


@pytest.mark.parametrize("name", [*names(VALID), *names(ACCEPTED), *sorted(set(RFC5118) - {"ipv6-bad"})])
def test_by_default_three_of_them_are_refused(name: str) -> None:
    read = read_datagram(ALL[name])
    reason = read.problem if isinstance(read, Malformed) else None
    assert reason == REFUSED_BY_THE_STRICT_READER.get(name)


@pytest.mark.parametrize("limits", [Limits(), LENIENT])
@pytest.mark.parametrize("name", REFUSED)
def test_the_invalid_are_refused_and_answered(name: str, limits: Limits) -> None:
    read = read_datagram(ALL[name], limits)
    assert isinstance(read, Malformed)
    assert (read.status, read.problem) == REFUSED[name]
    assert (read.request is None) == (name in UNANSWERABLE)
    if read.request is not None:
        answer = serialise(read.request.reply(read.status, to_tag="t"))
        assert answer.startswith(b"SIP/2.0 %d " % read.status)


@pytest.mark.parametrize("name", DROPPED)
def test_invalid_responses_are_never_answered(name: str) -> None:
    assert read_datagram(ALL[name]) == Malformed(400, DROPPED[name])


@pytest.mark.parametrize("name", ALL)
def test_on_a_stream_the_outcome_is_the_same_where_the_message_has_an_end(name: str) -> None:
    reader = StreamReader()
    if name in UNFRAMED:
        with pytest.raises(SipFault, match=UNFRAMED[name]):
            reader.feed(ALL[name])
    elif name in UNFINISHED:
        assert reader.feed(ALL[name]) == []
    else:
        assert reader.feed(ALL[name])[0] == read_datagram(ALL[name])


def test_two_requests_in_one_datagram_are_one_and_on_a_stream_two() -> None:
    assert request("dblreq").method == "REGISTER"
    assert [each.method for each in StreamReader().feed(ALL["dblreq"])] == ["REGISTER", "INVITE"]  # type: ignore[union-attr]


def test_wsinv() -> None:
    read = request("wsinv")
    assert read.to.tag == "1918181833n"
    assert (read.from_.display_name, read.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert (read.cseq, read.max_forwards) == (CSeq(9, "INVITE"), 68)
    assert [(via.transport, via.host, via.branch) for via in read.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert read.headers.get("subject") == ""
    assert read.headers.get("newfangledheader") == "newfangled value continued newfangled value"
    assert read.headers.all("UnknownHeaderWithUnusualValue") == [";;,,;;,;"]
    contact = read.contact
    assert contact is not None
    assert contact.display_name == 'Quoted string ""'
    assert contact.parameters == (("newparam", "newvalue"), ("secondparam", ""), ("q", "0.33"))
    (route,) = read.headers.all("Route")
    assert SipUri.parse(route[1:-1]).parameters == (("lr", ""), ("unknownwith", "value"), ("unknown-no-value", ""))


def test_intmeth() -> None:
    read = request("intmeth")
    assert read.method == read.cseq.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert read.to.display_name == "BEL:\a NUL:\0 DEL:\x7f"
    assert read.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert read.from_.parameter("fromparam''~+*_!.-%") == "работающий"
    assert read.from_.tag == "_token~1'+`*%!-."
    assert read.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert SipUri.parse(read.uri).user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert read.headers.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_escapes() -> None:
    read = request("esc01")
    assert SipUri.parse(read.uri).user == "sips:user@example.com"
    assert read.to.uri.user == "user"
    assert read.from_.uri.user == "I have spaces"
    contact = read.contact
    assert contact is not None
    assert (contact.uri.user, contact.uri.parameters) == ("caller", (("lr", ""), ("name", "value%41")))
    assert request("escnull").to.uri.user == "null-\0-null"
    escaped = request("esc02")
    assert escaped.method == "RE%47IST%45R"
    assert escaped.to.display_name == "%Z%45"
    assert len(escaped.headers.all("Contact")) == 2


def test_other_valid_messages() -> None:
    assert request("lwsdisp").from_.display_name == "caller"
    assert SipUri.parse(request("semiuri").uri) == SipUri("sip", "user;par=u@example.net", "example.com")
    assert [via.transport for via in request("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]
    assert len(request("longreq").vias) == 34
    assert request("mpart01").content_type == ("multipart/mixed", {"boundary": "7a9cbec02ceef655"})
    assert b"\0" in request("mpart01").body


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [("unreason", 200, "= 2**3 * 5**2 но сто девяносто девять - простое"), ("noreason", 100, "")],
)
def test_reason_phrases(name: str, status: int, reason: str) -> None:
    read = read_datagram(ALL[name])
    assert isinstance(read, Response)
    assert (read.status, read.reason) == (status, reason)


def test_where_a_parameter_belongs() -> None:
    bare, bracketed = request("cparam01").contact, request("cparam02").contact
    assert bare is not None
    assert bracketed is not None
    assert (bare.parameters, bare.uri.parameters) == ((("unknownparam", ""),), ())
    assert (bracketed.parameters, bracketed.uri.parameters) == ((), (("unknownparam", ""),))
    assert request("inv2543").to.parameters == (("user", "phone"),)


def test_what_an_application_needs_for_its_refusals() -> None:
    assert SipUri.parse(request("unkscm").uri) == SipUri("nobodyknowsthisscheme", opaque="totallyopaquecontent")
    assert SipUri.parse(request("novelsc").uri).scheme == "soap.beep"
    assert (request("unksm2").to.uri.scheme, request("unksm2").from_.uri.scheme) == ("isbn", "http")
    assert request("bext01").headers.all("Require") == ["nothingSupportsThis", "nothingSupportsThisEither"]
    assert request("invut").content_type == ("application/unknownformat", {})
    assert request("zeromf").max_forwards == 0
    contact = request("regescrt").contact
    assert contact is not None
    assert contact.uri.has_headers
    assert request("badbranch").top_via.branch == "z9hG4bK"


def uri_of(name: str) -> SipUri:
    return SipUri.parse(request(name).uri)


@pytest.mark.parametrize(
    ("name", "read", "expected"),
    [
        ("ipv6-good", uri_of, SipUri("sip", host="2001:db8::10")),
        ("port-ambiguous", uri_of, SipUri("sip", host="2001:db8::10:5070")),
        ("port-unambiguous", uri_of, SipUri("sip", host="2001:db8::10", port=5070)),
        ("ipv6-bug-abnf-3-colons", uri_of, SipUri("sip", "user", "2001:db8::c000:201")),
        ("ipv6-correct-abnf-2-colons", uri_of, SipUri("sip", "user", "2001:db8::c000:201")),
        ("via-received-param-with-delim", lambda n: request(n).top_via.parameter("received"), "[2001:db8::9:255]"),
        ("via-received-param-no-delim", lambda n: request(n).top_via.parameter("received"), "2001:db8::9:255"),
        (
            "mult-ip-in-header",
            lambda n: [via.sent_by for via in request(n).vias][:2],
            ["[2001:db8::9:1]:6050", "192.0.2.1"],
        ),
        ("ipv4-mapped-ipv6", lambda n: request(n).top_via.sent_by, "[::ffff:c000:20a]:19823"),
    ],
)
def test_ipv6(name: str, read: Callable[[str], object], expected: object) -> None:
    assert read(name) == expected
