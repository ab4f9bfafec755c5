"""Telephone numbers, addresses and priorities at their bounds (RFC 3966, 6068, 3863, 8048)."""

import pytest

from gateway.model.presence import Field
from gateway.protocols.pidf.contacts import PHONE_FIELDS, is_web, read_mailto, read_tel, write_mailto, write_tel
from gateway.protocols.pidf.priorities import read_priority, write_priority


@pytest.mark.parametrize(
    ("number", "uri"),
    [
        ("+1 202 555 0100", "tel:+1-202-555-0100"),
        ("(202) 555-0100 ", "tel:202-555-0100;phone-context=corp.example"),
        ("+1 202 555 0100 EXT. 12", "tel:+1-202-555-0100;ext=12"),
        ("+1 202 555 0100x12", "tel:+1-202-555-0100;ext=12"),
        ("5" * 64, f"tel:{'5' * 64};phone-context=corp.example"),
        ("5" * 65, ""),
        ("()", ""),
        ("+1 202 555 CALL", ""),
        ("\u0661\u0662", ""),
        ("", ""),
    ],
)
def test_numbers_are_written_with_their_digits(number: str, uri: str) -> None:
    assert write_tel(number, "corp.example") == uri


def test_a_local_number_without_a_domain_is_none() -> None:
    assert write_tel("555 0100", "") == "" and write_tel("+1 555 0100", "") == "tel:+1-555-0100"


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("tel:+1-202-555-0100", "+1-202-555-0100"),
        ("tel:%2B1%20555", "+1 555"),
        ("tel:+1;EXT=5", "+1 ext 5"),
        ("tel:+1;isub=1;ext=5;ext=6", "+1 ext 5"),
        ("tel:+1" + ";x" * 7 + ";ext=5", "+1 ext 5"),
        ("tel:+1" + ";x" * 8 + ";ext=5", "+1"),
        ("tel:" + "5" * 64, "5" * 64),
        ("tel:" + "5" * 65, ""),
        ("tel:", ""),
        ("tel:-", ""),
        ("tel:\u0661", ""),
        ("tel:+1;ext=\u0661", "+1"),
    ],
)
def test_numbers_are_read_with_their_extension(uri: str, number: str) -> None:
    assert read_tel(uri) == number


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("mailto:a@x.example", "a@x.example"),
        ("mailto:a@x.example,b@x.example", "a@x.example"),
        ("mailto:a@x.example?subject=b@y.example", "a@x.example"),
        ("mailto:a%2Bb@x.example", "a+b@x.example"),
        ("mailto:" + "a" * 1015 + "@x", "a" * 1015 + "@x"),
        ("mailto:" + "a" * 1016 + "@x", ""),
        ("mailto:a", ""),
        ("mailto:@x.example", ""),
        ("mailto:a@", ""),
        ("mailto:a%20b@x.example", ""),
        ("mailto:a%0A@x.example", ""),
    ],
)
def test_the_first_address_is_read(uri: str, address: str) -> None:
    assert read_mailto(uri) == address


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("a+b@x.example", "mailto:a+b@x.example"),
        ("a&b@x.example", "mailto:a%26b@x.example"),
        ("a" * 1022 + "@x", "mailto:" + "a" * 1022 + "@x"),
        ("a" * 1023 + "@x", ""),
        ("no address", ""),
    ],
)
def test_addresses_are_written(address: str, uri: str) -> None:
    assert write_mailto(address) == uri


def test_what_is_a_web_address() -> None:
    assert is_web("HTTPS://x.example") and is_web("http://" + "x" * 1017)
    assert not is_web("http://" + "x" * 1018) and not is_web("http://") and not is_web("ftp://x.example")


def test_a_class_names_a_kind_of_number() -> None:
    assert PHONE_FIELDS == {
        "work": Field.PHONE_WORK,
        "mobile": Field.PHONE_MOBILE,
        "home": Field.PHONE_HOME,
        "other": Field.PHONE_OTHER,
        "cell": Field.PHONE_MOBILE,
    }


@pytest.mark.parametrize(
    ("text", "priority"),
    [("0.063", 9), ("0.126", 17), ("0.189", 25), ("0.5", 64), ("0.001", 1), ("0", 0), ("0.", 0), ("1.000", 127)],
)
def test_priorities_are_rounded_up(text: str, priority: int) -> None:
    assert read_priority(text) == priority


def test_a_priority_beyond_the_largest_is_the_largest() -> None:
    assert write_priority(127) == write_priority(128) == write_priority(200) == "1"
    assert write_priority(126) == "0.992"
