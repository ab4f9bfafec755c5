"""Pictures: what the first bytes show, how large, how written."""

import hashlib
from base64 import b64encode

import pytest

from gateway.model.presence import Photo
from gateway.protocols.xmpp.stanzas.photos import MAX_PHOTO, MEDIA_TYPES, media_type_of, read_photo, write_photo

PNG = b"\x89PNG\r\n\x1a\n"
KINDS = {
    PNG: "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF\x10\x00\x00\x00WEBP": "image/webp",
}
"""Signatures: W3C PNG 5.2, JPEG's SOI and the next marker, GIF 87a and 89a, RFC 9649 section 2.4."""


def written(content: bytes) -> str:
    return b64encode(content).decode()


@pytest.mark.parametrize(("magic", "media_type"), list(KINDS.items()))
def test_a_picture_is_what_its_first_bytes_show(magic: bytes, media_type: str) -> None:
    for content in (magic, magic + b" and more"):
        photo = Photo(media_type, content, hashlib.sha1(content).hexdigest())
        assert media_type_of(content) == media_type and read_photo(written(content)) == photo
        assert write_photo(photo) == written(content)
    assert {*KINDS.values()} == MEDIA_TYPES


@pytest.mark.parametrize("magic", [*KINDS])
def test_one_byte_that_differs_is_no_picture(magic: bytes) -> None:
    size = b"\x10\x00\x00\x00"
    for place, octet in enumerate(magic):
        if magic.startswith(b"RIFF") and 4 <= place < 4 + len(size):
            continue
        wrong = magic[:place] + bytes([octet ^ 1]) + magic[place + 1 :]
        assert media_type_of(wrong) is None and read_photo(written(wrong)) is None
    assert media_type_of(b" " + magic) is None


def test_the_size_is_bounded() -> None:
    assert MAX_PHOTO == 65_536
    most = PNG + b"x" * (MAX_PHOTO - len(PNG))
    photo = read_photo(written(most))
    assert photo is not None and photo.content == most
    assert read_photo(written(most + b"x")) is None


def test_a_text_much_longer_than_its_picture_is_not_even_read() -> None:
    most = MAX_PHOTO * 3 // 2
    text = written(PNG)
    assert read_photo(text + " " * (most - len(text))) is not None
    assert read_photo(text + " " * (most - len(text) + 1)) is None


def test_lines_and_blanks_in_base64_do_not_count() -> None:
    text = written(PNG + b"1234")
    photo = read_photo("\n" + text[:5] + "\r\n \t" + text[5:] + "\n")
    assert photo is not None and photo.content == PNG + b"1234"


@pytest.mark.parametrize("text", ["", "=", "iVBORw0KGgo", "iVBORw0KGgo=x", "iVBORw0K*Ggo=", "iVBORw0KGgo==", "ä"])
def test_what_is_not_base64_is_no_picture(text: str) -> None:
    assert read_photo(text) is None
