"""Digest: the examples of RFC 2617 and RFC 7616, which challenge is answered, how often, and with which numbers."""

import re

import pytest

from gateway.protocols.sip.digest import Challenge, Credentials, Digest
from gateway.protocols.sip.message import Request, Response

from .talk import response, station

CREDENTIALS = Credentials("gateway", "opensesame", frozenset({"corp.example"}))
MD5 = 'Digest realm="corp.example", nonce="n1", qop="auth,auth-int", algorithm=MD5, opaque="o"'
SHA = 'Digest realm="corp.example", nonce="n2", qop="auth", algorithm=SHA-256'


def asked() -> Request:
    return station().request("MESSAGE", "sip:eve@partner.example", "sip:alice@corp.example")


def challenge(request: Request, *values: str, status: int = 401) -> Response:
    made = response(request, status)
    for value in values:
        made.headers.add("WWW-Authenticate" if status == 401 else "Proxy-Authenticate", value)
    return made


def digest(credentials: Credentials = CREDENTIALS, cnonce: str = "c") -> Digest:
    return Digest(credentials, lambda: cnonce)


def said(request: Request, name: str = "Authorization") -> dict[str, str]:
    value = request.headers.get(name) or ""
    return {key: text.strip('"') for key, text in re.findall(r'(\w+)=("[^"]*"|[^,]+)', value)}


@pytest.mark.parametrize(
    ("algorithm", "answer"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, answer: str) -> None:
    who = Credentials("Mufasa", "Circle of Life", frozenset({"http-auth@example.org"}))
    request = Request("GET", "/dir/index.html")
    nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    made = Digest(who, lambda: cnonce)
    text = f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, nonce="{nonce}"'
    found = Response(401, "", request.headers.copy())
    found.headers.add("WWW-Authenticate", text)
    assert made.challenged(request, found, 0)
    assert said(request)["response"] == answer


def test_the_example_of_rfc_2617() -> None:
    who = Credentials("Mufasa", "Circle Of Life", frozenset({"testrealm@host.com"}))
    request = Request("GET", "/dir/index.html")
    found = Response(401, "")
    nonce, opaque = "dcd98b7102dd2f0e8b11d0f600bfb0c093", "5ccc069c403ebaf9f0171e9517f40e41"
    text = f'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="{nonce}", opaque="{opaque}"'
    found.headers.add("WWW-Authenticate", text)
    assert digest(who, "0a4f113b").challenged(request, found, 0)
    got = said(request)
    assert (got["response"], got["opaque"], got["nc"]) == ("6629fae49393a05397450978507c4ef1", opaque, "00000001")


def test_the_stronger_of_two_is_answered() -> None:
    request = asked()
    assert digest().challenged(request, challenge(request, MD5, SHA), 0)
    assert (said(request)["algorithm"], said(request)["nonce"], said(request)["qop"]) == ("SHA-256", "n2", "auth")


def test_a_proxy_is_answered_in_its_own_header_and_both_may_ask() -> None:
    request, made = asked(), digest()
    assert made.challenged(request, challenge(request, MD5, status=407), 0)
    assert said(request, "Proxy-Authorization")["nonce"] == "n1" and not request.headers.get("Authorization")
    assert made.challenged(request, challenge(request, SHA), 1)
    assert said(request)["nonce"] == "n2" and said(request, "Proxy-Authorization")["nonce"] == "n1"


def test_later_requests_bear_the_next_number_of_the_nonce() -> None:
    made = digest()
    made.challenged(first := asked(), challenge(first, MD5), 0)
    numbers = []
    for _ in range(3):
        made.put(request := asked())
        numbers.append(said(request)["nc"])
    assert numbers == ["00000002", "00000003", "00000004"]


def test_a_wrong_password_is_said_once_and_a_stale_nonce_is_replaced() -> None:
    request, made = asked(), digest()
    made.challenged(request, challenge(request, MD5), 0)
    assert not made.challenged(request, challenge(request, MD5.replace("n1", "n3")), 1)
    assert made.challenged(request, challenge(request, MD5.replace("n1", "n3") + ", stale=TRUE"), 1)
    assert (said(request)["nonce"], said(request)["nc"]) == ("n3", "00000001")
    assert not made.challenged(request, challenge(request, MD5 + ", stale=true"), 2)


@pytest.mark.parametrize(
    "value",
    [
        'Basic realm="corp.example"',
        MD5.replace("corp.example", "elsewhere.example"),
        MD5.replace("MD5", "MD5-sess"),
        MD5.replace('"auth,auth-int"', '"auth-int"'),
        'Digest realm="corp.example"',
        'Digest nonce="n"',
        'Digest realm="corp.example", realm="corp.example", nonce="n"',
        'Digest realm="corp.example" nonce="n"',
        "Digest " + "x" * 5000,
        "",
    ],
)
def test_what_cannot_or_must_not_be_answered_is_not(value: str) -> None:
    request = asked()
    assert not digest().challenged(request, challenge(request, value), 0)
    assert "opensesame" not in str(request.headers)
    assert not request.headers.get("Authorization")


def test_without_qop_the_answer_is_that_of_rfc_2069() -> None:
    request = asked()
    assert digest().challenged(request, challenge(request, 'Digest realm="corp.example", nonce="n"'), 0)
    assert not {"qop", "nc", "cnonce"} & set(said(request))


def test_password_is_in_no_repr() -> None:
    assert "opensesame" not in repr(digest()) and "opensesame" not in repr(CREDENTIALS)


def test_challenges_are_read_with_blanks_and_quotes() -> None:
    found = Challenge.parse('digest  realm = "a \\"b\\"" ,nonce=abc,stale=false')
    assert found == Challenge('a "b"', "abc")


def test_a_challenge_that_no_header_could_bear_is_not_answered() -> None:
    assert Challenge.parse('Digest realm="corp.example", nonce="a\tb"') is None
