"""Valid mappings per second on a CUDA GPU, against one CPU core, and what bounds it.

``python benchmarks/gpu.py``; needs the extra ``gpu``. Where there is no GPU it says so and prints an estimate for an
H200 instead: it compiles the kernel for it, runs its PTX on a machine of its own (``ptx_machine.py``) and divides the
peak rates by the instructions and bytes counted. These are bounds, and no measurement.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ptx_machine import Machine
from ptx_memory import Heap, parameters

from timeloop_marl.device.assembly import Resources, ptx_of, resources_of
from timeloop_marl.device.evaluation import (
    COLUMNS,
    DONE,
    RESULTS,
    THREADS,
    DeviceModel,
    evaluation_kernel,
    scratch_type,
)
from timeloop_marl.device.target import device_name, what_is_missing
from timeloop_marl.draws import best_of_draws
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapping import MappingBatch
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.specs import load
from timeloop_marl.specs.spec import Spec
from timeloop_marl.traffic.record import boxed

ROOT = Path(__file__).resolve().parent.parent
WARP = 32


@dataclass(frozen=True)
class Peak:
    """What a GPU can do. ``clock`` in Hz, ``memory`` in bytes/s; registers and threads of a multiprocessor."""

    name: str
    processors: int
    clock: float
    memory: float
    registers: int = 65536
    threads: int = 2048

    @property
    def issue(self) -> float:
        """Instructions of single threads a second: four warps a cycle and multiprocessor."""
        return self.processors * 4 * WARP * self.clock

    @property
    def cache(self) -> float:
        """Bytes a second between the multiprocessors and their first caches."""
        return self.processors * 128 * self.clock


# NVIDIA H200 data sheet: 4.8 TB/s; 132 multiprocessors, 1.98 GHz at most (NVIDIA H100 white paper, same chip).
H200 = Peak("NVIDIA H200", 132, 1.98e9, 4.8e12)


@dataclass(frozen=True)
class Work:
    """What a valid mapping takes: instructions (PTX) of its thread and of its warp a thread, bytes by kind."""

    instructions: float
    in_step: float
    bytes: Counter[str]
    classes: Counter[str]


def main() -> int:
    options = arguments().parse_args()
    missing = what_is_missing()
    if missing is not None:
        print(f"no measurement: {missing}\n")
    for machine in options.machines:
        spec = spec_of(machine, options.problem)
        if missing is None:
            measure(machine, spec, options)
        else:
            estimate(machine, spec, options.rows)
    return 0


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", nargs="+", default=["eyeriss_like", "three_level", "simba_like"])
    parser.add_argument("--problem", default="resnet18/conv4_3x3")
    parser.add_argument("--batch", type=int, default=1 << 20, help="mappings on the GPU at once")
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--rows", type=int, default=64, help="mappings of which instructions are counted")
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
    device = cuda.get_current_device()
    peak = Peak(device_name(), device.MULTIPROCESSOR_COUNT, device.CLOCK_RATE * 1e3, memory_rate(device))
    show_bounds(peak, *counted(spec, options.rows))


def memory_rate(device: Any) -> float:
    """Bytes a second of the GPU's memory: two transfers a cycle."""
    return 2 * device.MEMORY_CLOCK_RATE * 1e3 * device.GLOBAL_MEMORY_BUS_WIDTH / 8


def cpu_rate(native: NativeEvaluator, rows: MappingBatch) -> float:
    """Mappings a second of processor time on one thread."""
    native(rows)
    begun = time.process_time()
    for _ in range(3):
        native(rows)
    return 3 * len(rows) / (time.process_time() - begun)


def estimate(machine: str, spec: Spec, rows: int) -> None:
    print(f"{machine}: estimate for an {H200.name}, nothing was timed")
    show_bounds(H200, *counted(spec, rows))


def counted(spec: Spec, rows: int) -> tuple[Work, Resources | None, int, float]:
    """Work of a valid mapping, what ptxas says, instructions in the PTX, and the share of rows left to others."""
    native, space = NativeEvaluator(spec), LearnersMapspace(spec)
    batch = native._check(space.decode(space.consecutive(1, 0, rows)))
    outcome, status = native._empty(rows), np.zeros(rows, np.int8)
    given = [
        boxed(native.geometry), boxed(native.rates),
        *(np.asfortranarray(getattr(batch, name)) for name in COLUMNS), False,
        *(getattr(outcome, name) for name in RESULTS), np.zeros((rows, 1), np.int64), 0, status,
    ]  # fmt: skip
    ptx = ptx_of(evaluation_kernel(scratch_type(native.geometry)), tuple(given))
    machine, heap = Machine(ptx), Heap()
    words = parameters(machine, heap, given)
    rubbish = random.Random(1).randbytes(1021)
    visits = np.array([machine.run(words, heap.memory, i, 0, rows, 1, rubbish) for i in range(rows)])
    idle = np.array(machine.run(words, heap.memory, rows, 0, rows + 1, 1, rubbish))  # a thread without a row
    heap.fetch()
    expected = native(batch)
    here = status == DONE
    done = here & (expected.failure == 0)
    for name in RESULTS:
        assert getattr(outcome, name)[here].tobytes() == getattr(expected, name)[here].tobytes(), name
    visits = np.maximum(visits - idle, 0)
    lengths = np.array(machine.lengths)
    warps = [visits[first : first + WARP].max(axis=0) @ lengths for first in range(0, rows - WARP + 1, WARP)]
    mean = visits[done].mean(axis=0)
    kinds: Counter[str] = Counter()
    traffic: Counter[str] = Counter()
    for entry, moved, times in zip(machine.kinds, machine.traffic, mean, strict=True):
        for name, count in entry.items():
            kinds[name] += count * times
        for name, count in moved.items():
            traffic[name] += count * times
    work = Work(float(mean @ lengths), float(np.mean(warps or [mean @ lengths])), traffic, kinds)
    return work, resources_of(ptx), int(lengths.sum()), float((status != DONE).mean())


def show_bounds(peak: Peak, work: Work, resources: Resources | None, length: int, left: float) -> None:
    """Print what a mapping takes and how often the peak rates allow that."""
    kinds = ", ".join(f"{name} {count:,.0f}" for name, count in work.classes.most_common(10))
    print(f"  PTX instructions a valid mapping: {work.instructions:,.0f} ({kinds})")
    print(f"  threads of a warp in step: {work.in_step:,.0f}; rows left to the deep kernel: {left:.1%}")
    local = sum(count for name, count in work.bytes.items() if name.endswith("local"))
    outside = sum(work.bytes.values()) - local
    print(f"  bytes loaded and stored: {local:,.0f} in scratch, {outside:,.0f} of tables, rows and outcomes")
    growth = 1.0
    if resources is not None:
        growth = resources.instructions / length
        blocks = peak.registers // (-(-resources.registers // 8) * 8 * THREADS)
        print(f"  ptxas: {resources.registers} registers, {resources.spilled} bytes spilled, {resources.stack:,} "
              f"bytes of scratch, {growth:.2f} machine instructions for one of PTX; {blocks * THREADS} of "
              f"{peak.threads} threads on a multiprocessor")  # fmt: skip
    bounds = {
        "issuing instructions": peak.issue / (work.in_step * growth),
        "first caches": peak.cache / (local + outside),
        "memory, if no scratch stayed in any cache": peak.memory / (local + outside),
    }
    for name, rate in bounds.items():
        print(f"  at most {rate / 1e6:,.0f} million/s by {name}")


if __name__ == "__main__":
    sys.exit(main())
