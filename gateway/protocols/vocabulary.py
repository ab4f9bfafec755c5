"""The closed vocabularies of the model: moods (XEP-0107), activities (XEP-0108), places (XEP-0080), devices."""

from typing import Final


def words(text: str) -> frozenset[str]:
    """Gives the words of a list in one text."""
    return frozenset(text.split())


MOODS: Final = words("""
    afraid amazed amorous angry annoyed anxious aroused ashamed bored brave calm cautious cold confident confused
    contemplative contented cranky crazy creative curious dejected depressed disappointed disgusted dismayed
    distracted embarrassed envious excited flirtatious frustrated grateful grieving grumpy guilty happy hopeful hot
    humbled humiliated hungry hurt impressed in_awe in_love indignant interested intoxicated invincible jealous
    lonely lost lucky mean moody nervous neutral offended outraged playful proud relaxed relieved remorseful
    restless sad sarcastic satisfied serious shocked shy sick sleepy spontaneous stressed strong surprised thankful
    thirsty tired undefined weak worried
""")
"""Mood values (XEP-0107 section 3)."""

GENERAL_ACTIVITIES: Final = words("""
    doing_chores drinking eating exercising grooming having_appointment inactive relaxing talking traveling
    undefined working
""")
"""General activities (XEP-0108 section 3)."""

SPECIFIC_ACTIVITIES: Final = words("""
    at_the_spa brushing_teeth buying_groceries cleaning coding commuting cooking cycling dancing day_off
    doing_maintenance doing_the_dishes doing_the_laundry driving fishing gaming gardening getting_a_haircut
    going_out hanging_out having_a_beer having_a_snack having_breakfast having_coffee having_dinner having_lunch
    having_tea hiding hiking in_a_car in_a_meeting in_real_life jogging on_a_bus on_a_plane on_a_train on_a_trip
    on_the_phone on_vacation on_video_phone other partying playing_sports praying reading rehearsing running
    running_an_errand scheduled_holiday shaving shopping skiing sleeping smoking socializing studying sunbathing
    swimming taking_a_bath taking_a_shower thinking walking walking_the_dog watching_a_movie watching_tv
    working_out writing
""")
"""Specific activities, each allowed under any general one (XEP-0108 section 3)."""

PLACE_PARTS: Final = (
    "area",
    "building",
    "country",
    "countrycode",
    "description",
    "floor",
    "locality",
    "postalcode",
    "region",
    "room",
    "street",
    "text",
)
"""Civil elements of XEP-0080, in the order they are written; `uri` is left out because it can hold coordinates."""

DEVICES: Final = frozenset({"bot", "console", "game", "handheld", "pc", "phone", "sms", "tablet", "web"})
"""Types of the disco identity category 'client' (XMPP registrar)."""
