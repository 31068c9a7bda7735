"""How the native model's throughput scales: with the batch, the array, the storage levels and the threads.

    python benchmarks/scaling.py                                         # all tables
    python benchmarks/scaling.py --parts pes --mappings 500              # one of them
    python benchmarks/scaling.py --picture docs/images/scaling.png       # all, and one picture

Machines are made from ``arch/three_level``: the mesh of its register files and MACs is made wider or narrower, buffers
are put between its global buffer and DRAM. Mappings are drawn by the learners' mapspace, valid ones only; perfect ones,
and imperfect ones (a loop whose factor does not divide, see ``verification_draws``). On an array of n PEs only mappings
that use at least n / 2 of them are taken. Rates are mappings per second of processor time of one core through the
public evaluator, best of several repetitions; by threads, of wall-clock time.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from throughput import best_time

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapping import MappingBatch
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.specs import load
from timeloop_marl.specs.architecture import NetworkAttributes, StorageLevel
from timeloop_marl.specs.spec import Spec
from timeloop_marl.verification_draws import drawn

ROOT = Path(__file__).parent.parent
LAYER = "resnet18/conv4_3x3"
KINDS = ("perfect", "imperfect")
BATCHES = (1, 10, 100, 1000, 10000)
SIDES = (4, 8, 16, 32, 64, 128)
LEVELS = (3, 4, 5, 6, 7, 8)
THREADS = (1, 2)
ROUNDS = 40

Series = dict[str, list[float]]
Table = tuple[str, Sequence[int], Series]


def cpu_rate(spec: Spec, mappings: MappingBatch, size: int, repetitions: int) -> float:
    """Mappings per second of processor time of one core, in batches of ``size``."""
    evaluator = NativeEvaluator(spec)
    parts = [mappings.take(slice(k, k + size)) for k in range(0, min(len(mappings), 300 * size), size)]

    def run() -> None:
        for part in parts:
            evaluator(part)

    return sum(map(len, parts)) / best_time(run, repetitions)


ENGINES: dict[str, Callable[[Spec, MappingBatch, int, int], float]] = {"one core": cpu_rate}
"""Where batches are evaluated: a column each in all tables but that of the threads."""


def base() -> Spec:
    """The machine and the layer that all others are made from."""
    arch = ROOT / "arch" / "three_level"
    files = [arch / "arch.yaml", arch / "ERT.yaml", arch / "ART.yaml", ROOT / "problems" / f"{LAYER}.yaml"]
    return load(files)


def with_array(spec: Spec, side: int, hops: bool = False) -> Spec:
    """The same machine with ``side`` x ``side`` PEs and buffers that grow with them; hops cost energy or nothing."""
    old = spec.architecture.compute.instances
    storage = []
    for level in spec.architecture.storage:
        if level.instances == old:
            level = dataclasses.replace(level, instances=side * side, mesh_x=side, mesh_y=side)
        elif level.size is not None:
            level = dataclasses.replace(level, size=level.size * max(1, side * side // old))
        if hops:
            level = dataclasses.replace(level, network=NetworkAttributes(energy_per_hop=0.5))
        storage.append(level)
    compute = dataclasses.replace(spec.architecture.compute, instances=side * side, mesh_x=side, mesh_y=side)
    architecture = dataclasses.replace(spec.architecture, storage=tuple(storage), compute=compute)
    return dataclasses.replace(spec, architecture=architecture)


def with_levels(spec: Spec, levels: int) -> Spec:
    """The same machine with more buffers outside the global one, each four times as large as the one inside."""
    storage, energies = list(spec.architecture.storage), list(spec.energies.storage)
    while len(storage) < levels:
        inside: StorageLevel = storage[-2]
        assert inside.size is not None
        outside = dataclasses.replace(inside, name=f"{inside.name}_", size=4 * inside.size)
        storage.insert(-1, outside)
        energies.insert(-1, energies[-2])
    return dataclasses.replace(
        spec,
        architecture=dataclasses.replace(spec.architecture, storage=tuple(storage)),
        energies=dataclasses.replace(spec.energies, storage=tuple(energies)),
    )


def draw(spec: Spec, kind: str, wanted: int, least: int = 0) -> MappingBatch:
    """``wanted`` valid mappings that use at least ``least`` PEs, repeated if the draw gave fewer."""
    evaluator, space, rng = NativeEvaluator(spec), LearnersMapspace(spec), np.random.default_rng(0)
    spatial = [t for t, tile in enumerate(spec.architecture.tiling_levels) if tile.spatial]
    found: list[MappingBatch] = []
    for seed in range(ROUNDS):
        if kind == "perfect":
            batch = space.decode(space.sample(4 * wanted, rng))
        else:
            batch = MappingBatch.of(drawn(spec, "imperfect", wanted, seed))
        used = batch.factors[:, spatial, :].prod(axis=(1, 2))
        keep = (evaluator(batch).failure == 0) & (used >= least)
        found.append(batch.take(np.flatnonzero(keep)[:wanted]))
        if sum(map(len, found)) >= wanted:
            break
    fields = ("factors", "residuals", "order", "split", "keep")
    arrays = [np.concatenate([getattr(batch, field) for batch in found]) for field in fields]
    if len(arrays[0]) == 0:
        raise SystemExit(f"no valid {kind} mapping with {least} PEs found")
    return MappingBatch(*(np.resize(array, (wanted, *array.shape[1:])) for array in arrays))


def by_engine(
    series: Series, name: str, spec: Spec, mappings: MappingBatch, size: int, repetitions: int
) -> None:
    """Measure one point of every engine's column."""
    for engine, rate in ENGINES.items():
        series.setdefault(f"{name}, {engine}", []).append(rate(spec, mappings, size, repetitions))


