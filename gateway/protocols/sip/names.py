"""Header names, their compact forms and kinds, and reason phrases (RFC 3261, 3265, 3428, 3903, 4028 and 8224)."""

from typing import Final

VERSION: Final = "SIP/2.0"

COMPACT: Final = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
"""The compact forms of the IANA registry of SIP header fields."""

_WRITTEN: Final = """
Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Authentication-Info Authorization
Call-ID Call-Info Contact Content-Disposition Content-Encoding Content-ID Content-Language Content-Length Content-Type
CSeq Date Diversion Error-Info Event Expires From History-Info Identity Identity-Info In-Reply-To Max-Breadth
Max-Forwards MIME-Version Min-Expires Organization P-Asserted-Identity P-Preferred-Identity Path Priority Privacy
Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason Record-Route Refer-To Referred-By Reject-Contact
Reply-To Request-Disposition Require Retry-After Route RSeq Server Service-Route Session-Expires SIP-ETag SIP-If-Match
Subject Subscription-State Supported Timestamp To Unsupported User-Agent Via Warning WWW-Authenticate X-Gateway-Hop
"""
WRITTEN: Final = {name.lower(): name for name in _WRITTEN.split()}
"""How a known name is written."""

_LISTS: Final = """
accept accept-contact accept-encoding accept-language alert-info allow allow-events call-info contact content-encoding
content-language diversion error-info history-info in-reply-to p-asserted-identity p-preferred-identity path
proxy-require record-route reject-contact require route security-client security-server security-verify service-route
supported unsupported via warning
"""
LISTS: Final = frozenset(_LISTS.split())
"""Headers whose value is a comma-separated list (RFC 3261 section 7.3.1)."""

_SINGLE: Final = """
call-id content-disposition content-id content-length content-type cseq date event expires from max-breadth
max-forwards mime-version min-expires organization priority rack refer-to referred-by reply-to retry-after rseq server
session-expires sip-etag sip-if-match subject subscription-state timestamp to user-agent
"""
SINGLE: Final = frozenset(_SINGLE.split())
"""Headers that stand once in a message."""

REASONS: Final = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    423: "Interval Too Brief",
    428: "Use Identity Header",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    440: "Max-Breadth Exceeded",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}
"""The reason phrases of RFC 3261 section 21 and of the documents that add codes."""


def reason_phrase(status: int) -> str:
    """Gives the usual phrase of a status code, that of its class where the code is unknown (RFC 3261 8.1.3.2)."""
    return REASONS.get(status) or REASONS.get(status // 100 * 100, "Unknown")
