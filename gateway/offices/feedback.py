"""What people say about the gateway: shown with all that goes along, then sent to whom the administrator has named."""

import json
import platform
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from attrs import define, field, frozen
from twisted.internet.threads import deferToThreadPool

from gateway import __version__
from gateway.commands.informing_answers import FeedbackShown
from gateway.config import Config
from gateway.config.informing import FeedbackTerms, MailTls
from gateway.errors import CommandError, GatewayError
from gateway.log import Log
from gateway.policy.services import Concerned, Scope, decided
from gateway.policy.walls import Groups
from gateway.records.telemetry import Machine
from gateway.transport.web_fetch import WebFetch

log = Log("feedback")

SECONDS = 20.0
"""How long each answer of a mail server, or the webhook, may take."""
PER_HOUR = 5
"""Times that one person may send something within an hour."""
ALL_PER_HOUR = 100
LONGEST = 2000
"""Characters of what somebody says."""


@frozen
class Letter:
    """Is what is sent: from whom, and all that goes along."""

    sender: str
    """The person, or '' for an administrator."""
    text: str = field(repr=False)
    standard: tuple[tuple[str, str], ...]
    """Names and values of what goes along."""

    @property
    def document(self) -> str:
        """Gives it whole, as it is shown and sent."""
        return "\n".join([*(f"{name}: {value}" for name, value in self.standard), "", self.text])


def letter(config: Config, machine: Machine, sender: str, text: str) -> Letter:
    """Puts together what is sent."""
    standard = (
        ("From", sender or "an administrator"),
        ("Gateway", __version__),
        ("Python", platform.python_version()),
        ("System", f"{machine.system} {machine.architecture}"),
        ("Inside", config.inside.KIND),
    )
    return Letter(sender, text, standard)


def mail(terms: FeedbackTerms, domain: str, sent: Letter) -> EmailMessage:
    """Gives the mail of a letter."""
    message = EmailMessage()
    message["From"] = terms.sender or f"gateway@{domain}"
    message["To"] = str(terms.mail)
    message["Subject"] = "Feedback about the gateway"
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(sent.document + "\n")
    return message


def deliver(terms: FeedbackTerms, domain: str, message: EmailMessage) -> None:
    """Hands a mail to the server, under TLS that proves its name, or not at all; blocks, raises GatewayError."""
    assert terms.smtp is not None
    where = f"{terms.smtp}"
    try:
        trusted = ssl.create_default_context(cafile=str(terms.ca.file) if terms.ca.file else None)
        host, port, local = terms.smtp.host, terms.smtp.port, domain
        if terms.tls is MailTls.IMPLICIT:
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, local, timeout=SECONDS, context=trusted)
        else:
            server = smtplib.SMTP(host, port, local, timeout=SECONDS)
        with server:
            if terms.tls is MailTls.STARTTLS:
                server.starttls(context=trusted)
            if terms.user and terms.password is not None:
                server.login(terms.user, terms.password.text)
            server.send_message(message)
    except smtplib.SMTPResponseException as problem:
        raise GatewayError(f"the mail server {where} refuses with {problem.smtp_code}") from None
    except ssl.SSLCertVerificationError:
        raise GatewayError(f"the mail server {where} does not prove its name") from None
    except (smtplib.SMTPException, OSError, ValueError) as problem:
        raise GatewayError(f"the mail server {where} did not take it: {type(problem).__name__}") from None


@define(eq=False)
class Feedback:
    """Answers the command with which somebody says something about the gateway."""

    config_of: Callable[[], Config]
    groups: Callable[[str], Groups]
    reactor: Any
    now: Callable[[], float]
    machine: Machine = field(factory=Machine.here)
    _sent: list[tuple[str, float]] = field(init=False, factory=list)

    async def say(self, text: str, sender: str, yes: bool) -> FeedbackShown:
        """Shows what would go along and to whom; with `yes` sends it. Raises CommandError when nobody is named."""
        config = self.config_of()
        terms = config.feedback
        self._permit(terms, sender)
        if not 0 < len(text.strip()) <= LONGEST:
            raise CommandError(f"say something, in {LONGEST} characters at most")
        drawn = letter(config, self.machine, sender, text.strip())
        if yes:
            self._count(sender)
            await self._send(config, drawn)
            log.info("feedback sent")
        return {"to": terms.named, "sent": yes, "document": drawn.document}

    def _permit(self, terms: FeedbackTerms, sender: str) -> None:
        if not terms.named:
            raise CommandError("the administrator has named nobody to whom feedback goes")
        whom = Concerned(sender, self.groups(sender) if sender else frozenset())
        # Whoever names an address switches it on for everybody for whom nothing else is said.
        if not decided((Scope(True), *terms.scopes), whom, self.now()).value:
            raise CommandError("feedback is switched off by the administrator")

    def _count(self, sender: str) -> None:
        self._sent = [(who, when) for who, when in self._sent if self.now() - when < 3600.0]
        mine = sum(who == sender for who, _ in self._sent)
        if mine >= PER_HOUR or len(self._sent) >= ALL_PER_HOUR:
            raise CommandError("that was a lot of feedback for one hour; please come back later")
        self._sent.append((sender, self.now()))

    async def _send(self, config: Config, drawn: Letter) -> None:
        terms, domain = config.feedback, str(config.domains[0])
        if terms.smtp is not None:
            message = mail(terms, domain, drawn)
            pool = self.reactor.getThreadPool()
            await deferToThreadPool(self.reactor, pool, deliver, terms, domain, message)
            return
        body = json.dumps({"from": drawn.sender, "text": drawn.text, "standard": dict(drawn.standard)})
        fetch = WebFetch(self.reactor, terms.ca.file, SECONDS)
        reply = await fetch.ask("POST", str(terms.webhook), {"Content-Type": "application/json"}, body.encode())
        if not 200 <= reply.status < 300:
            raise GatewayError(f"the webhook answers with status {reply.status}")
