"""The four public v0.4 example designs: mapspace sizes and counters of the documented runs (mapspace section 9)."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.timeloop import MapspaceIds, TimeloopMapspace
from timeloop_marl.searchers.timeloop import TimeloopSearcher, run_mapper
from timeloop_marl.specs.reading import load

ROOT = Path(__file__).parents[3]
STANDARD = Path(os.environ.get("TIMELOOP_STANDARD_INPUTS", ROOT.parent / "shared" / "standard"))
DESIGNS = STANDARD / "example_designs"
RUNS = {
    "simple_weight_stationary": ("random", MapspaceIds(308700000, 12441600, 1, 8), 64, 12),
    "eyeriss_like": ("random", MapspaceIds(2041200, 518400, 1, 1), 25, 12),
    "simba_like": ("random_pruned", MapspaceIds(130365075456, 193491763200000, 512, 1), 49, 12),
    "simple_output_stationary": ("hybrid", MapspaceIds(308700000, 12441600, 1, 8), 59, 15),
}
pytestmark = pytest.mark.skipif(not DESIGNS.exists(), reason="the public Timeloop inputs are not there")


@pytest.mark.parametrize("design", RUNS)
@pytest.mark.parametrize("form", ["v0.4", "flat"])
def test_documented_run(design: str, form: str) -> None:
    algorithm, sizes, total, valid = RUNS[design]
    flat = STANDARD / "flattened" / f"ex_{design}"
    machine = [flat / "arch_v03.yaml", flat / "constraints_v03.yaml"]
    if form == "v0.4":
        machine = [DESIGNS / design / "arch.yaml"]
    problem = DESIGNS / "_include" / "default_problem.yaml"
    spec = load([*machine, flat / "ERT.yaml", flat / "ART.yaml", problem], strict=False)
    options = replace(
        spec.mapper,
        algorithm=algorithm,
        num_threads=1,
        search_size=valid,
        victory_condition=0,
        timeout=100_000,
    )
    space = TimeloopMapspace(spec)
    assert space.sizes == sizes
    searcher = TimeloopSearcher(space, options)
    run_mapper(searcher, NativeEvaluator(spec, precheck=True))
    assert (searcher.counters[0].total, searcher.counters[0].valid) == (total, valid)
