"""Whom the gateway speaks with: contracts, discovery, the echo, rates and suspicion."""
