"""The kept corpus: files of bytes, a folder for each target, each named by the start of its SHA-256."""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
FOUND = Path(__file__).parent / "found"
"""Where inputs go that show a defect; not kept in the repository."""


def seeds(target: str) -> list[bytes]:
    """Gives what is kept for a target, in a fixed order."""
    return [path.read_bytes() for path in sorted((FOLDER / target).glob("*")) if path.is_file()]


def keep(target: str, octets: bytes, folder: Path = FOLDER) -> Path:
    """Writes one input to the corpus, or to another folder, and gives its path."""
    place = folder / target
    place.mkdir(parents=True, exist_ok=True)
    path = place / hashlib.sha256(octets).hexdigest()[:16]
    path.write_bytes(octets)
    return path
