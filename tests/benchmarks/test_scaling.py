"""The machines that the scaling benchmark makes are what its tables say they are."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import scaling

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
def test_drawn_mappings_are_valid_and_use_the_array(kind: str) -> None:
    spec = scaling.base()
    mappings = scaling.draw(spec, kind, 20, 32)
    assert (NativeEvaluator(spec)(mappings).failure == 0).all()
    imperfect = (mappings.factors != mappings.residuals).any(axis=(1, 2))
    assert imperfect.all() if kind == "imperfect" else not imperfect.any()
    spatial = [t for t, tile in enumerate(spec.architecture.tiling_levels) if tile.spatial]
    assert np.prod(mappings.factors[:, spatial], axis=(1, 2)).min() >= 32
