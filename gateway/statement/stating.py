"""The command that writes the statement, and the announcement of what changes, to those whom it concerns."""

from collections.abc import Callable, Iterable, Mapping

from gateway.commands.informing_answers import StatementShown
from gateway.config import Config
from gateway.errors import CommandError, StoreError
from gateway.log import Log
from gateway.model.address import Address
from gateway.offices.announcing import Announcer
from gateway.policy.settings import Feature, OwnSettings
from gateway.policy.walls import Groups
from gateway.statement.features import Facts, by_name, gathered
from gateway.statement.paragraph import Paragraph, personal
from gateway.statement.revisions import FOLDER, Revision, Revisions
from gateway.statement.wording import fingerprint, wordings
from gateway.statement.writing import Form, changes, document, statement

log = Log("statement")


class Stating:
    """Writes the statement of a running gateway."""

    def __init__(
        self,
        config_of: Callable[[], Config],
        telemetry: Callable[[], tuple[bool, bool]],
        groups: Callable[[str], Groups],
        own: Callable[[str], OwnSettings],
        announcer: Announcer,
        people: Callable[[], Iterable[Address]],
        now: Callable[[], float],
    ) -> None:
        self._config_of = config_of
        self._telemetry = telemetry
        self._groups = groups
        self._own = own
        self._announcer = announcer
        self._people = people
        self._now = now
        self._wordings = wordings()
        self._wording = fingerprint(self._wordings)
        self._revisions = Revisions(config_of().state / FOLDER)

    def look(self) -> int:
        """Keeps a new revision if what holds has changed; tells those whom that concerns, and gives how many."""
        paragraphs = gathered(Facts(self._config_of(), self._telemetry()))
        try:
            before = self._revisions.take(paragraphs, self._wording, self._now())
        except StoreError as problem:
            log.warn("revision not kept", detail=problem)
            return 0
        newest = self._revisions.newest
        if before is None or newest is None:
            return 0
        log.info("statement revised", changes=len(_changed(before, newest)))
        told = 0
        for person in self._people():
            count = self._concerning(before, newest, person)
            if count:
                told += self._announcer.announce([person], "statement_changed", count=count, revision=before.number)
        return told

    def write(self, person: str, since: str | None, form: str | None, language: str | None) -> StatementShown:
        """Writes the statement, or what has changed since a revision, for everybody ('') or one person."""
        wording = self._wordings.get(language or "en")
        if wording is None:
            raise CommandError(f"it is written in {', '.join(self._wordings)}")
        self.look()
        revision = self._revisions.newest
        if revision is None:
            raise CommandError("no revision could be kept; the log says why")
        shown = Form(form or "markdown")
        number = self._number(since)
        if number:
            before = self._for(self._revisions.of(number), person)
            blocks = changes(revision, number, before, self._for(revision, person), wording)
        else:
            domains = map(str, self._config_of().domains)
            blocks = statement(revision, self._for(revision, person).values(), wording, domains, person)
        return {
            "document": document(blocks, shown, wording.language),
            "revision": revision.number,
            "made": revision.made,
            "digest": revision.digest,
            "since": number,
        }

    def _number(self, since: str | None) -> int:
        if since is None:
            return 0
        if not (since.isascii() and since.isdigit() and 0 < int(since) < 10**6):
            raise CommandError("a revision is a number, such as the statement bears at its beginning")
        return int(since)

    def _for(self, revision: Revision, person: str) -> Mapping[str, Paragraph]:
        known = by_name(revision.paragraphs)
        return {name: self._personal(each, person) for name, each in known.items()} if person else known

    def _personal(self, paragraph: Paragraph, person: str) -> Paragraph:
        own = self._own(person).get(Feature.HISTORY) if paragraph.feature == "history" else None
        return personal(paragraph, person, self._groups(person), self._now(), own)

    def _concerning(self, before: Revision, newest: Revision, person: Address) -> int:
        """Counts the features that now hold otherwise for a person; one that is new and off does not concern him."""
        old, new = by_name(before.paragraphs), by_name(newest.paragraphs)
        count = 0
        for name in _changed(before, newest):
            was = self._personal(old[name], str(person)) if name in old else None
            holds = self._personal(new[name], str(person)) if name in new else None
            quiet = holds is not None and not holds.on and (was is None or not was.on)
            count += was != holds and not quiet
        return count


def _changed(before: Revision, newest: Revision) -> list[str]:
    old, new = by_name(before.paragraphs), by_name(newest.paragraphs)
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]
