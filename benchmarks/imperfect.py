"""Imperfect factors: mappings per second by classes of visits, and visit by visit, side by side.

    python benchmarks/imperfect.py             # recorded rows, and drawn mappings of some pairs
    python benchmarks/imperfect.py --count     # how many transitions and nodes a recorded row takes

Recorded rows are those of the real Timeloop (``tests/golden/data/imperfect.jsonl.gz``); each is of another machine and
layer, so it makes a batch of its own, repeated 32 times. Drawn mappings are all different, with one dim whose loops do
not divide. Rates are of processor time of one core through the public evaluator, best of several repetitions; the mean
rate of recorded rows is the number of rows over the sum of their times.
"""

from __future__ import annotations

import argparse
import cProfile
import gzip
import json
import pstats
from collections import defaultdict
from pathlib import Path

import numpy as np
from throughput import GOLDEN, PAIRS, best_time, files

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.kernels.compiling import plain
from timeloop_marl.kernels.record import views
from timeloop_marl.specs import load
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import Spec
from timeloop_marl.traffic.imperfect.walk import prepare_walk, walk_classes
from timeloop_marl.traffic.nest import build_nest
from timeloop_marl.validation.rows import row_mapping
from timeloop_marl.validation.verification import drawn

COPIES = 32


def recorded(every: int) -> list[tuple[str, Spec, MappingBatch]]:
    """Machine, spec and mapping of every so many-th recorded row."""
    found = []
    with gzip.open(GOLDEN / "data" / "imperfect.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines][::every]
    for row in rows:
        arch = GOLDEN / "inputs" / "arch" / row["arch"]
        problem = GOLDEN / "inputs" / "problems" / f"{row['problem']}.yaml"
        paths: list[Path] = [*(arch / name for name in ("arch_v03.yaml", "ERT.yaml", "ART.yaml")), problem]
        spec = load(paths, mapspace_constraints=False)
        found.append((row["arch"], spec, MappingBatch.of([row_mapping(row, spec)])))
    return found


def rates(spec: Spec, batch: MappingBatch, repetitions: int) -> tuple[float, float]:
    """Mappings per second by classes, and visit by visit."""
    result = []
    for by_classes in (True, False):
        evaluator = NativeEvaluator(spec)
        scratch = evaluator._take()
        if not by_classes:
            scratch[1].exact = False  # codes that may clash: classes are not used
        evaluator._spaces.append(scratch)
        result.append(len(batch) / best_time(lambda evaluator=evaluator: evaluator(batch), repetitions))
    return result[0], result[1]


def table(every: int, mappings: int, repetitions: int) -> None:
    """Print the rates of recorded rows by machine, then of drawn mappings by pair."""
    print("| recorded rows of | rows | by classes | visit by visit | ratio |\n|---|---:|---:|---:|---:|")
    spent = defaultdict(list)
    for machine, spec, batch in recorded(every):
        both = rates(spec, batch.take(np.zeros(COPIES, np.int64)), repetitions)
        spent[machine].append([1 / rate for rate in both])
    spent["all machines"] = [times for machine in spent.values() for times in machine]
    for machine, times in spent.items():
        line(machine, len(times), *(1 / np.mean(times, axis=0)))
    print(
        "\n| drawn mappings of | mappings | by classes | visit by visit | ratio |\n|---|---:|---:|---:|---:|"
    )
    for pair in PAIRS:
        spec = load(files(pair))
        batch = MappingBatch.of(drawn(spec, "imperfect", mappings, 0))
        batch = batch.take(np.flatnonzero(NativeEvaluator(spec)(batch).failure == 0))
        line(pair, len(batch), *rates(spec, batch, repetitions))


def line(name: str, rows: int, classes: float, visits: float) -> None:
    print(f"| {name} | {rows:,} | {classes:,.0f} | {visits:,.0f} | {classes / visits:.1f} |")


def count(every: int) -> None:
    """Print how often the steps of the count by classes run for a recorded row, on average."""
    profile, rows = cProfile.Profile(), recorded(every)
    build, prepare, count_all = plain(build_nest), plain(prepare_walk), plain(walk_classes)
    for _, spec, batch in rows:
        evaluator = NativeEvaluator(spec)
        scratch = evaluator._take()
        geometry, work, space = views(evaluator.geometry), views(scratch[0]), views(scratch[1])
        build(geometry, batch.factors[0], batch.residuals[0], batch.order[0], batch.split[0], work)
        prepare(geometry, work, space)
        profile.enable()
        assert count_all(geometry, work, space)
        profile.disable()
    calls = {name: found[0] for (_, _, name), found in pstats.Stats(profile).stats.items()}
    names = {
        "count_classes": "levels and data spaces that are counted",
        "_go_on": "transitions",
        "_find_node": "nodes looked for",
        "mark_served": "walks over children to find neighbours",
        "group_children": "walks over children to group them",
    }
    print(f"of a recorded row, mean over {len(rows)}:")
    for name, meaning in names.items():
        print(f"{calls.get(name, 0) / len(rows):10.1f}  {meaning}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=int, default=1, help="take every so many-th recorded row")
    parser.add_argument("--mappings", type=int, default=500, help="to draw, per pair")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--count", action="store_true", help="count the work instead of timing it")
    arguments = parser.parse_args()
    if arguments.count:
        count(arguments.every)
    else:
        table(arguments.every, arguments.mappings, arguments.repetitions)


if __name__ == "__main__":
    main()
