"""What the output guard is told about a pair, and what happens when it finds a difference."""

from collections.abc import Callable
from functools import lru_cache

from attrs import frozen

from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.presence import Field, PresenceDocument
from gateway.policy.authorization import Facts, permission
from gateway.policy.partners import Modality
from gateway.policy.published_info import PRESENCE_FIELDS
from gateway.policy.verdict import Permission
from gateway.protocols.guard.shape import Difference

log = Log("guard")

Check = Callable[[frozenset[str]], None]
"""Reads written bytes again with these names of fields and modalities allowed; raises Difference."""


@frozen
class Entitled:
    """Is what one contact may be sent: fields, and the words of the guard's tables for them and for modalities."""

    fields: frozenset[Field]
    words: frozenset[str]


NOBODY = Entitled(frozenset(), frozenset())
"""May be sent what says nothing about anybody."""


def entitled(facts: Facts, permitted: Permission, enforced: Facts, answers: bool) -> Entitled:
    """Gives what the contact of a pair may be sent; answers tell the present to the subscribed only."""
    fields = permitted.fields if enforced is facts else permission(enforced).fields
    if answers and not facts.subscription.contact_watches:
        fields = _known_to_all(fields)
    return _entitled(fields, enforced.modalities)


@lru_cache(maxsize=1024)
def _known_to_all(fields: frozenset[Field]) -> frozenset[Field]:
    return fields - PRESENCE_FIELDS


@lru_cache(maxsize=1024)
def _entitled(fields: frozenset[Field], modalities: frozenset[Modality]) -> Entitled:
    words = [name.value for name in fields] + [f"may.{modality.value}" for modality in modalities]
    return Entitled(fields, frozenset(words))


@frozen
class OutputGuard:
    """Stands before the socket of one protocol; what it refuses costs one stanza and an alarm."""

    protocol: str
    metrics: Metrics

    def passes(self, may: Entitled, check: Check, document: PresenceDocument | None = None) -> bool:
        """Says whether bytes may leave: the document's fields are permitted, and the bytes hold nothing else.

        `document` is what the bytes were written from: where several fields share a place on the wire it tells which
        of them is there. Anything that goes wrong in here refuses.
        """
        try:
            if document is not None and not document.names <= may.fields:
                raise Difference("document")
            check(may.words)
        except Difference as difference:
            self._alarm(difference.place)
            return False
        except Exception:  # noqa: BLE001 a guard that fails lets nothing through
            log.failure("guard failed")
            self._alarm("guard")
            return False
        return True

    def _alarm(self, place: str) -> None:
        """Raises the alarm; the place is in the words of the guard's own table and bears no value."""
        self.metrics.guard_refused(self.protocol).inc()
        log.error("guard refused", protocol=self.protocol, place=place)
