"""What a contract says about how SIP is spoken with a domain."""

from attrs import frozen


@frozen
class Terms:
    """Is the manner of speaking with one domain."""

    literal_errors: bool = False
    """Whether errors are those of RFC 7247 table 2 to the letter."""
    languages: tuple[str, ...] = ()
    """Which of several texts goes, in lower case, the dearest first, unless the peer itself says it."""
    through_edge: bool = False
    """Whether it comes through an Access Edge of ours, whose marks count."""


def usual(domain: str) -> Terms:
    """Gives what holds for everybody of whom nothing is said."""
    return Terms()
