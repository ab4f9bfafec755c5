"""A form that is known gives the same answer as the parser, to whatever is put in the place of its values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocols.guard import xmpp
from gateway.protocols.guard.forms import MOST_FORMS, Forms, cut
from gateway.protocols.guard.shape import Difference
from gateway.protocols.guard.xmpp import check_stanzas
from tests.protocols.guard.written import CONTACT, EVERYTHING, PERSON

HEAD = f"from='{PERSON}' to='{CONTACT}'"
ALLOWED = EVERYTHING | {"may.im", "may.typing", "may.receipts"}
TEXTS = [
    f"<message {HEAD} id='m1' type='chat'><body xml:lang='de'>it isn't \"late\"</body>"
    "<active xmlns='http://jabber.org/protocol/chatstates'/></message>",
    f"<presence {HEAD}><show>dnd</show><status>in the hall</status>"
    "<idle xmlns='urn:xmpp:idle:1' since='2026-01-31T12:15:00Z'/></presence>",
    f"<presence {HEAD} type='unavailable'/><presence {HEAD} type='unavailable'/>",
    f"<iq {HEAD} type='result' id='q1'><query xmlns='jabber:iq:last' seconds='12'/></iq>",
    f"<message {HEAD} type='error' id='1'><error type='cancel'>\n"
    "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
]
ODD = (
    [
        "'",
        '"',
        "<",
        ">",
        "&",
        "&amp;",
        "&alice;",
        "]]>",
        "<b/>",
        "<!-- x -->",
        "<![CDATA[x]]>",
        "<?x?>",
        " a='b'",
        "='b'",
    ]
    + [
        " type='error'",
        "type='",
        " xmlns='jabber:iq:last'",
        "</body><body>",
        "/>",
        " ",
        "\t",
        "\n",
        "\r",
        "\x00",
        "\x0b",
    ]
    + ["\ud800", "\ufffe", "\U0001f600", "", "alice", "away", "2026-01-31T12:15:01Z", PERSON, CONTACT, PERSON[:18]]
)


def passes(text: str, allowed: frozenset[str] = ALLOWED, forms: Forms | None = None) -> bool:
    try:
        check_stanzas(text, PERSON, CONTACT, allowed, Forms() if forms is None else forms)
    except Difference:
        return False
    return True


@pytest.mark.parametrize("text", TEXTS)
def test_what_has_passed_is_known_by_its_form(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = Forms()
    assert passes(text, forms=forms)
    monkeypatch.setattr(xmpp, "parse", None)
    assert passes(text, forms=forms)


@pytest.mark.parametrize("text", TEXTS)
def test_each_odd_piece_in_each_value_is_taken_as_the_parser_takes_it(text: str) -> None:
    forms = Forms()
    assert passes(text, forms=forms)
    between, values = cut(text)
    for number, value in enumerate(values):
        for odd in ODD:
            changed = [*values[:number], value + odd, *values[number + 1 :], ""]
            written = "".join(one + two for one, two in zip(between, changed, strict=True))
            assert passes(written, forms=forms) == passes(written), written


@st.composite
def changed(draw: st.DrawFn) -> str:
    """Gives one of the texts with odd pieces in the place of some of its values, or anywhere."""
    text = draw(st.sampled_from(TEXTS))
    between, values = cut(text)
    for number in draw(st.sets(st.integers(0, len(values) - 1), max_size=3)):
        lead = 1 if values[number][0] == ">" else 2
        piece = draw(
            st.one_of(
                st.sampled_from(ODD), st.text(max_size=6), st.lists(st.sampled_from(ODD), max_size=3).map("".join)
            )
        )
        values[number] = values[number][:lead] + draw(st.sampled_from([piece, values[number][lead:] + piece]))
    text = "".join(one + two for one, two in zip(between, [*values, ""], strict=True))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(ODD)) + text[at:]
    return text


@settings(max_examples=1500, deadline=None)
@given(st.lists(changed(), min_size=1, max_size=4))
def test_a_form_gives_the_answer_of_the_parser_whatever_was_read_before(texts: list[str]) -> None:
    forms = Forms()
    for text in TEXTS:
        assert passes(text, forms=forms)
    for text in texts:
        assert passes(text, forms=forms) == passes(text), text


@pytest.mark.parametrize(
    "text",
    [
        f"<presence {HEAD}><status>a &amp; b</status></presence>",
        f"<presence {HEAD}><status>a > b</status></presence>",
        f"<presence {HEAD}><status><![CDATA[='x']]></status></presence>",
        f"<presence {HEAD} id=\"='x'\"/>",
        f'<presence {HEAD} id="x"/>',
    ],
)
def test_what_could_be_read_in_two_ways_is_read_in_full(text: str) -> None:
    forms = Forms()
    assert passes(text, forms=forms)
    assert not forms._known


def test_what_was_allowed_belongs_to_the_form() -> None:
    forms = Forms()
    assert passes(TEXTS[1], forms=forms)
    assert not passes(TEXTS[1], ALLOWED - {"note", "out_of_office"}, forms)
    assert not passes(TEXTS[0], ALLOWED - {"may.im"}, forms)


def test_forms_are_bounded() -> None:
    forms = Forms()
    for number in range(MOST_FORMS + 1):
        inside = "<status>a</status>" * (number % 40) + "<show>dnd</show>" * (number // 40)
        assert passes(f"<presence {HEAD}>{inside}</presence>", forms=forms)
        assert 0 < len(forms._known) <= MOST_FORMS
