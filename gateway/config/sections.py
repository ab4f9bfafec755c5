"""The sections of gateway.toml: one class a table, one attribute a setting, one sentence each."""

from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from gateway.config.archiving import ArchiveTerms
from gateway.config.describing import says
from gateway.config.directories import Directories
from gateway.config.federation import Discovering, Echo, Federation, Groups, Partnership, Walled
from gateway.config.informing import FeedbackTerms, TelemetryTerms, TraceTerms
from gateway.config.legs import InsideComponent, InsideServer, InsideSip, Outside
from gateway.config.policing import Mode, PolicyChanges
from gateway.config.recording import HistoryTerms, LedgerTerms, NoticeTerms
from gateway.config.settings import Bot, Switched
from gateway.config.spooling import SpoolTerms
from gateway.config.values import (
    Domain,
    Endpoint,
    LevelName,
    LogLevel,
    Trust,
)
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.policy.access_level import CUSTOM_RANK, Member


@frozen(kw_only=True)
class Gateway:
    """The gateway itself."""

    domains: tuple[Domain, ...] = field(
        metadata=says("The address domains of our own people.", '["corp.example"]', restart=True)
    )
    state: Path = field(
        default=Path("/var/lib/gateway"),
        metadata=says(
            "Folder of the database and of the inside authority; only the gateway may read it.", restart=True
        ),
    )
    user: str = field(
        default="",
        metadata=says(
            "Account that a gateway started as root becomes, for good; without one root is refused.",
            '"gateway"',
            restart=True,
        ),
    )
    control: Path | None = field(
        default=None,
        metadata=says(
            "Socket on which the command line reaches the daemon; default: control.sock in the state folder.",
            '"/run/gateway/control.sock"',
            restart=True,
        ),
    )
    taps: tuple[str, ...] = field(
        default=(),
        metadata=says("Plugins that see every decision, by name; the ledger needs none.", '["siem"]', restart=True),
    )
    log: LogLevel = field(
        default=LogLevel.INFO, metadata=says("How much is logged: debug, info, warn, error; never what people say.")
    )
    mode: Mode = field(
        default=Mode.ENFORCE,
        metadata=says("Whether the policy counts: enforce; or observe, which decides and records and blocks nothing."),
    )


@frozen(kw_only=True)
class TlsExtra:
    """Another certificate, for one of our further domains."""

    domain: Domain = field(metadata=says("The domain that it is for.", '"chat.corp.example"'))
    certificate: Path = field(metadata=says("PEM file: certificate and chain, leaf first.", '"/etc/gateway/chat.crt"'))
    key: Path = field(metadata=says("PEM file: its private key, unencrypted.", '"/etc/gateway/chat.key"'))


@frozen(kw_only=True)
class Tls:
    """What the gateway shows to partners, and whom it believes; read again on reload."""

    certificate: Path = field(
        metadata=says("PEM file: certificate and chain for our domains, leaf first.", '"/etc/gateway/corp.crt"')
    )
    key: Path = field(metadata=says("PEM file: its private key, unencrypted.", '"/etc/gateway/corp.key"'))
    ca: Trust = field(
        default=Trust(), metadata=says('Authorities believed for partners: "system", or a PEM file.', '"system"')
    )
    extra: tuple[TlsExtra, ...] = field(default=(), metadata=says("Certificates for further domains of ours."))
    crl: tuple[Path, ...] = field(
        default=(),
        metadata=says(
            "Lists of revoked certificates, PEM or DER, signed by their authority; looked at for changes each minute.",
            '["/etc/gateway/partners.crl"]',
        ),
    )

    def of(self, domain: str) -> tuple[Path, Path]:
        """Gives the certificate and key files for one of our domains."""
        chosen = next((extra for extra in self.extra if extra.domain == domain), self)
        return chosen.certificate, chosen.key


@frozen(kw_only=True)
class Defaults:
    """What holds for a contact that nobody has named."""

    level: LevelName = field(
        default=LevelName("blocked"),
        metadata=says("His level: blocked, public, company, team, personal, or one of yours."),
    )


@frozen(kw_only=True)
class Level:
    """An access level of your own, beside the five standard ones."""

    fields: frozenset[Field] = field(
        default=frozenset(), metadata=says("Fields that it sees.", '["availability", "note", "phone.work"]')
    )
    inherits: LevelName | None = field(default=None, metadata=says("A level whose fields it sees as well.", '"public"'))
    rank: int = field(
        default=CUSTOM_RANK,
        metadata=says(
            "Of two levels given at the same step the larger rank counts; public 100 ... personal 400.", least=1
        ),
    )


@frozen(kw_only=True)
class Locks:
    """Fields that leave for nobody, whatever people and levels say."""

    fields: frozenset[Field] = field(
        default=frozenset(), metadata=says("The locked fields.", '["phone.home", "address.home"]')
    )


