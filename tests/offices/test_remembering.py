"""What is kept between two, who says so, and what can be asked of it."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve, field
from twisted.internet import reactor

from gateway import plugin
from gateway.commands import execute, find
from gateway.config.archiving import ArchiveTerms
from gateway.config.federation import Texts
from gateway.config.partnerships import Contract
from gateway.config.recording import HistoryTerms, NoticeTerms
from gateway.config.values import Endpoint
from gateway.errors import CommandError
from gateway.interfaces import HistoryShown, HistoryWaiting
from gateway.model.envelope import Envelope
from gateway.model.message import Message, MessageKind
from gateway.offices.remembering import Remembering
from gateway.policy.archiving import Mode
from gateway.policy.notices import Keeping
from gateway.policy.settings import Feature, Rule
from gateway.policy.verdict import Verdict
from gateway.store.database import Database
from gateway.taps import Taps
from tests.stage import ALICE, ALLY, BOB, CAROL, DESK, PARTNER, Stage

HELLO = Message(MessageKind.CHAT, "m1", (("", "hello"),))
ON = HistoryTerms(server=Endpoint("imap.corp.example", 993))


@define
class FakeHistory:
    """A tap that writes down what it is asked to keep."""

    required: bool = False
    keeps: Callable[[Envelope], bool] = lambda envelope: False
    kept: list[str] = field(factory=list)
    retried: list[str] = field(factory=list)

    def attach(self, keeps: Callable[[Envelope], bool]) -> None:
        self.keeps = keeps

    def record(self, received: Envelope, verdict: Verdict) -> None:
        if isinstance(received.content, Message) and self.keeps(received):
            self.kept.append(received.recipient.bare)

    def check(self) -> str | None:
        return None

    def shown(self, person: str = "") -> HistoryShown:
        waiting = HistoryWaiting(str(ALICE), 1.0, 3, "quota", 9.0)
        return HistoryShown(2, (waiting,) if person in ("", waiting.person) else ())

    def retry(self, person: str = "") -> int:
        self.retried.append(person)
        return 1


class House(Remembering):
    """A house in which something may be kept."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, *rules: Rule, own: Any = None, **config: Any
    ) -> None:
        self.tap = FakeHistory()
        monkeypatch.setattr(plugin, "load", lambda kind, name: lambda surroundings: self.tap)
        self.taps = Taps()
        self.stage = Stage(taps=(), settings=rules, own_settings=lambda person: own or {})
        self.stage.house.relay._taps = self.taps
        known = {"history": HistoryTerms(), "archive": ArchiveTerms(), "notice": NoticeTerms(), "contracts": {}}
        self.config = SimpleNamespace(**{**known, **config})
        self.database = Database(folder / "state.db", reactor)
        around: Any = SimpleNamespace(metrics=self.stage.metrics, now=self.stage.clock.seconds)
        terms: Any = lambda: self.config  # noqa: E731
        Remembering.__init__(self, terms, self.stage.house, self.database, self.taps, around)

    def says(self, contact: Any = BOB) -> list[str]:
        """Alice writes; gives what leaves, in words."""
        left = self.stage.from_inside(DESK, contact, HELLO)
        return [each.content.bodies[0][1] for each in left if isinstance(each.content, Message)]

    def kept(self, contact: Any = BOB) -> frozenset[Keeping]:
        return self.kept_between(self.stage.pairs.of(ALICE, contact))


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    made: list[House] = []

    def make(*rules: Rule, **config: Any) -> House:
        made.append(House(tmp_path, monkeypatch, *rules, **config))
        return made[-1]

    yield make
    for each in made:
        pytest_twisted.blockon(each.database.close())


def test_nothing_is_kept_by_default(house: Any) -> None:
    made = house(history=ON)
    assert made.kept() == frozenset() and made.says() == ["hello"] and not made.tap.kept


def test_without_a_server_a_choice_has_no_effect(house: Any) -> None:
    made = house(Rule(Feature.HISTORY, on=True, locked=True))
    assert made.kept() == frozenset() and made.says() == ["hello"]
    assert made.offered == frozenset() and made.history_status()["on"] is False
    with pytest.raises(CommandError):
        made.history_retry(None)


