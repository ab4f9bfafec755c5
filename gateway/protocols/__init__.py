"""Protocols and documents that the gateway speaks; none of them does I/O or knows policy."""
