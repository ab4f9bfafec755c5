"""RFC 7247 section 7: errors both ways, against tables that were written from the RFC and not from the code."""

import pytest

from gateway.model.envelope import Problem
from gateway.protocols.sip.problems import problem_of, status_of

from .bridge import Bridge, OpenHouse
from .test_messages import from_romeo

# Table 2, read for a request that is no INVITE. The second column is the RFC's, the third what we send.
TO_SIP = [
    ("bad-request", {400}, 400),
    ("conflict", {400}, 400),
    ("feature-not-implemented", {405, 501}, 501),
    ("forbidden", {403, 603}, 403),
    ("gone", {301, 410}, 410),  # 301 needs the new address, which the model does not carry
    ("internal-server-error", {500}, 500),
    ("item-not-found", {404, 604}, 404),
    ("jid-malformed", {400}, 400),
    ("not-acceptable", {406, 606}, 406),
    ("not-allowed", {403}, 403),
    ("not-authorized", {401}, 403),
    ("policy-violation", {403}, 403),
    ("recipient-unavailable", {480, 600}, 480),
    ("redirect", {302}, 480),
    ("registration-required", {407}, 403),
    ("remote-server-not-found", {404, 408}, 404),
    ("remote-server-timeout", {408}, 504),
    ("resource-constraint", {500}, 500),
    ("service-unavailable", {403, 405}, 480),
    ("subscription-required", {400}, 403),
    ("undefined-condition", {400}, 480),
    ("unexpected-request", {400, 491}, 491),
]
WHY_NOT_THE_TABLE = {
    "not-authorized": "401 must carry a challenge (RFC 3261 section 21.4.2), and we have none",
    "registration-required": "407 must carry a challenge",
    "redirect": "302 must say where to",
    "remote-server-timeout": "408 is never sent for a request that is no INVITE (RFC 4320 section 4.2)",
    "service-unavailable": "the blocked, the offline and the unknown are all 480; 503 is not recommended by the RFC",
    "subscription-required": "it is a refusal, and the request is well-formed",
    "undefined-condition": "it says nothing about the request",
}

# Table 3
FROM_SIP = {
    "redirect": [300, 302, 305],
    "gone": [301, 410],
    "not-acceptable": [380, 406, 415, 416, 421, 482, 483, 488, 505, 606],
    "bad-request": [400, 402, 493],
    "not-authorized": [401],
    "forbidden": [403],
    "item-not-found": [404, 481, 484, 485, 604],
    "feature-not-implemented": [405, 420, 439, 501],
    "registration-required": [407],
    "remote-server-timeout": [408, 504],
    "policy-violation": [413, 414, 440, 489, 513],
    "resource-constraint": [423],
    "recipient-unavailable": [430, 480, 486, 487, 600, 603],
    "unexpected-request": [491],
    "internal-server-error": [500, 503],
    "remote-server-not-found": [502],
}
STATUSES = [(status, word) for word, statuses in FROM_SIP.items() for status in statuses]
BY_CLASS = {399: "redirect", 499: "bad-request", 599: "internal-server-error", 699: "recipient-unavailable"}

MESSAGE = "<message from='juliet@example.com/b' to='romeo@example.net' id='m1'><body>hi</body></message>"
FROM_ROMEO = """MESSAGE sip:juliet@example.com SIP/2.0
Via: SIP/2.0/TLS s2x.example.net;branch=z9hG4bKeskdgs677
Max-Forwards: 70
To: <sip:juliet@example.com>
From: <sip:romeo@example.net>;tag=vwxyz
Call-ID: 9E97FB43
CSeq: 1 MESSAGE
Content-Type: text/plain
Content-Length: 2

hi"""


def test_the_tables_leave_nothing_out() -> None:
    assert sorted(word for word, _, _ in TO_SIP) == sorted(one.value for one in Problem)
    assert len(STATUSES) == len(dict(STATUSES)) == 48


@pytest.mark.parametrize(("word", "rfc", "sent"), TO_SIP)
def test_table_2(word: str, rfc: set[int], sent: int) -> None:
    assert status_of(Problem(word)) == sent
    assert (sent in rfc) is (word not in WHY_NOT_THE_TABLE)


def test_what_may_never_be_sent() -> None:
    sent = {status_of(one) for one in Problem}
    assert not sent & {401, 407, 408, 481, 503}
    assert max(sent) < 600, "a 6xx would end the search for other endpoints"


@pytest.mark.parametrize(("status", "word"), STATUSES)
def test_table_3(status: int, word: str) -> None:
    assert problem_of(status) is Problem(word)


@pytest.mark.parametrize(("status", "word"), BY_CLASS.items())
def test_a_status_that_the_table_does_not_name_counts_as_its_class(status: int, word: str) -> None:
    assert problem_of(status) is Problem(word)


def test_what_a_condition_is_after_both_ways() -> None:
    """Ten come back as they were; of the others less is known than before, never something more friendly."""
    back = {word: problem_of(status_of(Problem(word))).value for word, _, _ in TO_SIP}
    assert {word: other for word, other in back.items() if word != other} == {
        "conflict": "bad-request",
        "jid-malformed": "bad-request",
        "not-allowed": "forbidden",
        "not-authorized": "forbidden",
        "policy-violation": "forbidden",
        "redirect": "recipient-unavailable",
        "registration-required": "forbidden",
        "remote-server-not-found": "item-not-found",
        "resource-constraint": "internal-server-error",
        "service-unavailable": "recipient-unavailable",
        "subscription-required": "forbidden",
        "undefined-condition": "recipient-unavailable",
    }


