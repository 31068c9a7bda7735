"""Search the mapping of one layer and look at what was found.

python examples/search_a_layer.py [SAMPLES]
"""

from __future__ import annotations

import sys

import timeloop_marl as tm

samples = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

spec = tm.load(["arch/eyeriss_like", "problems/resnet18/conv4_3x3.yaml"])
result = tm.search(spec, objective="edp", samples=samples, seed=1)

best = result.best
print(
    f"{best.cycles:,} cycles, {best.energy_pj / 1e6:.1f} uJ, {best.utilization:.0%} of the compute units in use"
)
for level in best.levels:
    reads = sum(tensor.reads for tensor in level.tensors)
    if reads:  # the levels that only fan out have none
        print(f"  {level.name:8} {level.energy / 1e6:8.2f} uJ {reads:12,.0f} words read")

folder = "out/search_a_layer"
files = result.write(folder)
print(
    f"{len(files)} files in {folder}: map.yaml is what timeloop-model takes, report.html is what people look at"
)
