"""What an edge says about the sender of a request: whether it has verified him ([MS-SIPRE] 2.2.15, 3.10)."""

from gateway.protocols.sip.message import Request

TRUST = "ms-edge-proxy-message-trust"
"""What an Access Edge of our own house says to those inside; from anybody else it means nothing."""
ASSERTED = "ms-asserted-verification-level"
"""What the edge of a partner says to ours."""
PARAMETER = "ms-source-verified-user"
_WORDS = {"verified": True, "unverified": False}


def verified(request: Request, through_edge: bool) -> bool | None:
    """Gives what is said about the sender; None when nothing is, or it is said twice or in words that mean nothing.

    `through_edge` says that the request came through an Access Edge of ours.
    """
    said = request.headers.all(TRUST if through_edge else ASSERTED)
    if len(said) != 1:
        return None
    found = [
        value.strip().strip('"').lower()
        for name, equals, value in (part.partition("=") for part in said[0].split(";"))
        if equals and name.strip().lower() == PARAMETER
    ]
    return _WORDS.get(found[0]) if len(found) == 1 else None
