"""Partners are found by exact domain; a lock holds for whom it names."""

import pytest

from gateway.model.presence import Field
from gateway.policy.access_level import Network
from gateway.policy.partners import Lock, Modality, Partner, Partners, Strangers
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
