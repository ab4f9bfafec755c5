"""What XMPP calls clients and what they can do (XEP-0030, XEP-0115)."""

from typing import Final

CAPABILITY_FEATURES: Final = {
    "chat_states": "http://jabber.org/protocol/chatstates",
    "corrections": "urn:xmpp:message-correct:0",
    "receipts": "urn:xmpp:receipts",
}
"""Capabilities of the model to the disco features that say them; only what really crosses the gateway is here."""
