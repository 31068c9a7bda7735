"""The Evaluator interface: candidates to costs."""

from __future__ import annotations

from typing import Protocol

from ..cost.outcome import Outcome, Rejection, Statistics
from ..specs.mapping import Mapping, MappingBatch


class Evaluator(Protocol):
    """Evaluates mappings of one Spec. An invalid mapping is an outcome, never an exception."""

    name: str  # what outputs call the evaluator, e.g. "native model (rules 2025)"

    def __call__(self, mappings: MappingBatch) -> Outcome:
        """Outcomes of all rows, in order."""
        ...

    def statistics(self, mapping: Mapping) -> Statistics | Rejection:
        """Every figure of one mapping, or why it is invalid."""
        ...
