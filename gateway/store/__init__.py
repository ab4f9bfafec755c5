"""Durable state: the only SQL."""
