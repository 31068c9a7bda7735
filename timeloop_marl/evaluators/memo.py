"""Remember outcomes: for evaluators so slow that asking twice hurts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..cost.outcome import Outcome, Rejection, Statistics
from ..mapping import Mapping, MappingBatch
from .base import Evaluator
from .parallel import joined


class MemoEvaluator:
    """Evaluates every distinct row once; rows are equal if all arrays of the batch are.

    Args:
        evaluator: asked about new rows only, all new ones of a batch at once.
        capacity: rows remembered; then the oldest are forgotten.
    """

    def __init__(self, evaluator: Evaluator, capacity: int = 100_000) -> None:
        self.name = evaluator.name
        self.hits = 0
        self._evaluator, self._capacity = evaluator, capacity
        self._known: dict[bytes, Outcome] = {}  # one-row outcomes

    def __call__(self, mappings: MappingBatch) -> Outcome:
        """Outcomes of all rows, in order."""
        keys = list(row_keys(mappings))
        new = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self._known}
        self.hits += len(keys) - len(new)
        if new or not keys:
            rows = np.array(sorted(new.values()), np.int64)
            outcome = self._evaluator(mappings.take(rows))
            if not keys:
                return outcome
            for k, i in enumerate(rows):
                self._known[keys[i]] = _row(outcome, k)
        answer = joined([self._known[key] for key in keys])
        while len(self._known) > self._capacity:
            del self._known[next(iter(self._known))]
        return answer

    def statistics(self, mapping: Mapping) -> Statistics | Rejection:
        """Every figure of one mapping, or why it is invalid."""
        return self._evaluator.statistics(mapping)


def row_keys(mappings: MappingBatch) -> Iterator[bytes]:
    """Equal for rows that are equal in all arrays of the batch."""
    for i in range(len(mappings)):
        yield b"".join(
            array[i].tobytes()
            for array in (mappings.factors, mappings.residuals, mappings.order, mappings.split, mappings.keep)
        )


def _row(outcome: Outcome, i: int) -> Outcome:
    one = slice(i, i + 1)
    return Outcome(
        cycles=outcome.cycles[one],
        energy_pj=outcome.energy_pj[one],
        utilization=outcome.utilization[one],
        failure=outcome.failure[one],
        failed_level=outcome.failed_level[one],
        accesses=None if outcome.accesses is None else outcome.accesses[one],
    )
