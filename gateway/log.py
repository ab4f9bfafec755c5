"""Structured lines about what happened: neither message content nor a published value can be printed.

A field that has no row in FIELDS cannot be logged at all, and every row says what its values may look like.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from enum import Enum
from typing import IO, Any

from attrs import define, field, frozen
from twisted.logger import ILogObserver, InvalidLogLevelError, LogLevel, globalLogBeginner, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.errors import GatewayError

Value = str | int | float | bool | Enum | GatewayError
Shape = Callable[[str, object], "str | int | float | bool"]

MAX_TEXT = 256
"""Characters of one value that are printed."""
MAX_DETAIL = 1000
"""Characters of the text of a GatewayError that are printed."""
MAX_FRAMES = 12
"""Innermost frames of an unexpected failure that are printed."""

_WORD = re.compile(r"[A-Za-z0-9_.:+#/-]{1,64}")
_EVENT = re.compile(r"[a-z0-9]+([ -][a-z0-9]+){0,9}")
_UNSAFE = re.compile(r"[^ -~]")
_NEEDS_QUOTES = re.compile(r"[\s\"'=\\]|^$")


def escape(text: str, limit: int = MAX_TEXT) -> str:
    """Gives a text of visible ASCII: control characters, ANSI sequences and bidi marks become `\\u{...}`."""
    shortened = text[:limit]
    shown = _UNSAFE.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", shortened)
    return shown if len(text) <= limit else f"{shown}...[{len(text)} characters]"


def _word(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a word, not {type(value).__name__}")
    return value if _WORD.fullmatch(value) else "[not-a-word]"


def _name(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a text, not {type(value).__name__}")
    return escape(str(value))


def _number(name: str, value: object) -> int | float | bool:
    if not isinstance(value, int | float):
        raise TypeError(f"{name} is a number, not {type(value).__name__}")
    return value


def _detail(name: str, value: object) -> str:
    if not isinstance(value, GatewayError):
        raise TypeError(f"{name} is a GatewayError, whose text was written for people to read")
    return escape(str(value), MAX_DETAIL)


def _party(name: str, value: object) -> str:
    """Cuts the resource off: it may be a device's name."""
    return _name(name, value).partition("/")[0]


_SHAPES: Mapping[Shape, str] = {
    _word: """
        action auth cipher command condition decision direction directory error event field fingerprint hash kind level
        limit link mechanism modality ns origin outcome plugin policy protocol reason role section setting side signal
        state tap type version
    """,
    _name: "partner domain domains peer host address path place file",
    _number: "bytes count changes failures fds line limit_bytes pid port seconds stanzas uid until age required ok",
    _party: "person contact",
    _detail: "detail",
}

FIELDS: Mapping[str, Shape] = {name: shape for shape, names in _SHAPES.items() for name in names.split()}
"""Every field that a line may have. `detail` takes a GatewayError and prints its text.

`person` and `contact` are shown in full at level debug and in refusals (lines with a `reason`); else only their domain.
"""

_PARTIES = ("person", "contact")


@frozen
class Log:
    """Writes lines of one part of the house: `Log("relay").info("refused", partner=..., reason=Reason.LOCK)`."""

    namespace: str
    publish: Callable[[dict[str, Any]], None] = field(default=globalLogPublisher, repr=False)

    def debug(self, event: str, **fields: Value) -> None:
        """Tells what only somebody who searches for a fault wants to know."""
        self._emit(LogLevel.debug, event, fields)

    def info(self, event: str, **fields: Value) -> None:
        """Tells what an operator may want to know."""
        self._emit(LogLevel.info, event, fields)

    def warn(self, event: str, **fields: Value) -> None:
        """Tells what an operator should look at."""
        self._emit(LogLevel.warn, event, fields)

    def error(self, event: str, **fields: Value) -> None:
        """Tells what an operator has to repair."""
        self._emit(LogLevel.error, event, fields)

    def failure(self, event: str, failure: Failure | None = None, **fields: Value) -> None:
        """Tells of an exception (the current one by default): its type and where it was raised, never its text."""
        self._emit(LogLevel.critical, event, fields, log_failure=failure or Failure())  # type: ignore[no-untyped-call]

    def _emit(self, level: Any, event: str, fields: Mapping[str, Value], **more: object) -> None:
        if not _EVENT.fullmatch(event):
            raise TypeError("an event is a few lower-case words, written in the code")
        shown = checked(fields)
        self.publish(
            {
                "log_namespace": f"gateway.{self.namespace}",
                "log_level": level,
                "log_time": time.time(),
                "log_format": event,
                "gateway_event": event,
                "gateway_fields": shown if level is LogLevel.debug or "reason" in shown else _without_people(shown),
                **more,
            }
        )


