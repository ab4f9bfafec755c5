"""The XMPP leg: server-to-server streams on both sides, or a component on the inside."""
