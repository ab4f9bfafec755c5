"""How the scripted user agent answers requests unless told otherwise, and what it was told."""

from collections.abc import Callable

from attrs import define, field, frozen

from .wire import SipMessage

SDP = (
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=session\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 5060 sip null\r\n"
    b"a=accept-types:text/plain text/html application/im-iscomposing+xml\r\n"
)
"""A session of instant messages as Communicator's clients describe it: MESSAGE inside the INVITE's dialog."""


@frozen
class Answer:
    """One answer; status 0 is silence."""

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay: float = 0.0
    """Seconds."""


@define
class _Taught:
    method: str
    kind: str
    answer: Answer
    times: int | None

    def fits(self, got: SipMessage) -> bool:
        """Whether it is about this request and not used up."""
        return self.method == got.method and self.kind in ("", got.content_type) and self.times != 0


_OK = Answer(200, "OK")
_GONE = Answer(481, "Call/Transaction Does Not Exist")
_TALK = Answer(200, "OK", (("Content-Type", "application/sdp"),), SDP)
_UNLESS_TAUGHT: dict[str, Callable[[SipMessage, bool], Answer]] = {
    "MESSAGE": lambda got, known: _GONE if "tag=" in got["to"] and not known else _OK,
    "INFO": lambda got, known: _OK if known else _GONE,
    "BYE": lambda got, known: _OK if known else _GONE,
    "NOTIFY": lambda got, known: _OK if known else _GONE,
    "SUBSCRIBE": lambda got, known: Answer(200, "OK", (("Expires", got["expires"] or "3600"),)),
    "INVITE": lambda got, known: _TALK,
    "OPTIONS": lambda got, known: _OK,
    "CANCEL": lambda got, known: _OK,
}


@define
class Answers:
    """What was taught, the latest first, above what goes without saying."""

    _taught: list[_Taught] = field(factory=list)

    def teach(self, method: str, kind: str, answer: Answer, times: int | None) -> None:
        """Answer this method with this content type ("" for any) so, `times` times or for ever."""
        self._taught.insert(0, _Taught(method, kind, answer, times))

    def choose(self, got: SipMessage, *, known: bool) -> Answer:
        """The answer to a request; `known`: its dialog exists."""
        for taught in self._taught:
            if taught.fits(got):
                taught.times = None if taught.times is None else taught.times - 1
                return taught.answer
        usual = _UNLESS_TAUGHT.get(got.method)
        return usual(got, known) if usual else Answer(405, "Method Not Allowed")
