"""What the SIP leg notes for the protocol log: methods, statuses and ends, never a body or a header's text."""

from typing import Any

from gateway.errors import AddressError
from gateway.model.address import Address
from gateway.model.envelope import Side
from gateway.protocols.sip.addressing import address_of
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.message import Request, Response
from gateway.records.signalling import About, Mark, Route, Signal, Way, Wire, Word, party, word_of

_ABOUT = {"presence": About.PRESENCE, "presence.winfo": About.SUBSCRIPTION}


def noted(side: Side, way: Way, message: Request | Response, flow: Any) -> Signal:
    """Gives the signal of a request or a response; what cannot be read of it is left out."""
    word, status = Word.OTHER, 0
    if isinstance(message, Request):
        word = word_of(message.method)
    else:
        status = message.status
        method = _read(lambda: message.cseq.method)
        word = word_of(method) if method else Word.OTHER
    call = _read(lambda: message.call_id)
    event = _read(lambda: message.event)
    about = _ABOUT.get(event[0].lower()) if event else None
    return Signal(
        wire=Wire.SIP,
        side=side,
        way=way,
        word=word,
        status=status,
        sender=_read(lambda: _party(message.from_)),
        recipient=_read(lambda: _party(message.to)),
        about=About.MESSAGE if word is Word.SIP_MESSAGE else about,
        route=route(flow),
        size=len(message.body),
        mark=Mark.of(call) if call else None,
    )


def connection(side: Side, word: Word, flow: Any) -> Signal:
    """Gives the signal of what became of a connection."""
    local, remote = party(getattr(flow, "local", "") or ""), party(getattr(flow, "domain", "") or "")
    proven = sorted(getattr(flow, "certified", None) or ())
    if remote is None and proven:
        remote = party(proven[0])
    return Signal(wire=Wire.SIP, side=side, way=Way.HERE, word=word, sender=local, recipient=remote, route=route(flow))


def unread(side: Side, status: int, flow: Any) -> Signal:
    """Gives the signal of a message that could not be read, and the status with which it is answered."""
    return Signal(wire=Wire.SIP, side=side, way=Way.IN, word=Word.MALFORMED, status=status, route=route(flow))


def unreached(side: Side, place: str) -> Signal:
    """Gives the signal of a place at which nobody believable is."""
    return Signal(wire=Wire.SIP, side=side, way=Way.OUT, word=Word.UNREACHED, route=Route.to((place, 0), False))


def fault(side: Side) -> Signal:
    """Gives the signal of a defect of ours."""
    return Signal(wire=Wire.SIP, side=side, way=Way.HERE, word=Word.FAULT)


def route(flow: Any) -> Route | None:
    """Gives where a flow leads."""
    link = getattr(flow, "link", None)
    if link is not None:
        return Route.to(getattr(link, "peer", None), bool(getattr(flow, "secure", False)))
    return Route.to(getattr(flow, "address", None), False)


def _party(named: Any) -> Address:
    return address_of(named.uri).bare


def _read(ask: Any) -> Any:
    try:
        return ask()
    except (SipSyntaxError, AddressError):
        return None
