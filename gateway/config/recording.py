"""The [ledger] table: whether it is recorded what left about whom, and for how long."""

from attrs import field, frozen

from gateway.config.describing import says


@frozen(kw_only=True)
class LedgerTerms:
    """Which fields left about whom, to whom, under which rule; while on, nothing leaves that is not written down."""

    on: bool = field(default=False, metadata=says("Whether it is kept.", restart=True))
    retention_days: int = field(default=365, metadata=says("Days after which an entry is removed.", least=1))
    hold_days: int = field(
        default=0, metadata=says('Days during which "gateway ledger erase" leaves an entry as it is.', least=0)
    )
