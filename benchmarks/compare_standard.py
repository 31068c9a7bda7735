"""Ours against Timeloop's five mappers on the four public example designs and three layers of ResNet-18.

    python benchmarks/compare_standard.py STANDARD [--samples 2000] [--seconds 2] [--seeds 3] [--searcher marl]

STANDARD: folder with ``flattened/ex_<design>`` and ``layer_shapes/resnet18``. Costs are EDPs, pJ·cycles: the median of
ours and the best of Timeloop's mappers, at the same number of samples and in the same time, one thread each.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import timeloop_marl as tm
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.validation.comparison import Comparison, Course, compare_searchers
from timeloop_marl.validation.comparison.runs import OURS

DESIGNS = ("eyeriss_like", "simba_like", "simple_output_stationary", "simple_weight_stationary")
LAYERS = ("01", "10", "19")
FILES = ("arch_v03.yaml", "ERT.yaml", "ART.yaml", "constraints_v03.yaml")


def cells(comparison: Comparison, courses: Sequence[Course]) -> tuple[list[str], bool]:
    """Median of ours, best of Timeloop's with its name, their ratio; and whether even our worst run is not worse."""
    ours = sorted(course.cost for course in courses if course.kind == OURS)
    best = min((course for course in courses if course.kind != OURS), key=lambda course: course.cost)
    median = ours[len(ours) // 2]
    name = best.searcher if best.points else "none valid"
    return [f"{median:.4g}", f"{best.cost:.4g} ({name})", f"{best.cost / median:.2f}x"], ours[-1] <= best.cost


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("standard", type=Path)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--searcher", default="marl")
    given = parser.parse_args()
    print(f"| design | layer | ours, {given.samples} samples | Timeloop's best | ", end="")
    print(f"ratio | every seed | ours, {given.seconds:g} s | Timeloop's best | ratio | every seed |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for design in DESIGNS:
        folder = given.standard / "flattened" / f"ex_{design}"
        files = [folder / name for name in FILES if (folder / name).exists()]
        for layer in LAYERS:
            spec = tm.load([*files, given.standard / "layer_shapes" / "resnet18" / f"{layer}.yaml"])
            comparison = compare_searchers(
                spec,
                [given.searcher],
                parse_objective("edp", len(spec.architecture.storage)),
                samples=given.samples,
                seconds=given.seconds,
                seeds=given.seeds,
            )
            row = [design, layer]
            for courses in (comparison.by_samples, comparison.by_seconds):
                texts, never_worse = cells(comparison, courses)
                row += [*texts, "yes" if never_worse else "no"]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
