"""Everything that a contact is told, when, and what becomes of it when links, taps and the policy fail."""

from typing import Any

import pytest
from attrs import evolve

from gateway import relay as relay_module
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import Message
from gateway.model.presence import OFFLINE, Field, Mood, Photo, Presence, PresenceDocument, Show
from gateway.model.subscription import Ask, State
from gateway.policy.access_level import Assignment, Member
from gateway.policy.partners import Modality, Partner, Partners, Rates
from gateway.policy.verdict import Reason
from tests.stage import ALICE, BOB, CAROL, DESK, PARTNER, PHONE, START, TABLET, Stage, ask, away, documents, here

NOTE = (("", "in a meeting"),)
HAPPY = {Field.MOOD: Mood("happy")}


class Failing:
    """Is a tap that can be told to fail."""

    def __init__(self, required: bool = True) -> None:
        self.required, self.fails, self.seen = required, False, 0

    def record(self, received: Envelope, verdict: Any) -> None:
        self.seen += 1
        if self.fails:
            raise OSError("disk full")


def test_presence_is_cut_to_the_level_and_each_change_is_told_once() -> None:
    stage = Stage()
    stage.befriend()
    assert documents(stage.online(note=NOTE, show=Show.DND)) == [here(show=Show.DND).document]
    assert stage.online(note=(("", "elsewhere"),), show=Show.DND) == [], "a hidden change causes no traffic"
    assert documents(stage.online(show=Show.AWAY)) == [here(show=Show.AWAY).document]
    assert stage.from_inside(DESK, BOB, away())[0].content == Presence(
        OFFLINE, changed=frozenset({Field.AVAILABILITY, Field.SHOW})
    )


def test_the_most_reachable_endpoint_speaks_and_only_the_last_goes() -> None:
    stage = Stage()
    stage.befriend()
    stage.online(person=PHONE, show=Show.XA)
    assert documents(stage.online(person=DESK)) == [here().document]
    assert documents(stage.from_inside(DESK, BOB, away())) == [here(show=Show.XA).document]
    assert documents(stage.from_inside(PHONE, BOB, away())) == [OFFLINE]


def test_a_smaller_level_is_told_at_once_and_counted() -> None:
    stage = Stage()
    stage.befriend()
    stage.level("team")
    stage.online(note=NOTE)
    assert documents(stage.level("public")) == [here().document]
    assert stage.metrics.revoke_seconds().sum == 0.0 and sum(stage.metrics.revoke_seconds().counts) == 1
    assert documents(stage.level("blocked")) == [OFFLINE]
    assert stage.level("blocked") == []


def test_a_grant_that_ends_takes_its_fields_back_without_any_other_event() -> None:
    stage = Stage()
    stage.befriend()
    stage.assignments.set(Assignment(str(ALICE), Member.parse(str(BOB)), "team", until=START + 100))
    stage.pairs.refresh(stage.pairs.of(ALICE, BOB))
    assert documents(stage.online(note=NOTE)) == [here(note=NOTE).document]
    stage.clock.advance(99)
    stage.house.tick()
    assert stage.outside.taken() == []
    stage.clock.advance(2)
    stage.house.tick()
    assert documents(stage.outside.taken()) == [here().document]


def test_published_information_goes_to_who_may_see_it_and_is_withdrawn() -> None:
    stage = Stage()
    stage.befriend()
    stage.befriend(CAROL)
    stage.level("personal")
    stage.online()
    stage.online(CAROL)
    stage.outside.taken()
    stage.house.published(ALICE, HAPPY)
    told = stage.outside.taken()
    assert [(one.recipient, one.content.changed) for one in told] == [(BOB, frozenset({Field.MOOD}))]  # type: ignore[union-attr]
    stage.house.published(ALICE, {Field.MOOD: None})
    assert [one.recipient for one in stage.outside.taken()] == [BOB]


def test_what_was_withdrawn_while_the_link_was_down_is_withdrawn_when_it_comes_up() -> None:
    stage = Stage()
    pair = stage.befriend()
    stage.level("personal")
    stage.house.published(ALICE, HAPPY)
    assert Field.MOOD in documents(stage.online())[0]
    stage.outside.up = False
    stage.house.published(ALICE, {Field.MOOD: None})
    queued = stage.outside.taken()[0]
    assert pair.waiting
    sent = stage.house.reconsider(queued)
    assert sent is not None and isinstance(sent.content, Presence)
    assert sent.content.document == here().document and Field.MOOD in (sent.content.changed or ())
    assert not pair.waiting


def test_a_narrowing_that_waits_stays_pending_until_it_is_sent() -> None:
    stage = Stage()
    pair = stage.befriend()
    stage.level("team")
    stage.online(note=NOTE)
    stage.outside.up = False
    queued = stage.level("public")[0]
    stage.clock.advance(50)
    stage.house.reveal_again([pair])
    stage.outside.taken()
    assert pair.revoking_since == START
    stage.house.reconsider(queued)
    assert pair.revoking_since is None and stage.metrics.revoke_seconds().sum == 50


