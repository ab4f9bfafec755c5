"""Finds a plugin by the name that the configuration gives; what cannot be loaded stops the start."""

from importlib.metadata import entry_points
from typing import Any

from gateway.errors import PluginError


def load(kind: str, name: str) -> Any:
    """Gives the object behind the entry point `name` of group `gateway.<kind>`; raises PluginError."""
    found = list(entry_points(group=f"gateway.{kind}", name=name))
    if not found:
        known = ", ".join(sorted(entry.name for entry in entry_points(group=f"gateway.{kind}"))) or "none"
        raise PluginError(f"no plugin {name!r} of kind {kind} is installed; known are: {known}")
    if len({entry.value for entry in found}) > 1:
        places = ", ".join(sorted(entry.value for entry in found))
        raise PluginError(f"more than one plugin {name!r} of kind {kind} is installed: {places}")
    try:
        return found[0].load()
    except Exception as problem:
        raise PluginError(f"plugin {name!r} of kind {kind} cannot be loaded: {problem!r}") from problem
