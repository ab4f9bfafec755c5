"""Federation partners: what may pass between them and us, and how much they may ever see."""

from collections.abc import Iterable, Mapping
from enum import Enum

from attrs import field, frozen

from gateway.model.presence import Field
from gateway.policy.access_level import Network


class Modality(Enum):
    """Names one kind of traffic that a partner's profile allows or not."""

    PRESENCE = "presence"
    IM = "im"
    TYPING = "typing"
    RECEIPTS = "receipts"
    CORRECTIONS = "corrections"
    QUERIES = "queries"
    ENCRYPTED = "encrypted"

    __hash__ = object.__hash__


CAPABILITY_MODALITIES: Mapping[str, Modality] = {
    "chat_states": Modality.TYPING,
    "receipts": Modality.RECEIPTS,
    "corrections": Modality.CORRECTIONS,
}
"""What a client says that it can do, and the kind of traffic that it means."""

USUAL_MODALITIES = frozenset(Modality) - {Modality.ENCRYPTED, Modality.RECEIPTS}
"""What a contract allows unless it says otherwise: nothing that cannot be read here, and no sign of having read."""


class Strangers(Enum):
    """Says what happens when a contact asks for a subscription and no level was given to him by name."""

    ACCEPT = "accept"
    """He is told `subscribed` at once; the person is asked as well.

    Presence, as far as the default level goes, follows when the person's own server has approved him: before that it
    sends none to him.
    """
    ASK = "ask"
    """The person is asked; until the answer he hears nothing."""
    REFUSE = "refuse"
    """The request never reaches the person, and looks like a request that nobody answered."""


@frozen
class Lock:
    """Forbids a field to everybody, or to one partner; nothing below can allow it again."""

    field: Field
    partner: str = ""
    """The partner's name, or any of its domains; empty: all partners."""

    def binds(self, partner: "Partner") -> bool:
        """Says whether it holds for a partner."""
        return self.partner in ("", partner.name) or self.partner in partner.domains


@frozen
class Rates:
    """Bounds what a partner may send us; messages and requests a second, with a burst of as many seconds."""

    stanzas_per_second: float = 200.0
    subscriptions_per_minute: float = 60.0
    burst_seconds: float = 10.0


@frozen
class Partner:
    """Is one organisation on the other side: its domains and the contract with it."""

    name: str
    """Its first domain; also its label in metrics."""
    domains: frozenset[str]
    network: Network = Network.FEDERATION
    ceiling: frozenset[Field] = frozenset(Field)
    """The most that any of its contacts may see, whatever level a person gives."""
    ceiling_name: str = ""
    modalities: frozenset[Modality] = USUAL_MODALITIES
    strangers: Strangers = Strangers.ASK
    rates: Rates = field(factory=Rates)
    via: str = "xmpp"
    """The name of the leg that speaks to it."""


class Partners:
    """Finds the partner of a domain; a domain that nobody listed has none."""

    def __init__(self, partners: Iterable[Partner] = ()) -> None:
        self.by_name: Mapping[str, Partner] = {partner.name: partner for partner in partners}
        self._by_domain = {domain: partner for partner in self.by_name.values() for domain in partner.domains}

    def of(self, domain: str) -> Partner | None:
        """Gives the partner that a normalised domain belongs to, or None (exact match, no wildcards)."""
        return self._by_domain.get(domain)
