"""The machines that the scaling benchmark makes are what its tables say they are."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import scaling

from timeloop_marl.cost.outcome import Statistics
from timeloop_marl.evaluators.native import NativeEvaluator


@pytest.mark.parametrize("side", [4, 64])
@pytest.mark.parametrize("hops", [False, True])
def test_arrays_have_so_many_pes(side: int, hops: bool) -> None:
    architecture = scaling.with_array(scaling.base(), side, hops).architecture
    assert architecture.compute.instances == architecture.storage[0].instances == side * side
    assert [architecture.fanout_x(s) for s in range(3)] == [1, side, 1]
    assert [architecture.fanout_y(s) for s in range(3)] == [1, side, 1]
    assert any(level.network.energy_per_hop for level in architecture.storage) == hops


def test_levels_are_added_below_dram() -> None:
    spec = scaling.with_levels(scaling.base(), 8)
    sizes = [level.size for level in spec.architecture.storage]
    assert len(sizes) == len(spec.energies.storage) == 8
    assert sizes[-1] is None
    assert all(4 * a == b for a, b in pairwise(sizes[1:-1]))


@pytest.mark.parametrize("kind", scaling.KINDS)
@pytest.mark.parametrize("form", [scaling.ONE_LOOP, scaling.TWO_LOOPS])
def test_mappings_fill_the_array_and_are_mappings_of_the_wide_layer(form: str, kind: str) -> None:
    one, drawn = scaling.for_one_pe(form, 8, kind, 20)
    spec, mappings = scaling.filled(form, 8, drawn, False)
    evaluator = NativeEvaluator(spec)
    assert (evaluator(mappings).failure == 0).all()
    assert (NativeEvaluator(one)(drawn).failure == 0).all()
    uneven = (mappings.factors != mappings.residuals).any(axis=(1, 2))
    assert uneven.all() if kind == "imperfect" else not uneven.any()
    for mapping in (mappings[i] for i in range(len(mappings))):
        result = evaluator.statistics(mapping)  # raises if the bounds do not multiply to those of the layer
        assert isinstance(result, Statistics)
    place = next(t for t, tile in enumerate(spec.architecture.tiling_levels) if tile.spatial)
    assert (mappings.factors[:, place].prod(axis=1) == 64).all()
