"""What leaves in a presence update or an answer: exactly what is permitted, with a canary in every value."""

from collections.abc import Iterator

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.envelope import Answer, Query, QueryKind, Side
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument
from gateway.model.subscription import State
from gateway.policy.access_level import STANDARD
from gateway.policy.authorization import Facts, disclosure, permission
from gateway.policy.partners import Lock, Modality
from gateway.policy.published_info import PRESENCE_FIELDS
from gateway.policy.verdict import Decision, Reason, Verdict
from tests.policy.samples import (
    CANARY,
    PARTNER,
    any_facts,
    document_of,
    documents,
    facts_of,
    full_document,
    sent,
    spelled_out,
    value_of,
)

CARD = Query(QueryKind.CARD, "q1")


def seen_by(verdict: Verdict) -> PresenceDocument:
    """Gives the document that goes on; nothing when nothing goes on."""
    content = verdict.content
    if isinstance(content, Presence):
        return content.document
    document = content.document if isinstance(content, Answer) else None
    return document if isinstance(document, PresenceDocument) else OFFLINE


def outward(document: PresenceDocument, facts: Facts) -> Iterator[Verdict]:
    """Every way in which a document can leave."""
    yield sent(Presence(document, 7), facts)
    yield sent(Answer(CARD, document), facts)


@given(documents(), any_facts())
def test_only_permitted_fields_leave_and_each_unchanged(document: PresenceDocument, facts: Facts) -> None:
    """I11 *Non-interference*."""
    permitted = permission(facts).fields
    for verdict in outward(document, facts):
        seen = seen_by(verdict)
        assert seen.names <= permitted & document.names
        assert verdict.sent == seen.names
        assert all(seen[name] == document[name] for name in seen if name is not Field.CAPABILITIES)
        assert seen.get(Field.CAPABILITIES) in (None, frozenset())  # the sample's client can do nothing that we know


@pytest.mark.parametrize("allowed", [{Modality.TYPING}, {Modality.TYPING, Modality.RECEIPTS}, set()])
def test_a_client_is_said_to_do_only_what_the_contract_lets_cross(allowed: set[Modality]) -> None:
    able = frozenset({"chat_states", "receipts", "something else"})
    document = PresenceDocument({Field.AVAILABILITY: True, Field.CAPABILITIES: able})
    contract = evolve(PARTNER, modalities=frozenset({Modality.PRESENCE, *allowed}))
    facts = evolve(facts_of("company"), partner=contract)
    seen, withheld = disclosure(document, permission(facts))
    words = {Modality.TYPING: "chat_states", Modality.RECEIPTS: "receipts"}
    assert seen[Field.CAPABILITIES] == {words[modality] for modality in allowed} and not withheld


@given(documents(), any_facts())
def test_no_canary_of_a_withheld_field_is_anywhere_in_the_verdict(document: PresenceDocument, facts: Facts) -> None:
    permitted = permission(facts).fields
    for verdict in outward(document, facts):
        text = spelled_out(seen_by(verdict))
        for name in set(Field) - permitted:
            assert f"{CANARY}:{name.value};" not in text
        assert CANARY not in repr(verdict)
        assert CANARY not in str(verdict.content)


@given(documents(), any_facts(), st.sets(st.sampled_from(list(Field))))
def test_hidden_changes_change_nothing(document: PresenceDocument, facts: Facts, touched: set[Field]) -> None:
    """Two runs that differ only in what the contact may not see give the same content (I11, I20)."""
    hidden = (touched - permission(facts).fields) - {Field.AVAILABILITY}
    other = PresenceDocument(
        {
            **{name: document[name] for name in document if name not in hidden},
            **dict.fromkeys(hidden - document.names, "new"),
        }
    )
    for first, second in zip(outward(document, facts), outward(other, facts), strict=True):
        assert (first.decision, first.content, first.problem) == (second.decision, second.content, second.problem)


@given(documents(), any_facts())
def test_every_published_field_is_sent_or_accounted_for(document: PresenceDocument, facts: Facts) -> None:
    for verdict in outward(document, facts):
        if verdict.decision is Decision.DELIVER and verdict.reason is Reason.ALLOWED:
            assert verdict.sent | set(verdict.withheld) == document.names
            assert not verdict.sent & set(verdict.withheld)


RESTRICTIONS = {
    "lock": lambda facts, name: evolve(facts, locks=(*facts.locks, Lock(name))),
    "ceiling": lambda facts, name: evolve(
        facts, partner=facts.partner and evolve(facts.partner, ceiling=facts.partner.ceiling - {name})
    ),
    "level": lambda facts, name: evolve(facts, level=evolve(facts.level, fields=facts.level.fields - {name})),
    "presence": lambda facts, name: evolve(
        facts,
        partner=facts.partner and evolve(facts.partner, modalities=facts.partner.modalities - {Modality.PRESENCE}),
    ),
    "queries": lambda facts, name: evolve(
        facts, partner=facts.partner and evolve(facts.partner, modalities=facts.partner.modalities - {Modality.QUERIES})
    ),
    "blocked": lambda facts, name: evolve(facts, level=STANDARD["blocked"]),
    "partner": lambda facts, name: evolve(facts, partner=None),
    "subscription": lambda facts, name: evolve(facts, subscription=State.NONE),
}


@given(st.sampled_from(list(RESTRICTIONS)), documents(), any_facts(), st.sampled_from(list(Field)))
def test_no_restriction_ever_shows_more(
    restriction: str, document: PresenceDocument, facts: Facts, name: Field
) -> None:
    narrower = RESTRICTIONS[restriction](facts, name)
    for before, after in zip(outward(document, facts), outward(document, narrower), strict=True):
        assert seen_by(after).names <= seen_by(before).names


