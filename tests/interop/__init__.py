"""Tests against real XMPP servers and clients, in a network namespace of their own."""