@frozen(kw_only=True)
class Assigned:
    """A level that the administrator gives; a person's own word about the same contact, domain or class comes first."""

    contact: Member = field(
        metadata=says(
            "A contact, a domain, *.domain, a network class (enterprise, federation, public_cloud), or everyone.",
            '"*.ally.example"',
        )
    )
    level: LevelName = field(metadata=says("The level.", '"company"'))
    owner: Address | None = field(
        default=None, metadata=says("The person for whom it holds; default: everybody.", '"alice@corp.example"')
    )


@frozen(kw_only=True)
class Limits:
    """Bounds; what goes beyond them is refused aloud."""

    queue_stanzas: int = field(default=1000, metadata=says("Stanzas that wait for one partner.", least=1))
    queue_bytes: int = field(default=4 * 1024 * 1024, metadata=says("Bytes that wait for one partner.", least=65536))
    queue_seconds: float = field(
        default=60.0, metadata=says("Seconds that a message waits before its sender is told.", least=1)
    )
    stanza_bytes: int = field(
        default=256 * 1024, metadata=says("Bytes of one stanza from a partner that has proved itself.", least=10_000)
    )
    connections_per_address: int = field(default=20, metadata=says("Connections from one IP address.", least=1))
    connections: int = field(default=10_000, metadata=says("Connections from partners in all.", least=1))
    pairs_per_partner: int = field(
        default=100_000, metadata=says("Subscriptions between our people and one partner's that are kept.", least=1)
    )
    handshake_seconds: float = field(
        default=10.0, metadata=says("Seconds in which a connection must prove itself.", least=1)
    )
    connect_seconds: float = field(default=10.0, metadata=says("Seconds in which one address must answer.", least=1))
    idle_seconds: float = field(
        default=3600.0, metadata=says("Seconds without a stanza after which a stream is closed.", least=10)
    )
    presence_seconds: float = field(
        default=60.0,
        metadata=says("Seconds after a broken link until its contacts are shown as gone to our people.", least=1),
    )
    ping_seconds: float = field(
        default=30.0, metadata=says("Seconds of silence after which a partner is pinged.", least=1)
    )
    ping_timeout_seconds: float = field(
        default=30.0, metadata=says("Seconds without an answer to a ping after which a link is dead.", least=1)
    )
    stall_seconds: float = field(
        default=30.0,
        metadata=says("Seconds in which a partner must take some of what waits for it on the wire.", least=1),
    )
    write_buffer_bytes: int = field(
        default=1024 * 1024, metadata=says("Bytes on one connection that the partner has not taken.", least=65536)
    )
    retry_seconds: float = field(
        default=1.0, metadata=says("Seconds before the first new attempt; they grow.", least=0.1)
    )
    retry_max_seconds: float = field(default=300.0, metadata=says("Seconds between attempts at most.", least=1))


@frozen(kw_only=True)
class MetricsPage:
    """Metrics and health over HTTP, without authentication: keep it on a local address."""

    listen: Endpoint | None = field(
        default=Endpoint("127.0.0.1", 8920),
        metadata=says('Where /metrics, /healthz and /readyz are served, or "off".', restart=True),
    )


@frozen(kw_only=True)
class File:
    """The whole file; conf.d/*.toml beside it may hold partners and nothing else."""

    gateway: Gateway | None = None
    tls: Tls | None = None
    inside: InsideServer | InsideComponent | InsideSip | None = None
    outside: Outside = field(factory=Outside)
    defaults: Defaults = field(factory=Defaults)
    levels: Mapping[str, Level] = field(factory=dict)
    locks: Locks = field(factory=Locks)
    assignment: tuple[Assigned, ...] = ()
    partner: tuple[Partnership, ...] = ()
    federation: Federation = field(factory=Federation)
    discovery: Discovering = field(factory=Discovering)
    groups: Groups = Groups()
    wall: tuple[Walled, ...] = ()
    setting: tuple[Switched, ...] = ()
    bot: Bot = field(factory=Bot)
    echo: Echo = field(factory=Echo)
    directory: tuple[Directories, ...] = ()
    limits: Limits = field(factory=Limits)
    metrics: MetricsPage = field(factory=MetricsPage)
    ledger: LedgerTerms = field(factory=LedgerTerms)
    archive: ArchiveTerms = field(factory=ArchiveTerms)
    history: HistoryTerms = field(factory=HistoryTerms)
    notice: NoticeTerms = field(factory=NoticeTerms)
    trace: TraceTerms = field(factory=TraceTerms)
    telemetry: TelemetryTerms = field(factory=TelemetryTerms)
    feedback: FeedbackTerms = field(factory=FeedbackTerms)
    policy: PolicyChanges = field(factory=PolicyChanges)
    spool: SpoolTerms = field(factory=SpoolTerms)
