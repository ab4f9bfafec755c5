"""Measures what one stanza costs the gateway, and what the same hop costs a plain Prosody and a plain ejabberd."""
