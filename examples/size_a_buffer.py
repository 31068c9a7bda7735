"""How large should the global buffer be, and how many columns of PEs pay? A sweep with a mapping search at each point.

python examples/size_a_buffer.py [SAMPLES_PER_POINT]
"""

from __future__ import annotations

import sys

import timeloop_marl as tm

samples = int(sys.argv[1]) if len(sys.argv) > 1 else 500

result = tm.sweep(
    ["arch/eyeriss_like/arch.yaml", "problems/resnet18/conv4_3x3.yaml"],
    output="out/size_a_buffer",
    overwrite=True,  # so that it can be run again
    values={"GLB.attributes.depth": [6912, 13824, 27648], "column.spatial.meshX": [7, 14]},
    samples=samples,
    seed=1,
)
for point in result.points:
    chosen = ", ".join(f"{name} = {value}" for name, value in point.values.items())
    mark = "  <- non-dominated" if point.front else ""
    print(f"{chosen}: {point.cycles:,} cycles, {point.energy_pj / 1e6:.1f} uJ{mark}")
print("table and picture: out/size_a_buffer/sweep.csv, sweep.png")
