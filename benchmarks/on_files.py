"""Samples that variants of a searcher need on files that are not in arch/ and problems/.

    python benchmarks/on_files.py FILES... [--searchers marl marl:climbing=false] [--samples 3000] [--seeds 20]

"Within x %" is of the lowest cost that any run of the call found; a run that never gets there counts as twice its
budget. Quartiles over seeds.
"""

from __future__ import annotations

import argparse

import numpy as np
from running import options_of

import timeloop_marl as tm
from timeloop_marl.run.result import Improvement

Trajectory = tuple[Improvement, ...]
WITHIN = (1.1, 1.02, 1.005)


def samples_to(trajectory: Trajectory, cost: float, budget: int) -> int:
    """The first sample at or below a cost; twice the budget if there is none."""
    return next((point.samples for point in trajectory if point.cost <= cost), 2 * budget)


def quartiles(values: list[int], budget: int) -> str:
    """``median (first quartile – third)`` and how many never got there."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    never = sum(value > budget for value in values)
    return f"{middle:,.0f} ({low:,.0f} – {high:,.0f})" + (f", {never} never" if never else "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+")
    parser.add_argument("--searchers", nargs="+", default=["marl", "marl:climbing=false"])
    parser.add_argument("--objective", default="edp")
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args()
    spec = tm.load(given.files)
    found: dict[str, list[Trajectory]] = {}
    for label in given.searchers:
        name, options = options_of(label)
        found[label] = [
            tm.search(
                spec,
                searcher=name,
                options=options,
                samples=given.samples,
                seed=seed,
                objective=given.objective,
                proof=False,
            ).search.trajectory
            for seed in range(given.seeds)
        ]
    best = min(run[-1].cost for runs in found.values() for run in runs if run)
    print(
        f"lowest {given.objective} found: {best:.4g}\n\n| searcher | to 10 % | to 2 % | to 0.5 % |\n|---|---|---|---|"
    )
    for label, runs in found.items():
        cells = [
            quartiles([samples_to(run, best * q, given.samples) for run in runs], given.samples)
            for q in WITHIN
        ]
        print(f"| {label} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
