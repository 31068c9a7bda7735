"""Library searchers: the contract of all searchers, sample accounting, learning; visible skips without the extras."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from contract import EDP, SPEC, SearcherContract, told_rows
from machines import gemm, level, three_level
from machines import spec as machine

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.run.loop import Budget, TraceFile, search
from timeloop_marl.run.result import StopReason
from timeloop_marl.searchers.registry import all_searchers, make_searcher
from timeloop_marl.specs.reading import load
from timeloop_marl.testing import FakeEvaluator

GOLDEN = Path(__file__).parent.parent / "golden"
NEEDS = {
    "cma-es": "cma", "optuna-tpe": "optuna", "sb3-ppo": "stable_baselines3", "sb3-a2c": "stable_baselines3",
    "sb3-maskable-ppo": "sb3_contrib",
}  # fmt: skip
RL = ("sb3-ppo", "sb3-a2c", "sb3-maskable-ppo")


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest) -> None:
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    name = parameters.get("name", getattr(request.cls, "name", ""))
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{name} needs an extra of the package")


class TestCma(SearcherContract):
    name = "cma-es"


class TestCmaRounding(SearcherContract):
    name = "cma-es"
    options = {"encoding": "rounding", "diagonal": False, "sigma": 0.3}  # noqa: RUF012


class TestTpe(SearcherContract):
    name = "optuna-tpe"


@pytest.mark.slow
class TestTpeAsked(SearcherContract):
    name = "optuna-tpe"
    options = {"learn_repaired": False, "values": "integers", "candidates": 8}  # noqa: RUF012


class TestPpo(SearcherContract):
    name = "sb3-ppo"


class TestPpoOneStepPenalised(SearcherContract):
    name = "sb3-ppo"
    options = {"form": "one-step", "infeasible": "penalise", "memory": False}  # noqa: RUF012
    bounded = False


class TestA2c(SearcherContract):
    name = "sb3-a2c"


class TestMaskablePpo(SearcherContract):
    name = "sb3-maskable-ppo"


def hidden(*modules: str) -> str:
    """Code that makes modules look as if they were not installed."""
    return f"import sys\nfor name in {modules!r}: sys.modules[name] = None\n"


def test_without_the_extras_all_are_listed_and_say_what_to_install() -> None:
    code = hidden("cma", "optuna", "stable_baselines3", "sb3_contrib", "gymnasium") + (
        "sys.path[:0] = sys.argv[1:3]\n"
        "from contract import *\n"
        "from timeloop_marl.errors import UsageError\n"
        "from timeloop_marl.searchers.registry import make_searcher\n"
        f"for name in {tuple(NEEDS)}:\n"
        "    try: make_searcher(name, SPEC, 1, EDP)\n"
        "    except UsageError as error: print(error)\n"
    )
    here = Path(__file__).parent
    run = [sys.executable, "-c", code, str(here), str(here.parent)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120)
    lines = done.stdout.splitlines()
    assert len(lines) == len(NEEDS) == 5
    for name, line in zip(NEEDS, lines):
        assert line.startswith(f"searcher {name} needs ")
        assert line.endswith(f"pip install 'timeloop-marl[{all_searchers()[name].extra}]'")


def test_listing_the_searchers_imports_no_library() -> None:
    code = (
        "import sys\n"
        "from timeloop_marl.searchers.registry import all_searchers\n"
        "print(len(all_searchers()), sorted({'cma', 'optuna', 'gymnasium', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{len(all_searchers())} []"


@pytest.mark.parametrize("name", NEEDS)
def test_seeds_differ(name: str) -> None:
    a, b = (told_rows(make_searcher(name, SPEC, seed, EDP), FakeEvaluator((1,)), 64) for seed in (1, 2))
    assert a != b


@pytest.mark.parametrize("name", NEEDS)
def test_nothing_is_paid_for_twice(name: str) -> None:
    rows = told_rows(make_searcher(name, SPEC, 1, EDP), FakeEvaluator((1,)), 120)
    assert len({tuple(row) for row in rows}) == len(rows) == 120


@pytest.mark.parametrize("name", RL)
def test_without_memory_every_episode_is_a_sample(name: str) -> None:
    spec = three_level(gemm(2, 2, 1))
    rows = told_rows(make_searcher(name, spec, 1, EDP, {"memory": False}), FakeEvaluator((1,)), 320)
    assert len(rows) == 320 > len({tuple(row) for row in rows})


@pytest.mark.parametrize("name", NEEDS)
def test_rows_do_not_depend_on_how_many_are_asked_for(name: str) -> None:
    one, other = (make_searcher(name, SPEC, 3, EDP) for _ in range(2))
    evaluator = FakeEvaluator((1,))
    rows: list[list[int]] = []
    for n in (1, 5, 2, 40, 3, 7, 30, 11, 21):
        asked = one.ask(n)
        one.tell(asked, evaluator(one.space.decode(asked)))
        rows += asked.tolist()
    assert told_rows(other, evaluator, len(rows)) == rows


@pytest.mark.parametrize("name", NEEDS)
def test_other_users_of_global_random_generators_are_not_disturbed_and_do_not_disturb(name: str) -> None:
    evaluator = FakeEvaluator((1,))
    expected = told_rows(make_searcher(name, SPEC, 3, EDP), evaluator, 100)
    np.random.seed(11)
    random.seed(11)
    before = (np.random.random(), random.random())
    np.random.seed(11)
    random.seed(11)
    searcher = make_searcher(name, SPEC, 3, EDP)
    rows = told_rows(searcher, evaluator, 50)
    assert (np.random.random(), random.random()) == before
    np.random.random(1000)
    assert rows + told_rows(searcher, evaluator, 50) == expected


@pytest.mark.parametrize("name", RL)
def test_the_threads_end_with_their_searchers(name: str) -> None:
    searcher = make_searcher(name, SPEC, 3, EDP)
    assert told_rows(searcher, FakeEvaluator((1,)), 40)
    assert any(thread.name == "library loop" for thread in threading.enumerate())
    del searcher
    assert not any(thread.name == "library loop" for thread in threading.enumerate())


@pytest.mark.parametrize("name", ["sb3-ppo"])
def test_a_failing_library_is_heard_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import stable_baselines3

    def broken(**_: object) -> None:
        raise ZeroDivisionError("in the library")

    monkeypatch.setattr(stable_baselines3, "PPO", broken)
    with pytest.raises(RuntimeError, match="library's loop ended") as caught:
        make_searcher(name, SPEC, 1, EDP).ask(4)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("name", NEEDS)
def test_a_mapspace_of_one_mapping(name: str) -> None:
    spec = machine(gemm(1, 1, 1), [level("BUF", 9), level("DRAM", None)], bypass=(("1", "1"),) * 3)
    searcher = make_searcher(name, spec, 1, EDP)
    result = search(searcher.space, searcher, FakeEvaluator(), EDP, Budget(samples=None))
    assert (result.samples, result.reason) == (1, StopReason.EXHAUSTED)


@pytest.mark.parametrize("name", NEEDS)
def test_a_search_is_resumed(name: str, tmp_path: Path) -> None:
    def run(samples: int, path: Path, resume: bool) -> object:
        searcher, trace = make_searcher(name, SPEC, 4, EDP), TraceFile(path, {"name": name}, resume)
        return search(
            searcher.space, searcher, FakeEvaluator((1,)), EDP, Budget(samples=samples), trace=trace
        )

    run(70, tmp_path / "parts", False)
    resumed, whole = run(150, tmp_path / "parts", True), run(150, tmp_path / "whole", False)
    assert [s.cost for s in resumed.trajectory] == [s.cost for s in whole.trajectory]
    assert resumed.samples == 150


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDS)
def test_learning_beats_chance(name: str) -> None:
    arch = GOLDEN / "inputs" / "arch" / "eyeriss_like"
    files = [arch / f"{part}.yaml" for part in ("arch_v03", "ERT", "ART", "constraints_v03")]
    spec = load([*files, GOLDEN / "inputs" / "problems" / "resnet18_layer1.yaml"])
    evaluator, objective = NativeEvaluator(spec), parse_objective("edp", len(spec.architecture.storage))

    def final(searcher_name: str, seed: int) -> float:
        searcher = make_searcher(searcher_name, spec, seed, objective)
        return search(searcher.space, searcher, evaluator, objective, Budget(samples=600)).best[0].cost

    learnt = np.median([final(name, seed) for seed in range(3)])
    assert learnt < 0.9 * np.median([final("random", seed) for seed in range(9)])


@pytest.mark.parametrize("name", ["sb3-ppo"])
def test_penalised_rows_count_and_never_win(name: str) -> None:
    """Taken at their word most rows are invalid; every one of them is a sample."""
    options = {"form": "one-step", "infeasible": "penalise", "memory": False}
    spec = three_level(gemm(16, 24, 40))
    searcher = make_searcher(name, spec, 1, EDP, options)
    result = search(searcher.space, searcher, NativeEvaluator(spec), EDP, Budget(samples=300))
    assert result.samples == 300 and 0 < result.valid < 200
    space = LearnersMapspace(spec)
    assert space.feasible(np.array([result.best[0].candidate]))[0]


@pytest.mark.parametrize("option", ["encoding=box", "sigma=0", "growth=0.5", "population=-1"])
def test_wrong_options_of_cma(option: str) -> None:
    key, value = option.split("=")
    with pytest.raises(UsageError, match=key):
        make_searcher("cma-es", SPEC, 1, EDP, {key: value})


@pytest.mark.parametrize(
    "option", ["form=twice", "infeasible=ignore", "batch=1", "learning_rate=0", "n_epochs=0"]
)
def test_wrong_options_of_ppo(option: str) -> None:
    key, value = option.split("=")
    with pytest.raises(UsageError, match=key):
        make_searcher("sb3-ppo", SPEC, 1, EDP, {key: value})
