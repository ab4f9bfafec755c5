"""Sockets, TLS and DNS on Twisted's reactor: bytes in and out, identities proved, nothing known of any protocol."""
