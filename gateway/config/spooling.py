"""The [spool] table: how many messages are kept on disk until they are delivered, and for how long."""

from attrs import field, frozen

from gateway.config.describing import says


@frozen(kw_only=True)
class SpoolTerms:
    """Messages that were accepted and are not delivered yet, on disk; beyond these bounds they are refused aloud."""

    on: bool = field(
        default=True,
        metadata=says(
            "Whether a message is on disk before it counts as taken; without, what waits is lost with the process.",
            restart=True,
        ),
    )
    messages: int = field(default=50_000, metadata=says("Messages kept for one partner.", least=1))
    bytes: int = field(default=256 * 1024 * 1024, metadata=says("Bytes kept for one partner.", least=65536))
    total_bytes: int = field(default=4 * 1024**3, metadata=says("Bytes kept in all.", least=65536))
    seconds: float = field(
        default=3600.0, metadata=says("Seconds after which the sender is told that it was not delivered.", least=1)
    )
    free_bytes: int = field(
        default=64 * 1024 * 1024, metadata=says("Free bytes on the disk below which no message is taken.", least=0)
    )
