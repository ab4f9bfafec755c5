"""What one policy lets pass between two people and another does not: exactly the difference of their permissions."""

from attrs import frozen

from gateway.model.presence import Field
from gateway.policy.authorization import Facts, permission
from gateway.policy.partners import Modality

NO_FIELDS: frozenset[Field] = frozenset()
NO_TRAFFIC: frozenset[Modality] = frozenset()


@frozen
class Difference:
    """Is what a contact gains and loses when one policy takes the place of another."""

    gains: frozenset[Field] = NO_FIELDS
    loses: frozenset[Field] = NO_FIELDS
    opens: frozenset[Modality] = NO_TRAFFIC
    """Kinds of traffic that may pass after and not before."""
    closes: frozenset[Modality] = NO_TRAFFIC

    @property
    def widens(self) -> bool:
        """Says whether anything is let pass that was not."""
        return bool(self.gains or self.opens)

    @property
    def narrows(self) -> bool:
        """Says whether anything is kept back that was not."""
        return bool(self.loses or self.closes)

    def __bool__(self) -> bool:
        return self.widens or self.narrows


def difference(before: Facts, after: Facts) -> Difference:
    """Compares what two policies say of one pair."""
    old, new = permission(before).fields, permission(after).fields
    shut, let = traffic(before), traffic(after)
    return Difference(new - old, old - new, let - shut, shut - let)


def traffic(facts: Facts) -> frozenset[Modality]:
    """Gives the kinds of traffic that pass between the two: none behind a barrier, none with the blocked."""
    return NO_TRAFFIC if facts.barrier is not None or facts.blocked else facts.modalities
