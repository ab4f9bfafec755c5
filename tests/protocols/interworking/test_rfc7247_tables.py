"""RFC 7247: the tables of the other two modules are those of the RFC, to the letter, and each address goes both ways.

The rows are those of the text (examples/README.md). RFC 7247 has no numbered examples but these.
"""

import html
import re

import pytest

from gateway.model.address import Address
from gateway.model.envelope import Problem
from gateway.protocols.sip.addressing import address_of, uri_of
from gateway.protocols.sip.problems import problem_of
from gateway.protocols.sip.uri import SipUri

from .literal import FOLDER
from .test_addresses import SIP_PLAIN, SIP_USERS, XMPP_PLAIN, XMPP_USERS
from .test_errors import TO_SIP

TEXT = (FOLDER / "rfc7247.txt").read_text("utf-8")


def rows(name: str) -> list[tuple[str, ...]]:
    """Gives the cells of each row of a table, the heading left out."""
    lines = TEXT.partition(f"=== {name}\n")[2].partition("\n===")[0].splitlines()
    return [tuple(html.unescape(cell).strip() for cell in line[1:-1].split(" |")) for line in lines][1:]


def test_the_addresses_are_those_of_the_rfc() -> None:
    assert rows("6.4") + rows("6.5") == SIP_USERS + XMPP_USERS


@pytest.mark.parametrize(("uri", "jid"), SIP_USERS + [(uri, jid) for jid, uri in XMPP_USERS])
def test_6_4_and_6_5_each_address_both_ways(uri: str, jid: str) -> None:
    assert str(address_of(SipUri.parse(uri))) == jid and str(uri_of(Address.parse(jid))) == uri


def test_table_1_characters() -> None:
    allowed, denied = (
        [{*line[5:-1]} - {" "} for line in TEXT.splitlines() if line.startswith(f"| {kind} |")] for kind in "AD"
    )
    assert allowed[0] == {*SIP_PLAIN} and allowed[2] == {*XMPP_PLAIN}
    for character in denied[0] & allowed[2]:
        assert str(uri_of(Address.of(f"a{character}b", "xmpp.example"))) == f"sip:a%{ord(character):02X}b@xmpp.example"
    for character in denied[2]:
        written = character if character in allowed[0] else f"%{ord(character):02X}"
        assert address_of(SipUri.parse(f"sip:a{written}b@sip.example")).local == f"a\\{ord(character):02x}b"


def test_table_2_is_that_of_the_rfc() -> None:
    table = {word.strip("</>"): {*map(int, re.findall(r"\b\d{3}\b", said))} for word, said in rows("table 2")}
    assert table.pop("service-unavailable") == set(), "note 5 names 403 and 405 as the nearest"
    assert table == {word: statuses for word, statuses, _ in TO_SIP if word != "service-unavailable"}


@pytest.mark.parametrize("cells", rows("table 3"))
def test_table_3(cells: tuple[str, ...]) -> None:
    word = re.match(r"<([a-z-]+)/>", cells[1])
    assert word and problem_of(int(cells[0].replace("xx", "99"))) is Problem(word[1])
