"""What can be wrong with SIP input or output."""

from typing import TYPE_CHECKING

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway.protocols.sip.reader import Malformed, StreamEvent


class SipSyntaxError(GatewayError, ValueError):
    """Says what in a URI, a header or a message is not SIP (RFC 3261 section 25), never quoting the text itself."""


class SipFault(GatewayError):
    """Says why the rest of a byte stream cannot be read: the connection is closed (RFC 3261 section 18.3).

    `before` holds what was complete in front of the fault, `answer` what may be answered before closing, if anything.
    """

    def __init__(self, problem: str, before: "tuple[StreamEvent, ...]" = (), answer: "Malformed | None" = None) -> None:
        super().__init__(problem)
        self.before = before
        self.answer = answer