@given(documents(), any_facts())
def test_disclosure_applied_twice_is_disclosure(document: PresenceDocument, facts: Facts) -> None:
    permitted = permission(facts)
    seen, withheld = disclosure(document, permitted)
    assert disclosure(seen, permitted) == (seen, {})
    assert set(withheld) == document.names - permitted.fields


def test_blocked_offline_and_unentitled_get_the_same_content() -> None:
    """I10 *Indistinguishability*, for presence."""
    everything = Presence(full_document(), 9)
    views = [
        sent(everything, facts_of("blocked")),
        sent(everything, facts_of("blocked", assignment=None)),
        sent(everything, facts_of("personal", locks=(Lock(Field.AVAILABILITY),))),
        sent(everything, evolve(facts_of("personal"), partner=evolve(PARTNER, ceiling=frozenset({Field.NOTE})))),
        sent(Presence(OFFLINE), facts_of("personal")),
        sent(Presence(OFFLINE, 5), facts_of("blocked")),
        sent(Presence(document_of(*set(Field) - {Field.AVAILABILITY})), facts_of("personal")),
    ]
    assert {(view.decision, view.content, view.problem, view.sent) for view in views} == {
        (Decision.DELIVER, Presence(OFFLINE, 0), None, frozenset())
    }


def test_blocked_unknown_and_empty_cards_get_the_same_answer() -> None:
    """I10 *Indistinguishability*, for questions."""
    views = [
        sent(Answer(CARD, full_document()), facts_of("blocked")),
        sent(Answer(CARD, full_document()), facts_of("blocked", assignment=None)),
        sent(Answer(CARD, None), facts_of("personal")),
        sent(Answer(CARD, OFFLINE), facts_of("personal")),
        sent(Answer(CARD, "a text that is no document"), facts_of("personal")),
        sent(Answer(CARD, {Field.TITLE: CANARY}), facts_of("personal")),
        sent(
            Answer(CARD, full_document()),
            evolve(facts_of("personal"), partner=evolve(PARTNER, modalities=frozenset({Modality.PRESENCE}))),
        ),
    ]
    for view in views:
        assert (view.decision, view.content, view.problem) == (Decision.DELIVER, Answer(CARD, None), None)
        assert isinstance(view.content, Answer) and view.content.document is None


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("level", ["public", "company", "team", "personal"])
def test_answer_tells_the_present_only_to_the_subscribed(state: State, level: str) -> None:
    verdict = sent(Answer(CARD, full_document()), facts_of(level, subscription=state))
    entitled = STANDARD[level].fields - (frozenset() if state.contact_watches else PRESENCE_FIELDS)
    assert seen_by(verdict).names == entitled
    if not state.contact_watches:
        assert verdict.withheld[Field.AVAILABILITY] is Reason.NOT_SUBSCRIBED


@pytest.mark.parametrize("state", list(State))
def test_directed_presence_shows_the_level_and_not_more(state: State) -> None:
    """A person who sends presence to somebody unsubscribed tells him what his level sees (RFC 6121 section 4.6)."""
    verdict = sent(Presence(full_document()), facts_of("public", subscription=state))
    assert seen_by(verdict).names == STANDARD["public"].fields


def test_outward_presence_never_tells_the_priority() -> None:
    verdict = sent(Presence(full_document(), 42), facts_of("personal"))
    assert isinstance(verdict.content, Presence) and verdict.content.priority == 0


def test_unavailable_presence_carries_nothing_with_it() -> None:
    verdict = sent(Presence(document_of(Field.NOTE, Field.TITLE)), facts_of("personal"))
    assert verdict.content == Presence(OFFLINE)
    assert verdict.withheld == {Field.NOTE: Reason.NOT_PUBLISHED, Field.TITLE: Reason.NOT_PUBLISHED}


def test_a_contacts_own_answer_comes_in_whole() -> None:
    """Our levels say what leaves, not what a contact tells about himself."""
    verdict = sent(Answer(CARD, full_document()), facts_of("public", subscription=State.NONE), Side.EXTERNAL)
    assert verdict.content == Answer(CARD, full_document()) and verdict.decision is Decision.DELIVER


F_VECTORS = [
    ("F1", "public", "availability show display_name title company email", "note phone.mobile last_active activity"),
    ("F2", "company", "availability note phone.work show activity", "phone.mobile phone.home location"),
    ("F3", "team", "availability show phone.mobile", "phone.home phone.other address.home"),
    ("F4", "personal", "show phone.home phone.other", ""),
    ("F5", "blocked", "", " ".join(name.value for name in Field)),
    ("F6", "public", "availability", "last_active idle device capabilities"),
]


@pytest.mark.parametrize(("level", "visible", "hidden"), [v[1:] for v in F_VECTORS], ids=[v[0] for v in F_VECTORS])
def test_conformance_vector(level: str, visible: str, hidden: str) -> None:
    seen = seen_by(sent(Presence(full_document()), facts_of(level)))
    names = {name.value for name in seen}
    assert set(visible.split()) <= names
    assert not set(hidden.split()) & names
    for name in hidden.split():
        assert f"{CANARY}:{name};" not in spelled_out(seen)


def test_f7_a_lower_level_gives_a_new_document_without_the_note() -> None:
    before = sent(Presence(full_document()), facts_of("company"))
    after = sent(Presence(full_document()), facts_of("public"))
    assert seen_by(before)[Field.NOTE] == value_of(Field.NOTE)
    assert Field.NOTE not in seen_by(after) and seen_by(after).available
    assert after.withheld[Field.NOTE] is Reason.LEVEL


def test_f10_a_contact_whom_nobody_named_sees_nothing_when_the_default_is_blocked() -> None:
    for verdict in outward(full_document(), facts_of("blocked", assignment=None)):
        assert len(seen_by(verdict)) == 0
