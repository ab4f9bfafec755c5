"""Commands that need no daemon and ask nobody."""

import platform
from pathlib import Path
from typing import Any

import twisted

from gateway import __version__
from gateway.config import load
from gateway.model.presence import Field
from gateway.policy.access_level import STANDARD


def table(config: Path | None) -> dict[str, Any]:
    """Gives `{"levels": [...], "locked": [...], "fields": [{"field", "levels"}]}`; a configuration adds its own."""
    loaded = load(config) if config else None
    levels = loaded.levels if loaded else STANDARD
    locked = {lock.field for lock in loaded.locks if not lock.partner} if loaded else set()
    return {
        "levels": list(levels),
        "locked": [field.value for field in Field if field in locked],
        "fields": [
            {"field": field.value, "levels": [name for name, level in levels.items() if field in level.fields]}
            for field in Field
        ],
    }


def version(config: Path | None) -> dict[str, str]:
    """Gives the versions of the gateway and of what carries it."""
    return {"gateway": __version__, "python": platform.python_version(), "twisted": twisted.__version__}
