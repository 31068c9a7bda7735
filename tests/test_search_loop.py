"""The search loop: budgets, bookkeeping, interruption, resume, kill -9."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from machines import gemm, three_level

import timeloop_marl as tm
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.cost.outcome import Failure
from timeloop_marl.errors import UsageError
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.parallel.interruption import HaltedError, Interrupted, go_on, halting
from timeloop_marl.run.identity import run_identity
from timeloop_marl.run.loop import Budget, TraceFile, search
from timeloop_marl.run.options import Settings
from timeloop_marl.run.result import Progress, SearchResult, StopReason, nest_key
from timeloop_marl.run.trace import read_trace
from timeloop_marl.searchers.base import Searcher
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.specs import load
from timeloop_marl.specs.fingerprint import spec_fingerprint
from timeloop_marl.testing import FakeEvaluator

ROOT = Path(__file__).resolve().parent.parent
SPEC = three_level(gemm(16, 24, 40))
EDP = parse_objective("edp", 3)


def run(
    budget: Budget | None = None,
    name: str = "genetic",
    evaluator: FakeEvaluator | None = None,
    path: Path | None = None,
    resume: bool = False,
    seed: int = 3,
    **more: object,
) -> SearchResult:
    searcher = make_searcher(name, SPEC, seed, EDP)
    identity = run_identity(SPEC, Settings(searcher=name, seed=seed), EDP, "fake")
    return search(
        searcher.space,
        searcher,
        evaluator or FakeEvaluator((1,), invalid_every=7),
        EDP,
        budget or Budget(samples=300),
        trace=TraceFile(path, identity, resume) if path else None,
        **more,
    )


def test_counts_and_trajectory() -> None:
    result = run()
    assert result.samples == 300
    assert result.reason is StopReason.SAMPLES
    assert result.valid + result.failures[Failure.CAPACITY] == 300
    assert 0 < result.valid < 300
    costs = [step.cost for step in result.trajectory]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs)
    best = result.best[0]
    assert best.cost == costs[-1] == best.edp
    assert best.sample == result.trajectory[-1].samples
    assert result.trajectory[-1].valid <= result.valid
    batch = LearnersMapspace(SPEC).decode(np.array([best.candidate], np.int64))
    assert batch[0] == best.mapping


def test_samples_budget_is_exact_and_valid_samples_are_not_overshot() -> None:
    assert run(Budget(samples=77)).samples == 77
    result = run(Budget(samples=None, valid_samples=50))
    assert result.valid == 50
    assert result.reason is StopReason.VALID_SAMPLES


def test_target_stagnation_and_time() -> None:
    goal = run(Budget(samples=3000)).trajectory[3].cost
    result = run(Budget(samples=3000, target=goal))
    assert result.reason is StopReason.TARGET
    assert result.best[0].cost <= goal
    result = run(Budget(samples=None, stagnation=200))
    assert result.reason is StopReason.STAGNATION
    assert result.samples - result.trajectory[-1].samples >= 200
    started = time.monotonic()
    result = run(Budget(samples=None, seconds=0.3), evaluator=FakeEvaluator(seconds=0.01))
    assert result.reason is StopReason.SECONDS
    assert 0.3 <= result.seconds <= time.monotonic() - started


def test_a_searcher_that_has_no_more_ends_the_search() -> None:
    spec = three_level(gemm(2, 1, 1))
    searcher = make_searcher("random", spec, 1, EDP)
    result = search(searcher.space, searcher, FakeEvaluator(), EDP, Budget(samples=None))
    assert result.reason is StopReason.EXHAUSTED
    assert result.samples > 10


def test_nothing_valid() -> None:
    result = run(evaluator=FakeEvaluator(invalid_every=1))
    assert result.best == ()
    assert result.valid == 0
    assert result.trajectory == ()
    assert result.samples == 300


def test_top_are_distinct_and_sorted_and_the_best_of_all() -> None:
    costs: dict[object, float] = {}

    class Spy(FakeEvaluator):
        def __call__(self, mappings):
            outcome = super().__call__(mappings)
            for i, cost in enumerate(EDP.costs(outcome)):
                costs.setdefault(nest_key(mappings[i]), float(cost))
            return outcome

    result = run(evaluator=Spy((1,)), top=10)
    found = [f.cost for f in result.best]
    assert found == sorted(costs.values())[:10]
    assert len({nest_key(f.mapping) for f in result.best}) == 10


def test_lists_of_metrics_follow_timeloops_rule() -> None:
    objective = parse_objective("delay,energy", 3)
    searcher = make_searcher("random", SPEC, 1, objective)
    seen: list[list[float]] = []

    class Spy(FakeEvaluator):
        def __call__(self, mappings):
            outcome = super().__call__(mappings)
            seen.extend(objective.table(outcome).tolist())
            return outcome

    result = search(searcher.space, searcher, Spy((1,)), objective, Budget(samples=400))
    best = seen[0]
    for row in seen[1:]:
        best = row if objective.better(row, best) else best
    assert [result.best[0].cycles, result.best[0].energy_pj] == best


def test_progress_is_reported_after_every_batch() -> None:
    events = []
    result = run(on_progress=events.append)
    assert events[-1].samples == 300
    assert events[-1].cost == result.best[0].cost
    assert 0 < events[-1].valid_share < 1
    assert events[-1].samples_per_second > 0
    assert [e.samples for e in events] == sorted({e.samples for e in events})
    assert sum(e.improved for e in events) >= 1


@pytest.mark.parametrize("budget", [{"samples": 0}, {"seconds": -1.0}, {"stagnation": 0}])
def test_bad_budgets_are_refused(budget: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="greater than 0"):
        Budget(**budget)


def same(a: SearchResult, b: SearchResult) -> None:
    assert (a.best, a.samples, a.valid, a.failures) == (b.best, b.samples, b.valid, b.failures)
    strip = [(s.samples, s.valid, s.cost, s.cycles, s.energy_pj) for s in a.trajectory]
    assert strip == [(s.samples, s.valid, s.cost, s.cycles, s.energy_pj) for s in b.trajectory]


@pytest.mark.parametrize(
    "name", ["random", "genetic", "annealing", "cross-entropy", "timeloop-random", "timeloop-hybrid"]
)
def test_resume_equals_an_uninterrupted_run_and_evaluates_nothing_twice(name: str, tmp_path: Path) -> None:
    whole = run(name=name, path=tmp_path / "whole.bin")
    run(Budget(samples=128), name=name, path=tmp_path / "t.bin")
    size = (tmp_path / "t.bin").stat().st_size
    with (tmp_path / "t.bin").open("r+b") as stream:
        stream.truncate(size - 5)  # the last block half-written
    left = len(read_trace(tmp_path / "t.bin").candidates)
    evaluator = FakeEvaluator((1,), invalid_every=7)
    resumed = run(name=name, path=tmp_path / "t.bin", resume=True, evaluator=evaluator)
    same(resumed, whole)
    assert resumed.dropped_bytes > 0
    assert evaluator.evaluated == whole.samples - left
    a, b = read_trace(tmp_path / "whole.bin"), read_trace(tmp_path / "t.bin")
    np.testing.assert_array_equal(a.candidates, b.candidates)
    np.testing.assert_array_equal(a.outcome.energy_pj, b.outcome.energy_pj)


def test_resume_of_a_finished_run_evaluates_nothing_and_adds_up_time(tmp_path: Path) -> None:
    first = run(path=tmp_path / "t.bin")
    evaluator = FakeEvaluator((1,), invalid_every=7)
    again = run(path=tmp_path / "t.bin", resume=True, evaluator=evaluator)
    same(first, again)
    assert evaluator.evaluated == 0
    longer = run(Budget(samples=400), path=tmp_path / "t.bin", resume=True)
    assert longer.samples == 400
    assert longer.seconds > again.seconds > 0


def test_resume_without_a_trace_starts_anew(tmp_path: Path) -> None:
    same(run(path=tmp_path / "t.bin", resume=True), run())


def test_traces_of_other_searches_are_refused(tmp_path: Path) -> None:
    run(path=tmp_path / "t.bin")
    with pytest.raises(UsageError, match="there is a trace already"):
        run(path=tmp_path / "t.bin")
    with pytest.raises(UsageError, match="cannot resume: seed was 3 when the search began, now it is 4"):
        run(path=tmp_path / "t.bin", resume=True, seed=4)
    with pytest.raises(UsageError, match="cannot resume: searcher was 'genetic'"):
        run(name="random", path=tmp_path / "t.bin", resume=True)


def test_a_trace_that_the_searcher_does_not_reproduce_is_refused(tmp_path: Path) -> None:
    class Other(FakeEvaluator):
        pass

    path = tmp_path / "t.bin"
    searcher = make_searcher("random", SPEC, 1, EDP)
    search(searcher.space, searcher, Other(), EDP, Budget(samples=64), trace=TraceFile(path, {}))
    other = make_searcher("random", SPEC, 2, EDP)
    with pytest.raises(UsageError, match="from sample 1 on the searcher proposes other candidates"):
        search(other.space, other, Other(), EDP, trace=TraceFile(path, {}, resume=True))


def test_sigterm_stops_after_the_running_batch_and_keeps_everything(tmp_path: Path) -> None:
    class Terminating(FakeEvaluator):
        def __call__(self, mappings):
            if self.evaluated >= 64:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().__call__(mappings)

    before = signal.getsignal(signal.SIGTERM)
    result = run(evaluator=Terminating(), path=tmp_path / "t.bin")
    assert result.reason is StopReason.INTERRUPTED
    assert signal.getsignal(signal.SIGTERM) is before
    assert len(read_trace(tmp_path / "t.bin").candidates) == result.samples == 96


def test_the_second_sigint_interrupts_at_once(tmp_path: Path) -> None:
    class Impatient(FakeEvaluator):
        def __call__(self, mappings):
            outcome = super().__call__(mappings)
            if self.evaluated > 64:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)
            return outcome

    with pytest.raises(KeyboardInterrupt):
        run(evaluator=Impatient(), path=tmp_path / "t.bin")
    assert len(read_trace(tmp_path / "t.bin").candidates) == 64


def test_unasked_rows_are_refused_by_the_searcher() -> None:
    searcher: Searcher = make_searcher("random", SPEC, 1, EDP)
    rows = searcher.ask(4)
    outcome = FakeEvaluator()(searcher.space.decode(rows))
    with pytest.raises(UsageError, match="not the rows of the last ask"):
        searcher.tell(rows[::-1], outcome)


def test_the_fingerprint_sees_what_matters() -> None:
    assert spec_fingerprint(SPEC) == spec_fingerprint(three_level(gemm(16, 24, 40)))
    assert spec_fingerprint(SPEC) != spec_fingerprint(three_level(gemm(16, 24, 20)))


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_search_loop
from timeloop_marl.testing import FakeEvaluator
result = test_search_loop.run(
    test_search_loop.Budget(samples=2000), evaluator=FakeEvaluator((1,), 7, seconds=float(sys.argv[4])),
    name=sys.argv[3], path=Path(sys.argv[2]), resume=True,
)
print(result.samples, result.best[0].cost, result.best[0].sample)
"""


