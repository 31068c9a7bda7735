"""Does it pay to hand out a network's samples where they are expected to pay, in place of evenly?

    python benchmarks/budget.py --out courses.json                    # runs what is missing, then the tables
    python benchmarks/budget.py --out courses.json --table --write    # puts the summary into docs/results.md

Every network is searched once for each machine and seed with ``--most`` samples for each distinct layer. After the
first look a layer's course does not depend on who gets the next samples, so that every way of handing out smaller
budgets can be replayed on the recorded courses: the total of the layers' bests after as many samples as each would have
got. Budgets count samples per distinct layer, on average; the first look is part of them (as recorded: for budgets
below it, and thus for the knowledge of the layers that come later, an approximation).

"to the goal": the smallest budget whose total is within 1 % of the best total recorded; it and all larger ones.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
from document import replace_part
from networks import MACHINES, NETWORKS, RESULTS, ROOT, inputs, layers_of

import timeloop_marl as tm
from timeloop_marl.networks import rounds
from timeloop_marl.networks.budget import Course, Standing, Step, first_samples, next_targets

BUDGETS = (20, 32, 40, 50, 64, 80, 100, 150)
GOAL = 1.01
Policy = Callable[[Sequence[Standing], str, "int | None"], list[int]]
Layer = dict[str, Any]


def even_targets(standings: Sequence[Standing], objective: str, budget: int | None) -> list[int]:
    """In place of ``budget.next_targets``: the same for every layer, what does not divide to the first ones."""
    assert budget is not None
    each, rest = divmod(budget, len(standings))
    return [s.course.samples if s.exhausted else each + (i < rest) for i, s in enumerate(standings)]


POLICIES: dict[str, Policy] = {"evenly": even_targets, "where it pays": next_targets}


def record(machine: str, network: str, seed: int, given: argparse.Namespace) -> list[Layer]:
    """One network with the same number of samples for every layer: the courses."""
    with TemporaryDirectory() as folder, patch.object(rounds, "next_targets", even_targets):
        found = tm.network(
            inputs(machine, network),
            output=folder,
            samples=given.most * len(layers_of(machine, network)),
            seed=seed,
            searcher=given.searcher,
            transfer=given.transfer,
        )
    return [
        {
            "count": layer.count,
            "samples": layer.samples,
            "warm": bool(layer.knowledge),
            "trajectory": [dict(step) for step in layer.trajectory],
        }
        for layer in found.layers
    ]


def cut(layer: Layer, samples: int) -> Course:
    """Its course after so many samples."""
    steps = (
        Step(int(step["samples"]), step["cost"], int(step["cycles"]), step["energy_pj"])
        for step in layer["trajectory"]
        if step["samples"] <= samples
    )
    return Course(samples, samples, tuple(steps))


def total(layers: Sequence[Layer], samples: Sequence[int]) -> float:
    """EDP of the layers' bests; infinite while one has none."""
    bests = [(layer["count"], cut(layer, n).best) for layer, n in zip(layers, samples)]
    if any(best is None for _, best in bests):
        return float("inf")
    energy = sum(count * best.energy_pj for count, best in bests if best)
    return energy * sum(count * best.cycles for count, best in bests if best)


def handed_out(layers: Sequence[Layer], policy: Policy, budget: int) -> list[int]:
    """Samples of each layer when the budget is spent, or when a layer has had all that was recorded."""
    counts = [first_samples(len(layers), budget, warm=layer["warm"]) for layer in layers]
    over = sum(counts) - budget
    counts[0] -= max(0, over)  # the first look of small budgets is as short
    while True:
        standings = [Standing(layer["count"], cut(layer, n)) for layer, n in zip(layers, counts)]
        wanted = [min(n, layer["samples"]) for n, layer in zip(policy(standings, "edp", budget), layers)]
        if sum(wanted) <= sum(counts):
            return counts
        counts = wanted


def curve(layers: Sequence[Layer], policy: Policy, budgets: Sequence[int]) -> list[float]:
    """Totals over the best recorded, by budget (samples per layer)."""
    best = total(layers, [layer["samples"] for layer in layers])
    return [total(layers, handed_out(layers, policy, n * len(layers))) / best for n in budgets]


def to_goal(layers: Sequence[Layer], policy: Policy, budgets: Sequence[int]) -> int:
    """The smallest budget from which on the total is within the goal."""
    found = curve(layers, policy, budgets)
    bad = [i for i, value in enumerate(found) if value > GOAL]
    return budgets[min(len(budgets) - 1, bad[-1] + 1)] if bad else budgets[0]


def tables(done: dict[str, list[Layer]], budgets: Sequence[int]) -> list[str]:
    """Mean excess of the total over the best recorded, by budget and policy; then the gain network by network."""
    heads = [f"{n}" for n in budgets]
    lines = [
        f"| mean log excess over the best recorded total, % | {' | '.join(heads)} | samples a layer to within 1 % |",
        "|---|" + "---:|" * (len(heads) + 1),
    ]
    fine = tuple(range(8, budgets[-1] + 1, 8))
    for name, policy in POLICIES.items():
        logs = np.array([np.log(curve(layers, policy, budgets)) for layers in done.values()])
        goal = np.exp(np.mean(np.log([to_goal(layers, policy, fine) for layers in done.values()])))
        cells = " | ".join(f"{100 * value:.2f}" for value in logs.mean(axis=0))
        lines.append(f"| {name} | {cells} | {goal:.0f} |")
    return lines


def details(done: dict[str, list[Layer]], budgets: Sequence[int]) -> list[str]:
    lines = []
    for key, layers in done.items():
        cells = [
            " ".join(f"{v:7.4f}" for v in curve(layers, policy, budgets)) for policy in POLICIES.values()
        ]
        lines += [f"{key:40s} {name:14s} {cell}" for name, cell in zip(POLICIES, cells)]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", nargs="+", default=MACHINES)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--most", type=int, default=256, help="samples per distinct layer")
    parser.add_argument("--searcher", default="marl")
    parser.add_argument("--no-transfer", dest="transfer", action="store_false")
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS)
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--write", action="store_true", help="put the summary into docs/results.md")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "courses.json")
    given = parser.parse_args()
    done = json.loads(given.out.read_text()) if given.out.exists() else {}
    wanted = [(m, n, s) for s in given.seeds for n in given.networks for m in given.machines]
    for machine, network, seed in () if given.table else wanted:
        key = f"{machine}/{network}/{seed}"
        if key not in done:
            done[key] = record(machine, network, seed, given)
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text(json.dumps(done))
    print("\n".join([*details(done, given.budgets), "", *tables(done, given.budgets)]))
    if given.write:
        replace_part(RESULTS, "budget", tables(done, given.budgets))


if __name__ == "__main__":
    main()
