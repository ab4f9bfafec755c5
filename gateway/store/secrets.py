"""Random secrets that are made once and kept."""

import secrets

from attrs import define, field
from twisted.logger import Logger
from twisted.python.failure import Failure

from gateway.store.database import Database

_log = Logger()


@define(eq=False)
class SecretStore:
    """Keeps named secrets, for resource tokens and dialback keys (XEP-0185)."""

    _database: Database
    _values: dict[str, bytes] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._values = {name: bytes(value) for name, value in self._database.read("SELECT name, value FROM secret")}

    def secret(self, name: str, nbytes: int = 32) -> bytes:
        """Gives the secret of this name, `nbytes` long when it is made now."""
        known = self._values.get(name)
        if known is None:
            known = self._values[name] = secrets.token_bytes(nbytes)
            written = self._database.write("INSERT INTO secret VALUES (?, ?)", (name, known))
            written.addErrback(self._not_kept, name)
        return known

    def _not_kept(self, failure: Failure, name: str) -> None:
        _log.error("secret {name} will change at the next start: {why}", name=name, why=str(failure.value))
