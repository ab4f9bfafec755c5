"""The legs of a hop through a plain server, opened as paths for the generator."""

from collections.abc import Callable, Mapping
from itertools import count

from attrs import frozen

from tests.bench.path import Door, Line, Path
from tests.bench.pki import Credentials
from tests.bench.servers import COMPONENT_PORT, S2S_PORT, SECRET, SINK, Face
from tests.bench.streams import Listener, open_component, open_s2s

_names = count(1)


@frozen
class PlainLegs:
    """The three legs of a plain server whose sum in + out - router is its S2S in -> S2S out."""

    face: Face
    credentials: Credentials

    def openers(self) -> Mapping[str, Callable[[], Path]]:
        """Return how each leg is opened, by its name."""
        return {"in": self.inward, "out": self.outward, "router": self.router}

    def _component(self, part: str, *, counted: bool) -> Line:
        domain = f"{part}.{self.face.domain}"
        stream = open_component(self.face.address, COMPONENT_PORT, domain, SECRET)
        return Line.of(stream, counted=counted)

    def inward(self) -> Path:
        """Open S2S in -> component."""
        receiver_domain = f"b.{self.face.domain}"
        receiver = self._component("b", counted=True)
        stream = open_s2s(self.face.address, S2S_PORT, "x.load.example", receiver_domain, self.credentials)
        return Path(Line.of(stream, counted=False), "x.load.example", receiver_domain, [receiver])

    def outward(self) -> Path:
        """Open component -> S2S out, each time to a domain that the server has never failed to reach."""
        receiver_domain = f"y{next(_names)}.load.example"
        listener = Listener.open(SINK, S2S_PORT, receiver_domain, self.credentials)
        sender = self._component("a", counted=False)
        return Path(sender, f"a.{self.face.domain}", receiver_domain, doors=[Door(listener, counted=True)])

    def router(self) -> Path:
        """Open component -> component, which holds the two halves that in and out charge too much."""
        receiver = self._component("b", counted=True)
        sender = self._component("a", counted=False)
        return Path(sender, f"a.{self.face.domain}", f"b.{self.face.domain}", [receiver])
