"""Does clustering pay? One agent per axis, one joint agent, random groups, groups by meaning, and every signal.

    python benchmarks/clustering.py                              # three pairs, a few minutes
    python benchmarks/clustering.py --seeds 20 --jobs 2 --critic # as the searcher is used, with its critic

For every grouping: the geometric mean over all runs of the samples to within 10 % and 2 % of the best known cost
(unsolved runs count as twice the budget), and its ratio to one agent per axis with a 95 % bootstrap interval over
runs paired by seed. Below 1 = fewer samples.
"""

from __future__ import annotations

import argparse

import joblib
import numpy as np
from sample_efficiency import Run, best_costs, first_within, run

GROUPINGS = (
    "each",
    "joint",
    "random",
    "dimension",
    "level",
    "pearson",
    "spearman",
    "mutual",
    "interaction",
    "critic",
)
PAIRS = (
    "eyeriss_like/resnet18/conv3_down",
    "simba_like/vgg16/conv3_2",
    "three_level/resnet18/conv2_3x3",
    "eyeriss_unconstrained/resnet18/conv4_proj",
)
TOLERANCES = (1.10, 1.02)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS))
    parser.add_argument("--groupings", nargs="+", default=list(GROUPINGS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--critic", action="store_true", help="with the critic (default: agents alone)")
    parser.add_argument("--jobs", type=int, default=1)
    return parser.parse_args()


def name_of(grouping: str, given: argparse.Namespace) -> str:
    critic = "" if given.critic else ",critic=false"
    return f"marl:clusters={grouping}{critic}"


def ratio(mine: np.ndarray, base: np.ndarray) -> str:
    """Geometric mean ratio with a bootstrap interval (2,000 draws of runs)."""
    logs = np.log(mine / base)
    drawn = np.random.default_rng(0).integers(0, len(logs), (2000, len(logs)))
    low, high = np.percentile(np.exp(logs[drawn].mean(axis=1)), [2.5, 97.5])
    return f"{np.exp(logs.mean()):.2f} ({low:.2f} – {high:.2f})"


def main() -> None:
    given = arguments()
    # The critic's interactions need a critic.
    groupings = [g for g in given.groupings if given.critic or g != "critic"]
    tasks = [(p, name_of(g, given), s) for p in given.pairs for g in groupings for s in range(given.seeds)]
    runs: list[Run] = joblib.Parallel(given.jobs)(
        joblib.delayed(run)(pair, name, seed, given.samples, "edp") for pair, name, seed in tasks
    )
    best = best_costs(runs, "edp")
    columns = {}
    for grouping in groupings:
        mine = [entry for entry in runs if entry["searcher"] == name_of(grouping, given)]
        columns[grouping] = [
            np.array([min(first_within(e, best[e["pair"]] * t), 2.0 * given.samples) for e in mine])
            for t in TOLERANCES
        ]
    heads = [f"to {100 * (t - 1):.0f} %" for t in TOLERANCES]
    print(f"| grouping | {' | '.join(f'{h} | ratio to {groupings[0]}' for h in heads)} |")
    print("|---|" + "---|---|" * len(heads))
    for grouping, reached in columns.items():
        cells = [
            f"{np.exp(np.log(values).mean()):,.0f} | {ratio(values, base)}"
            for values, base in zip(reached, columns[groupings[0]])
        ]
        print(f"| {grouping} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
