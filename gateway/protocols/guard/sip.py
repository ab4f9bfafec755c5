"""What SIP carries, read again before it leaves: names of headers, kinds of bodies (RFC 3261, 3265, 3428, 3994)."""

import re
from typing import Final

from gateway.protocols.guard.categories import check_categories
from gateway.protocols.guard.pidf import check_pidf
from gateway.protocols.guard.shape import Difference, Needed

_NAMES: Final = """
    accept accept-language allow allow-events call-id contact content-disposition content-encoding content-language
    content-length content-type cseq date event expires from max-forwards mime-version min-expires record-route require
    retry-after route session-expires min-se sip-etag sip-if-match subject subscription-state supported to unsupported
    via warning authorization proxy-authorization www-authenticate proxy-authenticate x-gateway-hop content-id
    x-gateway-disclosure content-transfer-encoding ms-text-format endpoints roster-manager eventpackage
"""
HEADERS: Final = frozenset(_NAMES.split())
"""Names of headers, in lower case, that may leave to partners."""
_PRESENCE: Final = {
    "application/pidf+xml": check_pidf,
    "application/msrtc-event-categories+xml": check_categories,
}
_LETTERS: Final[dict[str, Needed]] = {
    "text/plain": frozenset({"may.im"}),
    "text/html": frozenset({"may.im"}),
    "message/cpim": frozenset({"may.im", "may.receipts"}),
    "multipart/alternative": frozenset({"may.im"}),
    "application/im-iscomposing+xml": frozenset({"may.typing"}),
    "message/imdn+xml": frozenset({"may.receipts"}),
}
_FIELD: Final = re.compile(rb"([!-9;-~]+): [^\r\n\0]*")
_START: Final = re.compile(rb"(?:SIP/2\.0 [1-6][0-9][0-9] [^\r\n\0]*|[A-Z]+ [!-~]+ SIP/2\.0)")


def check_document(content_type: str, body: bytes, entity: str, allowed: frozenset[str]) -> None:
    """Raises Difference when the body of a notification about somebody holds what its watcher may not see."""
    if not body:
        return
    reader = _PRESENCE.get(content_type)
    if reader is None:
        raise Difference("notification/content-type")
    reader(body, entity, allowed)


def check_letter(content_type: str, fields: tuple[tuple[str, str], ...], allowed: frozenset[str]) -> None:
    """Raises Difference when a message is of a kind that may not leave, or has a header beside it that may not."""
    needed = _LETTERS.get(content_type.partition(";")[0].strip().lower())
    if needed is None or needed.isdisjoint(allowed):
        raise Difference("message/content-type")
    for name, _ in fields:
        if name.lower() not in HEADERS:
            raise Difference("message/header")


def headers_pass(octets: bytes, allowed: frozenset[str]) -> None:
    """Raises Difference when one written message has a header that may not leave, or is not framed as it says."""
    head, end, body = octets.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    if not end or _START.fullmatch(start) is None:
        raise Difference("sip/start")
    length = b""
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise Difference("sip/header")
        name = found[1].lower().decode("ascii")
        if name not in HEADERS:
            raise Difference("sip/header")
        if name == "content-length":
            length = line.partition(b":")[2].strip() if not length else b"twice"
    if length != b"%d" % len(body):
        raise Difference("sip/content-length")