@pytest.mark.parametrize("name", ["genetic", "annealing"])
def test_kill_9_at_random_moments_then_resume(name: str, tmp_path: Path) -> None:
    whole = run(Budget(samples=2000), name=name, path=tmp_path / "whole.bin")
    path = tmp_path / "t.bin"
    arguments = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(path), name]
    generator, killed = random.Random(1), 0
    for _ in range(4):
        child = subprocess.Popen([*arguments, "0.02"], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        size = path.stat().st_size if path.exists() else 0
        # Wait until this run has recorded something, then kill it at a moment of no significance.
        while (not path.exists() or path.stat().st_size <= size) and time.monotonic() < deadline:
            assert child.poll() is None
            time.sleep(0.01)
        time.sleep(generator.random() * 0.3)
        child.send_signal(signal.SIGKILL)
        killed += child.wait() == -signal.SIGKILL
    assert killed == 4
    so_far = len(read_trace(path).candidates)
    assert 0 < so_far < 2000
    done = subprocess.run([*arguments, "0"], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["2000", repr(whole.best[0].cost), str(whole.best[0].sample)]
    a, b = read_trace(tmp_path / "whole.bin"), read_trace(path)
    np.testing.assert_array_equal(a.candidates, b.candidates)
    np.testing.assert_array_equal(a.outcome.failure, b.outcome.failure)
    np.testing.assert_array_equal(a.outcome.energy_pj, b.outcome.energy_pj)


class Constructing(Searcher):
    """Like an enumeration that only comes upon what cannot be built: after some rows, it never proposes any."""

    batch = 32

    def __init__(self, rows: int = 32) -> None:
        self.space, self.left = LearnersMapspace(SPEC), rows
        self.turns = 0
        self.at = {100: lambda: None}

    def _propose(self, n: int) -> np.ndarray:
        if self.left:
            taken, self.left = min(n, self.left), self.left - min(n, self.left)
            return self.space.sample(taken, np.random.default_rng(0))
        while True:
            go_on()
            self.turns += 1
            self.at.get(self.turns, lambda: None)()

    def _observe(self, candidates: np.ndarray, outcome: object) -> None:
        pass


def test_the_time_is_up_while_no_row_can_be_constructed(tmp_path: Path) -> None:
    searcher = Constructing()
    trace = TraceFile(tmp_path / "t.bin", {})
    result = search(searcher.space, searcher, FakeEvaluator(), EDP, Budget(seconds=0.01), trace=trace)
    assert (result.reason, result.samples) == (StopReason.SECONDS, 32)
    again = Constructing()
    trace = TraceFile(tmp_path / "t.bin", {}, resume=True)
    result = search(again.space, again, FakeEvaluator(), EDP, Budget(seconds=0.02), trace=trace)
    assert (result.reason, result.samples) == (StopReason.SECONDS, 32)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_search_that_constructs_no_row(number: int) -> None:
    searcher = Constructing()
    searcher.at[3] = lambda: signal.raise_signal(number)
    result = search(searcher.space, searcher, FakeEvaluator(), EDP)
    assert (result.reason, result.samples, searcher.turns) == (StopReason.INTERRUPTED, 32, 3)


def test_a_signal_ends_a_replay(tmp_path: Path) -> None:
    searcher = Constructing(64)
    trace = TraceFile(tmp_path / "t.bin", {}, resume=True)
    search(searcher.space, searcher, FakeEvaluator(), EDP, Budget(samples=64), trace=trace)
    again = Constructing(32)  # looks for the second batch for ever
    again.at[3] = lambda: signal.raise_signal(signal.SIGINT)
    whole = (tmp_path / "t.bin").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        search(again.space, again, FakeEvaluator(), EDP, trace=trace)
    assert (tmp_path / "t.bin").read_bytes() == whole


def test_timeloops_mappers_end_between_two_rows() -> None:
    """Every factorisation of the first thousands uses more of the array than there is."""
    spec = load([ROOT / "arch/gemmini_like/arch.yaml", ROOT / "problems/vgg16/conv3_2.yaml"])
    searcher = make_searcher("timeloop-exhaustive", spec, 1, parse_objective("edp", 3))
    with halting(lambda: searcher.counters[0].total > 0), pytest.raises(HaltedError):
        while True:
            rows = searcher.ask(8)
            outcome = FakeEvaluator(invalid_every=1)(searcher.space.decode(rows))
            searcher.tell(rows, outcome)


def test_in_a_loop_of_searches_a_signal_ends_the_loop(tmp_path: Path) -> None:
    """Not one of the searches; what the interrupted one has found is on disk, and in the exception."""

    def stop(progress: Progress) -> bool:
        if progress.samples >= 64:
            signal.raise_signal(signal.SIGTERM)
        return False

    with pytest.raises(KeyboardInterrupt) as stopped:
        for seed in (1, 2):
            tm.search(SPEC, searcher="random", seed=seed, stop=stop, output=tmp_path / str(seed))
    assert isinstance(stopped.value, Interrupted)
    found = stopped.value.result
    assert found.search.reason is StopReason.INTERRUPTED
    assert len(tm.read_trace(tmp_path / "1")) == found.search.samples >= 64
    assert (tmp_path / "1" / "report.html").exists() and not (tmp_path / "2").exists()
