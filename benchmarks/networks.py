"""Whole networks on whole machines: wall time and total EDP, against Timeloop's mappers at equal samples and time.

    python benchmarks/networks.py --out networks.json                         # everything, some of an hour
    python benchmarks/networks.py --networks resnet18 --machines eyeriss_like --out networks.json
    python benchmarks/networks.py --table --out networks.json                 # the tables of what has run
    python benchmarks/networks.py --even --networks resnet18 --machines eyeriss_like --per-layer 100 --out even.json

Ours is ``timeloop-marl network`` with ``--per-layer`` samples for every distinct layer on ``--jobs`` workers; its wall
time is that of the whole call, compiled kernels loaded from the cache. Each of Timeloop's five mappers (our
reproduction, on the native model) gets for every distinct layer (a) the mean number of samples that ours had, (b) the
same time: wall time x workers / layers, one thread for each layer, ``--jobs`` layers at a time. Its total is the
product of the sums of its best mappings' energies and cycles; the best of the five is shown. Without a valid mapping of
every layer there is no total. ``long`` is a run of ours with six times the samples, for the best known total.

``--even`` compares ours with itself only: samples where they are expected to pay, against the same number of
samples for every layer; all else (seed, first look, transfer between layers) is the same.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import joblib
import numpy as np

import timeloop_marl as tm
from timeloop_marl.comparison.runs import Limit, run_timeloop
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.networks import rounds
from timeloop_marl.networks.budget import Standing
from timeloop_marl.networks.layers import Layer, read_layers
from timeloop_marl.networks.sources import sort_sources
from timeloop_marl.objective import parse_objective
from timeloop_marl.searchers.timeloop import ALGORITHMS
from timeloop_marl.specs.spec import ModelOptions

ROOT = Path(__file__).parent.parent
MACHINES = ("eyeriss_like", "simba_like", "gemmini_like")
NETWORKS = ("resnet18", "mobilenetv2", "bert_base_seq128", "gpt2_seq1024")
LONGER = 6
Run = dict[str, Any]


def inputs(machine: str, network: str) -> list[Path]:
    return [ROOT / "arch" / machine, ROOT / "problems" / network]


def layers_of(machine: str, network: str) -> tuple[Layer, ...]:
    return read_layers(sort_sources(inputs(machine, network)), options=ModelOptions())


def ours(machine: str, network: str, seed: int, per_layer: int, jobs: int) -> Run:
    """One network by ours: total, wall time, and the course of the total over the samples."""
    distinct = len(layers_of(machine, network))
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = tm.network(
            inputs(machine, network), output=folder, samples=per_layer * distinct, seed=seed, jobs=jobs
        )
        seconds = time.monotonic() - start
    assert result.totals is not None
    best = [(layer.count, layer.best) for layer in result.layers if layer.best is not None]
    energy, cycles = (sum(n * getattr(b, name) for n, b in best) for name in ("energy_pj", "cycles"))
    return {
        "edp": result.totals.edp,
        "edp_of_layer_bests": energy * cycles,
        "seconds": seconds,
        "samples": result.samples,
        "per_layer": sorted(layer.samples for layer in result.layers),
        "distinct": distinct,
        "layers": result.layer_count,
    }


def even_targets(standings: Sequence[Standing], objective: str, budget: int | None) -> list[int]:
    """In place of ``budget.next_targets``: the same for every layer, what does not divide to the first ones."""
    assert budget is not None
    each, rest = divmod(budget, len(standings))
    return [s.course.samples if s.exhausted else each + (i < rest) for i, s in enumerate(standings)]


def evenly(machine: str, network: str, seed: int, per_layer: int, jobs: int) -> Run:
    """One network by ours, the budget split evenly."""
    with patch.object(rounds, "next_targets", even_targets):
        return ours(machine, network, seed, per_layer, jobs)


def one_layer(layer: Layer, algorithm: str, limit: Limit) -> tuple[int, float, int] | None:
    """Cycles, energy and samples of a mapper's best mapping of a layer."""
    objective = parse_objective("edp", len(layer.spec.architecture.storage))
    course = run_timeloop(layer.spec, algorithm, objective, limit)
    if not course.points or course.points[-1].mapping is None:
        return None
    figures = NativeEvaluator(layer.spec).statistics(course.points[-1].mapping)
    return figures.cycles, figures.energy_pj, course.samples


def theirs(machine: str, network: str, algorithm: str, limit: Limit, jobs: int) -> Run:
    """One network by one of Timeloop's mappers."""
    layers = layers_of(machine, network)
    found = joblib.Parallel(jobs)(joblib.delayed(one_layer)(layer, algorithm, limit) for layer in layers)
    pairs = [(layer.count, entry) for layer, entry in zip(layers, found)]
    missing = sum(entry is None for _, entry in pairs)
    energy = sum(count * entry[1] for count, entry in pairs if entry is not None)
    cycles = sum(count * entry[0] for count, entry in pairs if entry is not None)
    samples = sum(entry[2] for _, entry in pairs if entry is not None)
    return {"edp": None if missing else energy * cycles, "missing": missing, "samples": samples}


def wanted(given: argparse.Namespace) -> Iterator[tuple[str, str, str, int]]:
    pairs = [(machine, network) for network in given.networks for machine in given.machines]
    if given.even:
        for seed in range(1, given.seeds + 1):
            yield from ((*pair, what, seed) for pair in pairs for what in ("ours", "even"))
        return
    for machine, network in pairs:
        yield machine, network, "ours", 1
        for algorithm in ALGORITHMS:
            yield machine, network, f"samples {algorithm}", 0
            if given.equal_time:
                yield machine, network, f"seconds {algorithm}", 0
    for seed in range(2, given.seeds + 1):
        yield from ((machine, network, "ours", seed) for machine, network in pairs)
    if given.long:
        yield from ((machine, network, "long", 1) for machine, network in pairs)


