from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transport.names import a_label, same_domain


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("Partner.EXAMPLE.", "partner.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("_xmpp-server._tcp.partner.example", "_xmpp-server._tcp.partner.example"),
    ],
)
def test_names_are_written_in_one_form(domain: str, name: str) -> None:
    assert a_label(domain) == name


@pytest.mark.parametrize(
    "domain",
    ["", ".", "a..example", "-a.example", "a-.example", "a b", "a.example\n", "a/b", "a@b", "[::1]", "x" * 64,
     "\u200bpartner.example", "ｐartner.example", "\u212aa.example"],
)  # fmt: skip
def test_what_is_no_name_is_refused(domain: str) -> None:
    with pytest.raises(ValueError):
        a_label(domain)


@given(st.text(max_size=40))
def test_the_form_is_stable(text: str) -> None:
    try:
        name = a_label(text)
    except ValueError:
        assert not same_domain(text, text)
        return
    assert a_label(name) == name
    assert same_domain(text, name)
