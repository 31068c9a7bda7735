"""Map a whole network: equal layers are searched once, and samples go where the total gains most.

python examples/map_a_network.py [SAMPLES_FOR_ALL_LAYERS]
"""

from __future__ import annotations

import sys

import timeloop_marl as tm

samples = int(sys.argv[1]) if len(sys.argv) > 1 else 3000

result = tm.network(
    ["arch/eyeriss_like", "problems/resnet18"],
    output="out/map_a_network",
    overwrite=True,  # so that it can be run again
    samples=samples,
    seed=1,
    jobs=2,
)
for layer in result.layers:
    figures = f"{layer.cycles:10,} cycles {layer.energy_pj / 1e6:8.1f} uJ"
    print(f"{layer.count} x {layer.name:12} {figures}, {layer.samples} samples")
if result.totals is not None:
    print(f"ResNet-18: {result.totals.cycles:,} cycles, {result.totals.energy_pj / 1e9:.2f} mJ per image")
print("the page to show: out/map_a_network/report.html")
