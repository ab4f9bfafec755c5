"""Measures what a NOTIFY costs without sockets: read, decided about, stripped, written, for 200 watchers of one person.

`python -m tests.bench.sip_notify` prints microseconds of CPU per NOTIFY, the best and the median of the rounds; with
`--profile` where they go.
"""

import argparse
import cProfile
import gc
import pstats
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

from attrs import evolve

from gateway.model.address import Address
from gateway.model.presence import Activity, Field
from gateway.model.subscription import State
from gateway.policy.partners import Rates
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.reader import StreamReader
from gateway.protocols.sip.transactions import LIMIT
from gateway.protocols.sip.writer import serialise
from gateway.serving import NEW_OBJECTS
from tests.bench.sip_hop import RICH
from tests.plugins.legs.sip.ocs_scene import End, Scene
from tests.stage import ALICE, PARTNER

WATCHERS = 200
ROUND_SECONDS = 5.3
NOTIFY = (
    "NOTIFY sip:gw.corp.example:5061 SIP/2.0\r\n"
    "Via: SIP/2.0/TLS in.corp.example:5061;branch=z9hG4bKp{round}.{place}\r\n"
    "Max-Forwards: 69\r\nTo: {to}\r\nFrom: {sender};tag=far\r\nCall-ID: {call}\r\nCSeq: {number} NOTIFY\r\n"
    "Contact: <sip:in.corp.example:5061;transport=tls>\r\nEvent: presence\r\n"
    "Subscription-State: active;expires=3500\r\nContent-Type: application/pidf+xml\r\n"
    "Content-Length: {length}\r\n\r\n{body}"
)


class Peers:
    """Plays both servers: bytes in, bytes out, as the flows of the leg do it."""

    def __init__(self) -> None:
        partner = evolve(PARTNER, rates=Rates(1e6, 1e6))
        self.scene = Scene("team", partner)
        for end in (self.scene.inside, self.scene.outside):
            end.agent.station.transactions.limit = LIMIT
        self.readers = {end.side: StreamReader() for end in (self.scene.inside, self.scene.outside)}
        self.asked: list[Request] = []
        for number in range(WATCHERS):
            self._subscribe(number)
            self.scene.turn()
            self.asked += [m for m in self.scene.inside.taken() if isinstance(m, Request) and m.method == "SUBSCRIBE"]
        for asked in self.asked:
            self.scene.inside.hear(asked.reply(200))
        self.scene.outside.taken()

    def hear(self, end: End, octets: bytes) -> None:
        """Lets one side read bytes."""
        for message in self.readers[end.side].feed(octets):
            assert isinstance(message, Request | Response), message
            end.hear(message)

    def turn(self, end: End) -> list[bytes]:
        """Gives what one side writes."""
        for event in end.agent.tick(self.scene.clock.seconds()):
            end.desk.happened(event)
        return [serialise(send.message) for send in end.agent.take_output()]

    def bodies(self, number: int) -> bytes:
        """Gives the notifications of one publication."""
        body = RICH.format(number)
        return "".join(
            NOTIFY.format(
                round=number,
                place=place,
                to=asked.headers.get("From"),
                sender=asked.headers.get("To"),
                call=asked.call_id,
                number=number + 1,
                length=len(body),
                body=body,
            )
            for place, asked in enumerate(self.asked)
        ).encode()

    def once(self, number: int) -> float:
        """Lets every subscription inside say the same; gives microseconds per NOTIFY out, both sides together."""
        scene, coming = self.scene, self.bodies(number)

        def hear() -> None:
            self.hear(scene.inside, coming)
            self.turn(scene.inside)

        return self._cost(hear, b"Round")

    def published(self, number: int) -> float:
        """Lets one announcement change what all may see; gives microseconds per NOTIFY out."""
        mood = Activity("working", text=f"On {number}")
        return self._cost(lambda: self.scene.house.published(ALICE, {Field.ACTIVITY: mood}), b"On %d" % number)

    def _cost(self, happen: Callable[[], None], shown: bytes) -> float:
        scene = self.scene
        scene.clock.advance(ROUND_SECONDS)
        self.turn(scene.inside), self.turn(scene.outside)
        began = time.process_time()
        happen()
        sent = self.turn(scene.outside)
        middle = time.process_time()
        told = [octets for octets in sent if octets.startswith(b"NOTIFY") and shown in octets]
        assert len(told) == WATCHERS, f"{len(told)} told"
        answers = b"".join(serialise(read.reply(200)) for read in StreamReader().feed(b"".join(told)))  # type: ignore[union-attr]
        again = time.process_time()
        self.hear(scene.outside, answers)
        self.turn(scene.outside)
        return (middle - began + time.process_time() - again) * 1e6 / WATCHERS

    def _subscribe(self, number: int) -> None:
        self.scene.states.set(ALICE, Address.parse(f"w{number}@partner.example"), State.BOTH)
        self.scene.from_outside(
            "SUBSCRIBE",
            From_=f"<sip:w{number}@partner.example>;tag=w{number}",
            Event="presence",
            Accept="application/pidf+xml",
        )


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args(arguments)
    peers = Peers()
    peers.once(0)
    gc.collect()  # as the daemon does
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    profile = cProfile.Profile()
    if options.profile:
        profile.enable()
    rounds = range(1, options.rounds + 1)
    figures = [("NOTIFY in, NOTIFY out", [peers.once(number) for number in rounds])]
    profile.disable()
    figures.append(("one announcement in, NOTIFY out", [peers.published(number) for number in rounds]))
    for name, costs in figures:
        sys.stdout.write(f"{name:32} {min(costs):6.1f} us, median {median(costs):6.1f} us, without sockets\n")
    if options.profile:
        pstats.Stats(profile).sort_stats("cumtime").print_stats(70)


if __name__ == "__main__":
    main(sys.argv[1:])
