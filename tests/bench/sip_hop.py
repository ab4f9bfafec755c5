"""Measures CPU time per MESSAGE, per NOTIFY and per connection of the SIP leg, beside Kamailio and Prosody, in one run.

`python -m tests.bench.sip_hop` needs root, two cores, and the Debian packages kamailio, kamailio-tls-modules, prosody,
dnsmasq and iproute2; without Kamailio or Prosody it measures the gateway alone.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path as Folder
from statistics import median

from attrs import define, field

from gateway.web.control_client import ask
from tests.bench import sandbox
from tests.bench.arithmetic import percentile
from tests.bench.gateway_under_test import NOT_DURABLE
from tests.bench.hop import GENERATOR_CORE, SERVER_CORE, Bench, Plan
from tests.bench.legs import PlainLegs
from tests.bench.path import Line
from tests.bench.pki import Credentials
from tests.bench.report import _legs
from tests.bench.servers import PLAIN_SERVERS, Room
from tests.bench.sip_peer import SipExchange, SipLine, answer, dial, header
from tests.bench.sip_presence import RulesFanOut, start_presence_server
from tests.bench.sip_servers import (
    CORP,
    GATEWAY,
    INSIDE_FACE,
    PARTNER,
    RELAY,
    SIP_INSIDE,
    XMPP_INSIDE,
    cpu_of_all,
    start_gateway,
    start_kamailio,
)
from tests.bench.stanzas import CELLS, filler
from tests.bench.streams import Listener, open_s2s

PAIRS, WINDOW = 400, 100
WATCHERS = 200
ROUND_SECONDS = 5.3
"""A watcher is told at most once in 5 s, so a round of notifications takes a little longer."""
TEXT = filler(200)
RICH = """<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
 xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" xmlns:c="urn:ietf:params:xml:ns:pidf:cipid"
 entity="sip:alice@corp.example"><tuple id="t1"><status><basic>open</basic></status><rpid:class>pc</rpid:class>
<contact priority="0.8">sip:alice@corp.example</contact><note xml:lang="en">Round {0}</note></tuple>
<dm:person id="p1"><rpid:activities><rpid:meeting/></rpid:activities><rpid:mood><rpid:stressed/></rpid:mood>
<rpid:place-type><rpid:office/></rpid:place-type><rpid:time-offset>60</rpid:time-offset>
<rpid:user-input idle-threshold="600">idle</rpid:user-input><c:display-name>Alice Example</c:display-name>
<c:icon>https://corp.example/alice.png</c:icon><dm:note xml:lang="en">Budget, room {0}</dm:note></dm:person>
<dm:device id="d1"><rpid:class>mobile</rpid:class><dm:deviceID>urn:device:0003ba4811e3</dm:deviceID></dm:device>
</presence>"""


@define
class Flood:
    """Sends what `make` makes, at a rate or with a window in flight, and counts what arrives."""

    exchange: SipExchange
    send: Callable[[int], None]
    pid: int
    arrived: int = 0

    def run(self, count: int, rate: float | None) -> float:
        """Return microseconds of CPU per message, after a third as many to warm up."""
        warm, sent, started, began_cpu = count // 3, 0, time.monotonic(), 0
        began, self.arrived = self.arrived, 0
        last = started
        while self.arrived < warm + count:
            due = int((time.monotonic() - started) * rate) if rate else self.arrived + WINDOW
            while sent < min(due, warm + count, self.arrived + WINDOW):
                self.send(sent)
                sent += 1
            before = self.arrived
            self.exchange.turn(0.001 if rate else 0.05)
            if before < warm <= self.arrived:
                began_cpu, began = cpu_of_all(self.pid), self.arrived
            last = time.monotonic() if self.arrived > before else last
            if time.monotonic() - last > 8.0:
                raise TimeoutError(f"sent {sent}, arrived {self.arrived}")
        return (cpu_of_all(self.pid) - began_cpu) / 1000 / (self.arrived - began)


def message(number: int, run: int, recipient: str, sender: str) -> bytes:
    """Return a MESSAGE as a partner's proxy sends it."""
    return (
        f"MESSAGE sip:{recipient} SIP/2.0\r\nVia: SIP/2.0/TLS {PARTNER}:5061;branch=z9hG4bK{run}.{number:x}\r\n"
        f"Max-Forwards: 69\r\nTo: <sip:{recipient}>\r\nFrom: <sip:{sender}>;tag=f{number:x}\r\n"
        f"Call-ID: c{run}.{number:x}\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain;charset=UTF-8\r\n"
        f"Content-Length: {len(TEXT)}\r\n\r\n{TEXT}"
    ).encode()


