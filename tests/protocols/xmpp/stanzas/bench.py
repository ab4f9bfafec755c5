"""Prints microseconds per stanza read and written: python -m tests.protocols.xmpp.stanzas.bench."""

import sys
from collections.abc import Callable
from timeit import repeat

from gateway.model.message import ChatState, Message, MessageKind
from gateway.model.presence import Field, PresenceDocument, Show
from gateway.protocols.xmpp.stanzas.messages import read_message, write_message
from gateway.protocols.xmpp.stanzas.presences import read_presence, write_presence
from tests.protocols.xmpp.stanzas.parsing import NOW, RECIPIENT, SENDER, parse

ROUNDS = 20_000

CHAT = Message(
    MessageKind.CHAT, "m-1234567890", (("", "See you at ten, I bring the papers."),), chat_state=ChatState.ACTIVE
)
AWAY = PresenceDocument({Field.AVAILABILITY: True, Field.SHOW: Show.AWAY, Field.NOTE: (("", "Back at two."),)})


def microseconds(call: Callable[[], object]) -> float:
    """Gives the best of five runs, in microseconds per call."""
    return min(repeat(call, number=ROUNDS, repeat=5)) / ROUNDS * 1e6


def main() -> None:
    """Prints one line per direction and kind."""
    chat = parse(write_message(CHAT, SENDER, RECIPIENT))
    away = parse(write_presence(AWAY, SENDER, RECIPIENT))
    rows = {
        "read message": lambda: read_message(chat, NOW),
        "write message": lambda: write_message(CHAT, SENDER, RECIPIENT),
        "read presence": lambda: read_presence(away, NOW),
        "write presence": lambda: write_presence(AWAY, SENDER, RECIPIENT),
    }
    for name, call in rows.items():
        sys.stdout.write(f"{name:15} {microseconds(call):6.2f} us\n")


if __name__ == "__main__":
    main()
