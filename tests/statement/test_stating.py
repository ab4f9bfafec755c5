"""The statement of one configuration, for everybody or one person; its revisions; who hears of a change."""

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config, load
from gateway.errors import CommandError
from gateway.model.address import Address
from gateway.offices.announcing import Announcer
from gateway.policy.settings import Feature
from gateway.statement.features import FEATURES, Facts, gathered
from gateway.statement.paragraph import Paragraph, personal
from gateway.statement.revisions import Revisions
from gateway.statement.stating import Stating
from gateway.statement.wording import wordings
from gateway.statement.writing import Block, Form, Kind, document

ALICE, CAROL = Address.parse("alice@corp.example"), Address.parse("carol@corp.example")
GROUPS = {"carol@corp.example": frozenset({"council"})}
PLAIN = """
[gateway]
domains = ["corp.example"]
state = "state"
[tls]
certificate = "c"
key = "k"
[inside]
kind = "xmpp-server"
connect = "127.0.0.1:5269"
listen = ["127.0.0.100:5269"]
[[partner]]
domain = "partner.example"
"""
MAILBOX = '[history]\nserver = "imap.corp.example:993"\nsecret = "canary-secret"\n'
FEEDBACK = '[feedback]\nwebhook = "https://desk.corp.example/hook/canary-secret"\n'


class House:
    """A configuration that changes, two people, and what they are told."""

    def __init__(self, folder: Path) -> None:
        (folder / "state").mkdir()
        self.folder = folder
        self.now = 1_700_000_000.0
        self.told: list[tuple[str, str, Mapping[str, Any]]] = []
        self.own: dict[str, dict[Any, bool]] = {}
        self.config = self.written("")
        self.announcer = Announcer(lambda: self.now, self._tell)
        self.stating = self.begun()

    def begun(self) -> Stating:
        """Starts the gateway on the same state."""
        return Stating(
            lambda: self.config,
            lambda: (False, False),
            lambda person: GROUPS.get(person, frozenset()),
            lambda person: self.own.get(person, {}),
            self.announcer,
            lambda: (ALICE, CAROL),
            lambda: self.now,
        )

    def written(self, more: str) -> Config:
        """Gives a configuration."""
        (self.folder / "gateway.toml").write_text(PLAIN + more)
        return load(self.folder / "gateway.toml")

    def change(self, more: str) -> list[str]:
        """Puts another one in force; gives who is told of it."""
        self.config = self.written(more)
        self.stating.look()
        self.told.clear()
        for _ in range(3):
            self.announcer.tick()
        return [person for person, sentence, _ in self.told if sentence == "statement_changed"]

    def _tell(self, person: Address, sentence: str, **parts: Any) -> bool:
        self.told.append((str(person), sentence, parts))
        return True

    def text(self, person: str = "", **more: str) -> str:
        """Writes it."""
        asked = {"since": None, "form": "text", "language": None, **more}
        return self.stating.write(person, **asked)["document"]


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.stating.look()
    return made


def section(text: str, title: str) -> str:
    """Gives what stands under a heading of a text."""
    return re.split(r"\n\n(?=[^\n]+\n-+\n)", text.split(f"\n{title}\n-", 1)[1])[0]


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize("person", ["", "alice@corp.example"])
def test_every_feature_says_all_that_it_must(house: House, language: str, person: str) -> None:
    text, wording = house.text(person, language=language), wordings()[language]
    for feature in FEATURES:
        said = section(text, wording.table[feature.name]["title"])
        for name in ("what", "collected", "use", "seen", "choice"):
            assert re.search(rf"(?m)^{re.escape(wording.label(name))}: \S", said), (feature.name, name)
    assert "{" not in text and "Revision 1" in house.text()


def test_by_default_nothing_records_keeps_or_reports(house: House) -> None:
    found = {each.feature: each for each in gathered(Facts(house.config))}
    off = {
        "ledger",
        "archive",
        "history",
        "notice",
        "trace",
        "telemetry",
        "feedback",
        "directories",
        "calendars",
        "bot",
    }
    assert {name for name, each in found.items() if not each.on} == off
    assert not any(each.scopes for each in found.values())


def test_numbers_and_fields_are_those_in_force(house: House) -> None:
    house.change('[ledger]\non = true\nretention_days = 31\n[locks]\nfields = ["phone.home"]\n')
    text = house.text()
    assert "removed after 31 days" in section(text, "Record of what has left about you")
    assert "It is on, and your administrator has locked that." in section(text, "Record of what has left about you")
    presence = section(text, "Presence and published information")
    assert "Never seen outside: home phone." in presence
    assert not re.search(r"(?m)^  - .*home phone", presence) and re.search(r"(?m)^  - Personal: .*mobile", presence)


