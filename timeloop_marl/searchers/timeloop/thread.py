"""One mapper thread: proposes blocks of samples, keeps Timeloop's account of them, knows when to stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ...cost.outcome import Failure, Outcome
from ...kernels.record import boxed
from ...mapspace.timeloop import TimeloopMapspace
from ...parallel.interruption import go_on
from ...specs.mapper import MapperOptions
from ...specs.mapping import Mapping
from .counting import account, is_better
from .cursor import NO_LIMIT, At, Count, Rule, Stop, new_block, new_cursor, new_ledger
from .enumeration import propose
from .events import Counters, StopReason, ThreadEnd, ValidMapping
from .failures import FailureTally
from .metrics import costs_of
from .queues import queue_of

SAMPLES_AT_ONCE = 1 << 15
ROWS_AT_ONCE = 1 << 13


@dataclass(frozen=True)
class Best:
    """The best valid mapping of a thread: cost per metric, candidate row, cycles, energy in pJ, utilisation."""

    costs: Float64[ndarray, "K"]
    candidate: Int64[ndarray, "axes"]
    cycles: int
    energy_pj: float
    utilization: float


def limit(value: int) -> int:
    """A limit for the kernels: 0 switches it off."""
    return min(value, NO_LIMIT) if value > 0 else NO_LIMIT


def rules_of(
    space: TimeloopMapspace, options: MapperOptions, share: int, threads: int
) -> Int64[ndarray, "10"]:
    """The constants of a thread."""
    rules = np.zeros(len(Rule), np.int64)
    sizes = space.sizes
    algorithm = options.algorithm
    rules[Rule.PRUNED] = algorithm in ("linear_pruned", "hybrid", "random_pruned")
    rules[Rule.NESTED] = algorithm != "random"
    rules[Rule.DRAWN_ORDERS] = algorithm == "random_pruned"
    rules[Rule.MAX_ORDERS] = options.max_permutations_per_if_visit
    rules[Rule.SEARCH_SIZE] = limit(-(-options.search_size // threads))
    rules[Rule.VICTORY] = limit(options.victory_condition)
    rules[Rule.TIMEOUT] = min(options.timeout, NO_LIMIT)
    local = share * sizes.loop_permutation * sizes.spatial * sizes.datatype_bypass
    rules[Rule.VALID_LIMIT] = min(local, NO_LIMIT) if algorithm == "random" else NO_LIMIT
    rules[Rule.PENALIZE] = options.penalize_consecutive_bypass_fails
    rules[Rule.BYPASS_SIZE] = sizes.datatype_bypass
    return rules


class MapperThread:
    """One thread of a Timeloop mapper: ``ask`` for rows to be evaluated, ``tell`` their outcomes.

    ``waiting``: stopped at a synchronisation point. ``ended``: terminated; its last event is a ``ThreadEnd``.
    """

    def __init__(
        self,
        space: TimeloopMapspace,
        options: MapperOptions,
        metrics: tuple[str, ...],
        thread: int,
        threads: int,
    ) -> None:
        self.space, self.options, self.metrics, self.thread = space, options, metrics, thread
        self._queue = queue_of(space, options.algorithm, thread, threads, options.filter_revisits)
        self._entries = np.zeros((0, space.axes), np.int64)
        self._dry = False
        self._rules = rules_of(space, options, space.share(thread, threads), threads)
        self._cursor = new_cursor(space)
        self._snapshot = self._cursor.copy()
        self._counts = np.zeros(len(Count), np.int64)
        self._group_failures = np.zeros(1, np.int64)
        self._block = new_block(space, ROWS_AT_ONCE, SAMPLES_AT_ONCE, options.diagnostics)
        self._ledger = new_ledger(ROWS_AT_ONCE, len(metrics))
        self._stop = (0, 0, 0, int(Stop.FULL))  # what the last call of ``propose`` returned
        self._next_sync = options.sync_interval if options.sync_interval > 0 else NO_LIMIT
        self._log_all = options.log_suboptimal or options.log_stats or options.log_all_mappings
        self.failures = FailureTally(space) if options.diagnostics else None
        self.best: Best | None = None
        self.events: list[ValidMapping | ThreadEnd] = []
        self.waiting = self.ended = self.interrupted = False

    @property
    def counters(self) -> Counters:
        """The thread's account so far."""
        count = [int(self._counts[index]) for index in Count]
        return Counters(
            count[Count.TOTAL], count[Count.VALID], count[Count.ALL_FANOUT], count[Count.ALL_CAPACITY],
            count[Count.FANOUT], count[Count.CAPACITY], count[Count.SUBOPTIMAL],
        )  # fmt: skip

    def ask(self, n: int) -> Int64[ndarray, "m axes"]:
        """Rows to be evaluated; none if the thread has ended or waits for the others."""
        while not (self.ended or self.waiting):
            if self.interrupted:
                self._end(exhausted=False)
                break
            go_on()
            self._propose(min(n, ROWS_AT_ONCE))
            if self._stop[0]:
                return self._block.rows[: self._stop[0]].copy()
            self._account(np.zeros(0, np.bool_), np.zeros((0, len(self.metrics))), None)
        return np.zeros((0, self.space.axes), np.int64)

    def tell(self, outcome: Outcome) -> None:
        """Outcomes of the rows of the last ``ask``."""
        self._account(outcome.failure != Failure.OK, costs_of(outcome, self.metrics), outcome)

    def synchronize(self, shared: Best | None) -> Best | None:
        """Exchange with the best shared by all threads (option sync_interval); returns the shared best."""
        self.waiting = False
        self._next_sync += self.options.sync_interval
        if shared is not None and (self.best is None or is_better(shared.costs, self.best.costs)):
            self.best = shared
            self._ledger.best[:] = shared.costs
            self._counts[Count.HAS_BEST] = 1
            self._cursor.counts[Count.HAS_BEST] = 1
            return shared
        if self.best is not None and (shared is None or is_better(self.best.costs, shared.costs)):
            return self.best
        return shared

    def _refill(self) -> bool:
        """Fetch queue entries if none is left; whether the enumeration can go on."""
        at = self._cursor.at
        if at[At.HEAD] == len(self._entries) and not self._dry:
            self._entries = self._queue.more()
            at[At.HEAD] = 0
            self._dry = not len(self._entries)
        return bool(at[At.INSIDE]) or at[At.HEAD] < len(self._entries)

    def _propose(self, rows: int) -> None:
        self._refill()
        self._snapshot.restore(self._cursor)
        self._stop = self._run(self._rules, rows, SAMPLES_AT_ONCE, np.zeros(0, np.bool_), self._next_sync)

    def _run(
        self, rules: Int64[ndarray, "10"], rows: int, samples: int, known: Bool[ndarray, "k"], pause_at: int
    ) -> tuple[int, int, int, int]:
        space = self.space
        return propose(
            boxed(space.geometry), space.factors, space.choices, rules, self._cursor, self._entries, self._block,
            rows, samples, known, pause_at,
        )  # fmt: skip

    def _account(
        self, failed: Bool[ndarray, "R"], costs: Float64[ndarray, "R K"], outcome: Outcome | None
    ) -> None:
        _, samples, _, stop = self._stop
        done, rows, valid, held = account(
            self._rules, self._counts, self._group_failures, self._block, samples, failed, costs, self._ledger
        )
        if outcome is not None:
            self._record(valid, outcome, costs)
        if self.failures is not None:
            self.failures.add(self._block, done, outcome)
        if not held:
            self._replay(rows, done, failed)
        self._cursor.counts[:] = self._counts
        self._cursor.at[At.GROUP_FAILURES] = self._group_failures[0]
        self._settle(finished=held and done == samples, stop=stop)

    def _replay(self, rows: int, samples: int, failed: Bool[ndarray, "R"]) -> None:
        """Bring the cursor behind the last counted sample, with the true outcomes, after a wrong prediction."""
        unlimited = self._rules.copy()
        for rule in (Rule.SEARCH_SIZE, Rule.VICTORY, Rule.TIMEOUT, Rule.VALID_LIMIT):
            unlimited[rule] = NO_LIMIT
        self._cursor.restore(self._snapshot)
        self._run(unlimited, rows + 1, samples, failed[:rows], NO_LIMIT)

    def _settle(self, finished: bool, stop: int) -> None:
        exhausted = finished and not self._refill()
        if exhausted or self.interrupted or self._reasons():
            self._end(exhausted)
        elif finished and stop == Stop.PAUSE:
            self.waiting = True

    def _reasons(self) -> list[StopReason]:
        counts, rules = self._counts, self._rules
        invalid = counts[Count.FANOUT] + counts[Count.CAPACITY]
        reasons = []
        if counts[Count.VALID] >= rules[Rule.SEARCH_SIZE]:
            reasons.append(StopReason.SEARCH_SIZE)
        if counts[Count.SUBOPTIMAL] >= rules[Rule.VICTORY]:
            reasons.append(StopReason.VICTORY)
        if invalid > 0 and invalid >= rules[Rule.TIMEOUT]:
            reasons.append(StopReason.TIMEOUT)
        if counts[Count.VALID] >= rules[Rule.VALID_LIMIT]:
            reasons.append(StopReason.DONE)
        return reasons

    def _end(self, exhausted: bool) -> None:
        reasons = self._reasons()
        if self.interrupted:
            reasons.insert(0, StopReason.INTERRUPTED)
        if exhausted and StopReason.DONE not in reasons:
            reasons.append(StopReason.DONE)
        statements = tuple(self._statement(reason) for reason in reasons)
        self.ended = True
        self.events.append(ThreadEnd(self.thread, tuple(reasons), statements, self.counters))

    def _statement(self, reason: StopReason) -> str:
        fanout, capacity = int(self._counts[Count.FANOUT]), int(self._counts[Count.CAPACITY])
        found = {
            StopReason.INTERRUPTED: "global termination flag activated",
            StopReason.SEARCH_SIZE: f"{int(self._rules[Rule.SEARCH_SIZE])} valid mappings found",
            StopReason.VICTORY: f"{int(self._rules[Rule.VICTORY])} suboptimal mappings found since the last upgrade",
            StopReason.TIMEOUT: f"{fanout + capacity} invalid mappings ({fanout} fanout, {capacity} capacity) "
            "found since the last valid mapping",
            StopReason.DONE: "search algorithm is done",
        }
        return f"{found[reason]}, terminating search."

    def _record(self, valid: int, outcome: Outcome, costs: Float64[ndarray, "R K"]) -> None:
        """Remember the best and the events among the valid samples just counted."""
        ledger, before = self._ledger, int(self._counts[Count.VALID]) - valid
        improved = ledger.improved[:valid]
        if improved.any():
            row = int(ledger.row[np.flatnonzero(improved)[-1]])
            self.best = Best(
                costs[row].copy(), self._block.rows[row].copy(), int(outcome.cycles[row]),
                float(outcome.energy_pj[row]), float(outcome.utilization[row]),
            )  # fmt: skip
        chosen = np.arange(valid) if self._log_all else np.flatnonzero(improved)
        if not len(chosen):
            return
        mappings = self.space.decode(self._block.rows[ledger.row[chosen]])
        for k, index in enumerate(chosen):
            self.events.append(self._event(int(index), before, mappings[k], outcome))

    def _event(self, index: int, before: int, mapping: Mapping, outcome: Outcome) -> ValidMapping:
        ledger = self._ledger
        row = int(ledger.row[index])
        return ValidMapping(
            self.thread, int(ledger.total[index]), before + index + 1, int(ledger.invalid_since[index]),
            int(ledger.suboptimal_since[index]), bool(ledger.improved[index]), mapping,
            int(outcome.cycles[row]), float(outcome.energy_pj[row]), float(outcome.utilization[row]),
        )  # fmt: skip
