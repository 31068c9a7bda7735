"""What a layer's search gains from the layers before it: samples to within 2 % of the best known cost.

    python benchmarks/transfer.py --best --out transfer.json          # long searches first, for the best known costs
    python benchmarks/transfer.py --seeds 3 --out transfer.json       # tables; runs that are there are not repeated
    python benchmarks/transfer.py --parts none elites critic policies,clusters --networks resnet18

Layers are searched in the waves of ``timeloop-marl network`` (1, 2, 4, ... layers), each with the same number of
samples, once with all knowledge of the waves before (``all``, or the parts named) and once with none. A search that
does not get there counts as twice its samples. The best known cost of a layer is the lowest of all runs in the file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.networks.layers import Layer, read_layers, sort_sources
from timeloop_marl.networks.transfer import waves
from timeloop_marl.run.loop import Budget, search
from timeloop_marl.searchers.knowledge import Knowledge
from timeloop_marl.searchers.marl.searcher import HERITABLE, MarlOptions, MarlSearcher
from timeloop_marl.specs.spec import ModelOptions

ROOT = Path(__file__).parent.parent
MACHINES = ("eyeriss_like", "simba_like")
NETWORKS = ("resnet18", "mobilenetv2", "bert_base_seq128")
TOLERANCE = 1.02
TAUGHT = 8  # as in networks/transfer.py
LONG = 3000
ALL = ",".join(HERITABLE)
Run = dict[str, Any]


def read(machine: str, network: str) -> tuple[Layer, ...]:
    sources = sort_sources([ROOT / "arch" / machine, ROOT / "problems" / network])
    return read_layers(sources, options=ModelOptions())


def one(layer: Layer, seed: int, samples: int, parts: str, known: Knowledge) -> tuple[MarlSearcher, Run]:
    """The search of one layer: its searcher, and its improvements."""
    objective = parse_objective("edp", len(layer.spec.architecture.storage))
    searcher = MarlSearcher(LearnersMapspace(layer.spec), objective, seed, MarlOptions(inherit=parts))
    if parts and known.layers:
        searcher.inherit(Knowledge(known.nearest(layer.spec, TAUGHT)))
    found = search(searcher.space, searcher, NativeEvaluator(layer.spec), objective, Budget(samples=samples))
    return searcher, {"layer": layer.name, "trajectory": [(s.samples, s.cost) for s in found.trajectory]}


def chain(machine: str, network: str, seed: int, parts: str, samples: int) -> list[Run]:
    """All layers of a network, one run each, in the order in which they were searched."""
    layers, known, runs = read(machine, network), Knowledge(), []
    for number, wave in enumerate(waves([layer.spec for layer in layers])):
        learnt = []
        for i in wave:
            searcher, run = one(layers[i], seed, samples, parts, known)
            learnt.append(searcher.learnt(layers[i].name))
            tag = {"machine": machine, "network": network, "seed": seed, "parts": parts, "budget": samples}
            runs.append({**tag, **run, "wave": number, "place": len(runs) + 1})
        known = known + Knowledge(tuple(entry for entry in learnt if entry is not None))
    return runs


def long_runs(machine: str, network: str, seed: int) -> list[Run]:
    """Long searches of every layer by itself, for the best known costs alone."""
    tag = {"machine": machine, "network": network, "seed": seed, "parts": "long", "budget": LONG}
    return [{**tag, **one(layer, seed, LONG, "", Knowledge())[1]} for layer in read(machine, network)]


def missing(given: argparse.Namespace, done: set[tuple[Any, ...]]) -> Iterator[Any]:
    for machine in given.machines:
        for network in given.networks:
            for seed in range(given.seeds):
                if given.best and (machine, network, seed, "long", LONG) not in done:
                    yield joblib.delayed(long_runs)(machine, network, seed)
                for parts in () if given.best else given.parts:
                    if (machine, network, seed, parts, given.samples) not in done:
                        yield joblib.delayed(chain)(machine, network, seed, parts, given.samples)


def key(run: Run) -> tuple[Any, ...]:
    return tuple(run[name] for name in ("machine", "network", "seed", "parts", "budget"))


def first_within(run: Run, cost: float) -> float:
    return next((n for n, found in run["trajectory"] if found <= cost * TOLERANCE), 2 * run["budget"])


def show(runs: list[Run], given: argparse.Namespace) -> None:
    best: dict[tuple[str, ...], float] = {}
    for run in runs:
        where = (run["machine"], run["network"], run["layer"])
        best[where] = min(run["trajectory"][-1][1], best.get(where, np.inf))
    print(
        "| machine | network | parts | layers | samples to 2 %: 25 % | median | 75 % | geometric mean | unsolved |"
    )
    print("|---|---|---|---|---:|---:|---:|---:|---:|")
    for machine in given.machines:
        for network in given.networks:
            for parts in given.parts:
                chosen = [
                    r for r in runs if key(r)[:2] == (machine, network) and r["parts"] == parts
                    and r["budget"] == given.samples and r["place"] >= given.first
                ]  # fmt: skip
                counts = [first_within(r, best[machine, network, r["layer"]]) for r in chosen]
                if counts:
                    low, middle, high = np.percentile(counts, [25, 50, 75])
                    unsolved = sum(n >= 2 * given.samples for n in counts)
                    mean = np.exp(np.mean(np.log(counts)))
                    print(
                        f"| {machine} | {network} | {parts or 'none'} | {len(counts)} | {low:.0f} | {middle:.0f} | "
                        f"{high:.0f} | {mean:.1f} | {unsolved} |"
                    )
    worse(runs, best, given)


def worse(runs: list[Run], best: dict[tuple[str, ...], float], given: argparse.Namespace) -> None:
    """The layers on which knowledge costs samples (medians over seeds)."""
    medians: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for run in runs:
        if run["parts"] in ("", ALL) and run["budget"] == given.samples and run["place"] >= given.first:
            where = (run["machine"], run["network"], run["layer"])
            medians.setdefault(where, {}).setdefault(run["parts"], []).append(first_within(run, best[where]))
    print("\nlayers that need more samples with knowledge than without (medians):")
    for where, found in medians.items():
        if len(found) == 2 and np.median(found[ALL]) > np.median(found[""]):
            print(
                f"  {'/'.join(where)}: {np.median(found['']):.0f} without, {np.median(found[ALL]):.0f} with"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", nargs="+", default=MACHINES)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--parts", nargs="+", default=["none", "all"], help="none, all, or parts with commas")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--first", type=int, default=3, help="count layers from this place on")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--best", action="store_true", help="run the long searches only")
    parser.add_argument("--out", type=Path, default=Path("transfer.json"))
    given = parser.parse_args()
    given.parts = [{"none": "", "all": ALL}.get(parts, parts) for parts in given.parts]
    runs: list[Run] = json.loads(given.out.read_text()) if given.out.exists() else []
    work = list(missing(given, {key(run) for run in runs}))
    for found in joblib.Parallel(given.jobs, return_as="generator_unordered")(work):
        runs += found
        given.out.write_text(json.dumps(runs))
    show(runs, given)


if __name__ == "__main__":
    main()
