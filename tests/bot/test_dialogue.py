"""What people say to the bot, over the real commands on a real house."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import pytest_twisted

from gateway.bot.catalogue import load
from gateway.bot.dialogue import CONFIRM_SECONDS, Dialogue
from gateway.commands import execute
from gateway.model.presence import Field
from gateway.model.subscription import Ask, State, Subscription
from gateway.offices.administration import Administration
from gateway.offices.choices import Choices
from gateway.offices.strangers import Strangers as Requests
from gateway.policy.partners import Partner, Strangers
from gateway.policy.settings import Feature, Rule
from tests.offices.test_choices import Words
from tests.stage import ALICE, CAROL, DESK, Stage, documents

CATALOGUES = load()


class Desk(Administration, Choices, Requests):
    """The commands of a daemon, on a stage."""

    def __init__(self, stage: Stage, words: Words) -> None:
        Administration.__init__(
            self, stage.house, stage.assignments, {"xmpp": stage.outside}, dict, stage.clock.seconds
        )
        Choices.__init__(self, stage.house, words, stage.clock.seconds)
        Requests.__init__(self, stage.house, self.levels_set, stage.clock.seconds)


class Talk:
    """Alice and the bot."""

    def __init__(
        self, *rules: Rule, language: str = "en", partners: Sequence[Partner] = (), level: str = "public"
    ) -> None:
        words = self.words = Words()
        self.stage = Stage(*partners, level=level, settings=rules, own_settings=words.settings)
        self.stage.befriend()
        self.stage.online(note=(("", "in the office"),))
        self.stage.outside.taken()
        self.desk = Desk(self.stage, words)
        levels = ["blocked", "public", "company", "team", "personal"]
        self.bot = Dialogue(self._ask, self.stage.clock.seconds, "corp.example", lambda: levels, CATALOGUES, language)

    async def _ask(self, words: str, arguments: Mapping[str, Any]) -> Any:
        return await execute(self.desk, words.split(), arguments, DESK)

    async def say(self, *texts: str) -> str:
        """Says things one after the other; gives the last answer."""
        answer = ""
        for text in texts:
            answer = await self.bot.reply(text)
        return answer

    def told(self) -> list[frozenset[Field]]:
        """Gives which fields contacts were told since the last time."""
        return [document.names for document in documents(self.stage.outside.taken())]


@pytest_twisted.ensureDeferred
async def test_who_lists_contacts_with_numbers_that_may_be_used_afterwards() -> None:
    talk = Talk()
    answer = await talk.say("who")
    assert "1 bob@partner.example  Public" in answer
    assert "bob@partner.example sees now: availability." in await talk.say("1 show")


@pytest_twisted.ensureDeferred
async def test_a_level_is_shown_before_it_is_saved() -> None:
    talk = Talk()
    answer = await talk.say("bob company")
    assert "Public -> Company" in answer and "New: note" in answer and answer.endswith("yes or no")
    assert talk.told() == []
    assert "bob@partner.example has Company now." in await talk.say("yes")
    assert Field.NOTE in talk.told()[-1]


@pytest_twisted.ensureDeferred
async def test_no_leaves_everything_as_it_was() -> None:
    talk = Talk()
    assert await talk.say("bob company", "no") == "Left as it was."
    assert "nothing to confirm" in await talk.say("yes")
    assert talk.told() == []


@pytest_twisted.ensureDeferred
async def test_a_yes_that_comes_late_or_after_something_else_saves_nothing() -> None:
    talk = Talk()
    await talk.say("bob company")
    talk.stage.clock.advance(CONFIRM_SECONDS + 1)
    assert "nothing to confirm" in await talk.say("yes")
    assert "nothing to confirm" in await talk.say("bob company", "who", "yes")
    assert talk.told() == []


@pytest_twisted.ensureDeferred
async def test_whoever_is_blocked_for_a_time_sees_nobody_and_then_somebody_again() -> None:
    talk = Talk()
    assert "is blocked until" in await talk.say("bob block 2h", "yes")
    assert talk.told() == [frozenset()]
    talk.stage.clock.advance(7200)
    talk.stage.house.tick()
    assert Field.AVAILABILITY in talk.told()[-1]


@pytest_twisted.ensureDeferred
async def test_reset_shows_what_everybody_has_and_takes_the_own_level_back() -> None:
    talk = Talk()
    await talk.say("bob company", "yes")
    talk.told()
    answer = await talk.say("bob reset")
    assert "Company -> Public" in answer and "No longer: note" in answer
    assert talk.told() == []
    assert "has what everybody" in await talk.say("yes")
    assert Field.NOTE not in talk.told()[-1]


@pytest_twisted.ensureDeferred
async def test_a_ceiling_is_told_before_a_level_is_given() -> None:
    narrow = Partner(
        "partner.example",
        frozenset({"partner.example"}),
        ceiling=frozenset({Field.AVAILABILITY}),
        ceiling_name="public",
    )
    talk = Talk(partners=[narrow])
    assert "at most" in await talk.say("bob personal")


@pytest_twisted.ensureDeferred
async def test_why_names_the_reason_and_what_would_change_it() -> None:
    talk = Talk()
    answer = await talk.say("bob why note")
    assert "does not see your note: level" in answer and "company" in answer


@pytest_twisted.ensureDeferred
async def test_publish_hide_and_unhide() -> None:
    talk = Talk(level="team")
    answer = await talk.say("publish mobile +1 202 555 0143")
    assert "Publish mobile: +1 202 555 0143" in answer
    assert "Sees it now: bob@partner.example" in await talk.say("yes")
    assert "mobile: from you" in await talk.say("publish")
    assert "kept from everybody" in await talk.say("hide note", "yes")
    assert Field.NOTE not in talk.told()[-1]
    assert "kept back by you" in await talk.say("publish")
    await talk.say("unhide note", "yes")
    assert Field.NOTE in talk.told()[-1]
    assert "no more" in await talk.say("publish mobile off")


@pytest_twisted.ensureDeferred
async def test_what_is_locked_is_refused_with_the_layer() -> None:
    talk = Talk(Rule(Field.NOTE, on=False, locked=True), level="team")
    assert "your administrator, for everybody" in await talk.say("unhide note", "yes")


@pytest_twisted.ensureDeferred
async def test_a_request_is_answered_with_a_level_that_is_shown_first() -> None:
    talk = Talk(
        partners=[
            Partner("ally.example", frozenset({"ally.example"}), strangers=Strangers.ASK),
            Partner("partner.example", frozenset({"partner.example"})),
        ]
    )
    asked = []
    talk.stage.house.roster.on_request = asked.append
    talk.stage.from_outside(CAROL, ALICE, Subscription(Ask.SUBSCRIBE, "s1"))
    assert [pair.contact for pair in asked] == [CAROL]
    assert "1 carol@ally.example" in await talk.say("requests")
    answer = await talk.say("accept 1 company")
    assert "Company" in answer and talk.told() == []
    done = await talk.say("yes")
    assert "is accepted at Company" in done and "say yes in your own program too" in done
    pair = talk.stage.pairs.of(ALICE, CAROL)
    assert pair.facts.subscription is State.FROM and pair.facts.level.name == "company"
    assert "Nobody waits" in await talk.say("requests")


@pytest_twisted.ensureDeferred
async def test_a_request_that_is_refused_is_taken_back_from_the_persons_server() -> None:
    talk = Talk(
        partners=[
            Partner("ally.example", frozenset({"ally.example"})),
            Partner("partner.example", frozenset({"partner.example"})),
        ]
    )
    talk.stage.from_outside(CAROL, ALICE, Subscription(Ask.SUBSCRIBE, "s1"))
    assert "is refused" in await talk.say("refuse carol")
    assert [envelope.content for envelope in talk.stage.inside.taken()] == [Subscription(Ask.UNSUBSCRIBE)]
    assert talk.stage.outside.taken()[-1].content == Subscription(Ask.UNSUBSCRIBED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "hello",
        "bob",
        "bob frobnicate",
        "dave show",
        "bob team until never",
        "hide nonsense",
        "publish nonsense x",
        "accept eve@x.example company",
        "9 show",
        "bob@@ team",
        "publish mobile call me",
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_makes_no_sense_gets_a_clear_answer_and_changes_nothing(text: str) -> None:
    talk = Talk()
    answer = await talk.say(text)
    assert answer
    answer = await talk.say("yes") if text.startswith("publish mobile") else answer
    assert talk.told() == []


@pytest_twisted.ensureDeferred
async def test_a_person_may_choose_the_language() -> None:
    talk = Talk()
    for language in CATALOGUES:
        answer = await talk.say(f"language {language}")
        assert answer == CATALOGUES[language].say("language_set")
    assert ", ".join(sorted(CATALOGUES)) in await talk.say("language xx")


class Keeper(Desk):
    """A desk with a history."""

    offered_here = True
    locked = False

    def history_show(self, owner: str) -> dict[str, Any]:
        """Says what `Remembering.history_show` says."""
        on = bool(self._words.settings(owner).get(Feature.HISTORY))
        parts = {"on": on, "locked": self.locked, "folder": "Conversation History", "waiting": 2}
        return {"owner": owner, "offered": self.offered_here, **parts}


@pytest_twisted.ensureDeferred
async def test_a_person_switches_his_history_on_and_off() -> None:
    talk = Talk()
    talk.desk = Keeper(talk.stage, talk.words)
    assert "not kept" in await talk.say("history show")
    assert "Each of them is told" in await talk.say("history on")
    assert "not kept" in await talk.say("history")
    assert "kept in your mailbox from now on" in await talk.say("history on", "yes")
    assert "folder Conversation History. 2 wait" in await talk.say("history")
    assert "not kept in your mailbox any more" in await talk.say("history off", "yes")
    assert "not kept" in await talk.say("history")


@pytest_twisted.ensureDeferred
async def test_a_locked_history_stays() -> None:
    talk = Talk(Rule(Feature.HISTORY, on=False, locked=True))
    talk.desk = Keeper(talk.stage, talk.words)
    talk.desk.locked = True
    assert "Your administrator has decided" in await talk.say("history")
    assert "you cannot change that" in await talk.say("history on", "yes")


@pytest_twisted.ensureDeferred
async def test_without_a_history_nothing_can_be_switched() -> None:
    talk = Talk()
    talk.desk = Keeper(talk.stage, talk.words)
    talk.desk.offered_here = False
    assert "no conversation history" in await talk.say("history on")


@pytest.mark.parametrize(("language", "on"), [("de", "verlauf an"), ("fr", "historique active")])
@pytest_twisted.ensureDeferred
async def test_history_in_other_languages(language: str, on: str) -> None:
    talk = Talk(language=language)
    talk.desk = Keeper(talk.stage, talk.words)
    yes = {"de": "ja", "fr": "oui"}[language]
    assert "Conversation History" in await talk.say(on)
    await talk.say(yes)
    assert talk.words.settings(ALICE)[Feature.HISTORY] is True
