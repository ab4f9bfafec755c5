"""Presence documents of SIP (RFC 3863) with the data model (4479), rich presence (4480) and cards (4482)."""

from gateway.protocols.pidf.names import CARRIED, LOSSES
from gateway.protocols.pidf.priorities import read_priority, write_priority
from gateway.protocols.pidf.reading import ReadPidf, ReadTuple, read_pidf
from gateway.protocols.pidf.writing import age, closed_pidf, write_pidf

__all__ = [
    "CARRIED",
    "LOSSES",
    "ReadPidf",
    "ReadTuple",
    "age",
    "closed_pidf",
    "read_pidf",
    "read_priority",
    "write_pidf",
    "write_priority",
]
