"""Short ways to let SIP roles talk in memory: messages from text, a clock by hand, tokens that count."""

from collections.abc import Callable, Iterable, Sequence

from gateway.protocols.sip.headers import Headers
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.transaction_events import Send
from gateway.protocols.sip.transactions import TransactionLayer
from gateway.protocols.sip.user_agent import MessageReceived, UserAgent
from gateway.protocols.sip.watching import Document, WatcherAsks, WatchState

ALICE = "sip:alice@corp.example"
BOB = "sip:bob@partner.example"
GATEWAY = "sip:gw.corp.example:5061;transport=tls"
PEER = "sip:sip.partner.example:5061;transport=tls"
SHOWN = Document("application/pidf+xml", b"<open/>")
TLS, UDP = "tls:partner.example", "udp:partner.example"


def counting() -> Callable[[], str]:
    """Makes tokens t1, t2 and so on."""
    numbers = iter(range(1, 1_000_000))
    return lambda: f"t{next(numbers)}"


def transport(flow: object) -> str:
    return str(flow).partition(":")[0].upper()


def layer(limit: int = 100) -> TransactionLayer:
    return TransactionLayer(counting(), "gw.corp.example:5061", transport, limit)


def station(over: str = "tls", mark: str = "", limit: int = 100) -> Station:
    return Station(layer(limit), counting(), GATEWAY, lambda local, domain, hop: f"{over}:{domain}", mark=mark)


def request(method: str, uri: str = ALICE, body: bytes = b"", **fields: str | None) -> Request:
    """Builds what bob's server sends to alice; a field given as None is left out, `_` stands for `-`."""
    given: dict[str, str | None] = {
        "Via": "SIP/2.0/TLS sip.partner.example:5061;branch=z9hG4bKb1",
        "Max-Forwards": "70",
        "From": f"<{BOB}>;tag=bob",
        "To": f"<{ALICE}>",
        "Call-ID": "call1",
        "CSeq": f"1 {method}",
    }
    named = {"From_": "From", "CSeq": "CSeq", "Call_ID": "Call-ID", "SIP_ETag": "SIP-ETag"}
    given |= {named.get(name, name.replace("_", "-")): value for name, value in fields.items()}
    if given.get("CSeq", "").isdigit():
        given["CSeq"] = f"{given['CSeq']} {method}"
    if (branch := given.pop("branch", None)) is not None:
        given["Via"] = f"SIP/2.0/TLS sip.partner.example:5061;branch=z9hG4bK{branch}"
    return Request(method, uri, Headers([(k, v) for k, v in given.items() if v is not None]), body)


def response(to: Request, status: int, tag: str | None = "far", body: bytes = b"", **fields: str) -> Response:
    """Builds a peer's response to a request of ours."""
    made = to.reply(status, to_tag=tag)
    for name, value in fields.items():
        made.headers.set({"SIP_ETag": "SIP-ETag"}.get(name, name.replace("_", "-")), value)
    made.body = body
    return made


def line(message: Request | Response) -> str:
    """Says a message in a word or two: `200 MESSAGE`, `ACK`."""
    return message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"


def lines(sends: Sequence[Send]) -> list[str]:
    return [line(send.message) for send in sends]


def agree(agent: UserAgent, events: Iterable[object], now: float) -> None:
    """Answers every MESSAGE with 202 and shows every watcher something."""
    for event in events:
        if isinstance(event, MessageReceived):
            agent.answer(event.transaction, 202, now)
        elif isinstance(event, WatcherAsks):
            agent.notifier.show(event.key, WatchState.ACTIVE, SHOWN, now)
