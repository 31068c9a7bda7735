"""THE search loop: ask, evaluate, record, tell; budgets, stopping, progress, resume.

Every evaluated sample is in the trace before the searcher hears of it. Searchers are deterministic, so a resumed search
replays the trace through ``ask`` and ``tell`` and stands exactly where the killed one stood.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..cost.objective import Objective
from ..cost.outcome import Failure, Outcome
from ..errors import UsageError
from ..evaluators.base import Evaluator
from ..evaluators.wrappers import AheadEvaluator
from ..parallel.interruption import HaltedError, go_on, halting, watched
from ..searchers.base import Searcher, Space
from ..specs.mapping import MappingBatch
from .result import Progress, SearchResult, StopReason, Tally
from .trace import TraceBatch, TraceReader, TraceWriter

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
        try:
            rows = self._searcher.ask(asked)
        except HaltedError:  # so will the search itself be
            return None
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


# Also compared on resume, one by one, so that the message can name what differs.
_SIZES = ("axes", "accesses")


@dataclass(frozen=True)
class Budget:
    """When to stop; ``None`` = no such limit. A search without any limit runs until its searcher is exhausted.

    ``samples`` counts every evaluated mapping, valid or not; ``stagnation``: samples since the last improvement;
    ``seconds``: wall clock of the search, summed over resumed runs; ``target``: objective value to reach.
    """

    samples: int | None = 2000
    valid_samples: int | None = None
    seconds: float | None = None
    target: float | None = None
    stagnation: int | None = None

    def __post_init__(self) -> None:
        for name in ("samples", "valid_samples", "seconds", "stagnation"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"budget: {name} must be greater than 0, got {value}")


@dataclass(frozen=True)
class TraceFile:
    """Where to record a search, what identifies it (searcher, seed, inputs, …), and whether to go on with it."""

    path: Path
    identity: Mapping[str, Any] = field(default_factory=dict)
    resume: bool = False


OnProgress = Callable[[Progress], None]


class Session:
    """A search that may be run for a while, put aside (pickled, if its searcher can be), and gone on with.

    Going on takes no replay, unlike ``search`` with a trace to resume.
    """

    def __init__(self, space: Space, searcher: Searcher, objective: Objective, *, top: int = 1) -> None:
        if top < 1:
            raise UsageError(f"top must be at least 1, got {top}")
        self.space, self.searcher, self.objective = space, searcher, objective
        self.tally = Tally(space, objective, top)
        self._end: int | None = None  # of the trace when the session was put aside

    def continues(self, path: Path) -> bool:
        """Whether the trace at ``path`` ends where this session was put aside."""
        return self._end is not None and path.exists() and path.stat().st_size == self._end

    def run(
        self,
        evaluator: Evaluator,
        budget: Budget,
        *,
        trace: TraceFile | None = None,
        largest_batch: int | None = None,
        on_progress: OnProgress | None = None,
        stop: Callable[[Progress], bool] | None = None,
        halted: Callable[[], bool] | None = None,
        predictor: Callable[[], Evaluator] | None = None,
    ) -> SearchResult:
        """Run until the budget, which counts from the session's first sample on, is spent.

        ``halted``: asked before every batch; true ends it as an interruption. The rest as in ``search``.
        """
        loop = _Loop(self.space, self.searcher, evaluator, self.objective, budget, self.tally, on_progress)
        loop.largest_batch, loop.asked_to_stop = largest_batch, stop
        with _record(trace, self._end) as record, watched() as interrupted:
            if record is not None and record.reader is not None:
                if self._end is None:
                    loop.replay(record.reader, interrupted)
                record.check_tail(self.tally)
            if predictor is not None and isinstance(evaluator, AheadEvaluator):
                loop.look_ahead(evaluator, predictor)
            reason = loop.run(record, lambda: interrupted() or (halted is not None and halted()))
        # A searcher that was halted while it made candidates cannot be asked again: who goes on has to replay.
        whole = trace is not None and trace.path.exists() and not loop.halted
        self._end = trace.path.stat().st_size if trace is not None and whole else None
        return known(self.tally.result(reason), self.searcher)


def search(
    space: Space,
    searcher: Searcher,
    evaluator: Evaluator,
    objective: Objective,
    budget: Budget | None = None,
    *,
    trace: TraceFile | None = None,
    top: int = 1,
    largest_batch: int | None = None,
    on_progress: OnProgress | None = None,
    stop: Callable[[Progress], bool] | None = None,
    predictor: Callable[[], Evaluator] | None = None,
) -> SearchResult:
    """Run a search to the end of its budget.

    Args:
        space: decodes the searcher's rows.
        top: how many distinct best mappings to return.
        largest_batch: ask for at most so many at once, for evaluators that take their time.
        on_progress: called after every batch, replayed ones included.
        stop: asked before every batch; true ends the search.
        predictor: makes an evaluator that is quick and as a rule right, for an ``AheadEvaluator`` that would rather
            begin with the next batch than wait for the rest of this one; changes no result.

    Returns:
        Best mappings, trajectory and counts. SIGINT and SIGTERM stop it after the running batch, or while it looks for
        candidates, with nothing lost;
        a second SIGINT raises ``KeyboardInterrupt`` at once (the trace is whole all the same).

    Raises:
        UsageError: the trace exists and ``resume`` is off, belongs to another search, or cannot be written.
    """
    session = Session(space, searcher, objective, top=top)
    return session.run(
        evaluator,
        budget or Budget(),
        trace=trace,
        largest_batch=largest_batch,
        on_progress=on_progress,
        stop=stop,
        predictor=predictor,
    )


def known(found: SearchResult, searcher: Searcher) -> SearchResult:
    """The result with what its searcher knows of the cost model, how much it has judged by that, and what is proven."""
    return dataclasses.replace(
        found, knowledge=searcher.knowledge, judged=searcher.judged, proof=searcher.proof
    )


class _Record:
    """The trace file of one search; the file is made when the first batch arrives."""

    def __init__(self, trace: TraceFile, end: int | None) -> None:
        self._trace = trace
        self.reader: TraceReader | None = None
        self._writer: TraceWriter | None = None
        if trace.path.exists():
            if not trace.resume and end is None:
                raise UsageError(
                    f"{trace.path}: there is a trace already; resume it, or choose another folder"
                )
            self.reader = TraceReader(trace.path)
            _check_identity(trace, self.reader.header)
            if end is not None:
                self.reader.skip_to(end)

    def check_tail(self, tally: Tally) -> None:
        """Cut off what a killed process left half-written, once everything before it was replayed."""
        if self.reader is not None:
            tally.dropped_bytes = self.reader.dropped
            self._writer = TraceWriter.append_to(self.reader)

    def append(self, batch: TraceBatch) -> None:
        if self._writer is None:
            accesses = batch.outcome.accesses
            sizes = (batch.candidates.shape[1], 0 if accesses is None else accesses.shape[1])
            header = {**self._trace.identity, **dict(zip(_SIZES, sizes))}
            self._writer = TraceWriter.create(self._trace.path, header)
        self._writer.append(batch)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _check_identity(trace: TraceFile, header: Mapping[str, Any]) -> None:
    identity = json.loads(json.dumps(dict(trace.identity)))  # as the header was written: lists for tuples
    for key in sorted({*identity, *header} - {*_SIZES, "versions"}):
        if identity.get(key) != header.get(key):
            raise UsageError(
                f"{trace.path}: cannot resume: {key} was {header.get(key)!r} when the search began, "
                f"now it is {identity.get(key)!r}"
            )
    recorded, now = header.get("versions", {}), identity.get("versions", {})
    if recorded.get("timeloop-marl") != now.get("timeloop-marl"):
        raise UsageError(
            f"{trace.path}: cannot resume: recorded by timeloop-marl {recorded.get('timeloop-marl')}, this is "
            f"{now.get('timeloop-marl')}; go on with the recorded version, or start anew in another folder"
        )


@contextmanager
def _record(trace: TraceFile | None, end: int | None) -> Iterator[_Record | None]:
    if trace is None:
        yield None
        return
    record = _Record(trace, end)
    try:
        yield record
    finally:
        record.close()


class _Loop:
    def __init__(
        self,
        space: Space,
        searcher: Searcher,
        evaluator: Evaluator,
        objective: Objective,
        budget: Budget,
        tally: Tally,
        on_progress: OnProgress | None,
    ) -> None:
        self.space, self.searcher, self.evaluator = space, searcher, evaluator
        self.objective, self.budget, self.tally, self.on_progress = objective, budget, tally, on_progress
        self.largest_batch: int | None = None
        self.asked_to_stop: Callable[[Progress], bool] | None = None
        self.halted = False  # in the middle of an ``ask``

    def replay(self, reader: TraceReader, interrupted: Callable[[], bool]) -> None:
        """Bring the searcher to the state in which the recorded search ended, evaluating nothing.

        Raises:
            KeyboardInterrupt: a signal came; there is nothing new to be kept.
        """
        try:
            with halting(interrupted):
                self._replay(reader)
        except HaltedError:
            raise KeyboardInterrupt from None

    def _replay(self, reader: TraceReader) -> None:
        for batch in reader.batches():
            go_on()
            rows = self.searcher.ask(batch.asked)
            if not np.array_equal(rows, batch.candidates):
                raise UsageError(
                    f"{reader.path}: cannot resume: from sample {self.tally.samples + 1} on the searcher proposes "
                    f"other candidates than were recorded; versions then: {reader.header.get('versions', 'unknown')}"
                )
            self.searcher.tell(rows, batch.outcome)
            self._count(rows, batch.outcome, batch.seconds, replayed=True)

    def run(self, record: _Record | None, interrupted: Callable[[], bool]) -> StopReason:
        """Ask, evaluate, record, tell until something says stop."""
        before = self.tally.seconds - time.monotonic()
        limit = float("inf") if self.budget.seconds is None else self.budget.seconds

        def over() -> bool:
            return interrupted() or before + time.monotonic() >= limit

        while True:
            elapsed = before + time.monotonic()
            reason = StopReason.INTERRUPTED if interrupted() else self._stop(elapsed)
            if reason is not None:
                self.tally.seconds = elapsed  # what the searcher learnt from the last batch took time too
                return reason
            asked = self._batch_size(self.searcher, self.tally.samples, self.tally.valid)
            try:
                with halting(over):
                    rows = self.searcher.ask(asked)
            except HaltedError:
                self.halted = True
                continue
            if len(rows) == 0:
                proof = self.searcher.proof
                return StopReason.PROVEN if proof is not None and proof.proven else StopReason.EXHAUSTED
            with halting(over):
                outcome = self.evaluator(self.space.decode(rows))  # a look ahead asks a searcher, too
            elapsed = before + time.monotonic()
            if record is not None:
                record.append(TraceBatch(rows, outcome, asked, elapsed))
            self.searcher.tell(rows, outcome)
            self._count(rows, outcome, elapsed, replayed=False)

    def look_ahead(self, evaluator: AheadEvaluator, predictor: Callable[[], Evaluator]) -> None:
        """Let the evaluator know what will be asked, as far as outcomes are as predicted."""
        ahead = foresight(self.searcher, predictor, self._batch_size, self.tally.samples, self.tally.valid)
        if ahead is not None:
            evaluator.expect(ahead)

    def _batch_size(self, searcher: Searcher, samples: int, valid: int) -> int:
        size = min(searcher.batch, self.largest_batch or searcher.batch)
        if self.budget.samples is not None:
            size = min(size, self.budget.samples - samples)
        if self.budget.valid_samples is not None:
            size = min(size, self.budget.valid_samples - valid)
        return size

    def _stop(self, elapsed: float) -> StopReason | None:
        budget, tally = self.budget, self.tally
        checks = (
            (StopReason.TARGET, budget.target, budget.target is not None and tally.cost <= budget.target),
            (StopReason.SAMPLES, budget.samples, tally.samples >= (budget.samples or 0)),
            (StopReason.VALID_SAMPLES, budget.valid_samples, tally.valid >= (budget.valid_samples or 0)),
            (StopReason.SECONDS, budget.seconds, elapsed >= (budget.seconds or 0)),
            (StopReason.STAGNATION, budget.stagnation, tally.stagnant >= (budget.stagnation or 0)),
        )
        reason = next((reason for reason, limit, reached in checks if limit is not None and reached), None)
        if reason is None and self.asked_to_stop is not None:
            asked = self.asked_to_stop(tally.progress(improved=False, replayed=False))
            return StopReason.ASKED if asked else None
        return reason

    def _count(
        self, rows: Int64[ndarray, "m axes"], outcome: Outcome, seconds: float, *, replayed: bool
    ) -> None:
        improved = self.tally.add(rows, outcome, seconds)
        if self.on_progress is not None:
            self.on_progress(self.tally.progress(improved=improved, replayed=replayed))
