"""Sealed texts open with their key, at their place, unchanged, and not otherwise."""

import base64

import pytest

from gateway.errors import StoreError
from gateway.store.sealing import Keys

FIRST, SECOND = (base64.b64encode(bytes([each]) * 32).decode() for each in (1, 2))


def test_the_first_key_seals_and_all_open() -> None:
    old = Keys.parse(FIRST)
    sealed = old.seal(b"canary", b"place 7")
    both = Keys.parse(f"{SECOND}\n{FIRST}\n")
    assert b"canary" not in sealed and old.seal(b"canary", b"place 7") != sealed
    assert both.open(old.newest, sealed, b"place 7") == b"canary"
    assert both.newest == Keys.parse(SECOND).newest != old.newest and both.names == {both.newest, old.newest}


@pytest.mark.parametrize(("flip", "place"), [(0, b"place 7"), (14, b"place 7"), (-1, b"place 7"), (None, b"place 8")])
def test_what_was_changed_or_moved_does_not_open(flip: int | None, place: bytes) -> None:
    keys = Keys.parse(FIRST)
    sealed = bytearray(keys.seal(b"canary", b"place 7"))
    if flip is not None:
        sealed[flip] ^= 1
    with pytest.raises(StoreError, match="changed"):
        keys.open(keys.newest, bytes(sealed), place)
    with pytest.raises(StoreError, match="changed"):
        keys.open(keys.newest, b"short", place)


def test_a_key_that_is_not_there_is_named() -> None:
    keys = Keys.parse(SECOND)
    with pytest.raises(StoreError, match=Keys.parse(FIRST).newest):
        keys.open(Keys.parse(FIRST).newest, b"", b"")


@pytest.mark.parametrize("text", ["", "\n", "no base64!", base64.b64encode(b"short").decode()])
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(StoreError) as caught:
        Keys.parse(text)
    assert not text.strip() or text not in str(caught.value)


def test_keys_are_not_printed() -> None:
    assert FIRST not in repr(Keys.parse(FIRST))