def test_history_is_kept_where_it_is_on_and_the_contact_is_told(house: Any) -> None:
    made = house(Rule(Feature.HISTORY, on=True, partner="partner.example"), history=ON)
    assert made.kept() == {Keeping.HISTORY} and made.kept(CAROL) == frozenset()
    assert len(made.says()) == 2 and len(made.says()) == 1 and made.says(CAROL) == ["hello"]
    assert made.tap.kept == [str(BOB)] * 3  # the notice as well


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        (Mode.NONE, frozenset()),
        (Mode.ACTIVITY, frozenset({Keeping.ACTIVITY})),
        (Mode.CONTENT, frozenset({Keeping.CONTENT})),
    ],
)
def test_the_archive_is_asked_as_well(house: Any, mode: Mode, kept: frozenset[Keeping]) -> None:
    made = house(archive=ArchiveTerms(on=True, mode=mode))
    assert made.kept() == kept
    assert len(made.says()) == 1 + bool(kept)


def test_what_is_archived_is_looked_up_again_under_other_terms(house: Any) -> None:
    made = house()
    assert made.kept() == frozenset()
    made.config.archive = ArchiveTerms(on=True, mode=Mode.CONTENT)
    assert made.kept() == {Keeping.CONTENT}
    made.config.archive = ArchiveTerms(on=True, mode=Mode.ACTIVITY)
    assert made.kept() == {Keeping.ACTIVITY}


def test_an_archive_that_is_off_keeps_nothing(house: Any) -> None:
    assert house(archive=ArchiveTerms(on=False, mode=Mode.CONTENT)).kept() == frozenset()


def test_the_partners_text_then_everybodys_then_ours(house: Any) -> None:
    contract = Contract(partner=PARTNER.name, file="f", disclosure=Texts({"en": "Partner text of {domain}."}))
    made = house(
        Rule(Feature.HISTORY, on=True),
        history=ON,
        contracts={PARTNER.name: contract},
        notice=NoticeTerms(text=Texts({"en": "Text for all."})),
    )
    assert made.says()[0] == "Partner text of corp.example."
    assert made.says(CAROL)[0] == "Text for all."
    made.config.notice = NoticeTerms()
    made.config.contracts = {}
    made._told_contacts.tell(ALICE, CAROL, frozenset(), 0.0)
    assert made.says(CAROL)[0].startswith("Notice from corp.example")


def test_commands_answer_and_read(house: Any) -> None:
    made = house(Rule(Feature.HISTORY, on=True, person=str(ALICE), locked=True), history=ON)
    made.says()
    status = made.history_status()
    assert (status["on"], status["open"], len(status["waiting"])) == (True, 2, 1)
    shown = find(("history", "status")).render(status)
    assert "quota" in shown and str(ALICE) in shown and find(("history", "status")).grade(status) == 1
    mine = made.history_show(str(ALICE))
    assert (mine["on"], mine["set_by"], mine["locked"], mine["waiting"], mine["told"]) == (True, "named", True, 1, 1)
    assert "kept" in find(("history", "show")).render(mine)
    assert made.history_show("dave@corp.example")["on"] is False
    assert made.history_retry(None) == {"count": 1} and made.tap.retried == [""]
    assert "1 conversations" in find(("history", "retry")).render({"count": 1})


@pytest_twisted.ensureDeferred
async def test_people_may_ask_about_themselves_only(house: Any) -> None:
    made = house(history=ON)
    assert (await execute(made, ("history", "show"), {}, DESK))["owner"] == str(ALICE)
    for words in (("history", "status"), ("history", "retry")):
        with pytest.raises(CommandError, match="administrators"):
            await execute(made, words, {}, DESK)


@pytest_twisted.ensureDeferred
async def test_what_contacts_were_told_outlives_the_process(house: Any) -> None:
    made = house(Rule(Feature.HISTORY, on=True), history=ON)
    assert len(made.says()) == 2
    await made.database.close()
    again = house(Rule(Feature.HISTORY, on=True), history=ON)
    assert again.says() == ["hello"]


def test_the_partner_that_is_the_gateway_itself_is_told_nothing(house: Any) -> None:
    made = house(Rule(Feature.HISTORY, on=True), history=ON, archive=ArchiveTerms(on=True, mode=Mode.CONTENT))
    pair = made.stage.pairs.of(ALICE, CAROL)
    pair.facts = evolve(pair.facts, partner=evolve(ALLY, house=True))
    assert made.kept_between(pair) == frozenset()


@pytest_twisted.ensureDeferred
async def test_what_a_contact_was_told_is_part_of_what_is_kept_of_both(house: Any) -> None:
    made = house(Rule(Feature.HISTORY, on=True), history=ON)
    made.says()
    told = [{"person": str(ALICE), "contact": str(BOB), "kept": ["history"]}]
    assert await made.notice_records(str(BOB)) == await made.notice_records(str(ALICE)) == told
    assert await made.notice_erase(str(CAROL)) == (0, "")
    assert await made.notice_erase(str(BOB)) == (1, "")
    assert await made.notice_records(str(ALICE)) == [] and len(made.says()) == 2
