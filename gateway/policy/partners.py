"""Federation partners: what may pass between them and us, and how much they may ever see."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from enum import Enum

from attrs import evolve, field, frozen

from gateway.model.presence import Field
from gateway.policy.access_level import Network
from gateway.policy.domains import NO_DOMAINS, Domains
from gateway.policy.verdict import Reason


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


class Verification(Enum):
    """Says which senders of a partner count as verified; an unverified one reaches only who knows him."""

    ALWAYS = "always"
    """All: the partner vouches for its people (in Communicator's words: always verifiable)."""
    MARKED = "marked"
    """Those whom the partner marks as verified (use source verification); no mark is no."""
    NEVER = "never"
    """None (always unverifiable)."""


class Start(Enum):
    """Says who may start a conversation; the other side may answer while it lasts."""

    BOTH = "both"
    OURS = "ours"
    THEIRS = "theirs"


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
    suspicious_per_second: float | None = None
    """Stanzas a second once it is under suspicion; None: no difference."""
    people: int | None = None
    """Addresses of ours, whether they exist or not, that it may ask for; None: any number."""


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
    people: frozenset[str] | None = None
    """Those of our people, by address or group, who may be reached and may write; None: everybody."""
    start: Start = Start.BOTH
    verification: Verification = Verification.ALWAYS
    ends: float | None = None
    """Posix seconds from which on the contract holds no more."""
    house: bool = False
    """Whether it is the gateway itself, which speaks to our people as a contact."""
    found: bool = False
    """Whether nobody has listed it: its domain was discovered, or stands in the allow list only."""

    @property
    def counts_words(self) -> bool:
        """Says whether it matters who has said something in a conversation."""
        return self.start is not Start.BOTH or self.verification is not Verification.ALWAYS


DISCOVERED_RATES = Rates(20.0, 60.0, 10.0, 1.0, 1000)
"""The safeguards of Office Communications Server for partners that nobody has listed."""
MOST_FOUND = 4096
"""Domains without a contract of their own that are remembered; the one asked for longest ago is forgotten."""


@frozen
class Discovery:
    """Says with which domains that have no contract of their own we speak, and on what terms."""

    on: bool = False
    """Whether with any domain; otherwise with those of `allow` only."""
    allow: Domains = NO_DOMAINS
    """Domains to which the safeguards do not apply."""
    terms: Partner = Partner("", frozenset(), verification=Verification.MARKED, rates=DISCOVERED_RATES)
    """The contract that each of them is given, with its own name."""

    def partner(self, domain: str) -> Partner | None:
        """Gives the contract with a domain, or None when it is not to be spoken to."""
        allowed = domain in self.allow
        if not (allowed or self.on):
            return None
        rates = evolve(self.terms.rates, people=None, suspicious_per_second=None) if allowed else self.terms.rates
        if allowed:
            rates = evolve(rates, stanzas_per_second=Rates().stanzas_per_second)
        return evolve(self.terms, name=domain, domains=frozenset({domain}), found=True, rates=rates)


NOBODY_FOUND = Discovery()


class Partners:
    """Finds the partner of a domain; a domain that nobody listed has none, unless it may be discovered.

    The deny list comes before everything: who stands in it has no partner, listed or not.
    """

    def __init__(
        self,
        partners: Iterable[Partner] = (),
        *,
        denied: Domains = NO_DOMAINS,
        discovery: Discovery = NOBODY_FOUND,
        ours: frozenset[str] = frozenset(),
        expired: frozenset[str] = frozenset(),
        house: Partner | None = None,
    ) -> None:
        self.by_name: Mapping[str, Partner] = {partner.name: partner for partner in partners}
        self.denied = denied
        self.discovery = discovery
        self.expired = expired
        """Names of partners whose contract has ended."""
        self._ours = ours
        self._house = house
        every = (*self.by_name.values(), *([house] if house else []))
        self._by_domain = {domain: partner for partner in every for domain in partner.domains}
        self._found: OrderedDict[str, Partner | None] = OrderedDict()

    def of(self, domain: str) -> Partner | None:
        """Gives the partner that a normalised domain belongs to, or None (exact match, no wildcards)."""
        partner = self._by_domain.get(domain)
        if partner is None:
            return self._discovered(domain)
        return None if domain in self.denied or partner.name in self.expired else partner

    def against(self, domain: str) -> Reason | None:
        """Says why a domain has no partner; None when it has one."""
        if domain in self.denied:
            return Reason.DENIED_DOMAIN
        partner = self._by_domain.get(domain)
        if partner is not None and partner.name in self.expired:
            return Reason.CONTRACT_EXPIRED
        return None if self.of(domain) else Reason.UNKNOWN_PARTNER

    def at(self, now: float) -> "Partners":
        """Gives the partners whose contracts hold at a moment (posix seconds); the same object when nothing differs."""
        ended = frozenset(name for name, each in self.by_name.items() if each.ends is not None and each.ends <= now)
        if ended == self.expired:
            return self
        return Partners(
            self.by_name.values(),
            denied=self.denied,
            discovery=self.discovery,
            ours=self._ours,
            expired=ended,
            house=self._house,
        )

    def _discovered(self, domain: str) -> Partner | None:
        if not (self.discovery.on or self.discovery.allow.names):
            return None
        if domain in self._found:
            self._found.move_to_end(domain)
            return self._found[domain]
        barred = domain in self.denied or domain in self._ours or not _is_name(domain)
        found = self._found[domain] = None if barred else self.discovery.partner(domain)
        if len(self._found) > MOST_FOUND:
            self._found.popitem(last=False)
        return found


def _is_name(domain: str) -> bool:
    """Says whether it may be a name in the public DNS: several labels, and no IP address."""
    last = domain.rpartition(".")[2]
    return last != domain and not last.isdigit() and ":" not in domain
