"""The words and numbers that configurations, databases and other servers know, written out: they must not change."""

from enum import Enum

import pytest

from gateway.model.presence import Field
from gateway.model.rule_set import Attribute, Grant, Selection, SubHandling
from gateway.policy.access_level import CUSTOM_RANK, Member, MemberKind, Origin
from gateway.policy.archiving import NOTHING, ArchiveRule, Mode
from gateway.policy.explanation import Outcome
from gateway.policy.notices import Keeping
from gateway.policy.partners import (
    CAPABILITY_MODALITIES,
    DISCOVERED_RATES,
    MOST_FOUND,
    Discovery,
    Lock,
    Modality,
    Partner,
    Rates,
    Start,
    Strangers,
    Verification,
)
from gateway.policy.precedence import Layer, Setting, allowed
from gateway.policy.presence_rules import CIPID, CLASSES, PRESENCE_SCHEMES, SHOW, fields_granted, grant_for
from gateway.policy.settings import Feature
from gateway.policy.settings import Rule as SettingRule
from gateway.policy.verdict import Decision, Permission, Reason

WORDS: dict[type[Enum], str] = {
    MemberKind: "contact domain subdomains network everyone",
    Origin: "administrator person client default",
    Feature: "typing receipts queries history",
    Modality: "presence im typing receipts corrections queries encrypted",
    Strangers: "accept ask refuse",
    Verification: "always marked never",
    Start: "both ours theirs",
    Decision: "deliver refuse ignore",
    Outcome: "sent coarsened withheld not-published",
    Mode: "none activity content",
    Keeping: "history activity content",
    Reason: (
        "allowed not-published level ceiling lock switched-off not-subscribed blocked unknown-partner "
        "denied-domain contract-expired not-federated not-allowed-person wall may-not-start unverified "
        "harvest modality stranger unsolicited no-change empty rate size queue-full link-down tap-failed "
        "policy-error"
    ),
}


@pytest.mark.parametrize("words", list(WORDS))
def test_the_words_of_a_choice_are_these(words: type[Enum]) -> None:
    assert [one.value for one in words] == WORDS[words].split()


def test_layers_are_ordered_the_administrator_first() -> None:
    assert [layer.name for layer in sorted(Layer)] == [layer.name for layer in Layer]
    assert Layer.ADMINISTRATOR < Layer.PARTNER < Layer.GROUP < Layer.PERSON < Layer.DEFAULT
    assert allowed([]).value is True and allowed([Setting(Layer.GROUP, False)]).layer is Layer.GROUP


def test_what_is_not_said_means_this() -> None:
    partner = Partner("partner.example", frozenset({"partner.example"}))
    assert (partner.ceiling_name, partner.via, partner.house, partner.found) == ("", "xmpp", False, False)
    assert Rates() == Rates(200.0, 60.0, 10.0, None, None)
    assert Rates(20.0, 60.0, 10.0, 1.0, 1000) == DISCOVERED_RATES
    assert (Lock(Field.NOTE).partner, Discovery().terms.name, MOST_FOUND, CUSTOM_RANK) == ("", "", 4096, 50)
    assert SettingRule(Field.NOTE, False).partner == SettingRule(Field.NOTE, False).group == ""
    assert SettingRule(Field.NOTE, False).person == SettingRule(Field.NOTE, False).group
    assert Member.parse("everyone").value == ""
    assert (NOTHING.mode, NOTHING.critical, ArchiveRule(Mode.CONTENT).locked) == (Mode.NONE, False, False)


def test_what_was_decided_last_is_not_part_of_a_permission() -> None:
    one, other = Permission("team", frozenset(), {}), Permission("team", frozenset(), {})
    one.decided.append("canary")  # type: ignore[arg-type]
    assert one == other and "canary" not in repr(one)
    with pytest.raises(TypeError):
        Permission("team", frozenset(), {}, decided=[])  # type: ignore[call-arg]


def test_capabilities_belong_to_these_kinds_of_traffic() -> None:
    assert CAPABILITY_MODALITIES == {
        "chat_states": Modality.TYPING,
        "receipts": Modality.RECEIPTS,
        "corrections": Modality.CORRECTIONS,
    }


@pytest.mark.parametrize("start", list(Start))
@pytest.mark.parametrize("verification", list(Verification))
def test_who_has_spoken_matters_unless_anybody_may_start_and_everybody_is_believed(
    start: Start, verification: Verification
) -> None:
    partner = Partner("p.example", frozenset({"p.example"}), start=start, verification=verification)
    plain = (start, verification) == (Start.BOTH, Verification.ALWAYS)
    assert partner.counts_words is (not plain)


def test_presence_rules_use_the_words_of_their_standards() -> None:
    assert {"sip", "sips", "pres", "im", "xmpp"} == PRESENCE_SCHEMES
    assert (CIPID, SHOW) == ("urn:ietf:params:xml:ns:pidf:cipid", ("jabber:client", "show"))
    assert {word: name.value for word, name in CLASSES.items()} == {
        "work": "phone.work",
        "mobile": "phone.mobile",
        "home": "phone.home",
        "other": "phone.other",
    }


@pytest.mark.parametrize(
    ("name", "field"),
    [("display-name", Field.DISPLAY_NAME), ("homepage", Field.URL), ("icon", Field.PHOTO)],
)
def test_elements_of_cipid_are_these(name: str, field: Field) -> None:
    grant = grant_for(frozenset({Field.AVAILABILITY, field}))
    assert (CIPID, name) in grant.unknown and not grant.fields


def test_services_grant_addresses_numbers_and_the_show() -> None:
    tel = Grant(SubHandling.ALLOW, services=Selection(schemes=frozenset({"tel"})))
    assert {name.value for name in fields_granted(tel)} == {
        "phone.work",
        "phone.mobile",
        "phone.home",
        "phone.other",
    }
    sip = Selection(schemes=frozenset({"sip"}))
    assert Field.SHOW in fields_granted(Grant(SubHandling.ALLOW, services=sip, unknown=frozenset({SHOW})))
    assert Field.DEVICE in fields_granted(
        Grant(SubHandling.ALLOW, services=sip, attributes=frozenset({Attribute.CLASS}))
    )


def test_a_grant_uses_a_permission_as_soon_as_it_shows_no_more() -> None:
    fields = frozenset({Field.AVAILABILITY, Field.NOTE})
    grant = grant_for(fields)
    assert grant.persons.everything and Attribute.NOTE in grant.attributes
    assert grant.services.schemes == PRESENCE_SCHEMES and fields_granted(grant) == fields
