"""Valid mappings per second on a CUDA GPU, against one CPU core; outcomes are compared with the CPU's first.

``python benchmarks/gpu.py``; needs the extra ``gpu`` and a GPU.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from timeloop_marl.api.draws import best_of_draws
from timeloop_marl.evaluators.gpu.evaluation import DONE, RESULTS, DeviceModel
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.kernels.cuda.target import device_name, what_is_missing
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.specs import load
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import Spec

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    options = arguments().parse_args()
    missing = what_is_missing()
    if missing is not None:
        print(f"no measurement: {missing}")
        return 1
    for machine in options.machines:
        measure(machine, spec_of(machine, options.problem), options)
    return 0


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", nargs="+", default=["eyeriss_like", "three_level", "simba_like"])
    parser.add_argument("--problem", default="resnet18/conv4_3x3")
    parser.add_argument("--batch", type=int, default=1 << 20, help="mappings on the GPU at once")
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--draws", type=int, default=1 << 24, help="draws of the fused kernel")
    return parser


def spec_of(machine: str, problem: str) -> Spec:
    arch = sorted((ROOT / "arch" / machine).glob("*.yaml"))
    return load([*arch, ROOT / "problems" / f"{problem}.yaml"])


def measure(machine: str, spec: Spec, options: argparse.Namespace) -> None:
    """Evaluation of a batch that lies on the GPU, the whole way of draws, and one CPU core on the same rows."""
    from numba import cuda

    native, space = NativeEvaluator(spec), LearnersMapspace(spec)
    some = space.decode(space.consecutive(1, 0, min(options.batch, 1 << 16)))
    rows = some.take(np.resize(np.arange(len(some)), options.batch))
    model = DeviceModel(native.geometry, native.rates)
    batch = model.put(native._check(rows))
    model.run(batch)
    cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(options.repetitions):
        model.run(batch)
    cuda.synchronize()
    seconds = (time.perf_counter() - begun) / options.repetitions
    done = batch.status.copy_to_host() == DONE
    valid = int((done & (batch.results[3].copy_to_host() == 0)).sum())
    core = cpu_rate(native, some)
    print(f"{machine}, {device_name()}: {valid / seconds:,.0f} valid mappings/s evaluated on the GPU "
          f"({1 - done.mean():.1%} of the rows left to the deep kernel, not counted), {valid / seconds / core:,.0f} x "
          f"one CPU core ({core:,.0f}/s)")  # fmt: skip
    same = native(some)
    here = done[: len(some)]
    for name, result in zip(RESULTS, batch.results, strict=True):
        there = result.copy_to_host()[: len(some)]
        assert there[here].tobytes() == getattr(same, name)[here].tobytes(), name
    print(f"  equal to the CPU in all {int(here.sum()):,} rows compared")
    begun = time.perf_counter()
    best_of_draws(spec, options.draws // 16, device="cuda", seed=2)
    warm = time.perf_counter() - begun
    begun = time.perf_counter()
    found = best_of_draws(spec, options.draws, device="cuda")
    seconds = time.perf_counter() - begun
    print(f"  drawn, repaired, decoded, evaluated, the best kept: {found.valid / seconds:,.0f} valid mappings/s "
          f"({found.left / found.drawn:.1%} by the CPU; first call with compiling {warm:.0f} s)")  # fmt: skip


def cpu_rate(native: NativeEvaluator, rows: MappingBatch) -> float:
    """Mappings a second of processor time on one thread."""
    native(rows)
    begun = time.process_time()
    for _ in range(3):
        native(rows)
    return 3 * len(rows) / (time.process_time() - begun)


if __name__ == "__main__":
    sys.exit(main())
