"""XMPP, sans-IO: bytes and the time in, events and bytes out."""
