"""The [trace], [telemetry] and [feedback] tables: off until it is named for whom, or to whom."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NewType
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from gateway.config.describing import says
from gateway.config.federation import Day, Insider
from gateway.config.values import Domain, Endpoint, Place, Refused, Secret, Trust, text_of
from gateway.model.address import Address
from gateway.policy.services import Scope

HttpsUrl = NewType("HttpsUrl", str)
"""Is an https address without a password in it."""


class MailTls(Enum):
    """Says from when on TLS protects the way to the mail server; there is none without."""

    STARTTLS = "starttls"
    """From the first command on which it can (RFC 3207)."""
    IMPLICIT = "implicit"
    """From the first byte (RFC 8314)."""


@frozen(kw_only=True)
class ScopedPeople:
    """For whom it is on or off; without a person or group: for everybody."""

    on: bool = field(metadata=says("Whether it is on.", "false"))
    whom: Insider | None = field(
        default=None, metadata=says("One of our people, or a group of them.", '"alice@corp.example"')
    )
    until: Day | None = field(default=None, metadata=says("The last day on which it counts.", "2027-01-31"))
    locked: bool = field(default=False, metadata=says("Whether nothing narrower, and no command, may change it."))

    @property
    def scope(self) -> Scope:
        """Gives it as the policy knows it."""
        whom = self.whom or ""
        person, group = (whom, "") if "@" in whom else ("", whom)
        return Scope(self.on, self.locked, "", group, person, self.until.end if self.until else None)


@frozen(kw_only=True)
class Scoped(ScopedPeople):
    """For whom it is on or off; without a person, group or partner: for everybody."""

    partner: Domain | None = field(default=None, metadata=says("A partner.", '"partner.example"'))

    @property
    def scope(self) -> Scope:
        """Gives it as the policy knows it."""
        return evolve(super().scope, partner=self.partner or "")


@frozen(kw_only=True)
class TraceTerms:
    """Protocol log for troubleshooting: who signalled what to whom, never what was said; "gateway trace" begins it."""

    longest_hours: int = field(default=24, metadata=says("Hours for which a command may begin it at most.", least=1))
    file_bytes: int = field(
        default=10 * 1024 * 1024, metadata=says("Bytes after which a new file is begun.", least=65536)
    )
    files: int = field(default=5, metadata=says("Files that are kept, trace.log in the state folder first.", least=1))
    keep_days: int = field(default=7, metadata=says("Days after which a file is removed.", least=1))
    scope: tuple[Scoped, ...] = field(default=(), metadata=says("For whom it may run, must not, or runs until a day."))

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Gives for whom it is on or off."""
        return tuple(each.scope for each in self.scope)


@frozen(kw_only=True)
class TelemetryTerms:
    """Usage report: numbers without addresses, domains and content; "gateway telemetry show" prints it to the byte."""

    on: bool = field(
        default=False, metadata=says('What holds where "gateway telemetry on" or "off" has not been said.')
    )
    locked: bool = field(default=False, metadata=says("Whether that command may not change it on this machine."))
    collector: HttpsUrl | None = field(
        default=None,
        metadata=says("Where it is sent; default: nowhere.", '"https://usage.corp.example/report"'),
    )
    ca: Trust = field(
        default=Trust(), metadata=says('Authorities believed for the collector: "system", or a PEM file.', '"system"')
    )
    every_hours: int = field(default=24, metadata=says("Hours from one report to the next.", least=1))


@frozen(kw_only=True)
class FeedbackTerms:
    """Where what people say about the gateway goes, by mail or to a webhook; nowhere unless one of them is named."""

    mail: Address | None = field(default=None, metadata=says("The mail address.", '"gateway-feedback@corp.example"'))
    smtp: Endpoint | None = field(
        default=None, metadata=says("The mail server that takes it.", '"mail.corp.example:587"')
    )
    tls: MailTls = field(default=MailTls.STARTTLS, metadata=says("How TLS begins there: starttls or implicit."))
    sender: Address | None = field(
        default=None,
        metadata=says("The sender of the mail; default: gateway at our first domain.", '"gateway@corp.example"'),
    )
    user: str = field(default="", metadata=says("Name at the mail server; default: it asks for none.", '"gateway"'))
    password: Secret | None = field(
        default=None,
        metadata=says('Its password: a text, { file = "..." }, or { credential = "..." }.', '{ credential = "mail" }'),
    )
    webhook: HttpsUrl | None = field(
        default=None, metadata=says("Instead of mail: the address that takes it.", '"https://desk.corp.example/hook"')
    )
    ca: Trust = field(
        default=Trust(), metadata=says('Authorities believed for either: "system", or a PEM file.', '"system"')
    )
    scope: tuple[ScopedPeople, ...] = field(default=(), metadata=says("Who may use it, and who may not."))

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Gives for whom it is on or off."""
        return tuple(each.scope for each in self.scope)

    @property
    def named(self) -> str:
        """Gives where it goes, or ''."""
        return str(self.mail or "") if self.smtp else str(self.webhook or "")


def https_url(value: object, place: Place) -> HttpsUrl:
    """Reads an https address; raises Refused."""
    text = text_of(value)
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError as problem:
        raise Refused(f"is no address: {problem}") from None
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.fragment or not text.isascii():
        raise Refused("must begin with https:// and name a host, without a password")
    return HttpsUrl(text)


def check(
    trace: TraceTerms,
    telemetry: TelemetryTerms,
    feedback: FeedbackTerms,
    refuse: Callable[[tuple[Any, ...], str], None],
) -> None:
    """Finds what contradicts itself; `refuse` is told the path and the sentence."""
    for index, each in enumerate(trace.scope):
        if each.on and each.until is None:
            refuse(("trace", "scope", index, "on"), "[[trace.scope]] on = true needs until: a log has an end")
    if telemetry.ca.nobody or feedback.ca.nobody:
        section = "telemetry" if telemetry.ca.nobody else "feedback"
        refuse((section, "ca"), f'[{section}] ca = "none" would believe nobody')
    if telemetry.on and telemetry.collector is None:
        refuse(("telemetry", "on"), "[telemetry] on needs a collector")
    if (feedback.mail is None) != (feedback.smtp is None):
        refuse(("feedback", "mail"), "[feedback] mail and smtp belong together")
    if bool(feedback.user) != (feedback.password is not None):
        refuse(("feedback", "user"), "[feedback] user and password belong together")


READERS: Mapping[Any, Callable[[object, Place], Any]] = {HttpsUrl: https_url}
"""How the kinds of value that only these sections have are read; each raises Refused."""
