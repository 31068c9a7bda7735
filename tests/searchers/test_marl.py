"""The team of agents: the searchers' contract in every variant, workers, options, learning."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from contract import EDP, SPEC, SearcherContract, told_rows
from machines import gemm, level
from machines import spec as machine

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.cost.outcome import Failure
from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.run.loop import Budget, search
from timeloop_marl.searchers.marl.clustering import fixed_groups
from timeloop_marl.searchers.marl.paper import PaperOptions, PaperSearcher
from timeloop_marl.searchers.marl.searcher import MarlOptions, MarlSearcher
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.specs.constraints import LoopConstraint
from timeloop_marl.specs.reading import load
from timeloop_marl.testing import FakeEvaluator

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests" / "golden"
VARIANTS = (
    {"critic": False},
    {"learn": False, "critic": False},
    {"clusters": "each"},
    {"clusters": "joint"},
    {"clusters": "random"},
    {"clusters": "level", "points": 64, "restart": 60},
    {"exchange": 0.5, "away": 0.0},
)


class TestMarl(SearcherContract):
    name = "marl"


class TestMarlWithoutCritic(SearcherContract):
    name = "marl"
    options = {"critic": False, "clusters": "dimension"}  # noqa: RUF012


class TestPaper(SearcherContract):
    name = "marl-paper"
    options = {"warmup": 64}  # noqa: RUF012
    bounded = False  # infeasible rows are meant to come


class TestPaperWithGroupsByDimension(SearcherContract):
    name = "marl-paper"
    options = {"warmup": 64, "signal": "dimension"}  # noqa: RUF012
    bounded = False


class TestSingleAgentRepaired(SearcherContract):
    name = "single-agent"


class TestSingleAgentPenalised(SearcherContract):
    name = "single-agent"
    options = {"form": "penalised"}  # noqa: RUF012
    bounded = False


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_every_ingredient_can_be_switched_off_and_stays_deterministic(options: dict[str, object]) -> None:
    first, second = (
        told_rows(make_searcher("marl", SPEC, 3, EDP, options), FakeEvaluator((1,), 7)) for _ in range(2)
    )
    assert first == second
    assert len({tuple(row) for row in first}) == len(first)


@pytest.mark.parametrize(("name", "shares"), [("marl", None), ("marl-paper", False), ("marl-paper", True)])
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_change_nothing(backend: str, name: str, shares: bool | None) -> None:
    options = {} if shares is None else {"shares": shares}
    alone = told_rows(make_searcher(name, SPEC, 4, EDP, options), FakeEvaluator((1,), 7), 160)
    options = {**options, "n_jobs": 2, "backend": backend}
    assert told_rows(make_searcher(name, SPEC, 4, EDP, options), FakeEvaluator((1,), 7), 160) == alone


@pytest.mark.parametrize(
    ("name", "options"),
    [("marl", {}), ("marl", {"critic": False}), ("marl-paper", {}), ("single-agent", {}), ("genetic", {})],
)
def test_warming_up_changes_nothing(name: str, options: dict[str, object]) -> None:
    cold, warm = (make_searcher(name, SPEC, 3, EDP, options) for _ in range(2))
    warm.warm_up()
    assert told_rows(warm, FakeEvaluator(), 80) == told_rows(cold, FakeEvaluator(), 80)


def test_nothing_is_left_to_compile_after_warming_up() -> None:
    """In a process of its own: here, other tests have compiled everything already."""
    script = """
import sys
from contract import EDP, SPEC, told_rows
from timeloop_marl.testing import FakeEvaluator
from numba.core.dispatcher import Dispatcher
from timeloop_marl.searchers.registry import make_searcher

def loaded():
    modules = [m for name, m in sys.modules.items() if name.startswith("timeloop_marl")]
    kernels = {id(v): v for m in modules for v in vars(m).values() if isinstance(v, Dispatcher)}
    return sum(len(kernel.signatures) for kernel in kernels.values())

