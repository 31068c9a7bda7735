"""Sparse mappings evaluated a second, one thread; drawn from the learners' space."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import timeloop_marl as tm

ROOT = Path(__file__).resolve().parents[1]
FIXED: dict[str, Any] = {"Weights": 0.3, "Inputs": 0.5}
HYPERGEOMETRIC: dict[str, Any] = {
    name: {"distribution": "hypergeometric", "density": share} for name, share in FIXED.items()
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--layer", default="resnet18/conv4_3x3.yaml")
    parser.add_argument(
        "--hypergeometric",
        action="store_true",
        help="too; slow: tables for each size of a tile",
    )
    options = parser.parse_args()
    kinds = (("fixed", FIXED), ("hypergeometric", HYPERGEOMETRIC))[: 1 + options.hypergeometric]
    print("machine             densities        rows/s  valid/s  valid  again: valid/s")
    for machine in ("eyeriss_gated", "eyeriss_skipping", "three_level_cp", "three_level_bitmap"):
        for name, densities in kinds:
            files = [*sorted((ROOT / "arch" / machine).glob("*.yaml")), ROOT / "problems" / options.layer]
            spec = tm.load(files, values={"+problem.instance.densities": densities})
            space, evaluator = tm.LearnersMapspace(spec), tm.NativeEvaluator(spec)
            batch = space.decode(space.sample(options.rows, np.random.default_rng(1)))
            evaluator(batch.take(slice(1)))
            rates = []
            for _ in range(2):
                begin = time.perf_counter()
                outcome = evaluator(batch)
                rates.append(options.rows / (time.perf_counter() - begin))
            share = float((outcome.failure == 0).mean())
            print(
                f"{machine:19} {name:15} {rates[0]:7.0f} {rates[0] * share:8.0f} {share:6.0%} {rates[1] * share:8.0f}"
            )


if __name__ == "__main__":
    main()