@pytest.mark.parametrize("required", [True, False])
def test_a_failing_tap_withholds_only_if_it_is_required(required: bool) -> None:
    tap = Failing(required)
    stage = Stage(taps=[tap])
    stage.befriend()
    stage.level("team")
    tap.fails = True
    assert documents(stage.online(note=NOTE)) == ([] if required else [here(note=NOTE).document])
    told = stage.from_inside(DESK, BOB, Message(id="m1", bodies=NOTE))
    assert len(told) == (0 if required else 1)
    if required:
        assert stage.inside.taken()[-1].content == Bounce("message", "m1", Problem.RESOURCE_CONSTRAINT)


def test_what_could_not_be_recorded_is_told_when_the_tap_is_well_again() -> None:
    tap = Failing()
    stage = Stage(taps=[tap])
    stage.befriend()
    stage.level("team")
    stage.online(note=NOTE)
    tap.fails = True
    assert documents(stage.online(note=(("", "other"),))) == [OFFLINE], "the old presence must not stand"
    stage.house.tick()
    assert stage.outside.taken() == []
    tap.fails = False
    stage.house.tick()
    assert documents(stage.outside.taken()) == [here(note=(("", "other"),)).document]


def test_a_policy_that_fails_shows_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    stage.befriend()
    stage.online()
    monkeypatch.setattr(relay_module, "authorize", lambda *_: 1 / 0)
    assert documents(stage.online(show=Show.AWAY)) == [OFFLINE]
    assert stage.online() == []


def test_a_partner_that_may_see_no_presence_any_more_is_told_unavailable() -> None:
    stage = Stage()
    stage.befriend()
    stage.online()
    closed = evolve(PARTNER, modalities=frozenset({Modality.IM}))
    stage.pairs.take(evolve(stage.pairs.rules, partners=Partners([closed])))
    stage.house.reveal_again(list(stage.pairs))
    assert documents(stage.outside.taken()) == [OFFLINE]
    assert stage.online() == []


def test_contacts_are_gone_when_their_link_is_lost_and_asked_when_it_is_back() -> None:
    stage = Stage()
    stage.befriend()
    stage.befriend(CAROL)
    stage.from_outside(TABLET, ALICE, here())
    stage.from_outside(BOB.at("phone"), ALICE, here())
    stage.from_outside(CAROL.at("x"), ALICE, here())
    stage.house.link_lost("corp.example", "partner.example")
    gone = stage.inside.taken()
    assert [(one.sender.resource, one.content) for one in gone] == [("phone", away()), ("tablet", away())]
    stage.house.link_restored("corp.example", "partner.example")
    assert ask(Ask.PROBE).ask in [getattr(one.content, "ask", None) for one in stage.outside.taken()]


def test_our_people_are_gone_when_the_inside_is_lost_and_asked_for_when_it_is_back() -> None:
    for local in ("partner.example", ""):
        stage = Stage()
        stage.befriend()
        stage.online()
        stage.house.link_lost(local, "corp.example")
        assert documents(stage.outside.taken()) == [OFFLINE]
        stage.house.link_restored(local, "corp.example")
        assert [(one.sender, one.recipient, one.content.ask) for one in stage.inside.taken()] == [  # type: ignore[union-attr]
            (BOB, ALICE, Ask.PROBE)
        ]
        assert documents(stage.online()) == [here().document]


def test_who_cannot_be_heard_yet_is_told_and_not_asked() -> None:
    stage = Stage()
    stage.befriend()
    stage.online()
    stage.outside.taken()
    stage.house.link_restored("corp.example", "partner.example", ask=False)
    assert documents(stage.outside.taken()) == [here().document]
    stage.house.link_restored("partner.example", "corp.example", ask=False)
    assert stage.inside.taken() == []


def test_another_domains_loss_concerns_nobody_here() -> None:
    stage = Stage()
    stage.befriend()
    stage.online()
    stage.from_outside(TABLET, ALICE, here())
    stage.house.link_lost("ally.example", "corp.example")
    stage.house.link_lost("corp.example", "ally.example")
    assert stage.silent()


def test_presence_of_a_contact_whom_nobody_watches_is_ignored() -> None:
    stage = Stage()
    assert stage.from_outside(TABLET, ALICE, here()) == []
    assert not stage.pairs.of(ALICE, BOB).heard


def test_a_contact_cannot_fill_the_table_of_his_resources() -> None:
    stage = Stage()
    pair = stage.befriend()
    for number in range(200):
        stage.from_outside(BOB.at(f"r{number}"), ALICE, here())
    assert len(pair.heard) == 50
    assert stage.from_outside(BOB.at("r0"), ALICE, here(show=Show.AWAY)) != []
    assert len(stage.from_outside(BOB, ALICE, away())) == 50 and not pair.heard
    assert stage.metrics.limited("partner.example", "table").value == 150