def checked(fields: Mapping[str, object]) -> dict[str, str | int | float | bool]:
    """Gives the printable form of fields; raises TypeError for one without a row or of a type that its row forbids."""
    shown = {}
    for name, value in fields.items():
        shape = FIELDS.get(name)
        if shape is None:
            raise TypeError(f"{name} is no field of a log line; the fields are in gateway.log.FIELDS")
        shown[name] = shape(name, value.value if isinstance(value, Enum) else value)
    return shown


def _without_people(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: "*@" + value.partition("@")[2] if name in _PARTIES else value for name, value in fields.items()}


def describe(failure: Failure) -> dict[str, Any]:
    """Gives type and place of a failure; its text only if the gateway raised it on purpose."""
    kind = type(failure.value)
    found: dict[str, Any] = {"error": escape(f"{kind.__module__}.{kind.__qualname__}")}
    if isinstance(failure.value, GatewayError):
        found["detail"] = escape(str(failure.value), MAX_DETAIL)
    cause = getattr(failure.value, "__cause__", None)
    if cause is not None:
        found["cause"] = escape(type(cause).__qualname__)
    found["at"] = [
        escape(f"{file.rpartition('/')[2]}:{line} {function}")
        for function, file, line, *_ in failure.frames[-MAX_FRAMES:]
    ]
    return found


def _foreign(event: Mapping[str, Any]) -> dict[str, Any]:
    """Gives what may be printed of a line that did not come through Log: never a value put into its template.

    The template itself is a literal of Twisted's source; other libraries may have formatted theirs already.
    """
    template, namespace = event.get("log_format"), str(event.get("log_namespace", ""))
    if namespace.startswith("twisted.") and isinstance(template, str):
        return {"event": "twisted", "template": escape(template)}
    kind = event.get("kind")
    fields = {"kind": _word("kind", kind)} if namespace.startswith("gateway.") and isinstance(kind, str) else {}
    return {"event": "other", **fields}


def _says_nothing(event: Mapping[str, Any]) -> bool:
    """Says whether nothing of a foreign line may be printed, so that it would only be noise."""
    known = "gateway_event" in event or "log_failure" in event
    return not known and _foreign(event) == {"event": "other"}


@implementer(ILogObserver)
@define(eq=False)
class LineObserver:
    """Writes one line an event to a stream: JSON, or text for a terminal."""

    stream: IO[str]
    as_json: bool = True
    level: Any = LogLevel.info

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Writes one line; a stream that is closed or full loses it, for a log must not stop the house."""
        level = event.get("log_level") or LogLevel.info
        if level < self.level or (level < LogLevel.warn and _says_nothing(event)):
            return
        parts = {"time": _timestamp(event.get("log_time")), "level": level.name, "from": self._origin(event)}
        if "gateway_event" in event:
            parts |= {"event": event["gateway_event"], **event["gateway_fields"]}
        else:
            parts |= _foreign(event)
        # Twisted's older log names it differently.
        failure = event.get("log_failure", event.get("failure"))
        if isinstance(failure, Failure):
            parts |= describe(failure)
        try:
            self.stream.write((_json(parts) if self.as_json else _text(parts)) + "\n")
            self.stream.flush()
        except (OSError, ValueError):
            return

    def set_level(self, name: str) -> None:
        """Prints this level and what is graver from now on; raises ValueError for an unknown name."""
        self.level = _level(name)

    @staticmethod
    def _origin(event: Mapping[str, Any]) -> str:
        return escape(str(event.get("log_namespace") or "-"), 64)


def _level(name: str) -> Any:
    try:
        return LogLevel.levelWithName(name)
    except InvalidLogLevelError:
        raise ValueError(f"{name!r} is no log level: debug, info, warn, error or critical") from None


def _timestamp(posix: object) -> str:
    seconds = posix if isinstance(posix, int | float) else time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"


def _json(parts: Mapping[str, Any]) -> str:
    return json.dumps(parts, ensure_ascii=True, separators=(",", ":"))


def _text(parts: dict[str, Any]) -> str:
    first = f"{parts.pop('time')} {parts.pop('level'):<8} {parts.pop('from')} {parts.pop('event')}"
    return " ".join([first, *(f"{name}={_quoted(value)}" for name, value in parts.items())])


def _quoted(value: object) -> str:
    text = " < ".join(reversed(value)) if isinstance(value, list) else str(value)
    return json.dumps(text) if _NEEDS_QUOTES.search(text) else text


def start(stream: IO[str] | None = None, level: str = "info", as_json: bool | None = None) -> LineObserver:
    """Sends all lines of this process to a stream (standard error); text if that is a terminal, else JSON.

    Raises ValueError for a level other than debug, info, warn, error and critical.
    """
    chosen = sys.stderr if stream is None else stream
    observer = LineObserver(chosen, not chosen.isatty() if as_json is None else as_json, _level(level))
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=False)
    return observer
