"""All counts of one mapping, without a price: sections 1 to 10 from the factors to reads, fills and updates."""

from __future__ import annotations

from jaxtyping import Bool, Int8, Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from .accesses import fill_accesses, fill_space, list_temporal_loops
from .geometry import Geometry
from .levels import (
    STEPS,
    bypass,
    bypass_space,
    count_computes,
    count_space,
    count_traffic,
    distribute,
    distribute_space,
    mark_present,
    share_out,
    share_out_space,
)
from .nest import build_nest, measure_spread, measure_tiles, spread_levels
from .workspace import Workspace

COUNTED = -1
NO_TILE_LEFT, LONE_RESIDUAL, COMPLEX_SIGNATURE, FEW_READS = 0, 1, 2, 3
"""Answers of ``settle_words``: counted; or why the real program gives up (also in ``Workspace.abort``)."""


@kernel
def begin_words(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    row: int,
    work: Workspace,
) -> bool:
    """Begin to count one row of a batch (arrays as in ``MappingBatch``): what all data spaces share.

    ``move_space`` and ``settle_space`` of each data space do the rest, for callers that may know enough after some of
    them. False where there is nothing to count: a data space is kept nowhere, or no level is left of it.

    Factors are taken to be perfect. Nothing is checked against the machine but what counting needs: blocks of more
    children than there are instances must not be counted (``docs/model.md``, section 11). ``work`` is a
    ``workspace(geometry)``, of one thread, and holds in the end (per instance of level s, over the whole run):

    * ``reads``, ``fills``, ``updates`` [S, P]: scalar words; 0 at levels that do not hold p;
    * ``held`` [S, P]: words of the tile, 0 where p is not held; ``tile`` [S, P]: the same, bypassed or not;
      ``partition`` [S, P]: words that an instance ever holds (read-write data spaces);
    * ``rep``, ``spread_x``, ``spread_y`` [S]: utilised instances, columns and rows;
    * ``counts[STEPS]``: temporal steps, ``counts[COMPUTES]``: multiply-accumulates, ``counts[COMPUTE_INSTANCES]``:
      utilised compute instances, ``counts[SPREAD_X]``, ``counts[SPREAD_Y]``: columns and rows of them;
    * what level s sends to its children over the network below it: ``entries`` [S, P] entries, each with its
      ``multicast`` and ``scatter`` (children a word reaches, groups of them), ``accesses`` (words sent) and ``hops``
      (sum of hops, if ``geometry.hops_needed``) [S, P, E]; ``links`` [S, P]: words that children pass to a neighbour;
      ``fanout`` [S, P]: utilised children;
    * ``content``, ``share``, ``peer`` [S, P]: words sent down, received from the parent, received from peers.

    ``work.status[0]`` is 1 if the workspace has too few entries: repeat the row with a larger one.
    """
    work.status[0] = 0
    if mark_present(geometry, keep[row], work) != 0:
        return False
    measure_spread(geometry, factors, order, split, row, work)
    spread_levels(geometry, work)
    measure_tiles(geometry, factors, row, work)
    build_nest(geometry, factors[row], factors[row], order[row], split[row], work)
    work.counters[0] = 1.0
    work.counts[STEPS] = list_temporal_loops(geometry, work)
    work.counters[1] = float(work.counts[STEPS])
    count_computes(work, False)
    return True


@kernel
def move_space(geometry: Geometry, work: Workspace, p: int) -> None:
    """Sections 4, 5 and 7 of one data space: what every level would be handed if it held it."""
    fill_space(geometry, work, p, work.counts[STEPS])
    share_out_space(geometry, work, p)


@kernel
def settle_space(geometry: Geometry, work: Workspace, p: int) -> bool:
    """Sections 8 to 10 of one data space; false where the real program gives up."""
    if not distribute_space(geometry, work, p):
        return False
    bypass_space(geometry, work, p)
    return count_space(geometry, work, p)


@kernel
def move_perfect(
    geometry: Geometry,
    factors: Int64[ndarray, "T D"],
    residuals: Int64[ndarray, "T D"],
    order: Int8[ndarray, "T D"],
    split: Int8[ndarray, "T"],
    work: Workspace,
) -> None:
    """Sections 1 to 5 of a perfect mapping: entries of all levels, before levels are bypassed."""
    build_nest(geometry, factors, residuals, order, split, work)
    fill_accesses(geometry, work)
    work.counts[STEPS] = int(work.counters[1])


@kernel
def settle_words(geometry: Geometry, work: Workspace, imperfect: bool) -> int:
    """Sections 7 to 10, once the entries are there; ``COUNTED``, or why the real program gives up."""
    count_computes(work, imperfect)
    share_out(geometry, work)
    if not distribute(geometry, work):
        return COMPLEX_SIGNATURE
    bypass(geometry, work)
    if not count_traffic(geometry, work):
        return FEW_READS
    return COUNTED
