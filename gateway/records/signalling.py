"""One signal of the protocol log: who, to whom, by which way, which kind; there is no place in it for what was said.

Every part is a closed word, a number, or an address that has been normalised. What somebody else wrote (an id, a
reason, a body, a value) has no type here, so that it cannot be put in.
"""

import secrets
from enum import Enum
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from attrs import field, frozen
from attrs.validators import deep_iterable, ge, instance_of, matches_re, optional

from gateway.errors import AddressError
from gateway.model.address import Address
from gateway.model.disclosure import names
from gateway.model.envelope import Problem, Side
from gateway.model.presence import Field
from gateway.model.subscription import State
from gateway.policy.verdict import Reason


class Wire(Enum):
    """Names where a signal was seen."""

    XMPP = "xmpp"
    SIP = "sip"
    HOUSE = "house"
    """Between the legs: what was decided."""


class Way(Enum):
    """Says in which direction it went, as this machine sees it."""

    IN = "in"
    OUT = "out"
    HERE = "here"


class Word(Enum):
    """Names everything that can pass or happen; what is none of these is `other`."""

    # Stanzas (RFC 6120, RFC 6121)
    MESSAGE = "message"
    PRESENCE = "presence"
    UNAVAILABLE = "unavailable"
    SUBSCRIBE = "subscribe"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIBED = "unsubscribed"
    PROBE = "probe"
    EVENT = "event"
    GET = "get"
    SET = "set"
    RESULT = "result"
    ERROR = "error"
    # Requests and responses (RFC 3261, 3428, 3903, 6665)
    SIP_MESSAGE = "MESSAGE"
    SIP_SUBSCRIBE = "SUBSCRIBE"
    SIP_NOTIFY = "NOTIFY"
    SIP_PUBLISH = "PUBLISH"
    SIP_INVITE = "INVITE"
    SIP_ACK = "ACK"
    SIP_BYE = "BYE"
    SIP_CANCEL = "CANCEL"
    SIP_INFO = "INFO"
    SIP_OPTIONS = "OPTIONS"
    SIP_REGISTER = "REGISTER"
    SIP_SERVICE = "SERVICE"
    SIP_BENOTIFY = "BENOTIFY"
    # Connections
    CALLED = "called"
    ACCEPTED = "accepted"
    UP = "up"
    DOWN = "down"
    UNREACHED = "unreached"
    # Decisions, and what goes wrong
    DELIVER = "deliver"
    REFUSE = "refuse"
    IGNORE = "ignore"
    MALFORMED = "malformed"
    FAULT = "fault"
    OTHER = "other"

    __hash__ = object.__hash__


_WORDS = {word.value: word for word in Word}


def word_of(text: str) -> Word:
    """Gives the word that a text is, or `other`: a text that a peer chose never passes."""
    return _WORDS.get(text, Word.OTHER)


class About(Enum):
    """Names what an envelope holds, as the house sees it."""

    MESSAGE = "message"
    PRESENCE = "presence"
    SUBSCRIPTION = "subscription"
    QUERY = "query"
    ANSWER = "answer"
    BOUNCE = "bounce"

    __hash__ = object.__hash__


_KEY = secrets.token_bytes(16)


@frozen
class Mark:
    """Stands for an id, so that lines about the same can be found: a keyed digest, whose key dies with the process."""

    digest: str = field(validator=matches_re("[0-9a-f]{8}"))

    @classmethod
    def of(cls, text: str) -> "Mark":
        """Gives the mark of an id, which itself may say something."""
        return cls(blake2b(text.encode("utf-8", "replace"), digest_size=4, key=_KEY).hexdigest())


@frozen
class Route:
    """Is where a connection leads: an IP address and a port, and whether TLS protects it."""

    ip: IPv4Address | IPv6Address = field(validator=instance_of((IPv4Address, IPv6Address)))
    port: int = field(validator=instance_of(int))
    secure: bool = field(default=False, validator=instance_of(bool))

    @classmethod
    def to(cls, peer: tuple[Any, ...] | None, secure: bool) -> "Route | None":
        """Gives the route to a socket's peer; None when that is no IP address."""
        try:
            return cls(ip_address(str((peer or ("",))[0]).partition("%")[0]), int((peer or ("", 0))[1]), bool(secure))
        except (ValueError, IndexError, TypeError):
            return None

    def __str__(self) -> str:
        host = f"[{self.ip}]" if self.ip.version == 6 else str(self.ip)
        return f"{host}:{self.port}{' tls' if self.secure else ''}"


def party(text: str) -> Address | None:
    """Gives the bare address that a text is, or None when it is none."""
    try:
        return Address.parse(text).bare
    except AddressError:
        return None


def _bare(address: Address | None) -> Address | None:
    """A resource may be a device's name."""
    return address.bare if isinstance(address, Address) else address


_names = deep_iterable(instance_of(Field), instance_of(frozenset))


@frozen(kw_only=True)
class Signal:
    """Is what passed at one moment; each part is checked when it is made: any other type raises TypeError."""

    wire: Wire = field(validator=instance_of(Wire))
    side: Side = field(validator=instance_of(Side))
    """Towards which side: our own people's, or the partners'."""
    way: Way = field(validator=instance_of(Way))
    word: Word = field(validator=instance_of(Word))
    sender: Address | None = field(default=None, converter=_bare, validator=optional(instance_of(Address)))
    recipient: Address | None = field(default=None, converter=_bare, validator=optional(instance_of(Address)))
    about: About | None = field(default=None, validator=optional(instance_of(About)))
    route: Route | None = field(default=None, validator=optional(instance_of(Route)))
    status: int = field(default=0, validator=[instance_of(int), ge(0)])
    """The status of a SIP response, else 0."""
    size: int = field(default=0, validator=[instance_of(int), ge(0)])
    """Bytes of what it carries, where they are known."""
    problem: Problem | None = field(default=None, validator=optional(instance_of(Problem)))
    reason: Reason | None = field(default=None, validator=optional(instance_of(Reason)))
    state: State | None = field(default=None, validator=optional(instance_of(State)))
    """The entry of the contact list that it is about."""
    fields: frozenset[Field] = field(default=frozenset(), validator=_names)
    """Names of published fields that it holds, or that may go on."""
    withheld: frozenset[Field] = field(default=frozenset(), validator=_names)
    mark: Mark | None = field(default=None, validator=optional(instance_of(Mark)))

    def plain(self) -> dict[str, Any]:
        """Gives it as JSON can hold it; what it does not have is left out."""
        shown: dict[str, Any] = {
            name: getattr(self, name).value
            for name in ("wire", "side", "way", "word", "about", "problem", "reason", "state")
            if getattr(self, name) is not None
        }
        shown |= {"from": str(self.sender)} if self.sender is not None else {}
        shown |= {"to": str(self.recipient)} if self.recipient is not None else {}
        shown |= {"route": str(self.route)} if self.route is not None else {}
        shown |= {name: getattr(self, name) for name in ("status", "size") if getattr(self, name)}
        shown |= {name: names(getattr(self, name)) for name in ("fields", "withheld") if getattr(self, name)}
        return shown | ({"mark": self.mark.digest} if self.mark is not None else {})