def test_what_holds_for_one_person_is_what_his_groups_and_his_word_make_it(house: House) -> None:
    everybody = '[[setting]]\nof = ["history"]\non = true\n'
    council = '[[setting]]\nof = ["history"]\non = false\ngroup = "council"\nlocked = true\n'
    house.change(MAILBOX + everybody + council)
    assert "It is on. For 1 persons" in section(house.text(), "Conversation history")
    assert "It is on." in section(house.text(str(ALICE)), "Conversation history")
    assert "off, and your administrator has locked" in section(house.text(str(CAROL)), "Conversation history")
    house.own[str(ALICE)] = {Feature.HISTORY: False}
    house.own[str(CAROL)] = {Feature.HISTORY: True}
    assert "It is off." in section(house.text(str(ALICE)), "Conversation history")
    assert "off, and your administrator has locked" in section(house.text(str(CAROL)), "Conversation history")


def test_the_statement_for_everybody_names_nobody_and_no_secret(house: House) -> None:
    trace = '[[trace.scope]]\non = true\nwhom = "alice@corp.example"\nuntil = 2123-12-01\n'
    house.change(trace + MAILBOX + FEEDBACK)
    text = house.text()
    assert "alice" not in text and "For 1 persons, groups or partners something else holds." in text
    assert "It is on." in section(house.text(str(ALICE)), "Protocol log for troubleshooting")
    assert "canary" not in text + house.text(str(ALICE))
    kept = "".join(place.read_text() for place in (house.folder / "state" / "statement").iterdir())
    assert "desk.corp.example" in kept and "canary" not in kept


def test_those_whom_a_change_concerns_are_told_and_nobody_else(house: House) -> None:
    council = '[[trace.scope]]\non = true\nwhom = "council"\nuntil = 2123-12-01\n'
    assert house.change(council) == ["carol@corp.example"]
    assert house.told[0][2] == {"count": 1, "revision": 1}
    assert house.change(council) == []
    assert house.change(council + "[limits]\nidle_seconds = 100.0\n") == []
    assert house.change(council + "[ledger]\non = true\n") == ["alice@corp.example", "carol@corp.example"]
    assert house.change(council + "[ledger]\non = true\nretention_days = 9\n") == [
        "alice@corp.example",
        "carol@corp.example",
    ]


def test_a_first_start_announces_nothing_and_a_second_one_what_changed_meanwhile(house: House) -> None:
    assert not house.told
    house.config = house.written("[ledger]\non = true\n")
    house.stating = house.begun()
    assert house.stating.look() == 2


def test_a_difference_says_before_and_now(house: House) -> None:
    house.change("[ledger]\non = true\nretention_days = 31\n")
    said = house.text(since="1")
    assert "Before: It is off.\n" in said and "Now: It is on, and your administrator has locked that." in said
    assert "removed after 365 days" in said and "removed after 31 days" in said
    assert "Archive" not in said
    assert "Nothing that concerns you has changed" in house.text(since="2")


@pytest.mark.parametrize("since", ["7", "x", "-1", "0", "../1", "1.5"])
def test_a_revision_that_is_not_there_is_said_to_be_so(house: House, since: str) -> None:
    with pytest.raises(CommandError):
        house.text(since=since)


def test_revisions_are_kept_and_a_changed_one_is_noticed(house: House) -> None:
    house.change("[ledger]\non = true\n")
    house.change("")
    folder = house.folder / "state" / "statement"
    assert sorted(place.name for place in folder.iterdir()) == ["000001.json", "000002.json", "000003.json"]
    plain = json.loads((folder / "000001.json").read_text())
    assert Revisions(folder).of(1).digest == plain["digest"] and plain["made"] == house.now
    assert Revisions(folder).of(3).digest == plain["digest"]
    plain["paragraphs"][0]["on"] = False
    (folder / "000001.json").write_text(json.dumps(plain))
    with pytest.raises(CommandError, match="digest differs"):
        Revisions(folder).of(1)


class Balance(HTMLParser):
    """Looks whether what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_all_forms_say_the_same(house: House) -> None:
    parsed = Balance()
    parsed.feed(house.text(form="html", language="fr"))
    assert parsed.open == []
    plain = re.sub(r"[\\*#=\-\s]+", "", house.text(form="markdown", language="fr"))
    assert (
        re.sub(r"[\\*#=\-\s]+", "", parsed.text).removeprefix(wordings()["fr"].page("title").replace(" ", "")) == plain
    )


def test_what_an_administrator_has_named_cannot_become_markup() -> None:
    blocks = [Block(Kind.TITLE, "a < b"), Block(Kind.ITEM, "<script>x</script> [a](b) *c*")]
    assert "<script>" not in document(blocks, Form.HTML, "en")
    assert "\\<script\\>x" in document(blocks, Form.MARKDOWN, "en")
    assert "\\[a\\](b) \\*c\\*" in document(blocks, Form.MARKDOWN, "en")


def test_a_language_that_is_not_there_is_refused(house: House) -> None:
    with pytest.raises(CommandError, match="de, en, fr"):
        house.text(language="xx")


def test_a_paragraph_of_a_newer_version_can_be_read() -> None:
    plain = Paragraph("trace", True).plain() | {"colour": "blue"}
    assert Paragraph.read(plain) == Paragraph("trace", True)
    assert personal(Paragraph("trace", True, True), "alice@corp.example", None, 0.0, own=False).on