@pytest.mark.parametrize(("word", "sent"), [(word, sent) for word, _, sent in TO_SIP])
def test_a_refused_message_is_answered_with_the_status(word: str, sent: int) -> None:
    bridge = Bridge(OpenHouse(refusal=Problem(word)))
    bridge.hear(FROM_ROMEO)
    (answer,) = bridge.answered
    # what may tell about a person looks like a message that was taken: of the offline we hear later only
    # that we have no room is for a moment only: 503 can say when to try again, 500 is a fault
    ours = {"service-unavailable": 202, "resource-constraint": 503}
    assert answer.status == ours.get(word, sent)
    assert (answer.headers.get("Retry-After") is not None) == (word == "resource-constraint")
    assert answer.body == b""
    assert {name for name, _ in answer.headers} <= {"Via", "From", "To", "Call-ID", "CSeq", "Retry-After"}


@pytest.mark.parametrize(("status", "word"), [*STATUSES, *BY_CLASS.items()])
def test_a_status_becomes_an_error_for_the_sender(status: int, word: str) -> None:
    bridge = Bridge()
    (request,) = bridge.stanza(MESSAGE)
    assert bridge.reply(request, status) == []
    assert bridge.house.failed == [Problem(word)]


def test_no_answer_at_all_is_a_timeout() -> None:
    bridge = Bridge()
    bridge.stanza(MESSAGE)
    bridge.wait(31.0)
    assert bridge.house.failed == []
    bridge.wait(2.0)
    assert bridge.house.failed == [Problem.REMOTE_SERVER_TIMEOUT]


@pytest.mark.parametrize("status", [200, 202])
def test_a_2xx_is_no_stanza(status: int) -> None:
    bridge = Bridge()
    (request,) = bridge.stanza(MESSAGE)
    assert bridge.reply(request, status) == [] and bridge.house.failed == []


# --- circles (protocols.md L-02)


def _marked(bridge: Bridge, hops: str = "") -> str:
    return f"<message from='juliet@example.com' to='romeo@example.net'><body>hi</body>{hops}</message>"


def test_what_comes_back_over_xmpp_does_not_go_out_again() -> None:
    bridge = Bridge(mark="c0ffee")
    (stanza,) = bridge.hear(from_romeo("hi"))
    mark = "<gw xmlns='urn:example:gateway:hop' id='c0ffeee' hops='4'/>"
    assert mark in stanza
    assert bridge.stanza(_marked(bridge, mark)) == [] and bridge.house.failed == [Problem.NOT_ACCEPTABLE]
    assert len(bridge.stanza(_marked(bridge, mark.replace("c0ffeee", "c0ffeei")))) == 1, "our other side is no circle"


def test_marks_of_others_are_carried_on_and_count() -> None:
    bridge = Bridge(mark="c0ffee")
    (request,) = bridge.stanza(_marked(bridge, "<gw xmlns='urn:example:gateway:hop' id='other' hops='3'/>"))
    assert sorted(request.headers.all("X-Gateway-Hop")) == ["c0ffee;hops=2", "other;hops=2"]
    (stanza,) = bridge.hear(from_romeo("hi", X_Gateway_Hop="other;hops=3"))
    assert "id='other' hops='3'" in stanza and "id='c0ffeee' hops='2'" in stanza
    assert bridge.stanza(_marked(bridge, "<gw xmlns='urn:example:gateway:hop' id='other' hops='0'/>")) == []


def test_the_mark_of_either_side_of_ours_is_known_in_sip() -> None:
    bridge = Bridge(mark="c0ffee")
    for number, mark in enumerate(("c0ffee", "c0ffeee", "c0ffeei")):
        via = f"SIP/2.0/TCP s2x.example.net;branch=z9hG4bKm{number}"
        assert bridge.hear(from_romeo("hi", Via=via, CSeq=f"{number} MESSAGE", X_Gateway_Hop=f"{mark};hops=3")) == []
    assert [answer.status for answer in bridge.answered] == [482] * 3


# --- the table to the letter, for who wants it (RFC 7247 table 2)

LETTER = {
    Problem.BAD_REQUEST: 400,
    Problem.CONFLICT: 400,
    Problem.FEATURE_NOT_IMPLEMENTED: 501,
    Problem.FORBIDDEN: 603,
    Problem.GONE: 410,
    Problem.INTERNAL_SERVER_ERROR: 500,
    Problem.ITEM_NOT_FOUND: 604,
    Problem.JID_MALFORMED: 400,
    Problem.NOT_ACCEPTABLE: 606,
    Problem.NOT_ALLOWED: 403,
    Problem.NOT_AUTHORIZED: 401,
    Problem.POLICY_VIOLATION: 403,
    Problem.RECIPIENT_UNAVAILABLE: 600,
    Problem.REDIRECT: 302,
    Problem.REGISTRATION_REQUIRED: 407,
    Problem.REMOTE_SERVER_NOT_FOUND: 404,
    Problem.REMOTE_SERVER_TIMEOUT: 504,
    Problem.RESOURCE_CONSTRAINT: 500,
    Problem.SUBSCRIPTION_REQUIRED: 400,
    Problem.UNDEFINED_CONDITION: 400,
    Problem.UNEXPECTED_REQUEST: 491,
}


@pytest.mark.parametrize(("problem", "status"), LETTER.items())
def test_errors_to_the_letter(problem: Problem, status: int) -> None:
    bridge = Bridge(OpenHouse(refusal=problem), literal=True)
    bridge.hear(from_romeo("hi"))
    assert [answer.status for answer in bridge.answered] == [status]


def test_to_the_letter_or_not_a_refusal_about_a_person_is_not_seen() -> None:
    bridge = Bridge(OpenHouse(refusal=Problem.SERVICE_UNAVAILABLE), literal=True)
    bridge.hear(from_romeo("hi"))
    assert [answer.status for answer in bridge.answered] == [202]
