"""Seals texts with a key that stands outside of the database: AES-256-GCM of the `cryptography` package."""

import base64
import binascii
import os
from collections.abc import Mapping
from hashlib import sha256

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import StoreError

KEY_BYTES = 32
_NONCE = 12
"""Bytes of the random number that each sealing takes (NIST SP 800-38D section 8.2.2)."""
MOST_SEALED = 2**32
"""Texts that one key seals at most, so that no random number is likely to come twice (ibid. section 8.3)."""


@frozen
class Keys:
    """Is a ring of keys: the first one seals, all of them open."""

    newest: str
    """The name of the key that seals: eight digits made from it by SHA-256, which do not tell it."""
    _by_name: Mapping[str, AESGCM] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Keys":
        """Reads one key a line, the newest first: 32 bytes in base64. Raises StoreError."""
        names: dict[str, AESGCM] = {}
        for number, line in enumerate(text.split(), 1):
            try:
                key = base64.b64decode(line, validate=True)
            except (binascii.Error, ValueError):
                raise StoreError(f"line {number} of the key is not base64") from None
            if len(key) != KEY_BYTES:
                raise StoreError(f"line {number} of the key has {len(key)} bytes, not {KEY_BYTES}")
            names.setdefault(_name(key), AESGCM(key))
        if not names:
            raise StoreError("there is no key: make one with `openssl rand -base64 32`")
        return cls(next(iter(names)), names)

    @property
    def names(self) -> frozenset[str]:
        """Gives the names of all keys."""
        return frozenset(self._by_name)

    def seal(self, text: bytes, place: bytes, nonce: bytes = b"") -> bytes:
        """Seals a text with the newest key; it opens at this place only. A nonce is 12 fresh random bytes."""
        nonce = nonce or os.urandom(_NONCE)
        return nonce + self._by_name[self.newest].encrypt(nonce, text, place)

    def open(self, name: str, sealed: bytes, place: bytes) -> bytes:
        """Opens what the key of that name has sealed; raises StoreError when it is unknown, or anything was changed."""
        key = self._by_name.get(name)
        if key is None:
            raise StoreError(f"it is sealed with the key {name}, which is not in the key file")
        try:
            return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], place)
        except (InvalidTag, ValueError):
            raise StoreError("it was changed after it was sealed, or stands in another's place") from None


def _name(key: bytes) -> str:
    return sha256(b"gateway-archive-1 key\n" + key).hexdigest()[:8]
