"""Who says what to whom, and from which side it came."""

from enum import Enum

from attrs import field, frozen

from gateway.model.address import Address
from gateway.model.form import Filled
from gateway.model.message import Message
from gateway.model.presence import Presence
from gateway.model.sealed import sealed
from gateway.model.subscription import Subscription


class Side(Enum):
    """Says from which side of the organisation's edge an envelope came."""

    INTERNAL = "internal"
    EXTERNAL = "external"

    __hash__ = object.__hash__


class Problem(Enum):
    """Says why something was not delivered (the defined conditions of RFC 6120 section 8.3.3)."""

    BAD_REQUEST = "bad-request"
    CONFLICT = "conflict"
    FEATURE_NOT_IMPLEMENTED = "feature-not-implemented"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    ITEM_NOT_FOUND = "item-not-found"
    JID_MALFORMED = "jid-malformed"
    NOT_ACCEPTABLE = "not-acceptable"
    NOT_ALLOWED = "not-allowed"
    NOT_AUTHORIZED = "not-authorized"
    POLICY_VIOLATION = "policy-violation"
    RECIPIENT_UNAVAILABLE = "recipient-unavailable"
    REDIRECT = "redirect"
    REGISTRATION_REQUIRED = "registration-required"
    REMOTE_SERVER_NOT_FOUND = "remote-server-not-found"
    REMOTE_SERVER_TIMEOUT = "remote-server-timeout"
    RESOURCE_CONSTRAINT = "resource-constraint"
    SERVICE_UNAVAILABLE = "service-unavailable"
    SUBSCRIPTION_REQUIRED = "subscription-required"
    UNDEFINED_CONDITION = "undefined-condition"
    UNEXPECTED_REQUEST = "unexpected-request"


@frozen
class Bounce:
    """Answers a message or a presence that could not be delivered; it carries no content back."""

    of: str
    """'message', 'presence' or 'query'."""
    id: str
    problem: Problem
    text: str = field(default="", repr=False)


class QueryKind(Enum):
    """Names what one side may ask the other about a person."""

    CARD = "card"
    LAST_ACTIVITY = "last_activity"
    TIME = "time"
    CAPABILITIES = "capabilities"
    PICTURE = "picture"
    MOOD = "mood"
    ACTIVITY = "activity"
    LOCATION = "location"
    NAME = "name"
    PING = "ping"
    FORM = "form"
    OTHER = "other"


@frozen
class Query:
    """Asks about a person; `form` is the asker's own way of asking, which only its leg reads."""

    kind: QueryKind
    id: str
    form: object = field(default=None, repr=False, eq=False)
    filled: Filled | None = field(default=None, repr=False)
    """What was filled in, when it is a FORM."""


@frozen
class Answer:
    """Answers a query with a document that holds only what the asker may see, with a form, or not at all (None)."""

    query: Query
    document: object = field(default=None, repr=False)


Content = Message | Presence | Subscription | Bounce | Query | Answer


@frozen(eq=False)
class Ticket:
    """Stands for a message that the gateway has taken over for good: it ends delivered, or told to its sender."""

    number: int
    since: float
    """Posix seconds when it was taken."""
    sender: Address | None = None
    """Who is told when it fails: his address as his own server knows it, which the envelope may not bear."""


@sealed
class Envelope:
    """Says who says what to whom, and from which side it came."""

    sender: Address
    recipient: Address
    content: Content
    side: Side
    verified: bool | None = None
    """What the peer says about the sender: that it has verified him, that it has not, or nothing (None)."""
    ticket: Ticket | None = field(default=None, eq=False)
    """What it is kept under in the spool; None for what is not kept."""
    first: bool = field(default=False, eq=False)
    """It takes something back: nothing that waits may go before it."""
