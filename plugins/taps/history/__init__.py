"""Keeps the conversations of people who chose it in their own mailboxes."""
