"""Slots of time: an answer that leaves at the end of one does not tell how long it took to find."""

SLOT_SECONDS = 0.01
"""How long a slot is; an answer waits half of it on average."""


def next_slot(now: float) -> float:
    """Gives the end of the slot in which a moment is, in the same seconds."""
    return (now // SLOT_SECONDS + 1) * SLOT_SECONDS