def batches(count: int, repetitions: int) -> Table:
    """Mappings per second against the batch size."""
    spec, series = base(), {}
    for kind in KINDS:
        mappings = draw(spec, kind, count)
        most = mappings.take(np.arange(max(BATCHES)) % count)
        for size in BATCHES:
            by_engine(series, kind, spec, most, size, repetitions)
    return "rows in a batch", BATCHES, series


def pes(count: int, repetitions: int) -> Table:
    """Mappings per second against the size of the array."""
    series: Series = {}
    for side in SIDES:
        for hops in (False, True):
            spec = with_array(base(), side, hops)
            for kind in KINDS:
                mappings = draw(spec, kind, count, side * side // 2)
                by_engine(
                    series, kind + (", hops charged" if hops else ""), spec, mappings, count, repetitions
                )
    return "PEs", [side * side for side in SIDES], series


def levels(count: int, repetitions: int) -> Table:
    """Mappings per second against the number of storage levels."""
    series: Series = {}
    for number in LEVELS:
        spec = with_levels(base(), number)
        for kind in KINDS:
            by_engine(series, kind, spec, draw(spec, kind, count), count, repetitions)
    return "storage levels", LEVELS, series


def threads(count: int, repetitions: int) -> Table:
    """Mappings per second of wall-clock time against the number of threads."""
    spec, series = base(), {}
    for kind in KINDS:
        mappings = draw(spec, kind, count)
        large = mappings.take(np.arange(20 * max(BATCHES)) % count)
        for number in THREADS:
            evaluator = NativeEvaluator(spec, threads=number)
            evaluator(large)
            spent = []
            for _ in range(repetitions):
                start = time.perf_counter()
                evaluator(large)
                spent.append(time.perf_counter() - start)
            series.setdefault(f"{kind}, wall clock", []).append(len(large) / min(spent))
    return "threads", THREADS, series


PARTS: dict[str, Callable[[int, int], Table]] = {
    "batches": batches,
    "pes": pes,
    "levels": levels,
    "threads": threads,
}


def show(table: Table) -> None:
    """Print a table of rates, and of every column how far its ends lie apart."""
    heading, places, series = table
    print(f"\n| {heading} | " + " | ".join(series) + " |")
    print("|---:|" + "---:|" * len(series))
    for k, place in enumerate(places):
        print(f"| {place:,} | " + " | ".join(f"{rates[k]:,.0f}" for rates in series.values()) + " |")
    print("| last / first | " + " | ".join(f"{rates[-1] / rates[0]:.2f}" for rates in series.values()) + " |")


def picture(tables: Sequence[Table], path: Path) -> None:
    """One panel a table."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from figures import STYLES

    figure, panels = plt.subplots(
        1, len(tables), figsize=(3.6 * len(tables), 3.4), sharey=True, layout="constrained", squeeze=False
    )
    for panel, (heading, places, series) in zip(panels[0], tables):
        for (name, rates), (colour, dashes) in zip(series.items(), STYLES):
            panel.plot(places, rates, color=colour, linestyle=dashes, marker="o", markersize=3, label=name)
        if max(places) > 16:
            panel.set_xscale("log")
        else:
            panel.set_xticks(places)
        panel.set_yscale("log")
        panel.set_xlabel(heading)
        panel.grid(True, which="major", color="#E5E5E5", linewidth=0.6)
        panel.legend(fontsize=7, frameon=False)
    panels[0][0].set_ylabel("valid mappings per second")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--mappings", type=int, default=1000, help="different ones for each point")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--picture", type=Path, help="write the tables as a picture, too")
    arguments = parser.parse_args()
    tables = []
    for part in arguments.parts:
        tables.append(PARTS[part](arguments.mappings, arguments.repetitions))
        show(tables[-1])
    if arguments.picture is not None:
        picture(tables, arguments.picture)


if __name__ == "__main__":
    main()
