"""Lists of domains, with `*.domain` for all that are below one."""

from collections.abc import Iterable

from attrs import frozen


@frozen
class Domains:
    """Is a list of normalised domains: each names itself, `*.domain` those below it, `*` all."""

    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: Iterable[str]) -> "Domains":
        """Makes a list."""
        return cls(frozenset(names))

    def __contains__(self, domain: str) -> bool:
        if not self.names:
            return False
        if domain in self.names or "*" in self.names:
            return True
        rest = domain
        while "." in rest:
            rest = rest.partition(".")[2]
            if f"*.{rest}" in self.names:
                return True
        return False


NO_DOMAINS = Domains()
