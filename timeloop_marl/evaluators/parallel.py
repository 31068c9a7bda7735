"""Spread the rows of a batch over workers; outcomes do not depend on how many there are."""

from __future__ import annotations

import numpy as np

from ..cost.outcome import Outcome, Rejection, Statistics
from ..mapping import Mapping, MappingBatch
from ..parallel import Workers
from .base import Evaluator

PARTS = 8
"""Parts of a batch for each worker."""


class ParallelEvaluator:
    """Evaluates parts of a batch at the same time, in order.

    Args:
        evaluator: evaluates the parts; called by several workers at once.
        workers: threads for evaluators that release the GIL or wait for a program; for processes and clusters the
            evaluator is pickled.
    """

    def __init__(self, evaluator: Evaluator, workers: Workers) -> None:
        self.name = evaluator.name
        self._evaluator, self._workers = evaluator, workers

    def __call__(self, mappings: MappingBatch) -> Outcome:
        """Outcomes of all rows, in order."""
        # Several parts each: slow rows do not hold up the others.
        wanted = 1 if self._workers.here else PARTS * self._workers.jobs
        parts = [part for part in np.array_split(np.arange(len(mappings)), wanted) if len(part)]
        if len(parts) < 2:
            return self._evaluator(mappings)
        return joined(self._workers.map(self._evaluator, [mappings.take(part) for part in parts]))

    def statistics(self, mapping: Mapping) -> Statistics | Rejection:
        """Every figure of one mapping, or why it is invalid."""
        return self._evaluator.statistics(mapping)


def joined(outcomes: list[Outcome]) -> Outcome:
    """Outcomes of consecutive parts of a batch (at least one) as one."""
    accesses = [outcome.accesses for outcome in outcomes if outcome.accesses is not None]
    return Outcome(
        cycles=np.concatenate([outcome.cycles for outcome in outcomes]),
        energy_pj=np.concatenate([outcome.energy_pj for outcome in outcomes]),
        utilization=np.concatenate([outcome.utilization for outcome in outcomes]),
        failure=np.concatenate([outcome.failure for outcome in outcomes]),
        failed_level=np.concatenate([outcome.failed_level for outcome in outcomes]),
        accesses=np.concatenate(accesses) if accesses else None,
    )
