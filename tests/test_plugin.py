"""Plugins are found by the name in the configuration, or the start stops with a sentence."""

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from gateway import plugin
from gateway.errors import PluginError


def named(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    found = [EntryPoint("xmpp", value, "gateway.legs") for value in values]
    monkeypatch.setattr(plugin, "entry_points", lambda group, name="": [one for one in found if name in ("", one.name)])


def test_the_named_object_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "gateway.errors:PluginError")
    assert plugin.load("legs", "xmpp") is PluginError


def test_an_unknown_name_says_which_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "gateway.errors:PluginError")
    with pytest.raises(PluginError, match="no plugin 'fax' of kind legs is installed; known are: xmpp"):
        plugin.load("legs", "fax")


@pytest.mark.parametrize("value", ["gateway.nowhere:x", "gateway.errors:nothing"])
def test_what_cannot_be_loaded_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    named(monkeypatch, value)
    with pytest.raises(PluginError, match="cannot be loaded"):
        plugin.load("legs", "xmpp")


def test_two_of_one_name_are_refused_unless_they_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would be chance which one of two taps keeps the archive."""
    named(monkeypatch, "gateway.errors:PluginError", "gateway.errors:PluginError")
    assert plugin.load("legs", "xmpp") is PluginError
    named(monkeypatch, "gateway.errors:PluginError", "gateway.errors:StoreError")
    with pytest.raises(PluginError, match="more than one"):
        plugin.load("legs", "xmpp")


def test_the_xmpp_leg_is_installed() -> None:
    build: Any = plugin.load("legs", "xmpp")
    assert callable(build)
