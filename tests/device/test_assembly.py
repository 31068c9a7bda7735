"""The GPU's code itself, for an H100 or H200: no fused arithmetic; run instruction by instruction, the CPU's bits.

Needs the extra ``gpu`` (the CUDA compiler), but neither a GPU nor a driver.
"""

from __future__ import annotations

import random
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from ptx_machine import Machine, UnknownInstructionError
from ptx_memory import Heap, parameters

from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.device.assembly import ptx_of, resources_of
from timeloop_marl.device.draws import EDP, drawing_kernel, plain_record
from timeloop_marl.device.evaluation import DONE, deep_kernel, deep_type, evaluation_kernel, scratch_type
from timeloop_marl.device.translation import FUSED, check_unfused
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapping import MappingBatch
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.mapspace.learners.tables import workspace
from timeloop_marl.specs import load
from timeloop_marl.specs.spec import Spec
from timeloop_marl.traffic.record import boxed

pytestmark = [
    pytest.mark.slow,  # the CUDA compiler takes a minute a kernel
    pytest.mark.skipif(
        find_spec("numba_cuda") is None, reason="needs the extra gpu: pip install 'timeloop-marl[gpu]'"
    ),
]

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ("cycles", "energy_pj", "utilization", "failure", "failed_level", "accesses")


@cache
def spec_of(machine: str) -> Spec:
    arch = sorted((ROOT / "arch" / machine).glob("*.yaml"))
    return load([*arch, ROOT / "problems" / "resnet18" / "conv4_3x3.yaml"])


@cache
def ptx_for(machine: str) -> str:
    evaluator = NativeEvaluator(spec_of(machine), accesses=True)
    space = LearnersMapspace(spec_of(machine))
    arguments, _ = launch(evaluator, space.decode(space.consecutive(1, 0, 2)))
    return ptx_of(evaluation_kernel(scratch_type(evaluator.geometry)), tuple(arguments))


def launch(evaluator: NativeEvaluator, batch: MappingBatch) -> tuple[list[Any], tuple[Outcome, np.ndarray]]:
    """Arguments of the kernel for a batch, and where it writes."""
    outcome, status = evaluator._empty(len(batch)), np.full(len(batch), 99, np.int8)
    columns = [
        np.asfortranarray(array)
        for array in (batch.factors, batch.residuals, batch.order, batch.split, batch.keep)
    ]
    results = [getattr(outcome, name) for name in FIGURES]
    levels = outcome.accesses.shape[1] if outcome.accesses is not None else 0
    return [boxed(evaluator.geometry), boxed(evaluator.rates), *columns, False, *results, levels, status], (
        outcome,
        status,
    )


def mixed_batch(spec: Spec, rows: int) -> MappingBatch:
    """Feasible draws, and some whose factors were exchanged so that most of these do not fit."""
    space = LearnersMapspace(spec)
    batch = space.decode(space.consecutive(4, 0, rows))
    for i in range(0, rows, 4):
        batch.factors[i] = batch.residuals[i] = batch.factors[i, ::-1].copy()
    return batch


@pytest.mark.parametrize("machine", ["three_level", "eyeriss_like", "simba_like"])
def test_compiled_code_gives_the_same_bits(machine):
    spec = spec_of(machine)
    evaluator, batch = NativeEvaluator(spec, accesses=True), mixed_batch(spec, 48)
    arguments, (outcome, status) = launch(evaluator, batch)
    code, heap = Machine(ptx_for(machine)), Heap()
    words = parameters(code, heap, arguments)
    for thread in range(len(batch)):
        rubbish = random.Random(thread).randbytes(1021)
        code.run(words, heap.memory, thread % 16, thread // 16, 16, 3, rubbish)
    heap.fetch()
    expected = evaluator(batch)
    done = status == DONE
    assert (
        done.mean() > 0.5 and (expected.failure != 0).sum() > 5 and (expected.failure[done] == 0).sum() > 10
    )
    for name in FIGURES:
        assert getattr(outcome, name)[done].tobytes() == getattr(expected, name)[done].tobytes(), name


def test_the_deep_kernel_compiles_without_fused_arithmetic():
    """It calls functions, which the machine for PTX does not know: its results are compared in the simulator."""
    spec = spec_of("three_level")
    evaluator, space = NativeEvaluator(spec, accesses=True), LearnersMapspace(spec)
    arguments, _ = launch(evaluator, space.decode(space.consecutive(5, 0, 2)))
    boxes = np.zeros(4, deep_type(evaluator.geometry))
    ptx = ptx_of(deep_kernel(), (boxes, *arguments))
    check_unfused(ptx)
    assert ptx.count("mul.rn.f64") > 20
    with pytest.raises(UnknownInstructionError, match="functions"):
        Machine(ptx)


def test_compiled_draws_are_those_of_the_cpu():
    spec, rows = spec_of("three_level"), 24
    evaluator, space = NativeEvaluator(spec), LearnersMapspace(spec)
    numbers = np.arange(100, 100 + rows)
    costs, counts, left = np.zeros(rows), np.zeros(2, np.int64), np.zeros(rows, np.int64)
    scratch = plain_record(workspace(space.tables))
    boxes = [boxed(evaluator.geometry), boxed(evaluator.rates), plain_record(space.tables)]
    given = [*boxes, 7, EDP, numbers, costs, counts, left]
    shape = (space.axes, *space.tables.base_factor.shape, *space.tables.keep.shape)
    kernel = drawing_kernel(scratch_type(evaluator.geometry), scratch.dtype, shape)
    ptx = ptx_of(kernel, tuple(given))
    check_unfused(ptx)
    code, heap = Machine(ptx), Heap()
    words = parameters(code, heap, given)
    for thread in range(rows):
        code.run(words, heap.memory, thread, 0, rows, 1, random.Random(thread).randbytes(1021))
    heap.fetch()
    outcome = evaluator(space.decode(space.consecutive(7, 100, rows)))
    done = ~np.isin(numbers, left[: counts[1]])
    assert counts[0] == done.sum() > rows // 2
    assert (costs[done] == outcome.energy_pj[done] * outcome.cycles[done]).all()
    assert np.isinf(costs[~done]).all()


def test_no_fused_arithmetic():
    ptx = ptx_for("eyeriss_like")
    check_unfused(ptx)
    assert ptx.count("mul.rn.f64") > 20 and ptx.count("add.rn.f64") > 20
    with pytest.raises(AssertionError, match="fma"):
        check_unfused(ptx.replace("mul.rn.f64", "fma.rn.f64", 1))


def test_the_compiler_would_fuse_if_it_were_allowed(monkeypatch):
    monkeypatch.setattr("timeloop_marl.device.assembly.compiler_options", lambda given: given)
    evaluator = NativeEvaluator(spec_of("eyeriss_like"), accesses=True)
    space = LearnersMapspace(spec_of("eyeriss_like"))
    arguments, _ = launch(evaluator, space.decode(space.consecutive(1, 0, 2)))
    ptx = ptx_of(evaluation_kernel(scratch_type(evaluator.geometry)), tuple(arguments))
    assert len(FUSED.findall(ptx)) > 20


def test_no_spilled_registers():
    resources = resources_of(ptx_for("eyeriss_like"))
    if resources is None:
        pytest.skip("no ptxas that reads this PTX")
    assert resources.spilled == 0 and resources.registers <= 168
    assert resources.stack >= scratch_type(NativeEvaluator(spec_of("eyeriss_like")).geometry).itemsize