def run(entry: tuple[str, str, str, int], done: dict[str, Run], given: argparse.Namespace) -> Run:
    machine, network, what, seed = entry
    jobs = given.jobs
    if what in ("ours", "long"):
        return ours(
            machine, network, seed, LONGER * given.per_layer if what == "long" else given.per_layer, jobs
        )
    if what == "even":
        return evenly(machine, network, seed, given.per_layer, jobs)
    own = done[name_of((machine, network, "ours", 1))]
    kind, algorithm = what.split()
    each = own["samples"] // own["distinct"]
    limit = (
        Limit(samples=each) if kind == "samples" else Limit(seconds=own["seconds"] * jobs / own["distinct"])
    )
    return theirs(machine, network, algorithm, limit, jobs)


def name_of(entry: tuple[str, str, str, int]) -> str:
    return "/".join(map(str, entry))


def best_of_theirs(
    done: dict[str, Run], machine: str, network: str, kind: str
) -> tuple[str, float | None, int]:
    """Name and total of the best mapper; without any total the one with the fewest layers missing."""
    found = {a: done.get(name_of((machine, network, f"{kind} {a}", 0))) for a in ALGORITHMS}
    known = {a: r for a, r in found.items() if r is not None}
    whole = {a: r["edp"] for a, r in known.items() if r["edp"] is not None}
    if whole:
        name = min(whole, key=lambda a: whole[a])
        return name, whole[name], 0
    name = min(known, key=lambda a: known[a]["missing"], default="-")
    return name, None, known[name]["missing"] if known else 0


def cell(total: float | None, missing: int, name: str, mine: float) -> str:
    if total is None:
        return f"none ({missing} layers without a mapping)" if missing else "-"
    return f"{total / mine:.2f}x ({name})"


def show(done: dict[str, Run], given: argparse.Namespace) -> None:
    print(
        "| network | machine | layers (distinct) | wall time, s | EDP, J·cycle (median of seeds) | to best known | "
        "Timeloop, equal samples | Timeloop, equal time |"
    )
    print("|---|---|---:|---:|---:|---:|---|---|")
    for network in given.networks:
        for machine in given.machines:
            runs = [done.get(name_of((machine, network, "ours", seed))) for seed in range(1, given.seeds + 1)]
            mine = [entry for entry in runs if entry is not None]
            if not mine:
                continue
            long = done.get(name_of((machine, network, "long", 1)))
            edps = [entry["edp"] for entry in mine]
            best = min([*edps, *([long["edp"]] if long else [])])
            edp = float(np.median(edps))
            cells = []
            for kind in ("samples", "seconds"):
                name, total, missing = best_of_theirs(done, machine, network, kind)
                cells.append(cell(total, missing, name, edp))
            seconds = np.median([entry["seconds"] for entry in mine])
            print(
                f"| {network} | {machine} | {mine[0]['layers']} ({mine[0]['distinct']}) | {seconds:.1f} | "
                f"{edp * 1e-12:.5g} | {edp / best:.4f} | {cells[0]} | {cells[1]} |"
            )


def show_even(done: dict[str, Run], given: argparse.Namespace) -> None:
    """A line for every network, machine and seed with both, and the median ratio of each pair."""
    print(
        "| network | machine | seed | samples (fewest to most per layer, ours) | EDP where it pays, J·cycle | "
        "EDP evenly, J·cycle | even / ours |"
    )
    print("|---|---|---:|---:|---:|---:|---:|")
    for network in given.networks:
        for machine in given.machines:
            ratios = []
            for seed in range(1, given.seeds + 1):
                pair = [done.get(name_of((machine, network, what, seed))) for what in ("ours", "even")]
                own, even = pair
                if own is None or even is None:
                    continue
                assert own["samples"] == even["samples"]
                ratios.append(even["edp"] / own["edp"])
                print(
                    f"| {network} | {machine} | {seed} | {own['samples']:,} ({own['per_layer'][0]} to "
                    f"{own['per_layer'][-1]}) | {own['edp'] * 1e-12:.7g} | "
                    f"{even['edp'] * 1e-12:.7g} | {ratios[-1]:.6f} |"
                )
            if ratios:
                print(f"| {network} | {machine} | median | | | | {float(np.median(ratios)):.6f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", nargs="+", default=MACHINES)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--per-layer", type=int, default=500, help="samples of ours per distinct layer")
    parser.add_argument("--no-time", dest="equal_time", action="store_false", help="leave equal time out")
    parser.add_argument("--no-long", dest="long", action="store_false", help="leave the long runs out")
    parser.add_argument("--even", action="store_true", help="only ours, against an even split of its samples")
    parser.add_argument("--table", action="store_true", help="run nothing, show what has run")
    parser.add_argument("--out", type=Path, default=Path("networks.json"))
    given = parser.parse_args()
    done: dict[str, Run] = json.loads(given.out.read_text()) if given.out.exists() else {}
    for entry in () if given.table else wanted(given):
        if name_of(entry) not in done:
            done[name_of(entry)] = run(entry, done, given)
            given.out.write_text(json.dumps(done, indent=1))
    (show_even if given.even else show)(done, given)


if __name__ == "__main__":
    main()
