"""Stanza errors."""

import pytest

from gateway.model.envelope import Bounce, Problem
from gateway.protocols.xmpp.stanzas.errors import (
    ERROR_TYPES,
    Malformed,
    bounce_of,
    read_bounce,
    write_bounce,
    write_malformed,
)
from tests.protocols.xmpp.stanzas.parsing import RECIPIENT, SENDER, parse

ADDRESSES = "from='alice@corp.example/desk' to='bob@partner.example'"


def test_every_problem_has_an_error_type_of_the_rfc() -> None:
    assert set(ERROR_TYPES) == set(Problem)
    assert set(ERROR_TYPES.values()) == {"auth", "cancel", "modify", "wait"}


def test_exact_bytes() -> None:
    assert write_bounce(Bounce("message", "m1", Problem.FORBIDDEN, "not <you>"), SENDER, RECIPIENT) == (
        f"<message type='error' id='m1' {ADDRESSES}><error type='auth'>"
        "<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>not &lt;you&gt;</text></error></message>"
    )


@pytest.mark.parametrize("problem", Problem)
@pytest.mark.parametrize("of", ["message", "presence", "query"])
def test_what_is_written_is_read_without_its_text(of: str, problem: Problem) -> None:
    text = write_bounce(Bounce(of, "x", problem, "canary"), SENDER, RECIPIENT)
    assert read_bounce(parse(text)) == Bounce(of, "x", problem)


@pytest.mark.parametrize(
    ("text", "bounce"),
    [
        ("<message id='1'><body>canary</body></message>", Bounce("message", "1", Problem.FORBIDDEN)),
        ("<presence type='subscribe'/>", Bounce("presence", "", Problem.FORBIDDEN)),
        ("<iq type='get' id='2'/>", Bounce("query", "2", Problem.FORBIDDEN)),
        ("<message type='error' id='1'/>", None),
        ("<presence type='error'/>", None),
        ("<iq type='error' id='2'/>", None),
        ("<iq type='result' id='2'/>", None),
        ("<strange/>", None),
    ],
)
def test_errors_and_results_are_never_answered(text: str, bounce: Bounce | None) -> None:
    assert bounce_of(parse(text), Problem.FORBIDDEN) == bounce


def test_a_malformed_stanza_is_answered_without_content() -> None:
    assert write_malformed(Malformed("query", "q"), SENDER, RECIPIENT) == (
        f"<iq type='error' id='q' {ADDRESSES}><error type='modify'>"
        "<bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    )
