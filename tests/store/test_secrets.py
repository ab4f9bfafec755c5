"""Secrets are made once and kept."""

from pathlib import Path

import pytest_twisted
from twisted.internet import reactor

from gateway.store.database import Database
from gateway.store.secrets import SecretStore


@pytest_twisted.ensureDeferred
async def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    database = Database(tmp_path / "gateway.db", reactor)
    store = SecretStore(database)
    first = store.secret("resource-tokens")
    assert len(first) == 32
    assert store.secret("resource-tokens") == first
    assert store.secret("dialback", 16) != first[:16]
    await database.close()
    database = Database(tmp_path / "gateway.db", reactor)
    again = SecretStore(database)
    assert again.secret("resource-tokens") == first
    assert len(again.secret("dialback")) == 16
    await database.close()


@pytest_twisted.ensureDeferred
async def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    database = Database(tmp_path / "gateway.db", reactor)
    store = SecretStore(database)
    made = store.secret("dialback")
    assert repr(made)[2:-1] not in repr(store)
    await database.close()
