"""What XMPP calls clients and what they can do (XEP-0030, XEP-0115)."""

from typing import Final

DEVICES: Final = frozenset({"bot", "console", "game", "handheld", "pc", "phone", "sms", "tablet", "web"})
"""Types of the disco identity category 'client' (XMPP registrar)."""

CAPABILITY_FEATURES: Final = {
    "chat_states": "http://jabber.org/protocol/chatstates",
    "corrections": "urn:xmpp:message-correct:0",
    "receipts": "urn:xmpp:receipts",
}
"""Capabilities of the model to the disco features that say them; only what really crosses the gateway is here."""
