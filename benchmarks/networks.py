"""Whole networks on whole machines: wall time and total EDP, against Timeloop's mappers at equal samples and time.

    python benchmarks/networks.py --minutes 24 --write        # what fits into 24 minutes, the most telling first
    python benchmarks/networks.py --networks resnet18 --machines eyeriss_like --out one.json
    python benchmarks/networks.py --table                     # the tables of what has run

Ours is the command ``timeloop-marl network`` with ``--per-layer`` samples for every distinct layer on ``--jobs``
workers; its wall time is that of the process, from its start to its end, with compiled kernels loaded from the cache.
Each of Timeloop's five mappers (our reproduction, on the native model) gets for every distinct layer (a) the mean
number of samples that ours had, (b) the same time: wall time x workers / layers, one thread for each layer,
``--jobs`` layers at a time. Its total is the product of the sums of its best mappings' energies and cycles; the best
of the five is shown, chosen when all totals are known. Without a valid mapping of every layer there is no total.
``long`` is a run of ours with ``LONGER`` times the samples, for the best known total. ``quick`` is ``--quick``
samples, for how soon a total is good.

Everything that has run is kept in ``--out``, and run only once. ``--write`` puts the tables into docs/results.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import joblib
from document import replace_part

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.networks.layers import Layer, read_layers, sort_sources
from timeloop_marl.networks.result import read_network
from timeloop_marl.searchers.timeloop import ALGORITHMS
from timeloop_marl.specs.spec import ModelOptions
from timeloop_marl.validation.comparison.runs import Limit, run_timeloop

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results.md"
MACHINES = ("eyeriss_like", "simba_like", "gemmini_like")
NETWORKS = ("resnet18", "mobilenetv2", "bert_base_seq128", "gpt2_seq1024")
LONGER = 4
Run = dict[str, Any]
Entry = tuple[str, str, str, int]


def inputs(machine: str, network: str) -> list[Path]:
    return [ROOT / "arch" / machine, ROOT / "problems" / network]


def layers_of(machine: str, network: str) -> tuple[Layer, ...]:
    return read_layers(sort_sources(inputs(machine, network)), options=ModelOptions())


def ours(machine: str, network: str, seed: int, samples: int, jobs: int) -> Run:
    """One network by the command line: total, wall time of the process, samples of the layers."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "timeloop_marl", "network", *map(str, inputs(machine, network)), "-o", folder,
            "--samples", str(samples), "--seed", str(seed), "--jobs", str(jobs), "--quiet",
        ]  # fmt: skip
        load, start = os.getloadavg()[0], time.monotonic()
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        seconds = time.monotonic() - start
        result = read_network(folder)
    assert result.totals is not None
    return {
        "edp": result.totals.edp,
        "seconds": seconds,
        "load": load,
        "samples": result.samples,
        "per_layer": sorted(layer.samples for layer in result.layers),
        "distinct": len(result.layers),
        "layers": result.layer_count,
    }


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


def wanted(given: argparse.Namespace) -> Iterator[Entry]:
    """All runs, the most telling first: time may end before they do."""
    pairs = [(machine, network) for network in given.networks for machine in given.machines]
    if given.quick and (MACHINES[0], NETWORKS[0]) in pairs:
        yield from ((MACHINES[0], NETWORKS[0], "quick", seed) for seed in (1, 2, 3))
    yield from ((*pair, "ours", 1) for pair in pairs)
    yield from ((*pair, f"samples {algorithm}", 0) for pair in pairs for algorithm in ALGORITHMS)
    if given.equal_time:
        yield from ((*pair, f"seconds {algorithm}", 0) for pair in pairs for algorithm in ALGORITHMS)
    for seed in range(2, given.seeds + 1):
        yield from ((*pair, "ours", seed) for pair in pairs)
    if given.long:
        yield from ((*pair, "long", 1) for pair in pairs)


