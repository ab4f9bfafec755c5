"""What the gateway may do beside its service, for whom: off until somebody with a right to it switches it on."""

from collections.abc import Iterable

from attrs import frozen

from gateway.policy.precedence import Effective, Layer, Setting, kept


@frozen
class Scope:
    """Is one value that the administrator sets: for everybody, a partner, a group or a person of ours."""

    on: bool
    locked: bool = False
    partner: str = ""
    """Any of its domains."""
    group: str = ""
    person: str = ""
    """Bare address."""
    until: float | None = None
    """Posix seconds at which it ends."""

    @property
    def layer(self) -> Layer:
        """Gives the layer for which it is made: the narrowest of what it names."""
        if self.person:
            return Layer.NAMED
        if self.group:
            return Layer.GROUP
        return Layer.PARTNER if self.partner else Layer.ADMINISTRATOR

    @property
    def whom(self) -> str:
        """Names it in words."""
        return self.person or (f"group {self.group}" if self.group else self.partner or "everybody")


@frozen
class Concerned:
    """Is whom a decision is about."""

    person: str = ""
    groups: frozenset[str] | None = frozenset()
    """None while they are not known: then he is taken to be in every group for which something is off."""
    domains: frozenset[str] = frozenset()
    """Of the partner."""

    def by(self, scope: Scope) -> bool:
        """Says whether a value is about him."""
        if scope.person and scope.person != self.person:
            return False
        if scope.partner and scope.partner not in self.domains:
            return False
        return not scope.group or (not scope.on if self.groups is None else scope.group in self.groups)


def said(scopes: Iterable[Scope], whom: Concerned, now: float) -> list[Setting]:
    """Gives what has been said about somebody and has not ended."""
    return [
        Setting(scope.layer, scope.on, scope.locked)
        for scope in scopes
        if (scope.until is None or scope.until > now) and whom.by(scope)
    ]


def decided(scopes: Iterable[Scope], whom: Concerned, now: float) -> Effective:
    """Decides whether something is on for somebody."""
    return kept(said(scopes, whom, now))
