"""An envelope that is to be kept on disk into a text, and back."""

import json
from typing import Any

from attrs import evolve

from gateway.errors import StoreError
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Content, Envelope, Problem, Side, Ticket
from gateway.model.message import ChatState, EncryptedPayload, Hop, Message, MessageKind
from gateway.model.presence import Texts

_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def pack(envelope: Envelope) -> str:
    """Writes an envelope with a message, or with the answer to one; raises TypeError for any other."""
    content = envelope.content
    if isinstance(content, Message):
        told: list[Any] = _message(content)
    elif isinstance(content, Bounce):
        told = [content.of, content.id, content.problem.value, content.text]
    else:
        raise TypeError(f"{type(content).__name__} is not kept")
    back = envelope.ticket.sender if envelope.ticket is not None else None
    return _written([envelope.sender, envelope.recipient, envelope.side.value, told, back])


def unpack(text: str, ticket: Ticket) -> Envelope:
    """Reads what `pack` has written; raises StoreError when it is anything else."""
    try:
        sender, recipient, side, told, back = json.loads(text)
        ticket = evolve(ticket, sender=Address.parse(back) if back else None)
        content: Content
        if len(told) == _BOUNCE:
            of, number, problem, words = told
            content = Bounce(of, number, Problem(problem), words)
        else:
            content = _read_message(*told)
        return Envelope(Address.parse(sender), Address.parse(recipient), content, Side(side), ticket=ticket)
    except (ValueError, TypeError, KeyError) as problem:
        raise StoreError(f"entry {ticket.number} of the spool cannot be read: {type(problem).__name__}") from None


_BOUNCE = 4


def _message(message: Message) -> list[Any]:
    return [
        message.kind.value,
        message.id,
        message.bodies,
        message.subjects,
        message.thread,
        message.chat_state.value if message.chat_state is not None else None,
        message.receipt_wanted,
        message.receipt_for,
        message.replaces,
        message.delayed_since,
        [(each.scheme, each.form) for each in message.encrypted],
        message.expires_at,
        [(hop.mark, hop.left) for hop in message.hops],
        message.forwards,
        message.notice,
    ]


def _read_message(
    kind: str,
    number: str,
    bodies: list[list[str]],
    subjects: list[list[str]],
    thread: str,
    chat_state: str | None,
    receipt_wanted: bool,
    receipt_for: str,
    replaces: str,
    delayed_since: float | None,
    encrypted: list[list[str]],
    expires_at: float | None,
    hops: list[list[Any]],
    forwards: int | None,
    notice: bool = False,
) -> Message:
    return Message(
        MessageKind(kind),
        number,
        _texts(bodies),
        _texts(subjects),
        thread,
        ChatState(chat_state) if chat_state is not None else None,
        receipt_wanted,
        receipt_for,
        replaces,
        delayed_since,
        tuple(EncryptedPayload(scheme, form) for scheme, form in encrypted),
        expires_at,
        tuple(Hop(mark, left) for mark, left in hops),
        forwards,
        notice,
    )


def _texts(found: list[list[str]]) -> Texts:
    return tuple((language, text) for language, text in found)
