"""The [policy] table: who has to agree before more leaves the house than before."""

from enum import Enum

from attrs import field, frozen

from gateway.config.describing import says


class Mode(Enum):
    """Says whether the policy counts, or is only tried out."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    """Everything is decided, recorded and counted, and what levels, ceilings, locks, settings and walls keep back goes
    to configured partners nevertheless."""


@frozen(kw_only=True)
class PolicyChanges:
    """What a new configuration needs that shows more than the one before (`gateway policy apply`)."""

    widen_threshold: int = field(
        default=0,
        metadata=says("So many pairs of a person and a contact may gain something without --confirm-widen.", least=0),
    )
    approver: tuple[str, ...] = field(
        default=(),
        metadata=says(
            "Users or groups of this machine, one of whom must approve such a change of somebody else's.",
            '["auditors"]',
        ),
    )
