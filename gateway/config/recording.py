"""The tables [ledger], [history] and [notice]: what is recorded or kept, where, and what contacts are told of it."""

from enum import Enum

from attrs import field, frozen

from gateway.config.describing import says
from gateway.config.directories import SECRET, Pattern
from gateway.config.federation import Texts
from gateway.config.values import Endpoint, Secret, Trust


@frozen(kw_only=True)
class LedgerTerms:
    """Which fields left about whom, to whom, under which rule; while on, nothing leaves that is not written down."""

    on: bool = field(default=False, metadata=says("Whether it is kept.", restart=True))
    retention_days: int = field(default=365, metadata=says("Days after which an entry is removed.", least=1))
    hold_days: int = field(
        default=0, metadata=says('Days during which "gateway ledger erase" leaves an entry as it is.', least=0)
    )


class MailTls(Enum):
    """Says how a connection to the mail server is secured; its certificate is verified in any case."""

    DIRECT = "direct"
    STARTTLS = "starttls"


class MailLogin(Enum):
    """Says how the gateway logs in to mailboxes."""

    PASSWORD = "password"
    XOAUTH2 = "xoauth2"


@frozen(kw_only=True)
class HistoryTerms:
    """The mailboxes for conversation history. Who keeps it, people say themselves, or [[setting]] of = ["history"]."""

    server: Endpoint | None = field(
        default=None,
        metadata=says("The IMAP server; default: no history for anybody.", '"imap.corp.example:993"', restart=True),
    )
    tls: MailTls = field(
        default=MailTls.DIRECT, metadata=says("direct, or starttls (usually on port 143).", restart=True)
    )
    ca: Trust = field(
        default=Trust(),
        metadata=says('Authorities believed for it: "system", or a PEM file.', '"system"', restart=True),
    )
    login: Pattern = field(
        default=Pattern("{address}"),
        metadata=says('The name to log in with; of a master user "{address}*gateway".', restart=True),
    )
    method: MailLogin = field(
        default=MailLogin.PASSWORD, metadata=says("password, or xoauth2 with a token.", restart=True)
    )
    secret: Secret | None = field(
        default=None,
        metadata=says(f"Password or token for all: {SECRET}.", '{ credential = "mail" }', restart=True),
    )
    secret_file: Pattern = field(
        default=Pattern(""),
        metadata=says(
            "A file that holds it, read at each login; it comes first.", '"/run/gateway/tokens/{address}"', restart=True
        ),
    )
    folder: str = field(default="Conversation History", metadata=says("The folder; it is made.", restart=True))
    idle_minutes: int = field(
        default=30, metadata=says("Minutes of silence after which a conversation is over.", least=1, restart=True)
    )
    retry_seconds: float = field(
        default=30.0, metadata=says("Seconds before the first new attempt; they grow.", least=0.1, restart=True)
    )
    retry_max_seconds: float = field(
        default=3600.0, metadata=says("Seconds between attempts at most.", least=1, restart=True)
    )
    keep_days: int = field(
        default=7, metadata=says("Days for which it is tried; then it is given up.", least=1, restart=True)
    )
    most: int = field(default=100_000, metadata=says("Conversations that wait at most.", least=1, restart=True))


@frozen(kw_only=True)
class NoticeTerms:
    """What contacts are told once, before the first message that is archived or kept in somebody's history."""

    text: Texts = field(
        default=Texts(),
        metadata=says(
            "By language; {domain} is ours; a partner's own text (disclosure) comes first; default: built in.",
            '{ en = "{domain} keeps this conversation." }',
        ),
    )