def test_a_partner_over_its_rate_is_refused_but_good_byes_count() -> None:
    slow = Partner("partner.example", frozenset({"partner.example"}), rates=Rates(1, 1, 2))
    stage = Stage(slow)
    stage.befriend()
    stage.from_outside(TABLET, ALICE, here())
    for _ in range(3):
        stage.from_outside(TABLET, ALICE, Message(id="m", bodies=NOTE))
    refused = stage.outside.taken()
    assert [one.content for one in refused] == [Bounce("message", "m", Problem.RESOURCE_CONSTRAINT)] * 2
    assert documents(stage.from_outside(TABLET, ALICE, away())) == [OFFLINE]
    assert [one.content for one in stage.from_outside(BOB, ALICE, ask(Ask.UNSUBSCRIBED))] == [ask(Ask.UNSUBSCRIBED)]
    assert stage.metrics.limited("partner.example", "stanzas").value >= 2
    stage.clock.advance(5)
    assert stage.from_outside(TABLET, ALICE, Message(id="m", bodies=NOTE)) != []


def test_what_waited_is_decided_about_once_more() -> None:
    stage = Stage()
    message = Message(id="m1", bodies=NOTE)
    queued = stage.from_inside(DESK, BOB, message)[0]
    assert stage.house.reconsider(queued) == queued
    stage.level("blocked")
    assert stage.house.reconsider(queued) is None
    assert stage.inside.taken() == [Envelope(BOB, DESK, Bounce("message", "m1", Problem.NOT_ACCEPTABLE), Side.EXTERNAL)]
    bounce = Envelope(ALICE, BOB, Bounce("message", "x", Problem.GONE), Side.INTERNAL)
    assert stage.house.reconsider(bounce) == bounce


def test_what_was_disclosed_after_a_wait_is_recorded() -> None:
    tap = Failing()
    stage = Stage(taps=[tap])
    stage.befriend()
    stage.outside.up = False
    queued = stage.online()[0]
    before = tap.seen
    stage.level("team")
    stage.online(note=NOTE)
    seen = tap.seen
    assert stage.house.reconsider(queued) is not None and tap.seen == seen + 1 > before


def test_a_question_that_cannot_be_carried_out_is_answered_to_the_resource_that_asked() -> None:
    stage = Stage()
    carried = stage.from_inside(DESK, BOB, Query(QueryKind.CARD, "v1"))[0]
    stage.house.undeliverable(carried, Problem.REMOTE_SERVER_NOT_FOUND)
    told = Bounce("query", "v1", Problem.REMOTE_SERVER_NOT_FOUND)
    assert stage.inside.taken() == [Envelope(BOB, DESK, told, Side.EXTERNAL)]
    assert stage.metrics.queue_dropped("partner.example", Reason.LINK_DOWN).value == 1


def test_a_request_that_did_not_reach_the_person_can_be_made_again() -> None:
    stage = Stage()
    queued = stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE))[0]
    stage.house.undeliverable(queued, Problem.REMOTE_SERVER_TIMEOUT)
    assert stage.states.state(ALICE, BOB) is State.NONE
    assert [one.content for one in stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE))] == [ask(Ask.SUBSCRIBE)]


def test_good_bye_reaches_both_sides_once_and_nothing_after_it() -> None:
    stage = Stage()
    stage.befriend()
    stage.online()
    stage.from_outside(TABLET, ALICE, here())
    stage.house.close()
    assert documents(stage.outside.taken()) == [OFFLINE] and documents(stage.inside.taken()) == [OFFLINE]
    assert stage.online(show=Show.AWAY) == [] and stage.silent()


def test_a_picture_that_is_gone_is_not_shown_any_longer_and_another_is_fetched_once() -> None:
    stage = Stage()
    stage.befriend()
    stage.level("company")
    old, new = Photo("image/png", b"1", "1" * 40), Photo("image/png", b"2", "2" * 40)
    stage.inside.cards[ALICE] = PresenceDocument({Field.PHOTO: old})
    assert documents(stage.online())[-1][Field.PHOTO] == old
    stage.house.picture_changed(ALICE, "")
    assert Field.PHOTO not in documents(stage.outside.taken())[-1]
    stage.inside.asked.clear()
    for _ in range(3):
        stage.house.picture_changed(ALICE, new.sha1)
        stage.online()
    assert len(stage.inside.asked) == 1, "a picture that the card does not show must not be asked for again and again"


def test_an_unknown_contact_is_refused_without_a_trace() -> None:
    stage = Stage()
    stranger = Address.parse("eve@stranger.example")
    assert stage.online(stranger) == [] and stage.from_outside(stranger, ALICE, here()) == []
    assert len(stage.pairs) == 0


def test_an_answer_that_waited_is_cut_to_what_is_permitted_when_it_leaves() -> None:
    stage = Stage()
    stage.inside.cards[ALICE] = PresenceDocument({Field.DISPLAY_NAME: "Alice", Field.PHONE_HOME: ("555-0100",)})
    stage.level("personal")
    stage.from_outside(TABLET, ALICE, Query(QueryKind.CARD, "v1"))
    queued = stage.outside.taken()[0]
    stage.level("public")
    sent = stage.house.reconsider(queued)
    assert sent is not None and sent.content.document == PresenceDocument({Field.DISPLAY_NAME: "Alice"})  # type: ignore[union-attr]
    stage.level("blocked")
    refused = stage.house.reconsider(queued)
    assert refused is not None and refused.content.document is None  # type: ignore[union-attr]
