"""Conversations: begun by the first message, told apart by thread, over after silence."""

import pytest

from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.message import ChatState, EncryptedPayload, Message
from gateway.records.conversations import MOST_OF_PAIR, Conversation, Conversations, Turn
from tests.stage import ALICE, BOB, CAROL, DESK, TABLET, here

HELLO = (("", "hello"),)


def says(known: Conversations, now: float, thread: str = "", contact: Address = TABLET) -> Turn:
    """Lets alice write to a contact."""
    turn = known.take(Envelope(DESK, contact, Message(bodies=HELLO, thread=thread), Side.INTERNAL), now)
    assert turn is not None
    return turn


def hears(known: Conversations, now: float, thread: str = "") -> Turn:
    """Lets bob write to alice."""
    turn = known.take(Envelope(TABLET, ALICE, Message(bodies=HELLO, thread=thread), Side.EXTERNAL), now)
    assert turn is not None
    return turn


def test_both_sides_speak_in_one_conversation() -> None:
    known = Conversations()
    begun, answered = says(known, 10.0), hears(known, 20.0)
    talk = begun.conversation
    assert (begun.first, answered.first, answered.conversation) == (True, False, talk)
    assert (talk.person, talk.contact, talk.begun_by) == (ALICE, BOB, Side.INTERNAL)
    assert (talk.started, talk.last, talk.said) == (10.0, 20.0, {Side.INTERNAL: 1, Side.EXTERNAL: 1})
    assert len(known) == 1


@pytest.mark.parametrize("content", [Message(chat_state=ChatState.COMPOSING), Message(receipt_for="m1"), here()])
def test_what_nobody_reads_begins_nothing(content: Message) -> None:
    known = Conversations()
    assert known.take(Envelope(DESK, BOB, content, Side.INTERNAL), 1.0) is None
    assert len(known) == 0


def test_what_is_encrypted_is_said_too() -> None:
    known = Conversations()
    sealed = Message(encrypted=(EncryptedPayload("urn:xmpp:openpgp:0", "<x/>"),))
    assert known.take(Envelope(DESK, BOB, sealed, Side.INTERNAL), 1.0) is not None


def test_silence_ends_a_conversation_and_the_next_message_begins_another() -> None:
    known = Conversations(idle_seconds=60)
    first = says(known, 0.0).conversation
    assert known.ended(59.9) == []
    assert says(known, 30.0).conversation is first
    assert known.ended(89.9) == []
    assert known.ended(90.0) == [first]
    assert says(known, 91.0).first
    assert len(known) == 1


def test_a_message_after_silence_says_which_conversation_is_over() -> None:
    known = Conversations(idle_seconds=60)
    first = says(known, 0.0).conversation
    turn = hears(known, 60.0)
    assert (turn.first, turn.over) == (True, (first,))
    assert turn.conversation.begun_by is Side.EXTERNAL
    assert known.ended(61.0) == []


def test_one_that_never_falls_silent_is_over_after_a_day() -> None:
    known = Conversations(idle_seconds=60, longest_seconds=100)
    first = says(known, 0.0).conversation
    assert says(known, 50.0).conversation is first
    turn = says(known, 100.0)
    assert (turn.first, turn.over) == (True, (first,))


def test_threads_are_conversations_of_their_own_and_the_last_one_takes_what_names_none() -> None:
    known = Conversations()
    one, two = says(known, 0.0, "t1").conversation, says(known, 1.0, "t2").conversation
    assert one is not two
    assert hears(known, 2.0, "t1").conversation is one
    assert hears(known, 3.0).conversation is one
    assert says(known, 4.0, "t2").conversation is two
    assert hears(known, 5.0).conversation is two
    assert (one.said[Side.INTERNAL], one.said[Side.EXTERNAL]) == (1, 2)


def test_a_conversation_takes_the_first_thread_that_is_named() -> None:
    known = Conversations()
    talk = says(known, 0.0).conversation
    assert hears(known, 1.0, "t1").conversation is talk
    assert talk.thread == "t1"
    assert hears(known, 2.0, "t2").first


def test_conversations_end_in_the_order_of_their_silence() -> None:
    known = Conversations(idle_seconds=10)
    with_bob, with_carol = says(known, 0.0).conversation, says(known, 1.0, contact=CAROL).conversation
    says(known, 2.0)
    assert known.ended(100.0) == [with_carol, with_bob]


def test_so_many_at_most_are_open_and_the_most_silent_ends() -> None:
    known = Conversations(most=2)
    people = [Address.parse(f"p{number}@partner.example") for number in range(3)]
    oldest = says(known, 0.0, contact=people[0]).conversation
    says(known, 1.0, contact=people[1])
    turn = says(known, 2.0, contact=people[2])
    assert turn.over == (oldest,)
    assert len(known) == 2


def test_at_the_end_all_are_over() -> None:
    known = Conversations()
    talk = says(known, 0.0).conversation
    assert known.close() == [talk]
    assert (len(known), known.ended(1e12)) == (0, [])


def test_what_they_are_about_is_not_printed() -> None:
    assert "secret" not in repr(Conversation(ALICE, BOB, Side.INTERNAL, 0.0, "secret"))


def test_one_of_an_earlier_run_goes_on() -> None:
    known = Conversations(idle_seconds=60)
    talk = Conversation(ALICE, BOB, Side.INTERNAL, 0.0, "t1", 50.0)
    assert known.resume(talk) == ()
    assert known.between(ALICE, BOB) == [talk]
    assert hears(known, 100.0, "t1").conversation is talk
    assert known.ended(160.0) == [talk]


def test_one_that_both_have_left_is_over_at_once() -> None:
    known = Conversations()
    talk = says(known, 0.0).conversation
    known.over(talk)
    known.over(talk)
    assert (len(known), known.between(ALICE, BOB)) == (0, [])
    assert says(known, 1.0).first


def test_two_who_name_ever_new_threads_do_not_fill_the_table() -> None:
    known = Conversations()
    other = says(known, 0.0, contact=CAROL).conversation
    over = [each for n in range(MOST_OF_PAIR + 5) for each in hears(known, 1.0 + n, f"t{n}").over]
    assert [each.thread for each in over] == [f"t{n}" for n in range(5)]
    assert len(known) == MOST_OF_PAIR + 1
    assert known.between(ALICE, CAROL.bare) == [other]
