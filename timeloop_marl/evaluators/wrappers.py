"""Around an evaluator: workers that share a batch, threads that work ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol

import numpy as np

from ..cost.outcome import Outcome, Rejection, Statistics
from ..parallel.workers import Workers
from ..specs.mapping import Mapping, MappingBatch
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


def row_keys(mappings: MappingBatch) -> Iterator[bytes]:
    """Equal for rows that are equal in all arrays of the batch."""
    for i in range(len(mappings)):
        yield b"".join(
            array[i].tobytes()
            for array in (mappings.factors, mappings.residuals, mappings.order, mappings.split, mappings.keep)
        )


class Expectations(Protocol):
    """Says which batches will be asked, from the first call on, as long as outcomes are as it predicts."""

    def next(self) -> MappingBatch | None:
        """The next batch; ``None`` if it cannot say."""
        ...

    def confirms(self, outcome: Outcome) -> bool:
        """Whether the oldest batch whose outcome was not heard yet came out as predicted."""
        ...


class AheadEvaluator:
    """Evaluates rows at the same time on threads; outcomes depend neither on their number nor on what is expected.

    What was evaluated ahead is used when it is asked, and only then: a call that crashes raises at its turn. Use as a
    context manager, or ``close`` it.

    Args:
        evaluator: evaluates single rows; called by several threads at once.
        jobs: threads.

    Attributes:
        ahead: rows that had been handed to the threads before they were asked.
        wasted: rows begun and never asked.
    """

    def __init__(self, evaluator: Evaluator, jobs: int) -> None:
        self.name, self.jobs = evaluator.name, jobs
        self.ahead = self.wasted = 0
        self._evaluator = evaluator
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="evaluator")
        self._expectations: Expectations | None = None
        self._first = (
            False  # of the calls since there are expectations: theirs begin with the batch that it asks for
        )
        self._expected: deque[list[bytes]] = deque()  # keys of the rows of batches to come
        self._begun: dict[bytes, Future[Outcome]] = {}

    def expect(self, expectations: Expectations) -> None:
        """Work ahead from the next call on."""
        self._drop()
        self._expectations, self._first = expectations, True

    def __call__(self, mappings: MappingBatch) -> Outcome:
        """Outcomes of all rows, in order."""
        if not len(mappings):
            return self._evaluator(mappings)
        keys = list(row_keys(mappings))
        if self._expected and self._expected.popleft() != keys:
            self._drop()
        rows = [self._row(key, mappings.take(slice(i, i + 1))) for i, key in enumerate(keys)]
        self._look_ahead(keys)
        outcome = joined([row.result() for row in rows])
        if self._expectations is not None and not self._expectations.confirms(outcome):
            self._drop()
        return outcome

    def statistics(self, mapping: Mapping) -> Statistics | Rejection:
        """Every figure of one mapping, or why it is invalid."""
        return self._evaluator.statistics(mapping)

    def close(self) -> None:
        """Give up what waits, and wait for the calls under way."""
        self._drop()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> AheadEvaluator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _row(self, key: bytes, row: MappingBatch) -> Future[Outcome]:
        begun = self._begun.pop(key, None)
        if begun is not None:
            self.ahead += 1
            return begun
        return self._threads.submit(self._evaluator, row)

    def _look_ahead(self, keys: list[bytes]) -> None:
        """Begin rows of batches to come until every thread has two to do after those of ``keys``."""
        while self._expectations is not None and self._waiting() < 2 * self.jobs:
            batch = self._expectations.next()
            if batch is None:
                return
            expected = list(row_keys(batch))
            if self._first:
                self._first = False
                if expected != keys:
                    self._drop()
                continue
            self._expected.append(expected)
            for i, key in enumerate(expected):
                if key not in self._begun:
                    self._begun[key] = self._threads.submit(self._evaluator, batch.take(slice(i, i + 1)))

    def _waiting(self) -> int:
        return sum(not row.done() for row in self._begun.values())

    def _drop(self) -> None:
        """Expect nothing any more; rows under way end unheard."""
        self._expectations = None
        self._expected.clear()
        for row in self._begun.values():
            self.wasted += not row.cancel()
        self._begun.clear()
