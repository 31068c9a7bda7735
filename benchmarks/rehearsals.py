"""How far rehearsals get on a critic that stands still: local moves alone, and agents that exchange joint choices.

    python benchmarks/rehearsals.py                     # two tuning pairs, some minutes
    python benchmarks/rehearsals.py --confirming --seeds 20 --write

A search of ``--taught`` samples teaches the critic. Then, with every grouping of the agents and every seed, an island
begins at random rows and imagines ``--candidates``; the trend alone judges. Given are the lowest predicted log costs
reached, relative to the lowest of all of the pair: mean over seeds, how many end within 1 % of it, and over all pairs
and seeds the differences to one agent per choice and to local moves, with bootstrap intervals: 95 % for all groupings
of a column together (Bonferroni).
"""

from __future__ import annotations

import argparse

import numpy as np
from clustering import CONFIRMING
from document import RESULTS, Lines, head, replace_part, row
from jaxtyping import Float64, Int64
from measures import DRAWS
from numpy import ndarray
from pairs import read

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.searchers.marl.clustering import fixed_groups
from timeloop_marl.searchers.marl.rehearsal import Island, Known
from timeloop_marl.searchers.marl.searcher import MarlOptions, MarlSearcher

PAIRS = ("deep_hierarchy/resnet18/conv5_3x3", "three_level/resnet18/conv2_3x3")
GROUPINGS = ("each", "interaction", "dimension", "level", "random", "joint")
LOCAL = "local moves"
CLOSE = 0.01
Heights = dict[str, Float64[ndarray, "runs"]]


def taught(pair: str, samples: int) -> MarlSearcher:
    """A searcher after so many samples."""
    spec = read(pair)
    objective, evaluator = parse_objective("edp", len(spec.architecture.storage)), NativeEvaluator(spec)
    searcher = MarlSearcher(LearnersMapspace(spec), objective, 1, MarlOptions(restart=0))
    told = 0
    while told < samples:
        rows = searcher.ask(searcher.batch)
        searcher.tell(rows, evaluator(searcher.space.decode(rows)))
        told += len(rows)
    return searcher


def owners(searcher: MarlSearcher, grouping: str) -> Int64[ndarray, "axes"]:
    """Agent of every axis; ``interaction``: the clusters that the searcher has learnt."""
    groups = searcher.team.groups
    if grouping != "interaction":
        groups = fixed_groups(searcher.space, grouping, len(groups), "", np.random.default_rng(0))
    owner = np.zeros(searcher.space.axes, np.int64)
    for k, group in enumerate(groups):
        owner[list(group)] = k
    return owner


def reached(
    searcher: MarlSearcher, owner: Int64[ndarray, "axes"], exchange: float, candidates: int, seed: int
) -> float:
    """The lowest predicted log cost of one island."""
    critic, rng = searcher.critic, np.random.default_rng(seed)
    assert critic is not None
    island = Island(critic, Known(), even=True)
    island.begin(searcher.space.sample(8, rng))
    island.live(candidates, searcher.space.sample(0, rng), owner, exchange, rng)
    return float(island.predicted[0])


def heights_of(pair: str, given: argparse.Namespace) -> Heights:
    """Per grouping and seed, what was reached above the lowest of all."""
    searcher = taught(pair, given.taught)
    found = {}
    for name in (LOCAL, *GROUPINGS):
        owner = owners(searcher, "each" if name == LOCAL else name)
        share = 0.0 if name == LOCAL else given.exchange
        found[name] = np.array(
            [reached(searcher, owner, share, given.candidates, seed) for seed in range(given.seeds)]
        )
    lowest = min(predicted.min() for predicted in found.values())
    return {name: predicted - lowest for name, predicted in found.items()}


def difference(mine: Float64[ndarray, "runs"], base: Float64[ndarray, "runs"]) -> str:
    """Mean difference of paired runs and its interval."""
    change = mine - base
    drawn = np.random.default_rng(0).integers(0, len(change), (5 * DRAWS, len(change)))
    tail = 2.5 / len(GROUPINGS)
    low, high = np.percentile(change[drawn].mean(axis=1), [tail, 100 - tail])
    return f"{change.mean():+.4f} ({low:+.4f} – {high:+.4f})"


def table(by_pair: dict[str, Heights]) -> Lines:
    """One row a grouping, over all pairs and seeds."""
    every = {name: np.concatenate([h[name] for h in by_pair.values()]) for name in (LOCAL, *GROUPINGS)}
    yield from head(
        [
            "exchange by",
            "log cost above the lowest",
            "within 1 %",
            "less one agent per choice",
            "less local moves",
        ]
    )
    for name, predicted in every.items():
        close = f"{(predicted < CLOSE).sum()} of {len(predicted)}"
        yield row(
            [
                name,
                f"{predicted.mean():.4f}",
                close,
                *(difference(predicted, every[b]) for b in ("each", LOCAL)),
            ]
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), help="machine/network/layer")
    parser.add_argument(
        "--confirming", action="store_true", help="instead: one reported pair of every machine"
    )
    parser.add_argument("--taught", type=int, default=128)
    parser.add_argument("--candidates", type=int, default=12_000)
    parser.add_argument("--exchange", type=float, default=0.2)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--write", action="store_true", help="write the table into docs/results.md")
    given = parser.parse_args()
    by_pair: dict[str, Heights] = {}
    for pair in CONFIRMING if given.confirming else given.pairs:
        by_pair[pair] = heights_of(pair, given)
        print("\n".join([pair, *table({pair: by_pair[pair]}), ""]), flush=True)
    about = f"{len(by_pair)} pairs, {given.seeds} seeds, {given.candidates:,} candidates:"
    lines = [about, "", *table(by_pair)]
    print("\n".join(lines))
    if given.write:
        replace_part(RESULTS, "clustering, rehearsals", lines)


if __name__ == "__main__":
    main()
