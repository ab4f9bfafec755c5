"""Stream errors: how they are written and read (RFC 6120 section 4.9)."""

from typing import Final

from attrs import field, frozen

from gateway.protocols.element import Element
from gateway.protocols.xml_text import escape_text
from gateway.protocols.xmpp import names

CONDITIONS: Final = frozenset(
    {
        "bad-format",
        "bad-namespace-prefix",
        "conflict",
        "connection-timeout",
        "host-gone",
        "host-unknown",
        "improper-addressing",
        "internal-server-error",
        "invalid-from",
        "invalid-namespace",
        "invalid-xml",
        "not-authorized",
        "not-well-formed",
        "policy-violation",
        "remote-connection-failed",
        "reset",
        "resource-constraint",
        "restricted-xml",
        "see-other-host",
        "system-shutdown",
        "undefined-condition",
        "unsupported-encoding",
        "unsupported-feature",
        "unsupported-stanza-type",
        "unsupported-version",
    }
)
"""The stream error conditions of RFC 6120 section 4.9.3."""


@frozen
class StreamError:
    """A stream error; it always ends the stream that carries it."""

    condition: str = field()
    text: str = field(default="", repr=False)

    @condition.validator
    def _known(self, _: object, condition: str) -> None:
        if condition not in CONDITIONS:
            raise ValueError(f"no stream error condition {condition!r} in RFC 6120")

    def serialise(self) -> str:
        """Returns the error as it stands in a stream whose header declares the prefix stream."""
        text = ""
        if self.text:
            shown = escape_text(self.text, replace_illegal=True)
            text = f"<text xmlns='{names.STREAM_ERRORS}' xml:lang='en'>{shown}</text>"
        return f"<stream:error><{self.condition} xmlns='{names.STREAM_ERRORS}'/>{text}</stream:error>"


def read_stream_error(element: Element) -> StreamError:
    """Returns the error that a peer sent; a condition that RFC 6120 does not know becomes undefined-condition."""
    condition, text = "undefined-condition", ""
    for child in element.elements():
        if child.ns != names.STREAM_ERRORS:
            continue
        if child.name == "text":
            text = child.text
        elif child.name in CONDITIONS:
            condition = child.name
            text = text or child.text  # see-other-host carries the host as its text
    return StreamError(condition, text)
