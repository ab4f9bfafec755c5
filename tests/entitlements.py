"""What houses that only stand in for the real one let contacts see: everything."""

from gateway.guarding import Entitled
from gateway.model.presence import Field
from gateway.policy.partners import Modality

EVERYTHING = Entitled(
    frozenset(Field), frozenset(name.value for name in Field) | {f"may.{modality.value}" for modality in Modality}
)
