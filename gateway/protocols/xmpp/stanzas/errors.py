"""Stanza errors: what a refusal looks like on the wire, and what a peer's refusal says (RFC 6120 section 8.3)."""

from typing import Final

from attrs import frozen

from gateway.model.envelope import Bounce, Problem
from gateway.protocols.element import Element
from gateway.protocols.ids import clean_id
from gateway.protocols.xml_text import escape_attribute, escape_text
from gateway.protocols.xmpp.names import STANZA_ERRORS

ERROR_TYPES: Final = {
    Problem.BAD_REQUEST: "modify",
    Problem.CONFLICT: "cancel",
    Problem.FEATURE_NOT_IMPLEMENTED: "cancel",
    Problem.FORBIDDEN: "auth",
    Problem.GONE: "cancel",
    Problem.INTERNAL_SERVER_ERROR: "cancel",
    Problem.ITEM_NOT_FOUND: "cancel",
    Problem.JID_MALFORMED: "modify",
    Problem.NOT_ACCEPTABLE: "modify",
    Problem.NOT_ALLOWED: "cancel",
    Problem.NOT_AUTHORIZED: "auth",
    Problem.POLICY_VIOLATION: "modify",
    Problem.RECIPIENT_UNAVAILABLE: "wait",
    Problem.REDIRECT: "modify",
    Problem.REGISTRATION_REQUIRED: "auth",
    Problem.REMOTE_SERVER_NOT_FOUND: "cancel",
    Problem.REMOTE_SERVER_TIMEOUT: "wait",
    Problem.RESOURCE_CONSTRAINT: "wait",
    Problem.SERVICE_UNAVAILABLE: "cancel",
    Problem.SUBSCRIPTION_REQUIRED: "auth",
    Problem.UNDEFINED_CONDITION: "cancel",
    Problem.UNEXPECTED_REQUEST: "modify",
}
"""Problem to the error type that RFC 6120 section 8.3.3 recommends for its condition."""

_PROBLEMS: Final = {problem.value: problem for problem in Problem}
_OF: Final = {"message": "message", "presence": "presence", "iq": "query"}
_STANZA: Final = {of: stanza for stanza, of in _OF.items()}
_ERRORS: Final = {
    problem: f"<error type='{kind}'><{problem.value} xmlns='{STANZA_ERRORS}'/></error>"
    for problem, kind in ERROR_TYPES.items()
}
_SILENT: Final = frozenset({"error", "result"})


@frozen
class Malformed:
    """Is a stanza that breaks its own rules: it is answered with `problem`, never passed on."""

    of: str
    """'message', 'presence' or 'query'."""
    id: str
    problem: Problem = Problem.BAD_REQUEST


def read_bounce(element: Element) -> Bounce:
    """Reads a stanza of type error; its text and its copied content are left behind (RFC 6120 section 8.3.2)."""
    return Bounce(_OF.get(element.name, "query"), clean_id(element.attributes.get("id")), _problem(element))


def bounce_of(element: Element, problem: Problem, text: str = "") -> Bounce | None:
    """Makes the bounce that answers a received stanza, or None for errors and results, which are never answered."""
    if element.attributes.get("type") in _SILENT or element.name not in _OF:
        return None
    return Bounce(_OF[element.name], clean_id(element.attributes.get("id")), problem, text)


def write_bounce(bounce: Bounce, sender: str, recipient: str) -> str:
    """Writes a stanza of type error with the recommended error type and no content (RFC 6120 section 8.3)."""
    return _write(_STANZA[bounce.of], bounce.id, bounce.problem, bounce.text, sender, recipient)


def write_malformed(malformed: Malformed, sender: str, recipient: str) -> str:
    """Writes the error that answers a malformed stanza."""
    return _write(_STANZA[malformed.of], malformed.id, malformed.problem, "", sender, recipient)


def _write(stanza: str, stanza_id: str, problem: Problem, text: str, sender: str, recipient: str) -> str:
    error = _ERRORS[problem]
    if text:
        reason = f"<text xmlns='{STANZA_ERRORS}' xml:lang='en'>{escape_text(text, replace_illegal=True)}</text></error>"
        error = error.removesuffix("</error>") + reason
    shown_id = f" id='{escape_attribute(stanza_id)}'" if stanza_id else ""
    return (
        f"<{stanza} type='error'{shown_id} from='{escape_attribute(sender)}' to='{escape_attribute(recipient)}'>"
        f"{error}</{stanza}>"
    )


def _problem(element: Element) -> Problem:
    error = element.child("error", element.ns)
    for child in error.children if error is not None else ():
        if not isinstance(child, str) and child.ns == STANZA_ERRORS and child.name in _PROBLEMS:
            return _PROBLEMS[child.name]
    return Problem.UNDEFINED_CONDITION
