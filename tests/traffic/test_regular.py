"""The kernels that run over vectors, run as they stand for one mapping: the numbers of the general model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from random_cases import random_mapping, random_spec, random_switches

from timeloop_marl.cost.evaluate import total_energy, utilization
from timeloop_marl.cost.lanes import figures, first_look, fits
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.kernels.compiling import plain
from timeloop_marl.kernels.record import views
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.specs import load
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.traffic.levels import CYCLES
from timeloop_marl.traffic.workspace import workspace

INPUTS = Path(__file__).parents[1] / "golden" / "inputs"
LOOK, FIGURES, ENERGY, SHARE = (plain(kernel) for kernel in (first_look, figures, total_energy, utilization))


def compared(evaluator: NativeEvaluator, batch: MappingBatch) -> Counter[str]:
    """Run all valid mappings; how many were the same, irregular, and of which kind."""
    outcome, seen = evaluator(batch), Counter[str]()
    geometry, rates = views(evaluator.geometry), views(evaluator.rates)
    work = views(workspace(evaluator.geometry))
    work.width[:] = work.height[:] = 1  # of levels without a block, as ``lanes`` has them
    blocks = [int(geometry.tile_storage[t]) for t in np.flatnonzero(geometry.tile_spatial)]
    work.block_end[blocks] = 1
    arrays = batch.factors, batch.residuals, batch.order, batch.split, batch.keep
    for i in range(len(batch)):
        if LOOK(geometry, *arrays, i, work) != 0:
            continue
        FIGURES(geometry, rates, batch.factors, batch.order, batch.split, batch.keep, i, work)
        if work.irregular[0]:
            seen["irregular"] += 1
            continue
        assert outcome.failure[i] == 0
        assert work.counts[CYCLES] == outcome.cycles[i]
        assert ENERGY(geometry, rates, work) == outcome.energy_pj[i]
        assert SHARE(geometry, work) == outcome.utilization[i]
        seen["same"] += 1
        seen["several entries"] += bool((work.entries > 1).any())
        seen["links"] += bool(work.links.any())
        width, children = work.width[blocks], (work.width * work.height)[blocks]
        columns = geometry.fanout_x[blocks]
        seen["packed"] += bool(((width < columns) & (children > columns)).any())
    return seen


def test_same_figures_on_random_machines() -> None:
    generator, seen = np.random.default_rng(8), Counter[str]()
    for _ in range(40):
        spec = random_spec(generator, negative=True)
        switches = random_switches(generator, spec, no_coalesce=True)
        evaluator = NativeEvaluator(spec, switches=switches, vectors=False)
        if fits(evaluator.geometry, evaluator.rates):
            batch = MappingBatch.of([random_mapping(generator, spec) for _ in range(30)])
            seen += compared(evaluator, batch)
    print(seen)
    assert seen["same"] > 300
    assert min(seen["several entries"], seen["links"]) > 5


def test_same_figures_where_packed_blocks_pay_for_hops() -> None:
    folder = INPUTS / "arch" / "simba_like"
    files = [folder / f"{name}.yaml" for name in ("arch_v03", "ERT", "ART", "constraints_v03")]
    spec = load([*files, INPUTS / "problems" / "resnet18_layer1.yaml"])
    evaluator, mapspace = NativeEvaluator(spec, vectors=False), TimeloopMapspace(spec)
    batch = mapspace.decode(mapspace.sample(np.random.default_rng(3), 20_000))
    valid = batch.take(np.flatnonzero(evaluator(batch).failure == 0)[:60])
    seen = compared(evaluator, valid)
    print(seen)
    assert seen["irregular"] < 3
    assert min(seen["packed"], seen["links"]) > 2
