"""Which way to a front is best: hypervolume at equal samples, over seeds.

    python benchmarks/pareto.py
    python benchmarks/pareto.py --figures cycles,energy,buffer --samples 5000

Hypervolumes are taken of the logarithms of the figures, so that a halving counts the same everywhere, as shares of the
best: 1 would be the front of all runs together. The corner is a tenth of a decade beyond that front's worst figures.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from pairs import read

from timeloop_marl.api.front import search_front
from timeloop_marl.cost.nondominated import hypervolume, non_dominated
from timeloop_marl.run.options import Settings

PAIRS = (
    "eyeriss_like/resnet18/conv2_3x3",
    "simba_like/resnet18/conv2_3x3",
    "deep_hierarchy/resnet18/conv5_3x3",
)
WAYS = ("marl:3", "nsga2", "genetic:3", "genetic:5", "genetic:9", "genetic:17", "random:2")


def front(pair: str, way: str, seed: int, given: argparse.Namespace) -> tuple[np.ndarray, float]:
    """Logarithms of the figures on the front, and microseconds per sample."""
    searcher, _, runs = way.partition(":")
    settings = Settings(searcher=searcher, seed=seed, samples=given.samples)
    start = time.process_time()
    found = search_front(read(pair), figures=given.figures, settings=settings, runs=int(runs or 2))
    return np.log1p(found.points) / np.log(10), (time.process_time() - start) / given.samples * 1e6


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), help="searcher, or searcher:weightings")
    parser.add_argument("--figures", default="cycles,energy")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=2000)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    print("| pair | way | hypervolume, share of the best (each seed) | median | members | us/sample |")
    print("|---|---|---|---|---|---|")
    shares: dict[str, list[float]] = {way: [] for way in given.ways}
    for pair in given.pairs:
        runs = {way: [front(pair, way, seed, given) for seed in range(given.seeds)] for way in given.ways}
        union = np.concatenate([points for found in runs.values() for points, _ in found])
        union = union[non_dominated(union)]
        corner = union.max(axis=0) + 0.1
        best = hypervolume(union, corner)
        for way, found in runs.items():
            parts = [hypervolume(points, corner) / best for points, _ in found]
            shares[way] += parts
            members = np.median([len(points) for points, _ in found])
            micro = np.median([spent for _, spent in found])
            each = " ".join(f"{part:.3f}" for part in parts)
            print(
                f"| {pair} | {way} | {each} | {np.median(parts):.3f} | {members:.0f} | {micro:.0f} |",
                flush=True,
            )
    print()
    for way, parts in shares.items():
        print(f"{way}: mean share {np.mean(parts):.3f}, worst {min(parts):.3f}")


if __name__ == "__main__":
    main()