@define
class Measuring:
    """Holds the neighbours of all systems: partner.example speaks SIP, corp.example XMPP or SIP."""

    room: Room
    exchange: SipExchange
    results: dict[str, list[float]] = field(factory=dict)
    runs: int = 0
    counted: Flood | None = None
    tail: bytes = b""

    def note(self, name: str, microseconds: float) -> None:
        """Keep one figure."""
        self.results.setdefault(name, []).append(microseconds)
        sys.stderr.write(f"{name:46} {microseconds:9.1f} us\n")

    def partner_takes(self, line: SipLine, message: bytes) -> None:
        """Answer what is asked of partner.example; what it is told counts as arrived."""
        if message.startswith(b"SIP/2.0"):
            return
        line.send(answer(message))
        if self.counted is not None and message[:7] in (b"MESSAGE", b"NOTIFY "):
            self.counted.arrived += 1

    def stanzas(self, chunk: bytes) -> None:
        """Count what arrives at the XMPP server of corp.example, where one piece may end within a tag."""
        seen, end = self.tail + chunk, b"</message>"
        self.tail = seen[1 - len(end) :]
        if self.counted is not None:
            self.counted.arrived += seen.count(end)

    def flood(self, send: Callable[[int], None], pid: int, count: int, rate: float | None) -> float:
        """Run one load."""
        self.runs += 1
        self.counted = Flood(self.exchange, send, pid)
        return self.counted.run(count, rate)

    def messages(self, gateway: int, kamailio: int | None, rates: Sequence[float | None], count: int) -> None:
        """Measure the gateway both ways, and the relay."""
        sip = self.exchange.connect(GATEWAY, 5061, "partner.example", self.partner_takes)
        corp = self._corp()
        names = [(f"u{n}@corp.example", f"v{n}@partner.example") for n in range(PAIRS)]
        for rate in rates:
            shown, most = ("saturation", count) if rate is None else (f"{rate:g}/s", int(rate * 4))

            def in_sip(number: int, line: SipLine = sip) -> None:
                ours, theirs = names[number % PAIRS]
                line.send(message(number, self.runs, ours, theirs))

            def in_xmpp(number: int) -> None:
                ours, theirs = names[number % PAIRS]
                stanza = (
                    f"<message from='{ours}/r' to='{theirs}' id='m{number}' type='chat'><body>{TEXT}</body></message>"
                )
                corp.send(stanza.replace("'see you at 10'", "see you at 10").encode())

            self.note(f"gateway SIP > XMPP, {shown}", self.flood(in_sip, gateway, most, rate))
            self.note(f"gateway XMPP > SIP, {shown}", self.flood(in_xmpp, gateway, most, rate))
            if kamailio is not None:
                try:
                    relay = self.exchange.connect(RELAY, 5061, "partner.example", self.partner_takes)
                    cost = self.flood(lambda number: in_sip(number, relay), kamailio, most, rate)  # noqa: B023
                    self.note(f"kamailio TLS relay, {shown}", cost)
                except (TimeoutError, OSError) as failure:
                    sys.stderr.write(f"FAILED kamailio TLS relay, {shown}: {failure!r}\n")
            self.counted = None

    def _corp(self) -> Line:
        trust = self.room.folder / "gateway" / "state" / "inside-ca" / "ca.crt"
        credentials = Credentials(self.room.authority.directory, (trust,))
        door = Listener.open(CORP, 5269, "corp.example", credentials)
        stream = open_s2s(INSIDE_FACE, 5269, "corp.example", "partner.example", credentials)
        line = Line.of(stream, counted=False)
        self.exchange.others.append((line, lambda chunk: line.reply(chunk)))
        # one message opens the stream that the gateway dials
        self.exchange.lines[0].send(message(0, 99, "u0@corp.example", "v0@partner.example"))
        self.exchange.until(lambda: bool(door.ready), 15.0, f"no stream to corp.example: {door.errors}")
        back = Line.of(door.ready.pop(), counted=True, replies_on=line)
        self.exchange.others.append((back, lambda chunk: (back.reply(chunk), self.stanzas(chunk))))
        return line

    def connections(self, name: str, address: str, pid: int, count: int = 100) -> None:
        """Measure one connection with certificates on both sides, one OPTIONS, and its end."""

        def once(number: int) -> None:
            sock = dial(address, 5061, "partner.example", self.exchange.credentials)
            sock.settimeout(5.0)
            request = message(number, 900 + self.runs, "corp.example", "v@partner.example")
            head = request.partition(b"Content-Type")[0].replace(b"MESSAGE", b"OPTIONS")
            sock.sendall(head + b"Content-Length: 0\r\n\r\n")
            assert sock.recv(4096).startswith(b"SIP/2.0 200")
            sock.close()

        self.runs += 1
        for number in range(10):
            once(number)
        time.sleep(0.3)
        before = cpu_of_all(pid)
        for number in range(count):
            once(100 + number)
        time.sleep(0.3)
        self.note(f"{name}, one mutual TLS connection", (cpu_of_all(pid) - before) / 1000 / count)


