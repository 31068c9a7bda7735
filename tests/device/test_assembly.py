"""The GPU's code itself, for an H100 or H200: it has no fused arithmetic, and would have if it were allowed.

Needs the extra ``gpu`` (the CUDA compiler), but neither a GPU nor a driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from timeloop_marl.evaluators.gpu.draws import EDP, drawing_kernel, plain_record
from timeloop_marl.evaluators.gpu.evaluation import deep_kernel, deep_type, evaluation_kernel, scratch_type
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.kernels.cuda.translation import FUSED, check_unfused, compiler_options
from timeloop_marl.kernels.numba_internals import module, taken
from timeloop_marl.kernels.record import boxed
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.mapspace.learners.tables import workspace
from timeloop_marl.specs import load
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import Spec

pytestmark = [
    pytest.mark.slow,  # the CUDA compiler takes a minute a kernel
    pytest.mark.skipif(
        find_spec("numba_cuda") is None, reason="needs the extra gpu: pip install 'timeloop-marl[gpu]'"
    ),
]

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ("cycles", "energy_pj", "utilization", "failure", "failed_level", "accesses")
CAPABILITY = (9, 0)  # of an H100 or H200


def ptx_of(
    kernel: Any,
    arguments: tuple[Any, ...],
    options: Callable[[Mapping[str, Any]], dict[str, Any]] = compiler_options,
) -> str:
    """PTX of a kernel for arguments of these types, without GPU and driver: as numba-cuda makes it at a launch."""
    compiler, dispatcher = (module(f"numba.cuda.{name}", "numba-cuda") for name in ("compiler", "dispatcher"))
    nvvm, numba = module("numba.cuda.cudadrv.nvvm", "numba-cuda"), module("numba")
    original = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=CAPABILITY)
    try:
        made = taken(compiler, "compile_cuda", "numba-cuda")(
            kernel.py_func,
            numba.types.void,
            tuple(numba.typeof(argument) for argument in arguments),
            nvvm_options=options({"fastmath": False, "opt": 3}),
            cc=CAPABILITY,
        )
    finally:
        dispatcher.get_current_device = original
    entry = made.library.get_function(made.fndesc.llvm_func_name)
    compiler.kernel_fixup(entry, False)
    nvvm.set_launch_bounds(entry, kernel.targetoptions.get("launch_bounds"))
    return str(made.library.get_asm_str(cc=CAPABILITY))


def spec_of(machine: str) -> Spec:
    arch = sorted((ROOT / "arch" / machine).glob("*.yaml"))
    return load([*arch, ROOT / "problems" / "resnet18" / "conv4_3x3.yaml"])


def evaluation_ptx(options: Callable[[Mapping[str, Any]], dict[str, Any]] = compiler_options) -> str:
    spec = spec_of("eyeriss_like")
    evaluator, space = NativeEvaluator(spec, accesses=True), LearnersMapspace(spec)
    arguments = launch(evaluator, space.decode(space.consecutive(1, 0, 2)))
    return ptx_of(evaluation_kernel(scratch_type(evaluator.geometry)), tuple(arguments), options)


def launch(evaluator: NativeEvaluator, batch: MappingBatch) -> list[Any]:
    """Arguments of the kernel for a batch."""
    outcome, status = evaluator._empty(len(batch)), np.full(len(batch), 99, np.int8)
    columns = [
        np.asfortranarray(array)
        for array in (batch.factors, batch.residuals, batch.order, batch.split, batch.keep)
    ]
    results = [getattr(outcome, name) for name in FIGURES]
    levels = outcome.accesses.shape[1] if outcome.accesses is not None else 0
    return [boxed(evaluator.geometry), boxed(evaluator.rates), *columns, False, *results, levels, status]


def test_the_deep_kernel_compiles_without_fused_arithmetic():
    spec = spec_of("three_level")
    evaluator, space = NativeEvaluator(spec, accesses=True), LearnersMapspace(spec)
    arguments = launch(evaluator, space.decode(space.consecutive(5, 0, 2)))
    boxes = np.zeros(4, deep_type(evaluator.geometry))
    ptx = ptx_of(deep_kernel(), (boxes, *arguments))
    check_unfused(ptx)
    assert ptx.count("mul.rn.f64") > 20


def test_the_drawing_kernel_compiles_without_fused_arithmetic():
    spec, rows = spec_of("three_level"), 24
    evaluator, space = NativeEvaluator(spec), LearnersMapspace(spec)
    boxes = [boxed(evaluator.geometry), boxed(evaluator.rates), plain_record(space.tables)]
    results = np.zeros(rows), np.zeros(2, np.int64), np.zeros(rows, np.int64)
    shape = (space.axes, *space.tables.base_factor.shape, *space.tables.keep.shape)
    scratch = plain_record(workspace(space.tables)).dtype
    kernel = drawing_kernel(scratch_type(evaluator.geometry), scratch, shape)
    ptx = ptx_of(kernel, (*boxes, 7, EDP, np.arange(100, 100 + rows), *results))
    check_unfused(ptx)
    assert ptx.count("mul.rn.f64") > 20


def test_no_fused_arithmetic():
    ptx = evaluation_ptx()
    check_unfused(ptx)
    assert ptx.count("mul.rn.f64") > 20 and ptx.count("add.rn.f64") > 20
    with pytest.raises(AssertionError, match="fma"):
        check_unfused(ptx.replace("mul.rn.f64", "fma.rn.f64", 1))


def test_the_compiler_would_fuse_if_it_were_allowed():
    assert len(FUSED.findall(evaluation_ptx(dict))) > 20
