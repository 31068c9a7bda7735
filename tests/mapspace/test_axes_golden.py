"""The learners' view on the recorded machines: all draws valid, inside Timeloop's mapspace, and the other way round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from timeloop_marl.errors import InfeasibleError, SpecError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.mapspace.membership import violations
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.run.result import nest_key
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.reading import load
from timeloop_marl.specs.spec import Spec

INPUTS = Path(__file__).parent.parent / "golden" / "inputs"
MACHINES = sorted(path.name for path in (INPUTS / "arch").iterdir())
LAYERS = ("resnet18_layer3_first", "prime_conv", "resnet18_conv1")


def golden(machine: str, problem: str, constrained: bool = True) -> Spec:
    arch = INPUTS / "arch" / machine
    names = ["arch_v03.yaml", "ERT.yaml", "ART.yaml", *(["constraints_v03.yaml"] if constrained else [])]
    return load([*(arch / name for name in names), INPUTS / "problems" / f"{problem}.yaml"])


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def check(spec: Spec, n: int) -> None:
    space = LearnersMapspace(spec)
    batch = space.decode(space.sample(n, generator()))
    outcome = NativeEvaluator(spec, precheck=True)(batch)
    assert (outcome.failure == 0).all()
    for i in range(0, n, 10):
        assert violations(batch[i], spec) == []


@pytest.mark.parametrize("problem", LAYERS)
@pytest.mark.parametrize("machine", MACHINES)
def test_every_draw_is_valid_and_obeys_the_constraints(machine: str, problem: str) -> None:
    check(golden(machine, problem), 200)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("constrained", [True, False])
def test_every_draw_is_valid_for_every_problem(machine: str, constrained: bool) -> None:
    checked = 0
    for path in sorted((INPUTS / "problems").glob("*.yaml")):
        try:
            spec = golden(machine, path.stem, constrained)
        except SpecError:
            continue  # the machine's constraints name dimensions that this problem has not
        try:
            check(spec, 1000)
        except InfeasibleError as error:
            # banked_wide demands 1 % of a buffer that the toy problems cannot fill even as a whole.
            assert "min_utilization 0.01 cannot be reached" in str(error)
            assert machine == "banked_wide"
            continue
        checked += 1
    assert checked > 15


@pytest.mark.parametrize("machine", ["eyeriss_like", "simba_like", "small_toy", "tpu_like"])
def test_timeloops_mappings_have_rows_with_the_same_cost(machine: str) -> None:
    spec = golden(machine, "toy_conv")
    theirs, ours = TimeloopMapspace(spec), LearnersMapspace(spec)
    batch = theirs.decode(theirs.sample(generator(), 4000))
    evaluator = NativeEvaluator(spec, precheck=True)
    outcome = evaluator(batch)
    allowed = (theirs.construction_failures(batch) < 0) & (outcome.failure == 0)
    chosen = np.flatnonzero(allowed)[:60]
    assert len(chosen) >= 10
    rows = np.array([ours.encode(batch[int(i)]) for i in chosen])
    back = ours.decode(rows)
    again = evaluator(back)
    np.testing.assert_array_equal(again.cycles, outcome.cycles[chosen])
    np.testing.assert_array_equal(again.energy_pj, outcome.energy_pj[chosen])
    same_nests(batch, back, chosen)


def same_nests(theirs: MappingBatch, ours: MappingBatch, chosen: np.ndarray) -> None:
    for k, i in enumerate(chosen):
        a, b = nest_key(theirs[int(i)]), nest_key(ours[k])
        assert a[1:] == b[1:]  # innermost loops: their order has no meaning
