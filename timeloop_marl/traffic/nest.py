"""The loop nest of a mapping (sections 1 and 2): which loops there are, their strides and where levels end."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..compiling import kernel
from .geometry import Geometry
from .layout import SPATIAL_X, SPATIAL_Y, TEMPORAL, Workspace


@kernel
def build_nest(
    geometry: Geometry,
    factors: Int64[ndarray, "T D"],
    residuals: Int64[ndarray, "T D"],
    order: Int8[ndarray, "T D"],
    split: Int8[ndarray, "T"],
    work: Workspace,
) -> bool:
    """Fill the loop arrays of ``work`` from one mapping; say whether any loop is imperfect."""
    dims = geometry.dims
    for d in range(dims):
        work.stride[d] = 1
    for s in range(geometry.levels):
        work.block_first[s] = 0
        work.block_end[s] = 0
        work.width[s] = 1
        work.height[s] = 1
    count = 0
    imperfect = False
    for t in range(geometry.tiles):
        s = geometry.tile_storage[t]
        spatial = geometry.tile_spatial[t]
        first = count
        for k in range(dims):
            d = order[t, k]
            n = factors[t, d]
            if n == 1:
                continue
            r = residuals[t, d]
            imperfect = imperfect or r != n
            work.loop_dim[count] = d
            work.loop_bound[count] = n
            work.loop_residual[count] = r
            work.loop_stride[count] = work.stride[d]
            work.loop_level[count] = s
            work.loop_kind[count] = TEMPORAL
            work.stride[d] *= n
            if spatial:
                if k < split[t]:
                    work.loop_kind[count] = SPATIAL_X
                    work.width[s] *= n
                else:
                    work.loop_kind[count] = SPATIAL_Y
                    work.height[s] *= n
            count += 1
        if spatial:
            work.block_first[s] = first
            work.block_end[s] = count
            continue
        if count == first:
            count = _add_dummy_loop(work, count, dims - 1, s)
        work.boundary[s] = count - 1
    work.loops[0] = count
    return imperfect


@kernel
def _add_dummy_loop(work: Workspace, count: int, d: int, s: int) -> int:
    """Append the loop of one iteration that stands in for a temporal level without loops."""
    work.loop_dim[count] = d
    work.loop_bound[count] = 1
    work.loop_residual[count] = 1
    work.loop_stride[count] = work.stride[d]
    work.loop_level[count] = s
    work.loop_kind[count] = TEMPORAL
    return count + 1