searcher = make_searcher("marl", SPEC, 0, EDP)
searcher.warm_up()
before = loaded()
told_rows(searcher, FakeEvaluator(), 160)
print(before, loaded())
"""
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "tests" / "searchers"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = map(int, done.stdout.split())
    assert before == after > 0


@pytest.mark.parametrize("name", ["marl-paper", "single-agent"])
def test_what_breaks_only_a_users_rule_is_invalid_for_penalised_learners(name: str) -> None:
    """At most 2 of dim M in DRAM: no evaluator knows the rule, so a mapping that breaks it must not win."""
    rule = {(2, False): LoopConstraint(maximum={0: 2})}
    spec = machine(gemm(8, 2, 2), [level("BUF", 4096), level("MID", 4096), level("DRAM", None)], loops=rule)
    options = {"form": "penalised"} if name == "single-agent" else {}
    searcher = make_searcher(name, spec, 0, parse_objective("edp", 3), options)
    rows = searcher.ask(200)
    mappings = searcher.space.decode(rows)
    failed = NativeEvaluator(spec)(mappings).failure != Failure.OK
    broken = mappings.factors[:, -1, 0] > 2
    assert broken.any() and failed[broken].all()
    assert (~failed).any()


@pytest.mark.parametrize("metrics", ["energy", "delay", "last_level_accesses", "delay,energy"])
def test_other_objectives(metrics: str) -> None:
    objective = parse_objective(metrics, 3)

    def mean_of(name: str) -> float:
        costs = []
        for seed in range(6):
            searcher = make_searcher(name, SPEC, seed, objective)
            result = search(searcher.space, searcher, FakeEvaluator((1,), 7), objective, Budget(samples=200))
            costs.append(result.best[0].cost)
        return float(np.mean(costs))

    assert mean_of("marl") <= mean_of("random")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": "pearsn"}, "one of"),
        ({"backend": "mpi"}, "loky"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"full": 0.8, "moves": 0.8}, "both"),
        ({"pool": 0}, "pool"),
        ({"clusters": "given", "groups": "M:2,nonsense"}, "nonsense"),
        ({"clusters": "given", "groups": "M:2;M:2"}, "twice"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_searcher("marl", SPEC, 1, EDP, options)


def test_the_paper_starts_with_one_agent_per_parameter_and_clusters_after_the_warmup() -> None:
    space = LearnersMapspace(SPEC)
    searcher = PaperSearcher(space, EDP, 1, PaperOptions(warmup=96))
    told_rows(searcher, FakeEvaluator((1,), 7), 64)
    assert searcher.team.groups == tuple((a,) for a in range(space.axes))
    told_rows(searcher, FakeEvaluator((1,), 7), 64)
    assert 1 < len(searcher.team) < space.axes


def test_parameters_that_break_a_buffer_together_become_one_agent() -> None:
    """Cost is all the same; a mapping is invalid if and only if two parameters have unlike parity."""
    space = LearnersMapspace(SPEC)
    options = PaperOptions(warmup=512, signal="interaction")
    searcher = PaperSearcher(space, parse_objective("edp", 3), 2, options)
    one, other = (int(a) for a in np.argsort(-space.cardinalities, kind="stable")[:2])
    while len(searcher.team) == space.axes:
        rows = searcher.ask(32)
        bad = (rows[:, one] + rows[:, other]) % 2 == 1
        outcome = FakeEvaluator()(space.decode(rows))
        outcome.failure[bad] = int(Failure.CAPACITY)
        searcher.tell(rows, dataclasses.replace(outcome, energy_pj=np.ones(32), cycles=np.ones(32, np.int64)))
    assert any({one, other} <= set(group) for group in searcher.team.groups)


@pytest.mark.parametrize("signal", ["dimension", "level", "joint", "random"])
def test_groups_to_compare_the_published_clusters_with(signal: str) -> None:
    searcher = PaperSearcher(
        LearnersMapspace(SPEC), parse_objective("edp", 3), 2, PaperOptions(warmup=64, signal=signal)
    )
    told_rows(searcher, FakeEvaluator((1,), 7), 128)
    wanted = fixed_groups(searcher.space, signal, 0, "", np.random.default_rng(2))
    assert set(searcher.team.groups) == set(wanted)


@pytest.mark.parametrize("name", ["marl-paper", "single-agent"])
def test_penalised_learners_leave_the_infeasible_region(name: str) -> None:
    """The share of feasible proposals grows though nothing is repaired."""
    options = {"form": "penalised"} if name == "single-agent" else {}
    spec = load([*sorted((ROOT / "arch" / "small_toy").glob("*.yaml")), ROOT / "problems/resnet18/fc.yaml"])
    space = LearnersMapspace(spec)
    objective = parse_objective("edp", len(spec.architecture.storage))
    searcher = make_searcher(name, spec, 1, objective, options)
    evaluator = NativeEvaluator(spec)
    rows = np.array(told_rows(searcher, evaluator, 4000))
    feasible = space.feasible(rows)
    assert feasible[-500:].mean() > 2 * feasible[:500].mean() + 0.1


def test_batches_larger_than_the_critics_memory() -> None:
    searcher = make_searcher("marl", SPEC, 1, EDP, {"points": 32})
    for n in (400, 3, 300):
        rows = searcher.ask(n)
        assert len(rows) == n
        searcher.tell(rows, FakeEvaluator((1,), 7)(searcher.space.decode(rows)))


def test_given_groups_are_the_agents() -> None:
    space = LearnersMapspace(SPEC)
    names = [axis.name for axis in space.columns]
    options = MarlOptions(clusters="given", groups=f"{names[0]},{names[5]}; {names[1]}")
    searcher = MarlSearcher(space, EDP, 1, options)
    told_rows(searcher, FakeEvaluator((1,)), 150)
    assert searcher.team.groups[:2] == ((0, 5), (1,))
    assert sorted(a for group in searcher.team.groups for a in group) == list(range(space.axes))


def test_clusters_partition_the_axes_and_change_with_what_is_learnt() -> None:
    space = LearnersMapspace(SPEC)
    searcher = MarlSearcher(space, EDP, 1, MarlOptions())
    before = searcher.team.groups
    told_rows(searcher, FakeEvaluator((1,)), 150)
    after = searcher.team.groups
    assert after != before
    assert sorted(a for group in after for a in group) == list(range(space.axes))


def test_finds_the_best_of_a_standard_machine_in_few_samples() -> None:
    """A case of the exact model that 5,000 random feasible samples do not come within 10 % of."""
    arch = GOLDEN / "inputs" / "arch" / "eyeriss_like"
    names = ("arch_v03.yaml", "ERT.yaml", "ART.yaml", "constraints_v03.yaml")
    problem = GOLDEN / "inputs" / "problems" / "resnet18_layer1.yaml"
    spec = load([*(arch / name for name in names), problem])
    objective = parse_objective("edp", len(spec.architecture.storage))
    reached = []
    for seed in range(3):
        searcher = make_searcher("marl", spec, seed, objective)
        result = search(searcher.space, searcher, NativeEvaluator(spec), objective, Budget(samples=400))
        reached.append(result.best[0].cost)
    assert np.median(reached) < 1.05 * 5.266e14


def test_options_survive_json() -> None:
    assert json.loads(json.dumps(MarlOptions().__dict__)) == MarlOptions().__dict__
