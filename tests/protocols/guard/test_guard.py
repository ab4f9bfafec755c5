"""The guard takes what the writers make of a stripped document, and nothing of what was not stripped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.presence import Field, PresenceDocument
from gateway.policy.published_info import strip
from gateway.protocols.guard.shape import Difference
from gateway.protocols.guard.xmpp import check_stanzas
from tests.protocols.documents import CANARIES, documents
from tests.protocols.guard.written import CONTACT, EVERYTHING, PERSON, forms

FIELDS = sorted(Field, key=lambda name: name.value)
TOGETHER = [
    {Field.NOTE, Field.OUT_OF_OFFICE},
    {Field.ACTIVITY, Field.MEETING_SUBJECT, Field.MEETING_LOCATION, Field.OUT_OF_OFFICE},
    {Field.SHOW, Field.ACTIVITY},
    {Field.IDLE, Field.LAST_ACTIVE},
    {Field.COMPANY, Field.DEPARTMENT},
    {Field.OFFICE, Field.ADDRESS_WORK},
    {Field.CAPABILITIES, Field.DEVICE},
]
"""Fields that can stand in one and the same place: there the bytes alone do not tell which of them it is."""

APART = [name for name in FIELDS if name is not Field.AVAILABILITY and not any(name in group for group in TOGETHER)]


def _alone(name: Field) -> PresenceDocument:
    return PresenceDocument({Field.AVAILABILITY: True, name: CANARIES[name][0]})


@settings(max_examples=200, deadline=None)
@given(documents(), st.sets(st.sampled_from(FIELDS)))
def test_what_is_written_of_a_stripped_document_passes(document: PresenceDocument, permitted: set[Field]) -> None:
    allowed = frozenset(permitted)
    seen = strip(document, allowed)
    if Field.AVAILABILITY not in seen:
        seen = PresenceDocument()
    assert [written.name for written in forms(seen) if not written.passes(allowed)] == []


@pytest.mark.parametrize("name", FIELDS, ids=lambda name: name.value)
def test_what_a_field_adds_is_refused_without_it(name: Field) -> None:
    bare = PresenceDocument() if name is Field.AVAILABILITY else PresenceDocument({Field.AVAILABILITY: True})
    plain = {each.name: each.form for each in forms(bare)}
    adding = [each for each in forms(_alone(name)) if each.form != plain[each.name]]
    assert adding, "no protocol says this field"
    withheld = {name}.union(*(group for group in TOGETHER if name in group))
    for written in adding:
        assert written.passes(frozenset(Field)), written.name
        assert not written.passes(frozenset(Field) - withheld), written.name
        assert not written.passes(frozenset()), written.name


@settings(max_examples=200, deadline=None)
@given(documents(), st.sampled_from(APART))
def test_one_field_too_many_is_found_wherever_it_is_said(document: PresenceDocument, leaked: Field) -> None:
    without = PresenceDocument({name: document[name] for name in document if name is not leaked})
    full = PresenceDocument({**{name: without[name] for name in without}, leaked: CANARIES[leaked][0]})
    allowed = frozenset(Field) - {leaked}
    stripped = {each.name: each.form for each in forms(without)}
    for written in forms(full):
        if written.name in stripped and written.form != stripped[written.name]:
            assert not written.passes(allowed), written.name


HEAD = f"from='{PERSON}' to='{CONTACT}'"


@pytest.mark.parametrize(
    "text",
    [
        f"<presence {HEAD}><show>dnd</show><priority>1</priority></presence>",
        f"<presence {HEAD}>text</presence>",
        f"<presence {HEAD}><show a='b'>dnd</show></presence>",
        f"<presence {HEAD}><show>sleeping</show></presence>",
        f"<presence {HEAD}><show>dnd<b/></show></presence>",
        f"<presence {HEAD} type='unavailable'><status>gone</status></presence>",
        f"<presence {HEAD} type='nonsense'/>",
        f"<presence {HEAD}><status xmlns='urn:other'>x</status></presence>",
        f"<presence {HEAD}><!-- alice is at the dentist --></presence>",
        f"<presence {HEAD}><?php alice?></presence>",
        f"<presence {HEAD}/>alice",
        f"<presence {HEAD}><x xmlns='vcard-temp:x:update'><photo>alice</photo></x></presence>",
        f"<presence from='alice@corp.example/desk' to='{CONTACT}'/>",
        f"<presence from='{PERSON}' to='eve@stranger.example'/>",
        f"<presence {HEAD}><status>&alice;</status></presence>",
        f"<presence {HEAD}",
        f"<message {HEAD} type='groupchat'><body>hi</body><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='x'/></message>",
        f"<message {HEAD}><body>hi</body><forwarded xmlns='urn:xmpp:forward:0'/></message>",
        f"<iq {HEAD} type='set' id='1'><query xmlns='jabber:iq:roster'/></iq>",
        f"<iq {HEAD} type='result' id='1'><query xmlns='jabber:iq:version'><name>x</name></query></iq>",
        "<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>",
    ],
)
def test_what_no_table_knows_is_refused_whatever_is_allowed(text: str) -> None:
    with pytest.raises(Difference) as caught:
        check_stanzas(text, PERSON, CONTACT, EVERYTHING | {"may.im"})
    assert "alice" not in str(caught.value) and "dentist" not in str(caught.value)


def test_an_exact_time_needs_more_than_a_coarse_one() -> None:
    form = "<presence {}><idle xmlns='urn:xmpp:idle:1' since='2026-01-31T12:{}Z'/></presence>"
    allowed = frozenset({"availability", "idle"})
    check_stanzas(form.format(HEAD, "15:00"), PERSON, CONTACT, allowed)
    with pytest.raises(Difference):
        check_stanzas(form.format(HEAD, "15:01"), PERSON, CONTACT, allowed)
    check_stanzas(form.format(HEAD, "15:01"), PERSON, CONTACT, allowed | {"last_active"})


@pytest.mark.parametrize(
    ("inside", "needed"),
    [
        ("<body>hi</body>", "may.im"),
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", "may.typing"),
        ("<request xmlns='urn:xmpp:receipts'/>", "may.receipts"),
        ("<replace xmlns='urn:xmpp:message-correct:0' id='1'/>", "may.corrections"),
        ("<openpgp xmlns='urn:xmpp:openpgp:0'>YQ==</openpgp>", "may.encrypted"),
    ],
)
def test_each_part_of_a_message_needs_its_modality(inside: str, needed: str) -> None:
    text = f"<message {HEAD} type='chat' id='1'>{inside}</message>"
    check_stanzas(text, PERSON, CONTACT, frozenset({needed}))
    with pytest.raises(Difference):
        check_stanzas(text, PERSON, CONTACT, EVERYTHING)
