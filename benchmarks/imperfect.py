"""What imperfect factors gain: bounds that do not factor, perfect against imperfect, over seeds.

    python benchmarks/imperfect.py --seeds 5 --samples 2000

Of every pair: the least EDP of perfect factors over the seeds, that of imperfect ones (corrected count), how far the
worst seed ends above the best, and how far the best is above the long run (``--long`` samples).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from pairs import read

import timeloop_marl as tm
from timeloop_marl.specs.spec import Spec

PAIRS: dict[str, dict[str, int]] = {
    "eyeriss_like/bert_base_seq128/scores": {"M": 197, "P": 197},
    "eyeriss_like/bert_base_seq128/projection": {"P": 197},
    "eyeriss_like/bert_base_seq128/ffn1": {"P": 384},
    "eyeriss_like/alexnet/conv3": {},
    "gemmini_like/bert_base_seq128/scores": {"M": 197, "P": 197},
    "gemmini_like/bert_base_seq128/context": {"C": 511, "P": 511},
    "simba_like/bert_base_seq128/context": {"C": 197, "P": 197},
    "tpu_like/bert_base_seq128/scores": {"M": 197, "P": 197},
    "tpu_like/bert_base_seq128/ffn1": {"P": 197},
    "diannao_like/bert_base_seq128/scores": {"M": 577, "P": 577},
    "output_stationary/alexnet/conv3": {},
    "three_level/bert_base_seq128/scores": {"M": 197, "P": 197},
    "nvdla_small_like/alexnet/conv5": {"P": 13, "Q": 13, "C": 97},
    "deep_hierarchy/bert_base_seq128/projection": {"P": 197, "M": 769},
}


def layer(pair: str) -> Spec:
    """The pair with its bounds."""
    spec = read(pair)
    problem, given = spec.problem, PAIRS[pair]
    bounds = tuple(given.get(dim, bound) for dim, bound in zip(problem.dims, problem.bounds))
    return replace(spec, problem=replace(problem, bounds=bounds))


def costs(spec: Spec, factors: str, seeds: Sequence[int], samples: int) -> list[float]:
    """EDP in pJ·cycles of the best of each seed."""
    found = [tm.search(spec, factors=factors, seed=seed, samples=samples) for seed in seeds]
    return [result.search.best[0].cost for result in found]


def main() -> None:
    """Print one line for each pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--long", type=int, default=10_000)
    given = parser.parse_args()
    seeds = range(1, given.seeds + 1)
    print("| pair | bounds | EDP perfect | imperfect | gain | auto | worst seed | above the long run |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for pair, bounds in PAIRS.items():
        spec = layer(pair)
        perfect = min(costs(spec, "perfect", seeds, given.samples))
        imperfect = costs(spec, "imperfect", seeds, given.samples)
        auto = min(costs(spec, "auto", seeds[:1], given.samples))
        long = min(*costs(spec, "imperfect", (101,), given.long), *imperfect)
        best = min(imperfect)
        named = " ".join(f"{dim}={bound}" for dim, bound in bounds.items())
        print(
            f"| `{pair}` | {named} | {perfect:.4g} | {best:.4g} | {perfect / best:.2f} | {perfect / auto:.2f} | "
            f"{max(imperfect) / long - 1:+.2%} | {best / long - 1:+.2%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
