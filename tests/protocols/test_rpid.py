"""The words of RFC 4480: the tables are complete and lose nothing on the way back."""

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.model.presence import Activity, Mood, Show
from gateway.protocols import rpid
from gateway.protocols.vocabulary import GENERAL_ACTIVITIES, MOODS, SPECIFIC_ACTIVITIES
from tests.protocols.validity import FOLDER

XS = "{http://www.w3.org/2001/XMLSchema}"


def words_of_schema(name: str) -> set[str]:
    tree = etree.parse(FOLDER / "rpid.xsd").getroot()
    (element,) = (one for one in tree.findall(f"{XS}element") if one.get("name") == name)
    return {one.get("name") for one in element.iter(f"{XS}element")} - {name, "note"}


def test_every_activity_of_the_rfc_is_in_the_table_and_no_other() -> None:
    assert set(rpid.ACTIVITIES) | {"busy", "unknown", "other"} == words_of_schema("activities")


def test_every_mood_of_the_rfc_is_one_of_ours_and_the_rest_is_listed() -> None:
    assert rpid.RPID_MOODS | {"unknown", "other"} == words_of_schema("mood")
    assert MOODS - {"undefined"} == rpid.RPID_MOODS | rpid.MOODS_WITHOUT_RPID
    assert not rpid.RPID_MOODS & rpid.MOODS_WITHOUT_RPID


def test_the_model_words_in_the_tables_exist() -> None:
    for general, specific in rpid.ACTIVITIES.values():
        assert general in GENERAL_ACTIVITIES
        assert general == "undefined" or not specific or specific in SPECIFIC_ACTIVITIES


def test_no_two_words_of_the_table_say_the_same() -> None:
    assert len(set(rpid.ACTIVITIES.values())) == len(rpid.ACTIVITIES)


@pytest.mark.parametrize("word", sorted(rpid.ACTIVITIES))
def test_an_activity_of_the_rfc_comes_back_as_the_same_word(word: str) -> None:
    activity = rpid.activity_of(word, "")
    assert activity is not None
    assert rpid.write_activity(activity) == (("other", "inactive", "") if word == "away" else (word, "", ""))


@pytest.mark.parametrize(
    ("word", "activity"),
    [
        ("meeting", Activity("working", "in_a_meeting")),
        ("on-the-phone", Activity("talking", "on_the_phone")),
        ("vacation", Activity("inactive", "on_vacation")),
        ("in-transit", Activity("traveling", "commuting")),
        ("steering", Activity("traveling", "driving")),
        ("tv", Activity("relaxing", "watching_tv")),
        ("worship", Activity("undefined", "", "worship")),
        ("unknown", Activity("undefined")),
        ("busy", None),
        ("juggling", None),
    ],
)
def test_activities_of_protocols_4_2(word: str, activity: Activity | None) -> None:
    assert rpid.activity_of(word) == activity


LINES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20).map(
    lambda text: " ".join(text.split())
)


def read_activity(word: str, text: str, note: str) -> Activity | None:
    return rpid.other_activity(text, note) if word == "other" else rpid.activity_of(word, note)


def read_mood(word: str, text: str, note: str) -> Mood | None:
    return rpid.other_mood(text, note) if word == "other" else rpid.mood_of(word, note)


@settings(deadline=None)
@given(
    st.builds(
        Activity,
        st.sampled_from(sorted(GENERAL_ACTIVITIES - {"undefined"})),
        st.just("") | st.sampled_from(sorted(SPECIFIC_ACTIVITIES)),
        LINES,
    )
    | st.builds(Activity, st.just("undefined"), st.just(""), LINES | st.sampled_from(["inactive", "working: coding"]))
)
def test_every_activity_of_the_model_comes_back(activity: Activity) -> None:
    word, text, note = rpid.write_activity(activity)
    assert word in words_of_schema("activities")
    assert read_activity(word, text, note) == activity


@settings(deadline=None)
@given(st.builds(Mood, st.sampled_from(sorted(MOODS)), LINES | st.sampled_from(["weak", "In Love"])))
def test_every_mood_of_the_model_comes_back(mood: Mood) -> None:
    word, text, note = rpid.write_mood(mood)
    assert word in words_of_schema("mood")
    assert read_mood(word, text, note) == mood


def test_words_outside_the_vocabulary_are_not_written() -> None:
    assert rpid.write_activity(Activity("juggling", "balls")) == ("unknown", "", "")
    assert rpid.write_mood(Mood("juggling")) == ("unknown", "", "")


