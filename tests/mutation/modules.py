"""Which modules are put to the test, and which tests are to notice a change in each."""

from collections.abc import Mapping

_GOLDEN = ("tests/protocols/test_written_out.py",)
_CATEGORIES = ("tests/protocols/msrtc", *_GOLDEN)
_PIDF = (
    "tests/protocols/test_pidf_writing.py",
    "tests/protocols/test_pidf.py",
    "tests/protocols/test_rpid.py",
    *_GOLDEN,
)
_RULES = (
    "tests/policy/test_presence_rules.py",
    "tests/properties/test_presence_rules.py",
    "tests/protocols/pres_rules",
)
_DECIDED = tuple(
    f"tests/policy/test_{name}.py"
    for name in (
        "authorization",
        "permission",
        "disclosure",
        "published_info",
        "stripped_once",
        "walls",
        "settings",
        "refusals_in_facts",
    )
)


def _beside(name: str, *more: str) -> tuple[str, ...]:
    """Names the tests of one module of the policy, and which others know it."""
    return (f"tests/policy/test_{name}.py", *(f"tests/policy/test_{one}.py" for one in more))


def _stanzas(*names: str) -> tuple[str, ...]:
    """Names the tests of one kind of stanza."""
    return (*(f"tests/protocols/xmpp/stanzas/test_{name}.py" for name in names), *_GOLDEN)


TESTS: Mapping[str, tuple[str, ...]] = {
    "gateway.policy.access_level": _beside("words", "access_level", "permission"),
    "gateway.policy.archiving": _beside("words", "archiving"),
    "gateway.policy.assertions": _beside("guarantees"),
    "gateway.policy.authorization": _DECIDED,
    "gateway.policy.comparison": _beside("comparison"),
    "gateway.policy.domains": _beside("partners", "access_level", "walls"),
    "gateway.policy.explanation": _beside("words", "explanation"),
    "gateway.policy.guarantees": _beside("guarantees"),
    "gateway.policy.members": _beside("members"),
    "gateway.policy.notices": _beside("words", "notices"),
    "gateway.policy.observing": _beside("observing"),
    "gateway.policy.partners": _beside("words", "partners", "walls", "authorization"),
    "gateway.policy.precedence": _beside("words", "precedence", "settings"),
    "gateway.policy.presence_rules": ("tests/policy/test_words.py", *_RULES),
    "gateway.policy.published_info": _beside("published_info", "disclosure"),
    "gateway.policy.rules_meant": _beside("rules_meant", "presence_rules"),
    "gateway.policy.rules_remarks": _beside("rules_remarks"),
    "gateway.policy.rules_written": _beside("rules_written"),
    "gateway.policy.services": _beside("services"),
    "gateway.policy.settings": _beside("words", "settings"),
    "gateway.policy.verdict": _beside("words", "authorization", "disclosure"),
    "gateway.policy.walls": _beside("walls"),
    "gateway.books.publications": ("tests/books/test_publications.py", "tests/books/test_presence_book.py"),
    "gateway.protocols.directory_values": ("tests/protocols/test_directory_values.py",),
    "gateway.protocols.msrtc.calendar": _CATEGORIES,
    "gateway.protocols.msrtc.categories": _CATEGORIES,
    "gateway.protocols.msrtc.legacy": _CATEGORIES,
    "gateway.protocols.msrtc.names": ("tests/protocols/test_names.py",),
    "gateway.protocols.msrtc.parts": _CATEGORIES,
    "gateway.protocols.msrtc.states": _CATEGORIES,
    "gateway.protocols.pidf.contacts": ("tests/protocols/test_pidf_contacts.py", *_PIDF),
    "gateway.protocols.pidf.names": ("tests/protocols/test_names.py", *_PIDF),
    "gateway.protocols.pidf.priorities": ("tests/protocols/test_pidf_contacts.py", *_PIDF),
    "gateway.protocols.pidf.reading": ("tests/protocols/test_pidf_reading.py", *_PIDF),
    "gateway.protocols.pidf.timed": _PIDF,
    "gateway.protocols.pidf.writing": _PIDF,
    "gateway.protocols.rpid": ("tests/protocols/test_rpid.py", *_GOLDEN),
    "gateway.protocols.spoken": ("tests/protocols/test_spoken.py",),
    "gateway.protocols.xmpp.stanzas.caps": _stanzas("caps"),
    "gateway.protocols.xmpp.stanzas.card": _stanzas("card"),
    "gateway.protocols.xmpp.stanzas.photos": _stanzas("photos", "card"),
    "gateway.protocols.xmpp.stanzas.presences": _stanzas("presences", "presence_reading"),
    "gateway.protocols.xmpp.stanzas.published": _stanzas("published"),
    "plugins.legs.xmpp.outward": ("tests/plugins/legs/xmpp/test_outward.py",),
}
"""Each module, and the folders and files of its tests."""
