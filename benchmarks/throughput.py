"""Mappings per second and core of the native cost model, beside those of the real Timeloop.

    python benchmarks/throughput.py                      # table over machines and batch sizes
    python benchmarks/throughput.py --profile            # where the time of a valid mapping goes
    python benchmarks/throughput.py --vectors            # general model against vectors of mappings
    python benchmarks/throughput.py --vectors --layers   # .. eyeriss_like with all ResNet-18 layers
    python benchmarks/throughput.py --pairs simba_like/resnet18_layer1 --batches 1000 --mappings 5000

Mappings are drawn uniformly from the constrained mapspace of each machine; valid and invalid ones are timed apart, in
processor time, best of several repetitions. "model" is the compiled batch loop alone, "evaluator" the public call with
its checks and result arrays. Timeloop's figures are valid mappings per second of processor time: recorded ones (random
mapper, ``tests/golden/mapper``), and live ones where ``timeloop-mapper`` is on the path.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from timeloop_marl.cost.checks import survey
from timeloop_marl.cost.pricing import count_cycles, network_energy, storage_energy
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.evaluators.vectors import made
from timeloop_marl.kernels.compiling import kernel
from timeloop_marl.kernels.record import boxed
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.specs import load
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import Spec
from timeloop_marl.traffic.accesses import fill_accesses
from timeloop_marl.traffic.levels import bypass, count_computes, count_traffic, distribute, share_out
from timeloop_marl.traffic.nest import build_nest

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
RESNET = ROOT / "problems" / "resnet18"
PAIRS = (
    "eyeriss_like/resnet18_layer1",
    "simba_like/resnet18_layer1",
    "three_level/resnet18_layer1",
    "small_toy/toy_conv1d",
)
BATCHES = (1, 10, 100, 1000, 10000)
STAGES = (
    "empty loop",
    "presence, spread, tiles, checks",
    "loop nest",
    "delta rule, groups, hops, links",
    "collapse to levels, partitions",
    "distribution and bypass",
    "reads, fills, updates",
    "cycles",
    "storage energy",
    "network energy",
)


def files(pair: str) -> list[Path]:
    """Architecture, tables, constraints, problem: in the order of a command line."""
    machine, problem = pair.split("/")
    arch = GOLDEN / "inputs" / "arch" / machine
    recorded = GOLDEN / "mapper" / f"{machine}__{problem}" / "constraints.yaml"
    constraints = recorded if recorded.exists() else arch / "constraints_v03.yaml"
    return [
        arch / "arch_v03.yaml",
        arch / "ERT.yaml",
        arch / "ART.yaml",
        constraints,
        GOLDEN / "inputs" / "problems" / f"{problem}.yaml",
    ]


def layer_files(layer: Path) -> list[Path]:
    """``eyeriss_like`` with a layer of ``problems/``."""
    return [*sorted((ROOT / "arch" / "eyeriss_like").glob("*.yaml")), layer]


def draw(spec: Spec, wanted: int) -> tuple[MappingBatch, MappingBatch]:
    """``wanted`` valid and ``wanted`` invalid mappings, repeated if the draw gave fewer."""
    mapspace, evaluator = TimeloopMapspace(spec), NativeEvaluator(spec, vectors=False)
    generator = np.random.default_rng(0)
    found: dict[bool, list[MappingBatch]] = {True: [], False: []}
    for _ in range(200):
        batch = mapspace.decode(mapspace.sample(generator, 20000))
        valid = evaluator(batch).failure == 0
        for which in (True, False):
            found[which].append(batch.take(np.flatnonzero(valid == which)[:wanted]))
        if all(sum(map(len, found[which])) >= wanted for which in (True, False)):
            break
    return joined(found[True], wanted), joined(found[False], wanted)


def joined(batches: list[MappingBatch], rows: int) -> MappingBatch:
    fields = ("factors", "residuals", "order", "split", "keep")
    arrays = [np.concatenate([getattr(batch, field) for batch in batches]) for field in fields]
    if len(arrays[0]) == 0:
        raise SystemExit("no such mapping found in 4,000,000 draws")
    return MappingBatch(*(np.resize(array, (rows, *array.shape[1:])) for array in arrays))


def best_time(run: Callable[[], object], repetitions: int) -> float:
    """Least processor time of a call, in seconds."""
    run()
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def rate(evaluator: NativeEvaluator, batch: MappingBatch, size: int, repetitions: int) -> float:
    """Mappings per second through the public call in batches of ``size``."""
    parts = [batch.take(slice(k, k + size)) for k in range(0, min(len(batch), 300 * size), size)]

    def run() -> None:
        for part in parts:
            evaluator(part)

    return sum(map(len, parts)) / best_time(run, repetitions)


def model_rate(evaluator: NativeEvaluator, batch: MappingBatch, repetitions: int) -> float:
    """Mappings per second of the compiled loop alone."""
    outcome = evaluator._empty(len(batch))
    return len(batch) / best_time(lambda: evaluator._evaluate(batch, outcome), repetitions)


def recorded_rate(pair: str) -> str:
    """What the real mapper reached when its results were recorded, on a layer of the same machine if need be."""
    folder = GOLDEN / "mapper" / pair.replace("/", "__")
    if not folder.exists():
        folder = sorted((GOLDEN / "mapper").glob(f"{pair.split('/')[0]}__*"))[0]
    runs = json.loads((folder / "runs.json").read_text())
    rates = [run["result"]["valid_per_cpu_s"] for run in runs if run["config"].get("algorithm") == "random"]
    return f"{max(rates):,.0f}" if rates else "-"


def live_rate(pair: str, wanted: int = 200) -> str:
    """Valid mappings per second of processor time of the ``timeloop-mapper`` on the path, start-up included."""
    program = shutil.which("timeloop-mapper")
    if program is None:
        return "-"
    with tempfile.TemporaryDirectory() as folder:
        options = Path(folder) / "mapper.yaml"
        options.write_text(
            f"mapper: {{algorithm: random, num_threads: 1, search_size: {wanted}, timeout: 100000000, "
            "victory_condition: 0, live_status: false, diagnostics: false}\n"
        )
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [program, *map(str, files(pair)), str(options)], cwd=folder, check=True, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{wanted / spent:,.0f}"


def table(pairs: list[str], batches: list[int], mappings: int, repetitions: int) -> None:
    """Print the table of rates."""
    heads = ("machine/problem", "batch", "valid: evaluator", "model", "invalid: evaluator", "model")
    print(("{:<30}{:>7}" + "{:>19}{:>12}" * 2 + "{:>12}{:>12}").format(*heads, "Timeloop", "live"))
    for pair in pairs:
        spec = load(files(pair))
        evaluator = NativeEvaluator(spec, vectors=False)
        valid, invalid = draw(spec, mappings)
        alone = [f"{model_rate(evaluator, batch, repetitions):,.0f}" for batch in (valid, invalid)]
        timeloop = recorded_rate(pair), live_rate(pair)
        for size in batches:
            whole = [f"{rate(evaluator, batch, size, repetitions):,.0f}" for batch in (valid, invalid)]
            print(
                f"{pair:<30}{size:>7}{whole[0]:>19}{alone[0]:>12}{whole[1]:>19}{alone[1]:>12}"
                f"{timeloop[0]:>12}{timeloop[1]:>12}"
            )


def vector_row(name: str, spec: Spec, mappings: int, repetitions: int) -> str:
    """Rates of both models, measured in turn, on valid mappings and on invalid ones."""
    start = time.process_time()
    ours = NativeEvaluator(spec, vectors=True)
    general = NativeEvaluator(spec, vectors=False)
    model = made(ours.geometry, ours.rates, keep=False)
    compiling = time.process_time() - start
    if model is None:
        return f"{name:<30} no form over vectors"
    valid, invalid = draw(spec, mappings)
    rates = [rate(e, batch, mappings, repetitions) for batch in (valid, invalid) for e in (general, ours)]
    outcome = ours._empty(len(valid))
    alone = best_time(lambda: model(valid, outcome), repetitions)
    left = len(model(valid, outcome)) / len(valid)
    return (
        f"{name:<30}{rates[0]:>12,.0f}{rates[1]:>12,.0f}{rates[1] / rates[0]:>7.1f}x{left:>9.1%}"
        f"{len(valid) / alone:>14,.0f}{rates[2]:>14,.0f}{rates[3]:>14,.0f}{compiling:>10.1f}"
    )


def vectors(cases: list[tuple[str, list[Path]]], mappings: int, repetitions: int) -> None:
    """Print the general model beside the one over vectors; all mappings have perfect factors.

    "left": share of valid mappings that vectors hand back to the general model; their time is in "vectors" but not in
    "vectors alone". "compile": processor seconds to make the code for this machine and problem.
    """
    heads = (
        "valid: general",
        "vectors",
        "ratio",
        "left",
        "vectors alone",
        "inv.: general",
        "vectors",
        "compile",
    )
    print(f"{'machine/problem':<28}{heads[0]:>14}{heads[1]:>12}{heads[2]:>8}{heads[3]:>9}", end="")
    print(f"{heads[4]:>14}{heads[5]:>14}{heads[6]:>14}{heads[7]:>10}")
    for name, paths in cases:
        print(vector_row(name, load(paths), mappings, repetitions), flush=True)


@kernel
def run_stages(
    geometry_box: object,
    rates_box: object,
    factors: object,
    residuals: object,
    order: object,
    split: object,
    keep: object,
    work_box: object,
    stages: int,
) -> int:
    """Run the first ``stages`` stages of every mapping."""
    geometry, rates, work = geometry_box[0], rates_box[0], work_box[0]
    total = 0
    for i in range(factors.shape[0]):
        if stages > 1:
            total += survey(geometry, factors, residuals, order, split, keep, i, work, False)
        if stages > 2:
            build_nest(geometry, factors[i], residuals[i], order[i], split[i], work)
        if stages > 3:
            fill_accesses(geometry, work)
        if stages > 4:
            count_computes(work, False)
            share_out(geometry, work)
        if stages > 5:
            distribute(geometry, work)
            bypass(geometry, work)
        if stages > 6:
            count_traffic(geometry, work)
        if stages > 7:
            total += count_cycles(geometry, rates, work)
        if stages > 8:
            for s in range(geometry.levels):
                storage_energy(geometry, rates, work, s, 1)
        if stages > 9:
            for n in range(rates.networks):
                network_energy(geometry, rates, work, n)
    return total


def stage_times(pair: str, mappings: int, repetitions: int) -> list[float]:
    """Nanoseconds per valid mapping after each stage."""
    spec = load(files(pair))
    evaluator = NativeEvaluator(spec, vectors=False)
    batch = draw(spec, mappings)[0]
    work = evaluator._take()[0]
    arrays = (batch.factors, batch.residuals, batch.order, batch.split, batch.keep)

    def run(stages: int) -> object:
        return run_stages(boxed(evaluator.geometry), boxed(evaluator.rates), *arrays, boxed(work), stages)

    return [
        1e9 * best_time(partial(run, stages), repetitions) / len(batch)
        for stages in range(1, len(STAGES) + 1)
    ]


def profile(pairs: list[str], mappings: int, repetitions: int) -> None:
    """Print the time of each stage of a valid mapping: what it adds to the stages before."""
    print(f"{'ns per valid mapping':<38}" + "".join(f"{pair.split('/')[0]:>16}" for pair in pairs))
    rows = [stage_times(pair, mappings, repetitions) for pair in pairs]
    for k, stage in enumerate(STAGES):
        added = (row[k] - (row[k - 1] if k else 0.0) for row in rows)
        print(f"{stage:<38}" + "".join(f"{value:>16,.0f}" for value in added))
    print(f"{'sum':<38}" + "".join(f"{row[-1]:>16,.0f}" for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), metavar="MACHINE/PROBLEM")
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES))
    parser.add_argument("--mappings", type=int, default=10000, help="of each kind, per machine")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="time of each stage instead of the table")
    parser.add_argument("--vectors", action="store_true", help="general model against vectors of mappings")
    parser.add_argument(
        "--layers", action="store_true", help="with --vectors: eyeriss_like, all ResNet-18 layers"
    )
    arguments = parser.parse_args()
    if arguments.vectors:
        layers = [
            (f"eyeriss_like/{p.stem}", layer_files(p))
            for p in sorted(RESNET.glob("*.yaml"))
            if p.stem != "network"
        ]
        cases = layers if arguments.layers else [(pair, files(pair)) for pair in arguments.pairs]
        vectors(cases, arguments.mappings, arguments.repetitions)
    elif arguments.profile:
        profile(arguments.pairs, arguments.mappings, arguments.repetitions)
    else:
        table(arguments.pairs, arguments.batches, arguments.mappings, arguments.repetitions)


if __name__ == "__main__":
    main()
