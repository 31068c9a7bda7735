"""How many samples each searcher needs: quartiles over seeds against the best known cost of several pairs.

    python benchmarks/search_quality.py                          # all searchers of ours, a few minutes
    python benchmarks/search_quality.py --searchers genetic --option population=16 --seeds 10 --samples 10000

A searcher that never comes within the tolerance in its budget counts as "-" (and as infinitely many samples in the
quartiles). Best known EDPs: the lowest found by millions of exact evaluations (pJ·cycles).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.objective import parse_objective
from timeloop_marl.search_loop import Budget, search
from timeloop_marl.search_result import Improvement
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.specs.reading import load
from timeloop_marl.specs.spec import Spec

INPUTS = Path(__file__).parent.parent / "tests" / "golden" / "inputs"
BEST_KNOWN = {
    "eyeriss_like/resnet18_layer1": 5.266e14,
    "eyeriss_like/resnet18_layer3_first": 1.4432e14,
    "simba_like/resnet18_layer1": 6.549e13,
    "three_level/vgg16_conv4_2": 2.9184e17,
    "deep_hierarchy/resnet18_layer4": 1.0944e14,
}
TOLERANCES = (1.10, 1.02)


def read(pair: str) -> Spec:
    machine, problem = pair.split("/")
    arch = INPUTS / "arch" / machine
    names = ("arch_v03.yaml", "ERT.yaml", "ART.yaml", "constraints_v03.yaml")
    return load([*(arch / name for name in names), INPUTS / "problems" / f"{problem}.yaml"])


def first_within(trajectory: Sequence[Improvement], cost: float) -> float:
    return next((float(step.samples) for step in trajectory if step.cost <= cost), np.inf)


def run(
    pair: str, name: str, options: dict[str, str], seed: int, samples: int
) -> tuple[list[float], float, float]:
    """Samples to each tolerance, final cost over the best known, microseconds per sample (evaluation included)."""
    spec = read(pair)
    objective = parse_objective("edp", len(spec.architecture.storage))
    evaluator = NativeEvaluator(spec)
    warm = make_searcher(name, spec, seed, objective, options)
    search(warm.space, warm, evaluator, objective, Budget(samples=200))
    searcher = make_searcher(name, spec, seed, objective, options)
    start = time.process_time()
    result = search(searcher.space, searcher, evaluator, objective, Budget(samples=samples))
    spent = (time.process_time() - start) / max(result.samples, 1) * 1e6
    best = BEST_KNOWN[pair]
    reached = [first_within(result.trajectory, best * tolerance) for tolerance in TOLERANCES]
    return reached, result.best[0].cost / best if result.best else np.inf, spent


def quartiles(values: Sequence[float]) -> str:
    three = np.percentile(values, [25, 50, 75], method="nearest")
    return " / ".join("-" if np.isinf(value) else f"{value:,.0f}" for value in three)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", default=list(BEST_KNOWN))
    parser.add_argument("--searchers", nargs="+", default=["random", "annealing", "cross-entropy", "genetic"])
    parser.add_argument("--option", action="append", default=[], help="NAME=VALUE for every searcher named")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    options = dict(text.split("=", 1) for text in given.option)
    print("| pair | searcher | samples to 10 % (quartiles) | to 2 % | final cost / best known | us/sample |")
    print("|---|---|---|---|---|---|")
    scores: dict[str, list[float]] = {}
    for pair in given.pairs:
        for name in given.searchers:
            results = joblib.Parallel(given.jobs)(
                joblib.delayed(run)(pair, name, options, seed, given.samples) for seed in range(given.seeds)
            )
            columns = [quartiles([r[0][k] for r in results]) for k in range(len(TOLERANCES))]
            ends = " / ".join(f"{v:.3f}" for v in np.percentile([r[1] for r in results], [25, 50, 75]))
            micro = np.median([r[2] for r in results])
            print(f"| {pair} | {name} | {columns[0]} | {columns[1]} | {ends} | {micro:.0f} |", flush=True)
            scores.setdefault(name, []).extend(
                np.sqrt(min(r[0][0], 2.0 * given.samples) * min(r[0][1], 2.0 * given.samples))
                for r in results
            )
    print()
    for name, values in scores.items():
        mean = np.exp(np.mean(np.log(values)))
        print(
            f"{name}: geometric mean of the samples to 10 % and 2 %, unsolved = twice the budget: {mean:,.0f}"
        )


if __name__ == "__main__":
    main()
