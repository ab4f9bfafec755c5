"""Numbers and tokens at the edges of their ranges (reference/ocs.md 2.2, 2.3)."""

import pytest

from gateway.model.presence import Activity, Field, PresenceDocument, Show
from gateway.protocols.msrtc import states

TABLE = {
    "on-the-phone": (Activity("talking", "on_the_phone", ""), 6500, 6500, 8999),
    "in-a-conference": (Activity("talking", "on_video_phone", ""), 7000, 7000, 8999),
    "in-a-meeting": (Activity("working", "in_a_meeting", ""), 6500, 6500, 8999),
    "in-presentation": (Activity("undefined", "", "presentation"), 9500, 9000, 11999),
    "off-work": (Activity("inactive", "day_off", ""), 15500, 15000, 17999),
    "out-of-office": (Activity("inactive", "on_vacation", ""), 15500, 12000, None),
}


def test_the_tokens_are_these() -> None:
    assert {name: (one.activity, one.number, one.least, one.most) for name, one in states.TOKENS.items()} == TABLE


@pytest.mark.parametrize("name", TABLE)
def test_a_token_is_shown_from_its_least_number_to_its_most(name: str) -> None:
    activity, _, least, most = TABLE[name]
    highest = 999_999_999 if most is None else most
    for number, shown in ((least - 1, False), (least, True), (highest, True), (highest + 1, most is None)):
        assert states.shows(name, number) is shown
        assert states.token_of(activity, number) == (name if shown else "")
        assert states.activity_of_token(name, number, least, most) == (activity if shown else None)


def test_what_is_no_token_is_shown_beside_no_number() -> None:
    assert not states.shows("", 6500) and not states.shows("unknown", 6500)
    for activity in (
        Activity("undefined", "", "lecture"),
        Activity("working", "in_a_meeting", "hush"),
        Activity("eating"),
    ):
        assert states.token_of(activity, 6500) == ""


@pytest.mark.parametrize(
    ("activity", "text"),
    [
        (Activity("traveling", "commuting"), "in transit"),
        (Activity("traveling", "commuting", "by train"), "by train"),
        (Activity("working", "coding"), "working: coding"),
    ],
)
def test_what_has_no_token_is_said_in_words(activity: Activity, text: str) -> None:
    assert states.spoken(activity) == text


def test_do_not_disturb_is_busy_unless_it_is_wished_otherwise() -> None:
    busy = PresenceDocument({Field.AVAILABILITY: True, Field.SHOW: Show.DND})
    assert states.number_of(busy) == 6500 and states.number_of(busy, dnd_is_busy=False) == 9500
    idle = busy.with_fields({Field.IDLE: 0.0})
    assert states.number_of(idle) == 8000 and states.number_of(idle, dnd_is_busy=False) == 9500
