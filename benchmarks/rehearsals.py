"""How far rehearsals get on a critic that stands still: local moves alone, and agents that exchange joint choices.

    python benchmarks/rehearsals.py                     # two tuning pairs, some minutes

A search of ``--taught`` samples teaches the critic. Then, with every grouping of the agents and every seed, an island
begins at random rows and imagines ``--candidates``; the trend alone judges. Given are the lowest predicted log costs
reached, relative to the lowest of all: mean over seeds, and how many end within 1 % of it.
"""

from __future__ import annotations

import argparse

import numpy as np
from jaxtyping import Int64
from numpy import ndarray
from pairs import read

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.objective import parse_objective
from timeloop_marl.searchers.marl.grouping import fixed_groups
from timeloop_marl.searchers.marl.imagination import Island, Known
from timeloop_marl.searchers.marl.options import MarlOptions
from timeloop_marl.searchers.marl.searcher import MarlSearcher

PAIRS = ("deep_hierarchy/resnet18/conv5_3x3", "three_level/resnet18/conv2_3x3")
GROUPINGS = ("interaction", "dimension", "level", "random", "each")
CLOSE = 0.01


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
    island = Island(critic, Known(), even=True, heated=True)
    island.begin(searcher.space.sample(8, rng))
    island.live(candidates, searcher.space.sample(0, rng), owner, exchange, rng)
    return float(island.heights[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), help="machine/network/layer")
    parser.add_argument("--taught", type=int, default=128)
    parser.add_argument("--candidates", type=int, default=12_000)
    parser.add_argument("--exchange", type=float, default=0.2)
    parser.add_argument("--seeds", type=int, default=12)
    given = parser.parse_args()
    print("| pair | rehearsed by | log cost above the lowest | within 1 % |\n|---|---|---|---|")
    for pair in given.pairs:
        searcher = taught(pair, given.taught)
        found = {"local moves": np.zeros(0)}
        for name in ("local moves", *GROUPINGS):
            owner = owners(searcher, "each" if name == "local moves" else name)
            share = 0.0 if name == "local moves" else given.exchange
            found[name] = np.array(
                [reached(searcher, owner, share, given.candidates, seed) for seed in range(given.seeds)]
            )
        lowest = min(heights.min() for heights in found.values())
        for name, heights in found.items():
            above = heights - lowest
            print(
                f"| {pair} | {name} | {above.mean():.3f} | {(above < CLOSE).sum()} of {given.seeds} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
