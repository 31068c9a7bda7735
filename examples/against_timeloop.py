"""Our search against Timeloop's own mappers (reproduced sample for sample) at the same number of samples.

python examples/against_timeloop.py [SAMPLES]
"""

from __future__ import annotations

import statistics
import sys

import timeloop_marl as tm

SEARCHERS = ("marl", "timeloop-random", "timeloop-random-pruned", "timeloop-linear-pruned", "timeloop-hybrid")
samples = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

spec = tm.load(["arch/simba_like", "problems/resnet18/conv4_3x3.yaml"])
print(f"best EDP after {samples:,} samples, valid or not; median of three seeds where the searcher has one")
for searcher in SEARCHERS:
    seeds = (1, 2, 3) if searcher == "marl" else (1,)
    found = [tm.search(spec, searcher=searcher, samples=samples, seed=seed) for seed in seeds]
    costs = [result.search.best[0].edp for result in found if result.found]
    shown = f"{statistics.median(costs):.3e} pJ x cycles" if costs else "nothing valid"
    print(f"  {searcher:24} {shown}")
