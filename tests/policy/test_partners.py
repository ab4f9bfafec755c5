"""Partners are found by exact domain; a lock holds for whom it names."""

import pytest
from attrs import evolve

from gateway.model.presence import Field
from gateway.policy.access_level import Network
from gateway.policy.domains import Domains
from gateway.policy.partners import (
    MOST_FOUND,
    Discovery,
    Lock,
    Modality,
    Partner,
    Partners,
    Strangers,
    Verification,
)
from gateway.policy.verdict import Reason
from tests.policy.samples import PARTNER


@pytest.mark.parametrize("domain", ["partner.example", "partner.test"])
def test_listed_domain_has_its_partner(domain: str) -> None:
    assert Partners([PARTNER]).of(domain) is PARTNER


@pytest.mark.parametrize(
    "domain", ["", "example", "sub.partner.example", "evilpartner.example", "partner.example.", "*"]
)
def test_unlisted_domain_has_none(domain: str) -> None:
    assert Partners([PARTNER]).of(domain) is None


def test_no_partners_means_nobody() -> None:
    assert Partners().of("partner.example") is None


def test_partner_starts_closed_to_strangers_and_encryption() -> None:
    partner = Partner("partner.example", frozenset())
    assert partner.strangers is Strangers.ASK and partner.network is Network.FEDERATION
    assert Modality.ENCRYPTED not in partner.modalities


@pytest.mark.parametrize(
    ("named", "binds"),
    [("", True), ("partner.example", True), ("partner.test", True), ("other.example", False), ("example", False)],
)
def test_lock_binds(named: str, binds: bool) -> None:
    assert Lock(Field.NOTE, named).binds(PARTNER) is binds


@pytest.mark.parametrize(
    ("listed", "domain", "inside"),
    [
        ("partner.example", "partner.example", True),
        ("partner.example", "chat.partner.example", False),
        ("*.partner.example", "chat.partner.example", True),
        ("*.partner.example", "a.b.partner.example", True),
        ("*.partner.example", "partner.example", False),
        ("*.partner.example", "evilpartner.example", False),
        ("*.example", "partner.example", True),
        ("*", "partner.example", True),
    ],
)
def test_a_list_of_domains(listed: str, domain: str, inside: bool) -> None:
    assert (domain in Domains.of([listed])) is inside


@pytest.mark.parametrize("denied", ["partner.example", "*.example"])
def test_the_deny_list_comes_before_a_contract_and_before_discovery(denied: str) -> None:
    partners = Partners([PARTNER], denied=Domains.of([denied]), discovery=Discovery(on=True))
    assert partners.of("partner.example") is None
    assert partners.against("partner.example") is Reason.DENIED_DOMAIN
    assert partners.of("partner.test") is PARTNER and partners.against("partner.test") is None


def test_a_contract_that_has_ended_leaves_its_domains_without_a_partner() -> None:
    partners = Partners([evolve(PARTNER, ends=1000.0)], discovery=Discovery(on=True))
    assert partners.at(999.9) is partners and partners.of("partner.test") is not None
    after = partners.at(1000.0)
    assert after.of("partner.test") is None and after.against("partner.test") is Reason.CONTRACT_EXPIRED
    assert after.of("stranger.example") is not None
    assert set(after.by_name) == {"partner.example"}
    assert after.at(999.0).of("partner.example") is not None


def test_nobody_is_discovered_unless_that_is_on() -> None:
    assert Partners([PARTNER]).against("stranger.example") is Reason.UNKNOWN_PARTNER


def test_a_discovered_domain_has_a_contract_of_its_own_with_the_safeguards() -> None:
    partners = Partners([PARTNER], discovery=Discovery(on=True), ours=frozenset({"corp.example"}))
    found = partners.of("stranger.example")
    assert found is not None and found is partners.of("stranger.example")
    assert (found.name, found.domains, found.found) == ("stranger.example", {"stranger.example"}, True)
    assert found.verification is Verification.MARKED
    rates = found.rates
    assert (rates.stanzas_per_second, rates.suspicious_per_second, rates.people) == (20, 1, 1000)
    assert partners.of("partner.test") is PARTNER


@pytest.mark.parametrize("domain", ["corp.example", "localhost", "192.0.2.1", "[2001:db8::1]", "2001:db8::1"])
def test_what_is_never_discovered(domain: str) -> None:
    assert Partners(discovery=Discovery(on=True), ours=frozenset({"corp.example"})).of(domain) is None


def test_the_allow_list_narrows_discovery_to_itself_and_lifts_the_safeguards() -> None:
    partners = Partners(discovery=Discovery(allow=Domains.of(["*.ally.example"])))
    found = partners.of("chat.ally.example")
    assert found is not None and found.rates.people is None and found.rates.suspicious_per_second is None
    assert found.rates.stanzas_per_second == 200
    assert partners.of("stranger.example") is None


def test_discovered_domains_are_forgotten_beyond_a_bound() -> None:
    partners = Partners(discovery=Discovery(on=True))
    first = partners.of("d0.example")
    for number in range(MOST_FOUND + 1):
        partners.of(f"d{number}.example")
    again = partners.of("d0.example")
    assert again is not first and again == first


def test_of_domains_that_were_found_the_one_asked_for_longest_ago_is_forgotten() -> None:
    known = Partners(discovery=Discovery(on=True))
    first, second = known.of("first.example"), known.of("second.example")
    for number in range(MOST_FOUND - 2):
        known.of(f"d{number}.example")
    assert known.of("first.example") is first, "as many as are remembered"
    known.of("one-more.example")
    assert known.of("first.example") is first
    assert known.of("second.example") == second and known.of("second.example") is not second


@pytest.mark.parametrize("domain", ["::1.example", "2001:db8::1.example", "10.0.0.1", "localhost"])
def test_what_is_no_name_is_not_found(domain: str) -> None:
    assert Partners(discovery=Discovery(on=True)).of(domain) is None