@pytest.mark.parametrize(
    ("words", "show"),
    [
        (["busy"], Show.DND),
        (["on-the-phone"], Show.DND),
        (["away", "meeting"], Show.DND),
        (["meal", "vacation"], Show.XA),
        (["shopping"], Show.AWAY),
        (["working", "playing", "tv", "looking-for-work", "spectator", "other", "unknown"], None),
        ([], None),
    ],
)
def test_implied_availability_of_protocols_4_1(words: list[str], show: Show | None) -> None:
    assert rpid.show_of(words) is show


def test_shown_words_are_words() -> None:
    assert set(rpid.SHOWN_AS) <= words_of_schema("activities")
    assert set(rpid.WORD_OF_SHOW.values()) <= set(rpid.SHOWN_AS)


def test_words_and_texts_of_activities_exactly() -> None:
    undefined = partial(Activity, "undefined", "")
    assert rpid.activity_of("unknown", "n") == undefined("n") and rpid.activity_of("unknown") == undefined("")
    assert rpid.activity_of("canary", "n") is None
    assert rpid.activity_of("performance") == undefined("performance")
    assert rpid.activity_of("performance", "n") == undefined("n")
    assert rpid.activity_of("tv", "n") == Activity("relaxing", "watching_tv", "n")
    assert rpid.other_activity("Doing chores: Buying groceries", "n") == Activity(
        "doing_chores", "buying_groceries", "n"
    )
    assert rpid.other_activity(" doing chores ") == Activity("doing_chores", "", "")
    assert rpid.other_activity("doing chores: canary", "n") == undefined("doing chores: canary")
    assert rpid.other_activity("canary: buying groceries") == undefined("canary: buying groceries")
    assert rpid.other_activity("undefined", "n") == undefined("undefined")
    assert rpid.other_activity("", "n") == undefined("n") and rpid.other_activity("") is None
    assert rpid.write_activity(Activity("doing_chores", "buying_groceries", "t")) == (
        "other",
        "doing chores: buying groceries",
        "t",
    )
    assert rpid.write_activity(Activity("doing_chores", "", "t")) == ("other", "doing chores", "t")
    assert rpid.write_activity(Activity("relaxing", "watching_tv", "t")) == ("tv", "", "t")
    assert rpid.write_activity(Activity("inactive", "canary", "")) == ("other", "inactive", "")
    assert rpid.write_activity(Activity("canary", "watching_tv", "t")) == ("other", "t", "")
    assert rpid.write_activity(undefined("performance")) == ("performance", "", "")
    assert rpid.write_activity(undefined("")) == ("unknown", "", "")
    assert rpid.write_activity(undefined("working: coding")) == ("unknown", "", "working: coding")


def test_words_and_texts_of_moods_exactly() -> None:
    assert rpid.mood_of("unknown", "n") == Mood("undefined", "n")
    assert (
        rpid.mood_of("in-awe", "n") == Mood("in_awe", "n")
        and rpid.mood_of("amorous") is None
        and rpid.mood_of("canary") is None
    )
    assert rpid.other_mood(" Amorous ", "n") == Mood("amorous", "n") and rpid.other_mood("in love", "") == Mood(
        "in_love", ""
    )
    assert rpid.other_mood("undefined", "n") == Mood("undefined", "undefined")
    assert rpid.other_mood("so so", "n") == Mood("undefined", "so so")
    assert rpid.other_mood("", "n") == Mood("undefined", "n") and rpid.other_mood("") is None
    assert rpid.write_mood(Mood("in_awe", "t")) == ("in_awe", "", "t")
    assert rpid.write_mood(Mood("amorous", "t")) == ("other", "amorous", "t")
    assert rpid.write_mood(Mood("undefined", "so so")) == ("other", "so so", "")
    assert rpid.write_mood(Mood("undefined", "")) == ("unknown", "", "")
    assert rpid.write_mood(Mood("undefined", "happy")) == ("unknown", "", "happy")


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("looking-for-work", "looking for work"),
        ("performance", "performance"),
        ("permanent-absence", "permanent absence"),
        ("presentation", "presentation"),
        ("spectator", "spectator"),
        ("worship", "worship"),
    ],
)
def test_what_the_model_has_no_word_for_is_a_text_and_comes_back(word: str, text: str) -> None:
    activity = Activity("undefined", "", text)
    assert rpid.activity_of(word) == activity and rpid.write_activity(activity) == (word, "", "")


def test_a_specific_word_that_nobody_knows_is_left_out() -> None:
    assert rpid.write_activity(Activity("eating", "having_soup", "x")) == ("meal", "", "x")
    assert rpid.write_activity(Activity("drinking", "having_soup")) == ("other", "drinking", "")


def test_a_mood_alone_has_no_text() -> None:
    assert rpid.mood_of("sad") == Mood("sad") and rpid.mood_of("unknown") == Mood("undefined")
