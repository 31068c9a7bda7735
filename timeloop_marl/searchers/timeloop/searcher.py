"""Timeloop's five mappers as one ``Searcher``: ask and tell, any number of threads, Timeloop's samples only."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ...cost.objective import Objective
from ...cost.outcome import Outcome
from ...errors import SpecError, UnsupportedFeatureError
from ...mapspace.timeloop import LARGEST_SPACE, TimeloopMapspace
from ...specs.mapper import MapperOptions
from ...specs.mapping import Mapping as LoopNest
from ...specs.mapping import MappingBatch
from ...specs.spec import Spec
from ..base import Searcher
from ..registry import Option, searcher
from .counting import is_better
from .events import Counters, Event, FailureStatistic
from .failures import merged
from .metrics import expand_metrics, needs_accesses
from .thread import Best, MapperThread

ALGORITHMS: Mapping[str, str] = {
    "random": "factors, order and split drawn independently",
    "random_pruned": "random factors, a few loop orders each",
    "linear_pruned": "everything in sequence, unit loops not permuted",
    "hybrid": "random factors, all loop orders of each",
    "exhaustive": "everything in sequence",
}
BATCH = 1 << 13
_OPTIONS = (
    "num_threads",
    "search_size",
    "timeout",
    "victory_condition",
    "sync_interval",
    "penalize_consecutive_bypass_fails",
    "filter_revisits",
    "max_permutations_per_if_visit",
    "max_temporal_loops_in_a_mapping",
)


@dataclass(frozen=True)
class BestMapping:
    """The winner of all threads: what timeloop-mapper evaluates again and prints at the end."""

    thread: int
    candidate: Int64[ndarray, "axes"]
    mapping: LoopNest
    cycles: int
    energy_pj: float
    utilization: float


class TimeloopSearcher(Searcher):
    """A Timeloop mapper, sample for sample (mapspace sections 3 and 4).

    Only constructible mappings are asked for; construction failures are counted inside, so Timeloop's totals are in
    ``counters``, not in the number of rows. Batches end where a termination condition could strike: no row is asked
    that the real mapper would not have evaluated.

    Threads are emulated: each runs its own deterministic sequence. With ``sync_interval`` all threads that still run
    meet after every that many samples and exchange their bests in thread order; in the real program that moment
    depends on timing.

    Args:
        space: the mapspace; its template has to be that of the options.
        options: the mapper section; default: that of the Spec.
    """

    space: TimeloopMapspace
    batch = BATCH
    copyable = True
    precheck = True

    def __init__(self, space: TimeloopMapspace, options: MapperOptions | None = None) -> None:
        self.space = space
        self.options = options or space.spec.mapper
        if self.options.algorithm not in ALGORITHMS:
            raise SpecError(
                "unknown search algorithm",
                path="mapper.algorithm",
                value=self.options.algorithm,
                expected=", ".join(ALGORITHMS),
            )
        if max(vars(space.sizes).values()) >= LARGEST_SPACE:
            raise UnsupportedFeatureError(
                "a sub-space of the mapspace has 2^128 ids or more, which Timeloop's mappers cannot number",
                path="mapper.algorithm",
                value=self.options.algorithm,
                remedy="fix factors or permutations by constraints, or take a searcher on the learners' view",
            )
        threads = self.options.num_threads or os.cpu_count() or 1
        names = self.options.optimization_metrics
        self.metrics = expand_metrics(names, len(space.architecture.storage))
        self.threads = tuple(
            MapperThread(space, self.options, self.metrics, index, threads) for index in range(threads)
        )
        self._askers: list[tuple[MapperThread, int]] = []
        self._shared: Best | None = None

    @property
    def needs_accesses(self) -> bool:
        """Whether outcomes have to carry ``accesses``."""
        return needs_accesses(self.metrics)

    @property
    def notices(self) -> tuple[str, ...]:
        """Where an option does something else than its name says, or the real program refuses."""
        found = list(self.space.notices)
        if self.options.timeout == 0:
            found.append(
                "mapper.timeout is 0: as in Timeloop, the search stops at the first invalid mapping (0 does not "
                "switch the timeout off; a large number does)"
            )
        if self.options.sync_interval > 0 and len(self.threads) > 1:
            found.append(
                "mapper.sync_interval with several threads depends on timing in Timeloop; here the threads meet after "
                "every sync_interval samples and exchange their bests in thread order"
            )
        return tuple(found)

    def _propose(self, n: int) -> Int64[ndarray, "m axes"]:
        """At most n rows, shared out among the running threads; none = all threads have ended."""
        while True:
            live = [thread for thread in self.threads if not (thread.ended or thread.waiting)]
            if not live and not self._meet():
                return np.zeros((0, self.space.axes), np.int64)
            parts, left = [], n
            for position, thread in enumerate(live):
                quota = left // (len(live) - position)
                rows = thread.ask(quota) if quota else np.zeros((0, self.space.axes), np.int64)
                left -= len(rows)
                if len(rows):
                    self._askers.append((thread, len(rows)))
                    parts.append(rows)
            if parts:
                return np.concatenate(parts)

    def _observe(self, candidates: Int64[ndarray, "m axes"], outcome: Outcome) -> None:
        asked, self._askers = self._askers, []
        start = 0
        for thread, count in asked:
            thread.tell(_rows_of(outcome, slice(start, start + count)))
            start += count

    def _meet(self) -> bool:
        """Let all waiting threads synchronise, in thread order; False if none waits."""
        waiting = [thread for thread in self.threads if thread.waiting]
        for thread in waiting:
            self._shared = thread.synchronize(self._shared)
        return bool(waiting)

    def interrupt(self) -> None:
        """As Ctrl-C: every thread ends before its next sample."""
        for thread in self.threads:
            thread.interrupted = True

    def drain_events(self) -> list[Event]:
        """Events since the last call, thread by thread, each thread's in order."""
        events: list[Event] = []
        for thread in self.threads:
            events += thread.events
            thread.events = []
        return events

    @property
    def counters(self) -> tuple[Counters, ...]:
        """The account of every thread."""
        return tuple(thread.counters for thread in self.threads)

    @property
    def failures(self) -> tuple[FailureStatistic, ...]:
        """Failure statistics of all threads; empty without option ``diagnostics``."""
        return merged([thread.failures for thread in self.threads if thread.failures is not None])

    @property
    def best(self) -> BestMapping | None:
        """The best of all threads, compared in thread order; ``None`` if there is no valid mapping yet."""
        winner: tuple[int, Best] | None = None
        for index, thread in enumerate(self.threads):
            mine = thread.best
            if mine is not None and (winner is None or is_better(mine.costs, winner[1].costs)):
                winner = index, mine
        if winner is None:
            return None
        index, best = winner
        mapping = self.space.decode(best.candidate[None, :])[0]
        return BestMapping(index, best.candidate, mapping, best.cycles, best.energy_pj, best.utilization)


