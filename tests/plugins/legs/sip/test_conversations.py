"""Threads and Call-IDs of one side (RFC 7572 tables 1 and 2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.legs.sip import conversations
from plugins.legs.sip.conversations import Conversations

ALICE, BOB = "sip:alice@corp.example", "sip:bob@partner.example"
NOW = 1_795_000_000.0


def side(shows: bool = True, secret: bytes = b"s", now: float = NOW) -> Conversations:
    return Conversations(secret, shows, lambda: now)


def test_what_our_own_server_calls_a_call_is_not_seen_outside() -> None:
    kept, other = side(shows=False), side(shows=False, secret=b"t")
    thread = kept.thread(ALICE, BOB, "77@10.1.2.3")
    assert "10.1.2.3" not in thread and thread == side(shows=False).thread(ALICE, BOB, "77@10.1.2.3")
    assert thread != other.thread(ALICE, BOB, "77@10.1.2.3"), "nobody can guess it"
    assert kept.call(ALICE, BOB, thread) == (("77@10.1.2.3"), int(NOW) - 1_700_000_000)


@given(st.text(min_size=1, max_size=60))
def test_every_thread_has_a_call_that_may_stand_in_a_header(thread: str) -> None:
    call = side().call(ALICE, BOB, thread)
    assert call is not None and call[0].isascii() and call[0].isalnum() and 0 < call[1] < 2**31


def test_numbers_rise_even_when_the_conversation_was_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "MOST", 3)
    kept = side()
    first = kept.call(ALICE, BOB, "t0")
    for number in range(1, 10):
        kept.call(ALICE, BOB, f"t{number}")
    assert len(kept._calls) == len(kept._threads) == 3
    again = side(now=NOW + 1).call(ALICE, BOB, "t0")
    assert first is not None and again is not None and first[0] == again[0] and first[1] < again[1]


def test_many_at_once_have_many_numbers() -> None:
    kept = side()
    numbers = [call[1] for _ in range(100) if (call := kept.call(ALICE, BOB, "t"))]
    assert numbers == sorted(set(numbers)) and len(numbers) == 100


def test_an_answer_in_a_session_is_in_the_thread_that_was_written_in_last() -> None:
    kept = side()
    kept.speak(ALICE, BOB, "t1")
    assert kept.thread(ALICE, BOB, "call", True) == "t1"
    kept.speak(ALICE, BOB, "")
    assert kept.thread(ALICE, BOB, "call", True) == "call"
    assert kept.thread(ALICE, BOB, "other") == "other"


def test_no_thread_is_no_call() -> None:
    assert side().call(ALICE, BOB, "") is None
