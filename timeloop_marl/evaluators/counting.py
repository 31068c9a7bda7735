"""What imperfect mappings are charged: Timeloop undercounts spatial residuals, and an optimiser finds that."""

from __future__ import annotations

import dataclasses
from math import prod

import numpy as np

from ..cost.outcome import Outcome, Rejection, Statistics
from ..mapspace.awkward import imperfect_dims
from ..specs.mapping import Mapping, MappingBatch
from ..specs.spec import Spec
from .base import Evaluator

CORRECTED, PADDED, TIMELOOP = "corrected", "padded", "timeloop"


class CountingEvaluator:
    """An evaluator whose outcomes of imperfect mappings are charged for all multiply-accumulates of the layer.

    ``corrected``: Timeloop's figures, the energy times max(1, MACs of the layer / computes). ``padded``: those of the
    layer enlarged to what the loop bounds cover, which zero padding reaches on any machine: an upper bound. Outcomes of
    perfect mappings and all ``statistics`` stay as they are.
    """

    def __init__(self, evaluator: Evaluator, spec: Spec, count: str) -> None:
        self.name = f"{evaluator.name}, imperfect mappings {count}"
        self._evaluator, self._count = evaluator, count
        self._units, self._work = spec.architecture.compute.instances, float(prod(spec.problem.bounds))

    def __call__(self, mappings: MappingBatch) -> Outcome:
        """Outcomes of all rows, in order."""
        if self._count == PADDED:
            return self._evaluator(dataclasses.replace(mappings, residuals=mappings.factors))
        outcome = self._evaluator(mappings)
        imperfect = (mappings.factors != mappings.residuals).any(axis=(1, 2)) & (outcome.failure == 0)
        if imperfect.any():
            computes = (
                outcome.utilization[imperfect] * self._units * outcome.cycles[imperfect].astype(np.float64)
            )
            outcome.energy_pj[imperfect] *= np.maximum(1.0, self._work / computes)
        return outcome

    def statistics(self, mapping: Mapping) -> Statistics | Rejection:
        """Every figure of one mapping, as Timeloop has them, or why it is invalid."""
        return self._evaluator.statistics(mapping)


def counting(evaluator: Evaluator, spec: Spec) -> Evaluator:
    """The evaluator with the count that the mapper's options ask for, where the search may meet imperfect mappings."""
    count = spec.mapper.count or CORRECTED
    if count == TIMELOOP or not (spec.mapper.template == "ruby" or imperfect_dims(spec)):
        return evaluator
    return CountingEvaluator(evaluator, spec, count)