def run(entry: Entry, done: dict[str, Run], given: argparse.Namespace) -> Run:
    machine, network, what, seed = entry
    distinct = len(layers_of(machine, network))
    counts = {
        "ours": distinct * given.per_layer,
        "long": LONGER * distinct * given.per_layer,
        "quick": given.quick,
    }
    if what in counts:
        return ours(machine, network, seed, counts[what], given.jobs)
    own = done[name_of((machine, network, "ours", 1))]
    kind, algorithm = what.split()
    limit = Limit(samples=own["samples"] // distinct)
    if kind == "seconds":
        limit = Limit(seconds=own["seconds"] * given.jobs / distinct)
    return theirs(machine, network, algorithm, limit, given.jobs)


def warm_up(given: argparse.Namespace) -> None:
    """Compile everything that is timed afterwards, if it is not in the cache."""
    ours(MACHINES[0], NETWORKS[0], 0, 100 * len(layers_of(MACHINES[0], NETWORKS[0])), given.jobs)
    for algorithm in ALGORITHMS:
        theirs(MACHINES[0], NETWORKS[0], algorithm, Limit(samples=100), given.jobs)


def name_of(entry: Entry) -> str:
    return "/".join(map(str, entry))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", nargs="+", default=MACHINES)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--per-layer", type=int, default=500, help="samples of ours per distinct layer")
    parser.add_argument(
        "--quick", type=int, default=1200, help="samples of the quick run of ResNet-18; 0 = none"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after so many")
    parser.add_argument("--no-time", dest="equal_time", action="store_false", help="leave equal time out")
    parser.add_argument("--no-long", dest="long", action="store_false", help="leave the long runs out")
    parser.add_argument("--table", action="store_true", help="run nothing, show what has run")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/results.md")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "networks.json")
    given = parser.parse_args()
    start = time.monotonic()
    done: dict[str, Run] = json.loads(given.out.read_text()) if given.out.exists() else {}
    left = [] if given.table else [entry for entry in wanted(given) if name_of(entry) not in done]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    if left:
        warm_up(given)
    for i, entry in enumerate(left):
        if time.monotonic() - start > 60 * given.minutes:
            print(f"out of time: {len(left) - i} of {len(left)} runs left out", file=sys.stderr)
            break
        done[name_of(entry)] = run(entry, done, given)
        given.out.write_text(json.dumps(done, indent=1))
        print(f"{time.monotonic() - start:7.0f} s  {name_of(entry)}", file=sys.stderr, flush=True)
    pairs = [(machine, network) for network in given.networks for machine in given.machines]
    whole, quick = table(done, pairs), quick_table(done, MACHINES[0], NETWORKS[0])
    print("\n".join([*whole, "", *quick]))
    if given.write:
        replace_part(RESULTS, "networks", whole)
        replace_part(RESULTS, "quick", quick)


def table(done: Mapping[str, Run], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each network on each machine."""
    lines = [
        "| network | machine | layers (distinct) | seeds | wall time, s | EDP, J·cycle | over the best known | "
        "Timeloop, equal samples | Timeloop, equal time |",
        "|---|---|---:|---:|---:|---:|---:|---|---|",
    ]
    loads: list[float] = []
    for machine, network in pairs:
        mine = of(done, machine, network, "ours")
        if not mine:
            continue
        loads += [entry["load"] for entry in mine]
        edp = median(entry["edp"] for entry in mine)
        seconds = median(entry["seconds"] for entry in mine)
        cells = [best_of_theirs(done, machine, network, kind, edp) for kind in ("samples", "seconds")]
        over = edp / best_known(done, machine, network) - 1
        lines.append(
            f"| {network} | {machine} | {mine[0]['layers']} ({mine[0]['distinct']}) | {len(mine)} | {seconds:.1f} | "
            f"{edp * 1e-12:.5g} | {100 * over:.2f} % | {cells[0]} | {cells[1]} |"
        )
    if loads:
        lines += [
            "",
            f"Load of the machine when these runs began: {median(loads):.1f} in the median, {max(loads):.1f} at most.",
        ]
    return lines


def quick_table(done: Mapping[str, Run], machine: str, network: str) -> list[str]:
    """A line for each seed."""
    lines = [
        f"| {network} on {machine}, seed | samples | wall time, s | EDP, J·cycle | over the best known |",
        "|---:|---:|---:|---:|---:|",
    ]
    best = best_known(done, machine, network)
    for seed, entry in enumerate(of(done, machine, network, "quick"), start=1):
        lines.append(
            f"| {seed} | {entry['samples']:,} | {entry['seconds']:.1f} | {entry['edp'] * 1e-12:.6g} | "
            f"{100 * (entry['edp'] / best - 1):.2f} % |"
        )
    return lines


def of(done: Mapping[str, Run], machine: str, network: str, what: str) -> list[Run]:
    """Runs of ours, by seed."""
    found = (done.get(f"{machine}/{network}/{what}/{seed}") for seed in range(1, 100))
    return [entry for entry in found if entry is not None]


def best_known(done: Mapping[str, Run], machine: str, network: str) -> float:
    """The least total of all runs, Timeloop's mappers included."""
    found = [entry["edp"] for name, entry in done.items() if name.startswith(f"{machine}/{network}/")]
    return min((edp for edp in found if edp is not None), default=float("nan"))


def best_of_theirs(done: Mapping[str, Run], machine: str, network: str, kind: str, mine: float) -> str:
    """The best of Timeloop's mappers, in EDPs of ours; without any total, how many layers the best of them lacks."""
    known = {
        name.split("/")[2].split()[1]: entry
        for name, entry in done.items()
        if name.startswith(f"{machine}/{network}/{kind} ")
    }
    if not known:
        return "–"
    whole = {algorithm: entry["edp"] for algorithm, entry in known.items() if entry["edp"] is not None}
    if not whole:
        return f"none: {_least_missing(list(known.values()))} layers without a mapping at best"
    name = min(whole, key=lambda algorithm: whole[algorithm])
    return f"{whole[name] / mine:.2f}x ({name})"


def _least_missing(runs: Sequence[Run]) -> int:
    return min(entry["missing"] for entry in runs)


if __name__ == "__main__":
    main()
