"""Header fields in order, and the typed views of those that SIP itself needs (RFC 3261 sections 7.3 and 20)."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, TypeVar

from attrs import evolve, frozen

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.names import COMPACT, LISTS, VERSION, WRITTEN
from gateway.protocols.sip.uri import SipUri, normal_host, port_number

_View = TypeVar("_View")
Parameters = tuple[tuple[str, str], ...]
"""Names in lower case with their values, empty where there is none."""

MAX_CSEQ = 2**31 - 1
"""RFC 3261 section 8.1.1.5: less than 2**31."""
MAX_DELTA_SECONDS = 2**32 - 1

_CACHED_LENGTH = 300
_TOKEN: Final = r"[A-Za-z0-9\-.!%*_+`'~]+"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
TOKEN: Final = re.compile(_TOKEN)
_SPECIAL: Final = re.compile(r'\\.|[",<>]', re.DOTALL)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_PLAIN_VALUE: Final = re.compile(r"[!#-+\--:=@-\[\]-~]+")
_ONE_PARAMETER: Final = re.compile(
    rf"[ \t]*;[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*(?:({_QUOTED})|({_PLAIN_VALUE.pattern})))?[ \t]*", re.DOTALL
)
_NAME_ADDR: Final = re.compile(  # possessive, or many blanks would cost their square
    rf"(?:({_QUOTED})|((?:{_TOKEN}+(?:[ \t]++|(?=<)))*+))[ \t]*+<([^<>]*)>", re.DOTALL
)
_VIA: Final = re.compile(
    rf"({_TOKEN})[ \t]*/[ \t]*({_TOKEN})[ \t]*/[ \t]*({_TOKEN})[ \t]+"
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?))"
    r"(?:[ \t]*:[ \t]*(?P<port>[0-9]{1,5}))?"
)
_USUAL_ADDR: Final = re.compile(rf'(?:"([^"\\]*)" )?<([^<>]*)>(?:;tag=({_TOKEN}))?')
"""How nearly everybody writes From and To; read by the general rules it would mean the same."""
_USUAL_VIA: Final = re.compile(
    rf"SIP/2\.0/(TLS|TCP|UDP) ([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?)(?::([0-9]{{1,5}}))?;branch=({_TOKEN})"
    r"((?:;(?:alias|rport(?:=[0-9]{1,5})?|received=[0-9.]+))*)"
)
_CSEQ: Final = re.compile(rf"([0-9]+)[ \t]+({_TOKEN})")
_MEDIA_TYPE: Final = re.compile(rf"({_TOKEN})[ \t]*/[ \t]*({_TOKEN})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Headers:
    """Keeps header fields in their order; names are case-insensitive and compact forms are the same as long ones."""

    __slots__ = ("_fields", "_first", "_views")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: list[tuple[str, str, str]] = [_field(name, value) for name, value in fields]
        self._first: dict[str, str] | None = None
        """The first value of each key, once somebody has asked for one and until something changes."""
        self._views: dict[str, Any] = {}
        """What has been read of a first value, until something changes."""

    @classmethod
    def made_of(cls, fields: list[tuple[str, str, str]]) -> "Headers":
        """Takes fields as `known_name` gives them: key, name as written, value without blanks around it."""
        new = cls.__new__(cls)
        new._fields, new._first, new._views = fields, None, {}
        return new

    def fields(self) -> list[tuple[str, str, str]]:
        """Gives key, name and value of each field, to be read only."""
        return self._fields

    def keyed(self) -> Iterator[tuple[str, str]]:
        """Gives the key of each field, the long name in lower case, and its value."""
        return ((key, value) for key, _, value in self._fields)

    def get(self, name: str) -> str | None:
        """Gives the value of the first field of that name, a list not split, or None."""
        first = self._first
        if first is None:
            first = self._first = {key: value for key, _, value in reversed(self._fields)}
        value = first.get(name)
        if value is not None:
            return value
        known = _NAMES.get(name)
        key = header_key(name) if known is None else known[0]
        return None if key == name else first.get(key)

    def view(self, key: str, read: Callable[[str], _View]) -> _View:
        """Gives what `read` makes of the first value of a key, kept until a header changes; SipSyntaxError without."""
        found: _View | None = self._views.get(key)
        if found is None:
            value = self.get(key)
            if value is None:
                raise SipSyntaxError(f"no {key}")
            found = self._views[key] = read(value)
        return found

    def all(self, name: str) -> list[str]:
        """Gives every value of that name, lists split at their commas where RFC 3261 says that the header is a list."""
        value = self.get(name)
        if value is None:
            return []
        key = header_key(name)
        values = [value for known, _, value in self._fields if known == key]
        if key not in LISTS:
            return values
        if len(values) == 1 and "," not in value:
            return values if value else []
        return [element for value in values for element in split_list(value)]

    def add(self, name: str, value: str) -> None:
        """Appends one field."""
        self._fields.append(_field(name, value))
        self._first = None
        if self._views:
            self._views = {}

    def set(self, name: str, value: str) -> None:
        """Makes this the only field of that name, at the place of the first one."""
        new = _field(name, value)
        self._first, self._views = None, {}
        for place, (known, _, _) in enumerate(self._fields):
            if known == new[0]:
                rest = [field for field in self._fields[place + 1 :] if field[0] != known]
                self._fields[place:] = [new, *rest]
                return
        self._fields.append(new)

    def set_first(self, name: str, value: str, view: object = None) -> None:
        """Puts a value in the place of the first one of a list that stands in one field or several.

        `view` is what has been read of it already, to be given by `view()` until the next change.
        """
        key = header_key(name)
        self._first, self._views = None, {} if view is None else {key: view}
        for place, (known, written, old) in enumerate(self._fields):
            if known == key:
                self._fields[place] = (key, written, ", ".join([value, *split_list(old)[1:]]))
                return

    def remove(self, name: str) -> None:
        """Takes out every field of that name."""
        key = header_key(name)
        self._fields = [field for field in self._fields if field[0] != key]
        self._first, self._views = None, {}

    def copy(self) -> "Headers":
        """Gives headers that can be changed without changing these."""
        return Headers.made_of(self._fields.copy())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self._fields)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return [(key, value) for key, _, value in self._fields] == [(key, value) for key, _, value in other._fields]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Headers {' '.join(name for _, name, _ in self._fields)}>"


@frozen
class NameAddr:
    """Is a URI with a name and header parameters, as in From, To, Contact and Route (RFC 3261 section 20.10)."""

    display_name: str
    uri: SipUri
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> "NameAddr":
        """Reads name-addr or addr-spec with parameters; raises SipSyntaxError.

        Without angle brackets the parameters are the header's, and the URI may hold no comma, `;` or `?`.
        """
        return _name_addr_cached(text) if len(text) <= _CACHED_LENGTH else _name_addr(text)

    @property
    def tag(self) -> str | None:
        """Gives the tag, None when there is none."""
        return self.parameter("tag")

    def parameter(self, name: str) -> str | None:
        """Gives the value of a parameter, empty when it has none, None when the parameter is missing."""
        return _of(self.parameters, name)

    def tagged(self, tag: str) -> "NameAddr":
        """Gives the same with this tag in place of any other."""
        kept = tuple(pair for pair in self.parameters if pair[0] != "tag")
        return evolve(self, parameters=(*kept, ("tag", tag)))

    def __str__(self) -> str:
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self.uri}>{write_parameters(self.parameters)}"


@frozen
class Via:
    """Is one hop that a request has taken (RFC 3261 section 20.42); `transport` is upper-case, `host` lower-case."""

    transport: str
    host: str
    port: int | None = None
    parameters: Parameters = ()
    protocol: str = VERSION

    @classmethod
    def parse(cls, text: str) -> "Via":
        """Reads one element of a Via header; raises SipSyntaxError."""
        return _via_cached(text) if len(text) <= _CACHED_LENGTH else _via(text)

    @property
    def branch(self) -> str | None:
        """Gives the branch, None when there is none."""
        return _of(self.parameters, "branch")

    @property
    def sent_by(self) -> str:
        """Gives host and port as they are written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def parameter(self, name: str) -> str | None:
        """Gives the value of a parameter, empty when it has none, None when the parameter is missing."""
        return _of(self.parameters, name)

    def marked(self, name: str, value: str) -> "Via":
        """Gives the same with this parameter set, as a server does with received and rport (RFC 3581 section 4)."""
        if self.parameter(name) is None:
            changed = (*self.parameters, (name, value))
        else:
            changed = tuple((known, value if known == name else old) for known, old in self.parameters)
        return Via(self.transport, self.host, self.port, changed, self.protocol)

    def __str__(self) -> str:
        return f"{self.protocol}/{self.transport} {self.sent_by}{write_parameters(self.parameters)}"


