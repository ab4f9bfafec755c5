"""An answer of the control socket that comes in parts: as long as the client listens, until it ends."""

from collections.abc import Callable
from typing import Any

from attrs import define, field


@define(eq=False)
class Stream:
    """Is made by a command, and begun by the client's connection; every part is something that JSON can hold."""

    begin: Callable[["Stream"], None]
    """Called once somebody listens."""
    left: Callable[[], None]
    """Called when the client goes before the end."""
    dropped: int = field(init=False, default=0)
    """Parts that the client was too slow to take."""
    _part: Callable[[Any], bool] | None = field(init=False, default=None)
    _end: Callable[[Any], None] | None = field(init=False, default=None)

    def attach(self, part: Callable[[Any], bool], end: Callable[[Any], None]) -> None:
        """Joins it to a client: `part` says False for one who does not keep up, `end` takes the result."""
        self._part, self._end = part, end
        self.begin(self)

    def say(self, part: Any) -> None:
        """Gives one part to the client."""
        if self._part is not None and not self._part(part):
            self.dropped += 1

    def finish(self, result: Any) -> None:
        """Ends it; what comes afterwards is nobody's."""
        end, self._part, self._end = self._end, None, None
        if end is not None:
            end(result)

    def gone(self) -> None:
        """Takes note that the client has gone."""
        listening, self._part, self._end = self._end, None, None
        if listening is not None:
            self.left()