@define
class FanOut:
    """Plays a presence server inside, whose alice is watched by 200 contacts of the partner."""

    measuring: Measuring
    pid: int
    control: Folder
    """The socket of the gateway's administrator."""
    asked: list[bytes] = field(factory=list)
    beside: RulesFanOut | None = None
    inside: SipLine | None = None
    told: int = 0

    def corp_takes(self, line: SipLine, request: bytes) -> None:
        """Accept every subscription of the gateway."""
        if request.startswith(b"SUBSCRIBE"):
            line.send(answer(request, more=f"Expires: 3600\r\nContact: <sip:{CORP}:5061;transport=tls>\r\n"))
            self.asked.append(request)
        elif not request.startswith(b"SIP/2.0"):
            line.send(answer(request))

    def partner_takes(self, line: SipLine, request: bytes) -> None:
        """Count the notifications that reach the partner."""
        if not request.startswith(b"SIP/2.0"):
            line.send(answer(request))
            self.told += request.startswith(b"NOTIFY") and b"Round" in request

    def run(self, rounds: int) -> None:
        """Subscribe everybody, then publish once in a round."""
        exchange = self.measuring.exchange
        exchange.listen(CORP, 5061, "corp.example", self.corp_takes)
        for line in exchange.lines:
            line.take = self.partner_takes
        exchange.doors[0] = (*exchange.doors[0][:2], self.partner_takes)
        if self.beside is not None:
            self.beside.subscribe()
        partner = exchange.connect(GATEWAY, 5061, "partner.example", self.partner_takes)
        self.inside = exchange.connect(INSIDE_FACE, 5061, "corp.example", self.corp_takes)
        for number in range(WATCHERS):
            partner.send(self._subscribe(number))
        exchange.until(lambda: len(self.asked) >= WATCHERS, 20.0, f"{len(self.asked)} subscriptions inside")
        self._publish(0)
        exchange.until(lambda: self.told >= WATCHERS, 20.0, f"{self.told} told")
        for number in range(1, rounds + 1):
            if self.beside is not None:
                self.measuring.note("kamailio PUBLISH in, by rules, NOTIFY out", self.beside.once(number))
            self._round("gateway NOTIFY in, stripped, NOTIFY out", lambda number=number: self._publish(number))  # type: ignore[misc]
            self._round("gateway one decision, NOTIFY out", lambda number=number: self._decide(number))  # type: ignore[misc]

    def _round(self, name: str, happen: Callable[[], None]) -> None:
        """Wait for everybody's turn, let something happen, and note what each notification of it costs."""
        exchange, ends = self.measuring.exchange, time.monotonic() + ROUND_SECONDS
        exchange.until(lambda: time.monotonic() > ends, 10.0, "time")
        before, told = cpu_of_all(self.pid), self.told
        happen()
        exchange.until(lambda: self.told >= told + WATCHERS, 10.0, f"{name}: {self.told - told} told")
        exchange.turn(0.05)
        self.measuring.note(name, (cpu_of_all(self.pid) - before) / 1000 / WATCHERS)

    def _decide(self, number: int) -> None:
        """Give everybody one field more, or take it away again."""
        words = ("levels", "set" if number % 2 else "unset")
        more = {"level": "personal"} if number % 2 else {}
        ask(self.control, words, {"owner": "alice@corp.example", "contact": "partner.example", **more})

    def _subscribe(self, number: int) -> bytes:
        return (
            f"SUBSCRIBE sip:alice@corp.example SIP/2.0\r\nVia: SIP/2.0/TLS {PARTNER}:5061;branch=z9hG4bKw{number}\r\n"
            "Max-Forwards: 69\r\nTo: <sip:alice@corp.example>\r\n"
            f"From: <sip:w{number}@partner.example>;tag=w{number}\r\n"
            f"Call-ID: w{number}\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:{PARTNER}:5061;transport=tls>\r\n"
            "Event: presence\r\nExpires: 3600\r\nAccept: application/pidf+xml\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    def _publish(self, number: int) -> None:
        assert self.inside is not None
        body = RICH.format(number)
        for place, asked in enumerate(self.asked[:WATCHERS]):
            target = header(asked, "Contact").strip("<>")
            self.inside.send(
                (
                    f"NOTIFY {target} SIP/2.0\r\nVia: SIP/2.0/TLS {CORP}:5061;branch=z9hG4bKp{number}.{place}\r\n"
                    f"Max-Forwards: 69\r\nTo: {header(asked, 'From')}\r\nFrom: {header(asked, 'To')};tag=far\r\n"
                    f"Call-ID: {header(asked, 'Call-ID')}\r\nCSeq: {number + 1} NOTIFY\r\n"
                    f"Contact: <sip:{CORP}:5061;transport=tls>\r\nEvent: presence\r\n"
                    "Subscription-State: active;expires=3500\r\nContent-Type: application/pidf+xml\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n{body}"
                ).encode()
            )


def prosody(room: Room, rates: Sequence[float | None], repeat: int) -> dict[str, float]:
    """Measure a plain Prosody's hop of the same text, as tests.bench.hop does, in microseconds."""
    server = PLAIN_SERVERS["prosody"]
    server.start(room, SERVER_CORE)
    plan = Plan(["prosody"], [CELLS["message-200"]], list(rates), repeat, 1.5, 0.001)
    bench = Bench(plan)
    bench.add(server, PlainLegs(server.face, Credentials(room.authority.directory)).openers())
    bench.run()
    costs = {}
    for rate in rates:
        rows = [row for row in bench.rows if row.rate == rate]
        sums = [legs["in"] + legs["out"] - legs["router"] for legs in _legs(rows, "prosody").values()]
        if sums:
            costs["saturation" if rate is None else f"{rate:g}/s"] = median(sums) * 10
    return costs


def _verdicts(results: dict[str, list[float]], plain: dict[str, float]) -> list[str]:
    middle = {name: median(values) for name, values in results.items()}
    spread = {name: (min(values), percentile(sorted(values), 0.99)) for name, values in results.items()}
    lines = [
        f"{name:46} {value:9.1f} us  ({spread[name][0]:.1f} to {spread[name][1]:.1f})" for name, value in middle.items()
    ]
    lines += [f"prosody hop, {load:33} {value:9.1f} us" for load, value in plain.items()]
    for load, cost in plain.items():
        both = cost + middle.get(f"kamailio TLS relay, {load}", float("nan"))
        for way in ("SIP > XMPP", "XMPP > SIP"):
            ours = middle[f"gateway {way}, {load}"]
            lines.append(f"{way} {load}: {ours / both:.2f} of both ({'met' if ours <= both else 'MISSED'})")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--count", type=int, default=6000, help="messages at saturation")
    parser.add_argument("--rates", default="saturation,500")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of 200 notifications")
    parser.add_argument(
        "--durable", action="store_true", help="the gateway keeps messages on disk, as no plain server does"
    )
    parser.add_argument("--alone", action="store_true", help="measure the gateway only")
    parser.add_argument(
        "--profile", type=Folder, help="run the gateway under cProfile; its statistics go to this folder"
    )
    options = parser.parse_args(arguments)
    rates = [None if word == "saturation" else float(word) for word in options.rates.split(",")]
    sandbox.enter("tests.bench.sip_hop", arguments, ["dnsmasq"])
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        room = Room.create(Folder(folder))
        for domain in ("corp.example", "partner.example"):
            room.authority.issue(domain)
        try:
            measuring = Measuring(room, SipExchange(Credentials(room.authority.directory)))
            lines = _measure(measuring, options, rates)
        except Exception:
            for out in Folder(folder).glob("*.out"):
                sys.stderr.write(f"{out.name}: {out.read_text(errors='replace')[-1500:]}\n")
            raise
        finally:
            room.close()
    sys.stdout.write("\n".join(lines) + "\n")


def _measure(measuring: Measuring, options: argparse.Namespace, rates: list[float | None]) -> list[str]:
    room, exchange = measuring.room, measuring.exchange
    plain: dict[str, float] = {}
    extra = "" if options.durable else NOT_DURABLE
    gateway = start_gateway(room, "gateway", XMPP_INSIDE, SERVER_CORE, 8920, options.profile, extra)
    kamailio = None
    if not options.alone and shutil.which("kamailio"):
        kamailio = start_kamailio(room, SERVER_CORE).pid
    os.sched_setaffinity(0, {GENERATOR_CORE})
    exchange.listen(PARTNER, 5061, "partner.example", measuring.partner_takes)
    measuring.messages(gateway.pid, kamailio, rates * options.repeat, options.count)
    measuring.connections("gateway", GATEWAY, gateway.pid)
    if kamailio is not None:
        measuring.connections("kamailio", RELAY, kamailio)
    if not options.alone and shutil.which("prosody"):
        plain = prosody(room, rates, options.repeat)
    _end(gateway)
    exchange.others.clear()
    for line in exchange.lines:
        line.sock.close()
    exchange.lines.clear()
    if options.rounds:
        second = start_gateway(room, "fanout", SIP_INSIDE, SERVER_CORE, 8921, options.profile)
        fan_out = FanOut(measuring, second.pid, room.folder / "fanout" / "state" / "control.sock")
        if kamailio is not None:
            rules = start_presence_server(room, SERVER_CORE)
            fan_out.beside = RulesFanOut(exchange, rules.pid, RICH)
        fan_out.run(options.rounds)
        _end(second)
    return _verdicts(measuring.results, plain)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(10)


if __name__ == "__main__":
    main(sys.argv[1:])