@frozen
class CSeq:
    """Is the number of a request and its method (RFC 3261 section 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> "CSeq":
        """Reads a CSeq; raises SipSyntaxError, also for a number of 2**31 or more."""
        return _cseq_cached(text) if len(text) <= _CACHED_LENGTH else _cseq(text)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def known_name(name: str) -> tuple[str, str] | None:
    """Gives key and written form of a name in a usual spelling, None for any other."""
    return _NAMES.get(name)


def header_key(name: str) -> str:
    """Gives the long name in lower case, by which fields are compared."""
    known = _NAMES.get(name)
    if known is not None:
        return known[0]
    lowered = name.lower()
    return COMPACT.get(lowered, lowered)


def split_list(value: str) -> list[str]:
    """Splits at commas outside quoted strings and angle brackets; an empty value is an empty list."""
    if "," not in value:
        return [value] if value else []
    parts, start, quoted, bracketed = [], 0, False, False
    for found in _SPECIAL.finditer(value):
        sign = found[0]
        if quoted:
            quoted = sign != '"'
        elif bracketed:
            bracketed = sign != ">"
        elif sign == ",":
            parts.append(value[start : found.start()].strip(" \t"))
            start = found.end()
        else:
            quoted, bracketed = sign == '"', sign == "<"
    return [*parts, value[start:].strip(" \t")]


def parse_parameters(text: str, start: int = 0) -> Parameters:
    """Reads `;name=value` to the end of the text; raises SipSyntaxError, also when a name stands twice."""
    pairs = []
    while start < len(text):
        found = _ONE_PARAMETER.match(text, start)
        if found is None:
            if text[start:].strip(" \t"):
                raise SipSyntaxError("not a list of parameters")
            break
        pairs.append((found[1].lower(), unquote(found[2]) if found[2] else found[3] or ""))
        start = found.end()
    if len(dict(pairs)) != len(pairs):
        raise SipSyntaxError("a parameter stands twice")
    return tuple(pairs)


def write_parameters(parameters: Parameters) -> str:
    """Writes `;name=value`, quoting a value that needs it; raises SipSyntaxError for control characters."""
    return "".join(
        f";{name}" if not value else f";{name}={value if _PLAIN_VALUE.fullmatch(value) else quote(value)}"
        for name, value in parameters
    )


def parse_token_params(value: str) -> tuple[str, dict[str, str]]:
    """Reads a token with parameters, as in Event or Subscription-State; raises SipSyntaxError."""
    token, parameters = (_token_params_cached if len(value) <= _CACHED_LENGTH else _token_params)(value)
    return token, dict(parameters)


def parse_content_type(value: str) -> tuple[str, dict[str, str]]:
    """Reads a media type, given in lower case, and its parameters; raises SipSyntaxError."""
    kind, parameters = (_media_type_cached if len(value) <= _CACHED_LENGTH else _media_type)(value)
    return kind, dict(parameters)


def whole_number(digits: str, largest: int) -> int | None:
    """Reads ASCII digits, however many zeros lead; None when there are none, others, or the number is too large."""
    if not (digits.isascii() and digits.isdigit()) or len(digits.lstrip("0")) > 10:
        return None
    number = int(digits[-10:])
    return number if number <= largest else None


def quote(text: str) -> str:
    """Writes a quoted string; raises SipSyntaxError for control characters, which no client shows (RFC 3261 25.1)."""
    if _CONTROL.search(text):
        raise SipSyntaxError("a control character in a quoted string")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(quoted: str) -> str:
    """Reads a quoted string with its quotes."""
    return _QUOTED_PAIR.sub(r"\1", quoted[1:-1])


def _of(parameters: Parameters, name: str) -> str | None:
    return next((value for known, value in parameters if known == name), None)


def _field(name: str, value: str) -> tuple[str, str, str]:
    key, written = _NAMES.get(name) or _unusual(name)
    return key, written, value.strip(" \t")


def _unusual(name: str) -> tuple[str, str]:
    key = header_key(name)
    return key, WRITTEN.get(key, name)


def _spellings() -> dict[str, tuple[str, str]]:
    names = {spelling: (key, name) for key, name in WRITTEN.items() for spelling in (key, name, name.upper())}
    compact = {each: (key, WRITTEN[key]) for short, key in COMPACT.items() for each in (short, short.upper())}
    return names | compact


_NAMES: Final = _spellings()
USUAL_NAMES: Final = _NAMES
"""Key and written form of each name in its usual spellings."""


def _name_addr(text: str) -> NameAddr:
    usual = _USUAL_ADDR.fullmatch(text)
    if usual is not None:
        return NameAddr(usual[1] or "", SipUri.parse(usual[2]), (("tag", usual[3]),) if usual[3] else ())
    found = _NAME_ADDR.match(text)
    if found is None:
        return _addr_spec(text)
    quoted, tokens, uri = found.groups()
    display_name = unquote(quoted) if quoted else " ".join(tokens.split())
    return NameAddr(display_name, SipUri.parse(uri), parse_parameters(text, found.end()))


def _addr_spec(text: str) -> NameAddr:
    end = text.find(";")
    uri = (text if end < 0 else text[:end]).rstrip(" \t")
    if "," in uri or "?" in uri:
        raise SipSyntaxError("a URI with a comma or a question mark needs angle brackets")
    return NameAddr("", SipUri.parse(uri), parse_parameters(text, end) if end >= 0 else ())


def _via(text: str) -> Via:
    usual = _USUAL_VIA.fullmatch(text)
    if usual is not None:
        host, port = normal_host(usual[2], None), port_number(usual[3])
        rest = [(name, value) for name, _, value in (each.partition("=") for each in usual[5].split(";")[1:])]
        if len(dict(rest)) == len(rest):
            return Via(usual[1], host, port, (("branch", usual[4]), *rest))
    found = _VIA.match(text)
    if found is None:
        raise SipSyntaxError("not a Via")
    protocol = f"{found[1]}/{found[2]}".upper()
    host, port = normal_host(found["host"], found["v6"]), port_number(found["port"])
    return Via(found[3].upper(), host, port, parse_parameters(text, found.end()), protocol)


def _token_params(value: str) -> tuple[str, Parameters]:
    found = TOKEN.match(value)
    if found is None:
        raise SipSyntaxError("no token")
    return found[0], parse_parameters(value, found.end())


def _media_type(value: str) -> tuple[str, Parameters]:
    found = _MEDIA_TYPE.match(value)
    if found is None:
        raise SipSyntaxError("not a media type")
    return f"{found[1]}/{found[2]}".lower(), parse_parameters(value, found.end())


def _cseq(text: str) -> CSeq:
    found = _CSEQ.fullmatch(text)
    number = whole_number(found[1], MAX_CSEQ) if found else None
    if found is None or number is None:
        raise SipSyntaxError("not a CSeq")
    return CSeq(number, found[2])


# a message is read, matched to its transaction and answered: each looks at the same few headers
_name_addr_cached = lru_cache(4096)(_name_addr)
_via_cached = lru_cache(1024)(_via)
_cseq_cached = lru_cache(1024)(_cseq)
_token_params_cached = lru_cache(1024)(_token_params)
_media_type_cached = lru_cache(1024)(_media_type)
