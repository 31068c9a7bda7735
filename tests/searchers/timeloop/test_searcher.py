"""The searcher around Timeloop's mappers: batches, wrong predictions, comparison, options, threads, interruption."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import gemm, level, spec, three_level

from timeloop_marl.cost.outcome import Failure, Outcome
from timeloop_marl.errors import SpecError, UnsupportedFeatureError, UsageError
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.searchers.timeloop import (
    ALGORITHMS,
    Event,
    StopReason,
    ThreadEnd,
    TimeloopSearcher,
    ValidMapping,
    run_mapper,
)
from timeloop_marl.searchers.timeloop.counting import is_better
from timeloop_marl.searchers.timeloop.metrics import costs_of, expand_metrics
from timeloop_marl.specs.mapping import MappingBatch

SPACE = TimeloopMapspace(three_level(gemm(4, 2, 6)))


class Arbitrary:
    """Outcomes that depend on the mapping alone, and fail where the capacity pre-check would not, and the reverse."""

    def __init__(self, salt: int, failing: float) -> None:
        self.salt, self.failing = salt, failing

    def __call__(self, batch: MappingBatch) -> Outcome:
        spread = np.arange(1, batch.factors[0].size + 1).reshape(batch.factors.shape[1:])
        code = (batch.factors * spread * 7919).sum(axis=(1, 2)) + (batch.order * spread).sum(
            axis=(1, 2)
        ) * 104729
        code += batch.split.sum(axis=1) * 31
        groups = (
            code * 2654435761 + self.salt
        ) % 1000 < 1000 * self.failing  # all bypass ids of a triple alike
        single = (code + batch.keep.sum(axis=(1, 2)) * 65537 + self.salt) % 10 == 0
        failed = groups | single
        cycles = np.where(failed, 0, 1 + (code * 40503 + self.salt) % 1009)
        zeros = np.zeros(len(batch))
        failure = np.where(failed, int(Failure.CAPACITY), 0).astype(np.int8)
        return Outcome(cycles, np.where(failed, 0.0, 1.0 + code % 17), zeros, failure, failure)


def options(algorithm: str, **values: Any) -> Any:
    defaults = {"num_threads": 1, "victory_condition": 0, "timeout": 100_000, "search_size": 400}
    return replace(SPACE.spec.mapper, algorithm=algorithm, **{**defaults, **values})


def events_of(searcher: TimeloopSearcher, evaluate: Any, batch: int) -> list[Event]:
    events: list[Event] = []
    run_mapper(searcher, evaluate, events.append, batch)
    return events


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(list(ALGORITHMS)),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.integers(1, 40),
    st.booleans(),
)
def test_the_batch_size_changes_nothing(
    algorithm: str, salt: int, failing: float, batch: int, penalize: bool
) -> None:
    """With a batch of one nothing is predicted: every row waits for the outcome of the row before."""
    chosen = options(
        algorithm,
        log_suboptimal=True,
        victory_condition=150,
        timeout=300,
        penalize_consecutive_bypass_fails=penalize,
    )
    evaluate = Arbitrary(salt, failing)
    one = events_of(TimeloopSearcher(SPACE, chosen), evaluate, 1)
    many = events_of(TimeloopSearcher(SPACE, chosen), evaluate, batch)
    assert one == many
    assert events_of(TimeloopSearcher(SPACE, chosen), evaluate, 1 << 13) == one


class LiteralMapper:
    """The nested algorithms word by word (mapspace sections 3 and 4), one sample at a time, on Python integers."""

    def __init__(self, chosen: Any, evaluate: Any) -> None:
        self.chosen, self.evaluate = chosen, evaluate
        self.total = self.valid = self.fanout = self.capacity = self.since = 0
        self.previous: tuple[int, ...] | None = None
        self.costs: list[float] = []

    def over(self) -> bool:
        invalid = self.fanout + self.capacity
        return (
            0 < self.chosen.search_size <= self.valid
            or 0 < self.chosen.victory_condition <= self.since
            or (invalid > 0 and invalid >= self.chosen.timeout)
        )

    def sample(self, row: np.ndarray) -> str:
        ids = SPACE.ids(row)
        name = (ids.index_factorization, ids.loop_permutation, ids.spatial, ids.datatype_bypass)
        exempt = (
            self.previous is not None
            and name[:3] == self.previous[:3]
            and name[3] != self.previous[3]
            and self.total > 1
            and not self.chosen.penalize_consecutive_bypass_fails
        )
        self.previous = name
        self.total += 1
        batch = SPACE.decode(row[None])
        if SPACE.construction_failures(batch)[0] >= 0:
            self.fanout += 1
            return "construction"
        outcome = self.evaluate(batch)
        if outcome.failure[0] != Failure.OK:
            self.capacity += 0 if exempt else 1
            return "evaluation"
        self.valid += 1
        self.fanout = self.capacity = 0
        cost = float(outcome.energy_pj[0] * outcome.cycles[0])
        gain = (self.costs[-1] - cost) / self.costs[-1] if self.costs else 1.0
        if gain > 0:
            self.costs.append(cost)
            self.since = 0
        else:
            self.since += 0 if exempt else 1
        return "valid"

    def run(self) -> None:
        pruned = self.chosen.algorithm == "linear_pruned"
        sizes = SPACE.sizes
        for factorization in range(sizes.index_factorization):
            from timeloop_marl.mapspace.timeloop import MapspaceIds

            base = SPACE.candidate(MapspaceIds(factorization, 0, 0, 0), pruned)
            radices = [int(r) for r in SPACE.digit_radices(base)]
            middle = slice(1 + SPACE.dims, -1)
            count = int(np.prod(radices[middle]))
            for number in range(count):
                left, row = number, base.copy()
                for column in range(1 + SPACE.dims + len(SPACE.tiling_levels), SPACE.axes - 1):
                    row[column], left = left % radices[column], left // radices[column]
                for column in range(1 + SPACE.dims, 1 + SPACE.dims + len(SPACE.tiling_levels)):
                    row[column], left = left % radices[column], left // radices[column]
                failures = 0
                for bypass in range(sizes.datatype_bypass):
                    if self.over():
                        return
                    row[-1] = bypass
                    result = self.sample(row)
                    failures += result == "evaluation"
                    if result == "construction":
                        break
                if failures == sizes.datatype_bypass:
                    break


@pytest.mark.parametrize("algorithm", ["exhaustive", "linear_pruned"])
@pytest.mark.parametrize(("salt", "failing"), [(1, 0.0), (2, 0.4), (3, 0.95)])
def test_equals_a_mapper_that_goes_one_sample_at_a_time(algorithm: str, salt: int, failing: float) -> None:
    chosen = options(algorithm, search_size=700, victory_condition=400, timeout=500)
    evaluate = Arbitrary(salt, failing)
    literal = LiteralMapper(chosen, evaluate)
    literal.run()
    searcher = TimeloopSearcher(SPACE, chosen)
    events = events_of(searcher, evaluate, 1 << 13)
    counters = searcher.counters[0]
    assert (counters.total, counters.valid) == (literal.total, literal.valid)
    assert (counters.fanout_since_valid, counters.capacity_since_valid) == (literal.fanout, literal.capacity)
    found = [e.cycles * e.energy_pj for e in events if isinstance(e, ValidMapping) and e.improved]
    assert found == literal.costs


class Precheck(Arbitrary):
    """Fails exactly where the capacity pre-check does, as the native model does for perfect factors."""

    def __call__(self, batch: MappingBatch) -> Outcome:
        outcome = super().__call__(batch)
        failure = (SPACE.capacity_failures(batch) >= 0).astype(np.int8) * int(Failure.CAPACITY)
        return replace(outcome, failure=failure)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("victory", [0, 60])
def test_no_row_is_asked_that_the_mapper_would_not_evaluate(algorithm: str, victory: int) -> None:
    evaluate = Precheck(5, 0.0)
    searcher = TimeloopSearcher(
        SPACE, options(algorithm, search_size=200, victory_condition=victory, timeout=50)
    )
    rows = 0

    def counted(batch: MappingBatch) -> Outcome:
        nonlocal rows
        rows += len(batch)
        return evaluate(batch)

    run_mapper(searcher, counted)
    counters = searcher.counters[0]
    assert rows == counters.valid + counters.invalid_capacity > 0


def better(candidate: list[float], incumbent: list[float]) -> bool:
    return bool(is_better(np.array(candidate), np.array(incumbent)))


def test_comparison_with_tolerance() -> None:
    assert better([99.0], [100.0]) and not better([101.0], [100.0])
    assert better([99.99], [100.0]) and not better([100.0], [100.0])
    assert better([100.05, 1.0], [100.0, 2.0])  # within 0.1 %: the second metric decides
    assert not better([99.95, 3.0], [100.0, 2.0])
    assert better([99.95, 2.0], [100.0, 2.0]) and not better([100.05, 2.0], [100.0, 2.0])
    assert not better([100.0, 2.0], [100.0, 2.0])
    assert not better([1.0], [0.0]) and not better([0.0], [0.0])


def test_metrics() -> None:
    assert expand_metrics(("ordered_accesses", "edp"), 3) == ("accesses-2", "accesses-1", "accesses-0", "edp")
    assert expand_metrics(("last_level_accesses",), 3) == ("accesses-2",)
    with pytest.raises(SpecError, match="unknown optimization metric"):
        expand_metrics(("accesses-3",), 3)
    with pytest.raises(SpecError, match="latency"):
        TimeloopSearcher(SPACE, options("random", optimization_metrics=("latency",)))
    outcome = Outcome(*(np.array([value]) for value in (7, 2.0, 1.0, 0, -1)), accesses=np.array([[1, 2, 3]]))
    assert costs_of(outcome, ("delay", "energy", "edp", "accesses-1")).tolist() == [[7.0, 2.0, 14.0, 2.0]]


def test_unknown_algorithm() -> None:
    with pytest.raises(SpecError, match="unknown search algorithm"):
        TimeloopSearcher(SPACE, options("simulated_annealing"))


def test_spaces_beyond_128_bits_are_refused_if_a_sub_space_is() -> None:
    storage = [level(f"L{s}", 100) for s in range(16)] + [level("DRAM", None)]
    problem = gemm(4, 2, 6)
    keep = (("1",) * 17,) * 3
    space = TimeloopMapspace(spec(problem, storage, bypass=keep))
    assert space.size < 2**128
    dims = tuple("ABCDEFGHIJKLMNO")
    big = replace(problem, dims=dims, bounds=(2,) * 15)
    with pytest.raises(UnsupportedFeatureError, match=r"2\^128"):
        TimeloopSearcher(TimeloopMapspace(spec(big, storage, bypass=keep)), options("random"))


def test_strict_alternation() -> None:
    searcher = TimeloopSearcher(SPACE, options("random"))
    evaluate = Arbitrary(1, 0.0)
    rows = searcher.ask(5)
    with pytest.raises(UsageError):
        searcher.ask(5)
    with pytest.raises(UsageError):
        searcher.tell(rows[:2], evaluate(SPACE.decode(rows[:2])))
    searcher.tell(rows, evaluate(SPACE.decode(rows)))


def test_timeout_zero_stops_at_the_first_invalid_mapping_and_says_so() -> None:
    searcher = TimeloopSearcher(SPACE, options("random", timeout=0, penalize_consecutive_bypass_fails=True))
    (end,) = [e for e in events_of(searcher, Arbitrary(1, 0.5), 64) if isinstance(e, ThreadEnd)]
    counters = searcher.counters[0]
    assert counters.fanout_since_valid + counters.capacity_since_valid == 1
    assert counters.total == counters.valid + 1 and end.reasons == (StopReason.TIMEOUT,)
    assert any("stops at the first invalid mapping" in notice for notice in searcher.notices)


def test_several_reasons_are_all_reported() -> None:
    space = TimeloopMapspace(spec(gemm(1, 1, 1), (level("RF", 100), level("DRAM", None))))
    chosen = replace(space.spec.mapper, algorithm="linear_pruned", num_threads=1, search_size=8)
    (end,) = [e for e in events_of(TimeloopSearcher(space, chosen), Free(), 64) if isinstance(e, ThreadEnd)]
    assert end.statements == (
        "8 valid mappings found, terminating search.",
        "search algorithm is done, terminating search.",
    )


class Free:
    """Everything is valid and costs the same."""

    def __call__(self, batch: MappingBatch) -> Outcome:
        ones = np.ones(len(batch), np.int64)
        failure = np.zeros(len(batch), np.int8)
        return Outcome(ones, ones * 1.0, ones * 1.0, failure, failure - 1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_threads_share_the_search_and_do_not_disturb_each_other(algorithm: str) -> None:
    evaluate = Arbitrary(9, 0.2)
    together = TimeloopSearcher(SPACE, options(algorithm, num_threads=3, search_size=100))
    events_of(together, evaluate, 50)
    assert [counters.valid for counters in together.counters] == [34, 34, 34]
    assert together.best is not None
    costs = [thread.best.costs[0] for thread in together.threads if thread.best is not None]
    assert together.best.energy_pj * together.best.cycles <= min(costs) * 1.001


def test_a_thread_without_factorisations_ends_at_once() -> None:
    space = TimeloopMapspace(spec(gemm(1, 1, 1), (level("RF", 100), level("DRAM", None))))
    for algorithm in ALGORITHMS:
        chosen = replace(space.spec.mapper, algorithm=algorithm, num_threads=2, search_size=10)
        searcher = TimeloopSearcher(space, chosen)
        events_of(searcher, Free(), 64)
        assert searcher.counters[1].total == 0 and searcher.counters[0].total > 0


def test_sync_interval_without_effect_on_one_thread() -> None:
    evaluate = Arbitrary(4, 0.3)
    plain = events_of(TimeloopSearcher(SPACE, options("hybrid")), evaluate, 99)
    for interval in (1, 7, 100):
        chosen = options("hybrid", sync_interval=interval)
        assert events_of(TimeloopSearcher(SPACE, chosen), evaluate, 99) == plain


def test_synchronised_threads_take_over_the_shared_best() -> None:
    evaluate = Arbitrary(4, 0.3)
    alone = TimeloopSearcher(SPACE, options("random_pruned", num_threads=3, search_size=900))
    shared = TimeloopSearcher(
        SPACE, options("random_pruned", num_threads=3, search_size=900, sync_interval=50)
    )
    count = {}
    for name, searcher in (("alone", alone), ("shared", shared)):
        events = events_of(searcher, evaluate, 64)
        count[name] = sum(isinstance(event, ValidMapping) for event in events)
    assert count["shared"] < count["alone"]
    assert [c.total for c in alone.counters] == [c.total for c in shared.counters]
    assert any("depends on timing" in notice for notice in shared.notices)
    again = TimeloopSearcher(SPACE, shared.options)
    assert len(events_of(again, evaluate, 1000)) == count["shared"] + 3


def test_interruption_ends_every_thread_with_the_best_so_far() -> None:
    evaluate = Arbitrary(4, 0.3)
    searcher = TimeloopSearcher(SPACE, options("random", num_threads=2, search_size=0))

    def interrupted(batch: MappingBatch) -> Outcome:
        if searcher.counters[0].total > 200:
            searcher.interrupt()
        return evaluate(batch)

    events: list[Event] = []
    best = run_mapper(searcher, interrupted, events.append, 64)
    ends = [event for event in events if isinstance(event, ThreadEnd)]
    assert best is not None and len(ends) == 2
    assert all(end.statements[0] == "global termination flag activated, terminating search." for end in ends)


def test_filter_revisits_ends_when_all_factorisations_were_seen() -> None:
    chosen = options("hybrid", search_size=0, filter_revisits=True)
    searcher = TimeloopSearcher(SPACE, chosen)
    (end,) = [e for e in events_of(searcher, Arbitrary(4, 0.0), 1 << 13) if isinstance(e, ThreadEnd)]
    assert end.reasons == (StopReason.DONE,)
