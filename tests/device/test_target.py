"""What is said where there is no GPU, no driver or no CUDA compiler."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shell import Shell

from timeloop_marl.api.draws import best_of_draws
from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.choice import EvaluatorChoice
from timeloop_marl.evaluators.gpu.evaluator import CudaEvaluator
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.kernels.cuda import target
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.specs import load

INPUTS = Path(__file__).resolve().parents[1] / "golden" / "inputs"
FILES = [str(INPUTS / "arch" / "small_toy" / f"{name}.yaml") for name in ("arch_v03", "ERT", "ART")]
FILES.append(str(INPUTS / "problems" / "toy_conv.yaml"))


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
    monkeypatch.setattr(target, "_installed", lambda package: False)


@pytest.mark.usefixtures("nothing")
@pytest.mark.parametrize("command", ["search", "network", "compare", "optimum", "sweep"])
def test_commands_say_what_is_missing_and_write_nothing(command, shell: Shell, tmp_path):
    out = tmp_path / "out"
    assert shell(command, *FILES, "-o", out, "--device", "cuda") == 2
    assert "numba-cuda is not installed" in shell.err and "pip install 'timeloop-marl[gpu]'" in shell.err
    assert not out.exists()


@pytest.mark.usefixtures("nothing")
def test_the_api_says_it_too_and_auto_takes_the_cpu():
    spec = load(FILES)
    with pytest.raises(UsageError, match="numba-cuda is not installed"):
        CudaEvaluator(spec)
    with pytest.raises(UsageError, match="numba-cuda is not installed"):
        best_of_draws(spec, 10, device="cuda")
    assert target.chosen_device("auto") == target.chosen_device("cpu") == "cpu"
    assert best_of_draws(spec, 50, device="auto").drawn == 50


def test_wrong_devices():
    with pytest.raises(UsageError, match="unknown device 'gpu': expected cpu, cuda or auto"):
        target.chosen_device("gpu")
    with pytest.raises(UsageError, match="unknown device 'gpu'"):
        EvaluatorChoice(device="gpu")
    with pytest.raises(UsageError, match="only the native model"):
        EvaluatorChoice("timeloop", device="cuda")


def test_draws_are_found_again_by_number():
    spec = load(FILES)
    space, evaluator = LearnersMapspace(spec), NativeEvaluator(spec)
    rows = space.consecutive(3, 10, 200)
    assert (space.numbered(3, np.array([150, 12])) == rows[[140, 2]]).all()
    assert len(np.unique(rows, axis=0)) > 20 and (space.consecutive(4, 10, 200) != rows).any()
    outcome = evaluator(space.decode(rows))
    costs = np.where(outcome.failure == 0, outcome.energy_pj * outcome.cycles, np.inf)
    whole = best_of_draws(spec, 200, keep=7, seed=3, first=10)
    assert list(whole.costs) == sorted(costs)[:7] and whole.valid == int(np.isfinite(costs).sum())
    assert [costs[number - 10] for number in whole.numbers] == list(whole.costs)
    halves = [best_of_draws(spec, 100, keep=7, seed=3, first=first) for first in (10, 110)]
    merged = sorted((cost, number) for half in halves for cost, number in zip(half.costs, half.numbers))
    assert [number for _, number in merged[:7]] == list(whole.numbers)
    one = evaluator.statistics(whole.mappings[0])
    assert one.cycles * one.energy_pj == pytest.approx(whole.costs[0], rel=1e-12)


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"keep": 0}, {"first": -1}, {"objective": "last_level_accesses"}]
)
def test_wrong_draws(wrong):
    with pytest.raises(UsageError):
        best_of_draws(load(FILES), **{"count": 5, **wrong})
