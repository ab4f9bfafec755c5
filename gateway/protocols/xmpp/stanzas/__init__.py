"""XMPP stanzas to the model and back: what the model has no field for cannot cross."""
