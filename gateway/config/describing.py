"""How a setting is described, for the sample and for error messages."""

from collections.abc import Mapping
from typing import Any


def says(sentence: str, example: str = "", least: float | None = None, restart: bool = False) -> Mapping[str, Any]:
    """Describes a setting: its sentence, an example in TOML, its least value, whether a change needs a restart."""
    return {"sentence": sentence, "example": example, "least": least, "restart": restart}
