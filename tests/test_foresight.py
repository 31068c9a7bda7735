"""Working ahead of a search: same results, no thread without work, nothing wasted as long as predictions come true."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import numpy as np
import pytest
from machines import gemm, three_level

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.errors import BackendError
from timeloop_marl.evaluators.base import Evaluator
from timeloop_marl.evaluators.wrappers import AheadEvaluator, row_keys
from timeloop_marl.run.loop import Budget, equal, foresight, search
from timeloop_marl.run.result import SearchResult
from timeloop_marl.searchers.registry import all_searchers, make_searcher
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.testing import FakeEvaluator

SPEC = three_level(gemm(16, 24, 40))
EDP = parse_objective("edp", 3)
BATCH = 5
SAMPLES = 43


class Recorder(FakeEvaluator):
    """Remembers the rows that it was asked about, in the order of the calls."""

    def __init__(self) -> None:
        super().__init__((1,), invalid_every=7)
        self.keys: list[bytes] = []
        self.before: Callable[[bytes], None] = lambda key: None
        self._lock = threading.Lock()

    def __call__(self, mappings: MappingBatch) -> Outcome:
        for key in row_keys(mappings):
            with self._lock:
                self.keys.append(key)
            self.before(key)
        return super().__call__(mappings)


class Wrong(FakeEvaluator):
    """Predicts too much energy from the ``after``-th row on."""

    def __init__(self, after: int) -> None:
        super().__init__((1,), invalid_every=7)
        self.after = after

    def __call__(self, mappings: MappingBatch) -> Outcome:
        outcome = super().__call__(mappings)
        if self.evaluated <= self.after:
            return outcome
        return dataclasses.replace(outcome, energy_pj=np.nextafter(outcome.energy_pj, np.inf))


def run(evaluator: Evaluator, name: str = "genetic", predictor: Evaluator | None = None) -> SearchResult:
    searcher = make_searcher(name, SPEC, 3, EDP)
    return search(
        searcher.space,
        searcher,
        evaluator,
        EDP,
        Budget(samples=SAMPLES),
        largest_batch=BATCH,
        predictor=None if predictor is None else lambda: predictor,
    )


def course(result: SearchResult) -> list[object]:
    return [(step.samples, step.cost) for step in result.trajectory] + [result.best[0].candidate]


OURS = [name for name in all_searchers() if not name.startswith(("sb3-", "optuna-", "cma-", "timeloop-"))]
TIMELOOPS = ["timeloop-random", "timeloop-random-pruned", "timeloop-hybrid"]
LIBRARIES = ["cma-es", "optuna-tpe"]


@pytest.mark.parametrize(
    ("name", "jobs"), [(name, 2) for name in OURS + TIMELOOPS] + [("marl", 7), ("genetic", 1)]
)
def test_results_are_those_of_one_thread_and_no_row_is_wasted(name: str, jobs: int) -> None:
    plain, ahead = Recorder(), Recorder()
    expected = run(plain, name)
    with AheadEvaluator(ahead, jobs) as evaluator:
        found = run(evaluator, name, FakeEvaluator((1,), invalid_every=7))
    assert course(found) == course(expected)
    assert sorted(ahead.keys) == sorted(plain.keys)
    assert evaluator.wasted == 0 and evaluator.ahead > 0


@pytest.mark.parametrize("name", LIBRARIES)
def test_other_peoples_searchers_are_not_copied(name: str) -> None:
    pytest.importorskip({"cma-es": "cma", "optuna-tpe": "optuna"}[name])
    plain, recorder = Recorder(), Recorder()
    expected = run(plain, name)
    with AheadEvaluator(recorder, 2) as evaluator:
        found = run(evaluator, name, FakeEvaluator((1,), invalid_every=7))
    assert course(found) == course(expected)
    assert (evaluator.ahead, evaluator.wasted) == (0, 0)


def test_rows_of_the_next_batch_begin_while_the_last_of_this_one_runs() -> None:
    """The last row of the first batch does not end before a row of the second one has begun."""
    plain = Recorder()
    run(plain)
    held, awaited, begun = plain.keys[BATCH - 1], set(plain.keys[BATCH : 2 * BATCH]), threading.Event()
    assert held not in awaited
    recorder, waited = Recorder(), []

    def before(key: bytes) -> None:
        if key in awaited:
            begun.set()
        if key == held:
            waited.append(begun.wait(60))

    recorder.before = before
    with AheadEvaluator(recorder, 2) as evaluator:
        run(evaluator, predictor=FakeEvaluator((1,), invalid_every=7))
    assert waited == [True]


@pytest.mark.parametrize("after", [0, 1, 12, 30])
def test_where_predictions_fail_the_search_goes_on_without(after: int) -> None:
    plain, recorder = Recorder(), Recorder()
    expected = run(plain)
    with AheadEvaluator(recorder, 2) as evaluator:
        found = run(evaluator, predictor=Wrong(after))
    assert course(found) == course(expected)
    asked = list(plain.keys)
    for key in recorder.keys:
        if key in asked:
            asked.remove(key)
    assert not asked, "a row that was asked was not evaluated"
    assert len(recorder.keys) - len(plain.keys) == evaluator.wasted <= 4 * BATCH


def test_a_crash_is_heard_when_its_row_is_asked_and_not_before() -> None:
    plain = Recorder()
    run(plain)
    bad = plain.keys[BATCH + 1]
    recorder = Recorder()

    def before(key: bytes) -> None:
        if key == bad:
            raise BackendError("timeloop-model crashed")

    recorder.before = before
    told: list[int] = []
    searcher = make_searcher("genetic", SPEC, 3, EDP)
    with AheadEvaluator(recorder, 2) as evaluator, pytest.raises(BackendError, match="crashed"):
        search(
            searcher.space,
            searcher,
            evaluator,
            EDP,
            Budget(samples=SAMPLES),
            largest_batch=BATCH,
            on_progress=lambda progress: told.append(progress.samples),
            predictor=lambda: FakeEvaluator((1,), invalid_every=7),
        )
    assert told == [BATCH]


def test_a_searcher_that_cannot_be_copied_is_left_alone() -> None:
    searcher = make_searcher("random", SPEC, 3, EDP)
    searcher.copyable = False
    assert foresight(searcher, FakeEvaluator, lambda searcher, samples, valid: 5, 0, 0) is None


def test_outcomes_are_compared_to_the_last_bit() -> None:
    searcher = make_searcher("random", SPEC, 3, EDP)
    outcome = FakeEvaluator((1,), invalid_every=7)(searcher.space.decode(searcher.ask(20)))
    assert equal(outcome, dataclasses.replace(outcome))
    for name in ("cycles", "energy_pj", "utilization", "failure", "failed_level", "accesses"):
        changed = getattr(outcome, name).copy()
        changed[-1] = changed[-1] + 1
        assert not equal(outcome, dataclasses.replace(outcome, **{name: changed})), name
    assert not equal(outcome, dataclasses.replace(outcome, accesses=None))