def _rows_of(outcome: Outcome, rows: slice) -> Outcome:
    accesses = None if outcome.accesses is None else outcome.accesses[rows]
    return Outcome(
        outcome.cycles[rows], outcome.energy_pj[rows], outcome.utilization[rows],
        outcome.failure[rows], outcome.failed_level[rows], accesses,
    )  # fmt: skip


def _made(
    algorithm: str, spec: Spec, objective: Objective, seed: int, given: Mapping[str, Option]
) -> TimeloopSearcher:
    """Options of the input, but those given. The mappers draw from a fixed state: the seed changes nothing."""
    # Results must not depend on the machine: without a number in the input, one thread.
    own: dict[str, Any] = {"num_threads": spec.mapper.num_threads or 1, **given}
    metrics = tuple(objective.metrics)
    chosen = dataclasses.replace(spec.mapper, algorithm=algorithm, optimization_metrics=metrics, **own)
    return TimeloopSearcher(TimeloopMapspace(dataclasses.replace(spec, mapper=chosen)), chosen)


for _algorithm, _text in ALGORITHMS.items():
    searcher(
        f"timeloop-{_algorithm.replace('_', '-')}",
        f"Timeloop's {_algorithm}: {_text}",
        {name: getattr(MapperOptions(), name) for name in _OPTIONS},
    )(partial(_made, _algorithm))


def run_mapper(
    searcher: TimeloopSearcher,
    evaluate: Callable[[MappingBatch], Outcome],
    on_event: Callable[[Event], None] = lambda event: None,
    batch: int = BATCH,
) -> BestMapping | None:
    """Search until every thread has ended, as the drop-in for timeloop-mapper does; ``None`` without a valid mapping.

    Ctrl-C ends the search as it ends Timeloop's: with the best so far.
    """
    while True:
        try:
            candidates = searcher.ask(batch)
            if len(candidates):
                outcome = evaluate(searcher.space.decode(candidates))
                searcher.tell(candidates, outcome)
        except KeyboardInterrupt:
            searcher.interrupt()
            continue
        for event in searcher.drain_events():
            on_event(event)
        if not len(candidates):
            return searcher.best
