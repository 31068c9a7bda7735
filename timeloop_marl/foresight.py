"""What a search will ask for next, while a slow evaluator still works: a copy of its searcher is told predictions.

With the native model as the predictor of the real Timeloop the copy is right about every batch to come. Where it is
wrong once, its searcher has learnt other things than the real one, and it says no more.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import deque
from collections.abc import Callable

import numpy as np

from .cost.outcome import Failure, Outcome
from .evaluators.base import Evaluator
from .mapping import MappingBatch
from .searchers.base import Searcher

BatchSize = Callable[[Searcher, int, int], int]
"""How many rows a searcher will be asked for after so many samples and so many valid ones."""


class Foresight:
    """Batch after batch of a searcher that is told predicted outcomes.

    Args:
        searcher: nobody else's.
        predictor: makes the evaluator that predicts, when the first outcome is needed.
        size: of the next batch; below 1 = there is none.
        samples, valid: at the beginning.
    """

    def __init__(
        self,
        searcher: Searcher,
        predictor: Callable[[], Evaluator],
        size: BatchSize,
        samples: int = 0,
        valid: int = 0,
    ) -> None:
        self._searcher, self._predictor, self._size = searcher, predictor, size
        self._samples, self._valid = samples, valid
        self._evaluator: Evaluator | None = None
        self._predicted: deque[Outcome] = deque()

    def next(self) -> MappingBatch | None:
        """The batch that will be asked after those that were said; ``None`` = none, or nothing can be said."""
        asked = self._size(self._searcher, self._samples, self._valid)
        if asked < 1:
            return None
        rows = self._searcher.ask(asked)
        if not len(rows):
            return None
        mappings = self._searcher.space.decode(rows)
        self._evaluator = self._evaluator or self._predictor()
        outcome = self._evaluator(mappings)
        self._searcher.tell(rows, outcome)
        self._samples += len(rows)
        self._valid += int((outcome.failure == Failure.OK).sum())
        self._predicted.append(outcome)
        return mappings

    def confirms(self, outcome: Outcome) -> bool:
        """Whether the oldest prediction that was not compared yet has come true, to the last bit."""
        return bool(self._predicted) and equal(self._predicted.popleft(), outcome)


def foresight(
    searcher: Searcher, predictor: Callable[[], Evaluator], size: BatchSize, samples: int, valid: int
) -> Foresight | None:
    """The foresight of a searcher in the state that it is in; ``None`` if it is none that can be copied."""
    if not searcher.copyable:
        return None
    return Foresight(copy.deepcopy(searcher), predictor, size, samples, valid)


def equal(one: Outcome, other: Outcome) -> bool:
    """Whether two outcomes are the same in every bit."""
    names = [field.name for field in dataclasses.fields(Outcome)]
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    return all(a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs)
