"""Dialback keys and their elements."""

import pytest

from gateway.protocols.xmpp.dialback import DialbackSecret, Outcome, write_dialback


def test_key_of_the_published_example() -> None:
    """The secret, the names and the key are those that XEP-0185 section 3 works through."""
    key = "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643"
    secret = DialbackSecret(b"s3cr3tf0rd14lb4ck")
    assert secret.key("xmpp.example.com", "example.org", "D60000229F") == key
    assert secret.proves(key, "xmpp.example.com", "example.org", "D60000229F")


@pytest.mark.parametrize("wrong", ["", "é", "37c6", "\ud800"])
def test_other_keys_prove_nothing(wrong: str) -> None:
    assert not DialbackSecret(b"s3cr3tf0rd14lb4ck").proves(wrong, "xmpp.example.com", "example.org", "D60000229F")


def test_secret_is_long_and_not_shown() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        DialbackSecret(b"short")
    assert "s3cr3t" not in repr(DialbackSecret(b"s3cr3tf0rd14lb4ck"))


def test_unknown_condition_is_not_written() -> None:
    text = write_dialback("result", "a.example", "b.example", outcome=Outcome.ERROR, condition="x'/><y")
    assert "internal-server-error" in text
    assert "x'" not in text
