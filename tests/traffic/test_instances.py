"""Utilised instances of imperfect spatial loops (section 7)."""

from __future__ import annotations

from shell import CONV, EYERISS

import timeloop_marl as tm
from timeloop_marl.kernels.compiling import plain
from timeloop_marl.traffic.geometry import geometry_of
from timeloop_marl.traffic.levels import count_instances
from timeloop_marl.traffic.workspace import SPATIAL_X, TEMPORAL, workspace

# Inside-out: dim, bound, residual, level, kind. Dim 1 goes on 10 times outside, then 3 (last time 1) and 2 (1) across.
LOOPS = (
    (0, 1, 1, 0, TEMPORAL),
    (1, 2, 1, 0, SPATIAL_X),
    (0, 1, 1, 1, TEMPORAL),
    (1, 3, 1, 1, SPATIAL_X),
    (0, 2, 2, 1, SPATIAL_X),
    (1, 10, 10, 2, TEMPORAL),
)


def test_the_product_comes_before_the_division() -> None:
    """2 x 28 / 10 x 55 / 28 is 11; the quotients first give 10.999999999999998, of which 10 are left."""
    spec = tm.load([EYERISS, CONV])
    geometry = geometry_of(spec)
    work = workspace(geometry)
    work.loops[0] = len(LOOPS)
    for place, loop in enumerate(LOOPS):
        work.loop_dim[place], work.loop_bound[place], work.loop_residual[place] = loop[:3]
        work.loop_level[place], work.loop_kind[place] = loop[3:]
    work.boundary[:3] = 0, 2, 5
    work.width[0], work.height[0] = 2, 1
    assert plain(count_instances)(geometry, work)
    assert list(work.rep[:3]) == [11, 5, 1]
