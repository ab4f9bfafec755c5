"""Pictures in base64: bounded, and of a media type that their own first bytes show."""

import binascii
import hashlib
from base64 import b64encode
from typing import Final

from gateway.model.presence import Photo

MAX_PHOTO: Final = 64 * 1024
"""Octets that a picture may have."""

_MAGIC: Final = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))

MEDIA_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Media types of pictures that cross; vector graphics can run scripts and are left out."""


def read_photo(text: str) -> Photo | None:
    """Gives the picture in a base64 text, or None when it is too large, not base64 or not a picture we know."""
    if len(text) > MAX_PHOTO * 3 // 2:
        return None
    try:
        content = binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    media_type = media_type_of(content)
    if media_type is None or len(content) > MAX_PHOTO:
        return None
    return Photo(media_type, content, hashlib.sha1(content, usedforsecurity=False).hexdigest())


def write_photo(photo: Photo) -> str:
    """Gives the picture in base64."""
    return b64encode(photo.content).decode("ascii")


def media_type_of(content: bytes) -> str | None:
    """Gives the media type that the first bytes show, or None."""
    for magic, media_type in _MAGIC:
        if content.startswith(magic):
            return media_type
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
