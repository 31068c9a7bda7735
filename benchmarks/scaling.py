"""How the native model's throughput scales: with the batch, the array, the storage levels and the threads.

    python benchmarks/scaling.py                                         # all tables
    python benchmarks/scaling.py --parts pes --mappings 500              # one of them
    python benchmarks/scaling.py --picture docs/images/scaling.png       # all, and one picture

Machines are made from ``arch/three_level``: the mesh of its register files and MACs is made wider or narrower, buffers
are put between its global buffer and DRAM. Mappings are drawn by the learners' mapspace, valid ones only; perfect ones,
and imperfect ones (a dim whose loops do not divide, see ``verification_draws``). For arrays they are drawn for one PE,
and the same loops fill every array: M its columns and C its rows (``one loop a rank``: all in closed form), or R and P
its columns, S and Q its rows (``two loops a rank``: the children of a block have to be walked). Rates are mappings per
second of processor time of one core through the public evaluator, best of several repetitions; by threads, of
wall-clock time.
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
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.specs import load
from timeloop_marl.specs.architecture import NetworkAttributes, StorageLevel
from timeloop_marl.specs.constraints import Constraints
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import Spec
from timeloop_marl.validation.verification import drawn

ROOT = Path(__file__).parent.parent
LAYER = "resnet18/conv4_3x3"
LEVEL_NAMES = ("DRAM", "GLB", "RF")
KINDS = ("perfect", "imperfect")
BATCHES = (1, 10, 100, 1000, 10000)
SIDES = (4, 8, 16, 32, 64, 128)
LEVELS = (3, 4, 5, 6, 7, 8)
THREADS = (1, 2)
ROUNDS = 40
FEW, LONGEST = 10, 0.5  # mappings, and seconds of one repetition where these are more
WIDE = {"C": 1024, "M": 1024, "R": 4, "S": 4, "P": 512, "Q": 512}
"""Bounds of a layer that fills the largest array in either way."""
ONE_LOOP, TWO_LOOPS = "one loop a rank", "two loops a rank"

CASES = (
    (ONE_LOOP, "perfect", False),
    (ONE_LOOP, "imperfect", False),
    (ONE_LOOP, "perfect", True),
    (TWO_LOOPS, "perfect", False),
    (TWO_LOOPS, "imperfect", False),
)
"""Form, kind, whether hops are charged."""

Series = dict[str, list[float]]
Table = tuple[str, Sequence[int], Series]


def cpu_rate(spec: Spec, mappings: MappingBatch, size: int, repetitions: int) -> float:
    """Mappings per second of processor time of one core, in batches of ``size``; of the first few if they are slow."""
    evaluator = NativeEvaluator(spec)
    few = mappings.take(slice(0, FEW))
    each = best_time(lambda: evaluator(few), 1) / len(few)
    rows = min(len(mappings), 300 * size, max(FEW, int(LONGEST / each)))
    parts = [mappings.take(slice(k, min(k + size, rows))) for k in range(0, rows, size)]

    def run() -> None:
        for part in parts:
            evaluator(part)

    return rows / best_time(run, repetitions)


ENGINES: dict[str, Callable[[Spec, MappingBatch, int, int], float]] = {"one core": cpu_rate}
"""Where batches are evaluated: a column each in all tables but that of the threads."""


def base() -> Spec:
    """The machine and the layer that all others are made from: register files, a global buffer, DRAM."""
    arch = ROOT / "arch" / "three_level"
    spec = load(
        [arch / "arch.yaml", arch / "ERT.yaml", arch / "ART.yaml", ROOT / "problems" / f"{LAYER}.yaml"]
    )
    # The container of the PEs is a level that holds nothing; a fan-out does not need it.
    held = [s for s, level in enumerate(spec.architecture.storage) if level.name in LEVEL_NAMES]
    return dataclasses.replace(
        spec,
        architecture=dataclasses.replace(
            spec.architecture, storage=tuple(spec.architecture.storage[s] for s in held)
        ),
        energies=dataclasses.replace(spec.energies, storage=tuple(spec.energies.storage[s] for s in held)),
        constraints=Constraints(),
    )


def with_array(spec: Spec, side: int, hops: bool = False) -> Spec:
    """The same machine with ``side`` x ``side`` PEs and unlimited buffers outside; hops cost energy or nothing."""
    old = spec.architecture.compute.instances
    storage = []
    for level in spec.architecture.storage:
        if level.instances == old:
            level = dataclasses.replace(level, instances=side * side, mesh_x=side, mesh_y=side)
        elif level.size is not None:
            level = dataclasses.replace(level, size=2**40)
        if hops:
            level = dataclasses.replace(level, network=NetworkAttributes(energy_per_hop=0.5))
        storage.append(level)
    compute = dataclasses.replace(spec.architecture.compute, instances=side * side, mesh_x=side, mesh_y=side)
    architecture = dataclasses.replace(spec.architecture, storage=tuple(storage), compute=compute)
    return dataclasses.replace(spec, architecture=architecture)


def shared_out(form: str, side: int) -> tuple[dict[str, int], dict[str, int]]:
    """Bounds of the loops that fill the columns, and the rows, of an array."""
    if form == ONE_LOOP:
        return {"M": side}, {"C": side}
    return {"R": 2, "P": side // 2}, {"S": 2, "Q": side // 2}


def for_one_pe(form: str, side: int, kind: str, wanted: int) -> tuple[Spec, MappingBatch]:
    """The wide layer without its spatial loops, and mappings of it on one PE that leave the dims of these perfect."""
    spec = with_array(base(), 1)
    columns, rows = shared_out(form, side)
    taken = {**columns, **rows}
    problem = spec.problem
    bounds = tuple(
        WIDE.get(d, b) // taken.get(d, 1) for d, b in zip(problem.dims, problem.bounds, strict=True)
    )
    spec = dataclasses.replace(spec, problem=dataclasses.replace(problem, bounds=bounds))
    perfect = [problem.dims.index(d) for d in taken]
    return spec, draw(spec, kind, wanted, perfect)


def filled(form: str, side: int, mappings: MappingBatch, hops: bool) -> tuple[Spec, MappingBatch]:
    """The same loops on an array that is filled by spatial ones, which go between register files and buffer."""
    spec = with_array(base(), side, hops)
    dims = spec.problem.dims
    bounds = tuple(WIDE.get(d, b) for d, b in zip(dims, spec.problem.bounds, strict=True))
    spec = dataclasses.replace(spec, problem=dataclasses.replace(spec.problem, bounds=bounds))
    place = next(t for t, tile in enumerate(spec.architecture.tiling_levels) if tile.spatial)
    columns, rows = shared_out(form, side)
    width = np.ones(len(dims), np.int64)
    for d, bound in {**columns, **rows}.items():
        width[dims.index(d)] = bound
    first = [dims.index(d) for d in (*columns, *rows)]
    order = np.array([*first, *(d for d in range(len(dims)) if d not in first)], np.int8)
    return spec, MappingBatch(
        np.insert(mappings.factors, place, width, axis=1),
        np.insert(mappings.residuals, place, width, axis=1),
        np.insert(mappings.order, place, order, axis=1),
        np.insert(mappings.split, place, len(columns), axis=1),
        mappings.keep,
    )


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


def draw(spec: Spec, kind: str, wanted: int, perfect: Sequence[int] = ()) -> MappingBatch:
    """``wanted`` valid mappings with the dims of ``perfect`` perfect, repeated if the draw gave fewer."""
    evaluator, space, rng = NativeEvaluator(spec), LearnersMapspace(spec), np.random.default_rng(0)
    found: list[MappingBatch] = []
    for seed in range(ROUNDS):
        if kind == "perfect":
            batch = space.decode(space.sample(wanted, rng))
        else:
            batch = MappingBatch.of(drawn(spec, "imperfect", wanted, seed))
        uneven = (batch.factors != batch.residuals).any(axis=1)[:, list(perfect)].any(axis=1)
        keep = (evaluator(batch).failure == 0) & ~uneven
        found.append(batch.take(np.flatnonzero(keep)))
        if sum(map(len, found)) >= wanted:
            break
    fields = ("factors", "residuals", "order", "split", "keep")
    arrays = [np.concatenate([getattr(batch, field) for batch in found]) for field in fields]
    if len(arrays[0]) == 0:
        raise SystemExit(f"no valid {kind} mapping found")
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
        for form, kind, hops in CASES:
            mappings = for_one_pe(form, side, kind, count)[1]
            spec, spread = filled(form, side, mappings, hops)
            outcome = NativeEvaluator(spec)(spread.take(slice(0, 10)))
            if (outcome.failure != 0).any():
                raise SystemExit(f"mappings that fill {side} x {side} PEs are not valid")
            name = f"{kind}, {form}" + (", hops charged" if hops else "")
            by_engine(series, name, spec, spread, count, repetitions)
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
    from document import STYLES

    figure, panels = plt.subplots(
        1, len(tables), figsize=(3.6 * len(tables), 4.4), sharey=True, layout="constrained", squeeze=False
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
        panel.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2))
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
