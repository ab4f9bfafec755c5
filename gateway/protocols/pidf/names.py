"""Namespaces of presence documents, old spellings included, and which fields of the model they can say."""

from collections.abc import Mapping
from typing import Final

from gateway.model.presence import Field

MEDIA_TYPE: Final = "application/pidf+xml"

PIDF: Final = "urn:ietf:params:xml:ns:pidf"
MODEL: Final = "urn:ietf:params:xml:ns:pidf:data-model"
RPID: Final = "urn:ietf:params:xml:ns:pidf:rpid"
CIPID: Final = "urn:ietf:params:xml:ns:pidf:cipid"
TIMED: Final = "urn:ietf:params:xml:ns:pidf:timed-status"
DRAFT_STATUS: Final = "urn:ietf:params:xml:ns:pidf:status:rpid-status"
"""Namespace of a draft of RFC 4480, in whose place inside status Microsoft's clients look for activities."""
IM_STATUS: Final = "urn:ietf:params:xml:ns:pidf:im"
SHOW: Final = "jabber:client"
"""Namespace of the `<show/>` inside status (RFC 8048 section 5.2)."""

PREFIXES: Final[Mapping[str, str]] = {"dm": MODEL, "rpid": RPID, "ci": CIPID, "ts": TIMED}
"""Prefix to namespace, in the order in which they are declared."""

# Section 4.1.1 of RFC 3863 prints the name with a colon at its end; the last is a draft's.
PIDF_SPACES: Final = frozenset({PIDF, PIDF + ":", "urn:ietf:params:xml:ns:cpim-pidf:1.0"})
MODEL_SPACES: Final = frozenset({MODEL, "urn:ietf:params:xml:ns:pidf:person"}) | PIDF_SPACES
RPID_SPACES: Final = frozenset(
    {RPID, DRAFT_STATUS, "urn:ietf:params:xml:ns:pidf:rpid-status", "urn:ietf:params:xml:ns:pidf:rpid-person"}
    | {"urn:ietf:params:xml:ns:pidf:rpid-tuple", "urn:ietf:params:xml:ns:pidf:status:rpid"}
)
CIPID_SPACES: Final = frozenset({CIPID}) | PIDF_SPACES
UNDERSTOOD: Final = PIDF_SPACES | MODEL_SPACES | RPID_SPACES | CIPID_SPACES | {SHOW, IM_STATUS}
"""Namespaces of elements that may be marked `mustUnderstand` (RFC 3863 section 4.2.4)."""

LOSSES: Final[Mapping[Field, str]] = {
    Field.CAPABILITIES: "RFC 5196 describes media, not what a chat client can do",
    Field.TITLE: "CIPID has no element for it; a card behind a link would be fetched",
    Field.COMPANY: "CIPID has no element for it; a card behind a link would be fetched",
    Field.DEPARTMENT: "CIPID has no element for it; a card behind a link would be fetched",
    Field.OFFICE: "CIPID has no element for it; a card behind a link would be fetched",
    Field.ADDRESS_WORK: "CIPID has no element for it; RFC 4119 is never bridged",
    Field.ADDRESS_HOME: "CIPID has no element for it; RFC 4119 is never bridged",
    Field.PHOTO: "CIPID icon is a link, which the reader would fetch from us and we from him",
    Field.WORKING_HOURS: "a timed status (RFC 4481) has a beginning and an end, no week",
}
"""Fields that a presence document cannot say, and why.

Of the fields it can say: subject and place of a meeting are in the note of the activity, the note of an automatic
reply is there where the person has none, free and busy times begin with the next quarter of an hour; a place becomes
one text; a telephone number keeps its digits and extension; a number without digits, and a web address that is not
http or https, are left out.
"""

CARRIED: Final = frozenset(Field) - frozenset(LOSSES)
"""Fields that a presence document can say."""
