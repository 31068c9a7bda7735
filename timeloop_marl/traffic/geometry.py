"""Geometry: everything of a Spec that decides which words move (sections 1 to 10), as one record for kernels.

Built once per Spec (``geometry_of``) and read by the mapspaces, the searchers, the counts of words, the cost model and
the search for the optimum. It knows no price, no bandwidth and no energy.

Axes: D dims, P data spaces, S storage levels (0 innermost), T tiling levels (inside-out), R ranks of all data spaces.
The record says how much of each axis is used; axes are at least so long that nearly all problems and machines share
one compiled type. A data space's ranks are ``rank_start[p] .. rank_start[p + 1] - 1``, a rank's terms
``term_start[r] .. term_start[r + 1] - 1``. Section numbers are those of docs/model.md.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ..errors import UnsupportedFeatureError
from ..kernels.compiling import inlined
from ..kernels.record import allocate, duplicate, fill, rounded
from ..specs.architecture import StorageLevel
from ..specs.constraints import Switches
from ..specs.problem import DataSpace, Problem
from ..specs.spec import Spec

LARGEST_COUNT = 2**62
"""No count may reach this; beyond, construction refuses the problem."""

NO_LIMIT = -1
"""``Geometry.capacity`` of a level without a size."""

ANY_ENTRIES, LAST_ENTRY, EACH_ENTRY = 0, 1, 2
"""Values of ``Geometry.asked``: nobody minds of how many entries traffic consists; only the last counts; each does."""

LEAST = {"D": 12, "P": 4, "S": 16, "T": 32, "R": 24, "terms": 48}
"""Axes are at least this long."""

Pairs = frozenset[tuple[int, int]]
Values = dict[str, object]


class Geometry:
    """Constants of one problem on one machine under one set of reuse switches. Words and instances throughout."""

    # how much of each axis is used
    dims: int
    spaces: int
    levels: int
    tiles: int
    # problem
    bounds: Int64[ndarray, "D"]
    read_write: Bool[ndarray, "P"]
    rank_start: Int64[ndarray, "P+1"]
    term_start: Int64[ndarray, "R+1"]
    term_dim: Int64[ndarray, "terms"]
    term_coefficient: Int64[ndarray, "terms"]
    term_distance: Int64[ndarray, "terms"]  # magnitude of the coefficient
    # where dim d occurs in data space p: ranks, each once, and by how much they move
    occurrence_start: Int64[ndarray, "P D"]
    occurrence_end: Int64[ndarray, "P D"]
    occurrence_rank: Int64[ndarray, "terms"]
    occurrence_distance: Int64[ndarray, "terms"]
    # the same for all data spaces, by dim: ranks moved by dim d
    moved_start: Int64[ndarray, "D+1"]
    moved_rank: Int64[ndarray, "terms"]
    moved_distance: Int64[ndarray, "terms"]
    rank_bit: Int64[ndarray, "P D"]  # bit of the only rank in which d occurs, 0 if there are several
    rank_distance: Int64[ndarray, "P D"]
    motion: Int64[ndarray, "P D"]  # coded motion of the box of p when x_d grows by 1 (section 18)
    used: Bool[ndarray, "P D"]  # dim d occurs in the projection of p
    lone: Bool[ndarray, "P D"]  # dim d moves a rank of p that no other dim moves
    coupled: Bool[ndarray, "P"]  # some used dim of p is not such a one
    rank_step: Int64[ndarray, "R D"]  # how far a step of dim d moves rank r, as a magnitude
    # tiling levels
    tile_storage: Int64[ndarray, "T"]
    tile_spatial: Bool[ndarray, "T"]
    blocks: int  # spatial tiling levels ..
    block_level: Int64[ndarray, "S"]  # .. and which these are, inside-out
    # machine (sections 1, 11)
    fanout_x: Int64[ndarray, "S"]
    fanout_y: Int64[ndarray, "S"]
    instances: Int64[ndarray, "S"]
    mesh_x: Int64[ndarray, "S"]
    mesh_y: Int64[ndarray, "S"]
    capacity: Int64[ndarray, "S"]  # effective size in words; NO_LIMIT = unlimited
    least: Float64[ndarray, "S"]  # effective size times min_utilization
    compute: Int64[ndarray, "3"]  # instances, meshX, meshY of the compute level
    # reuse switches (sections 3, 5, 9, 10) and distribution (section 8)
    no_temporal_reuse: Bool[ndarray, "S P"]
    rmw_first_update: Bool[ndarray, "S P"]
    no_coalesce: Bool[ndarray, "S P"]
    no_multicast: Bool[ndarray, "S P"]
    no_link_transfer: Bool[ndarray, "S P"]
    distributed: Bool[ndarray, "S"]  # network of sub-type M:N below this level
    # options
    rules_2022: bool
    link_transfers: bool
    first_read_elision: bool
    # what is asked for
    hops_needed: bool  # hops too
    all_figures: bool  # also what only statistics show: partitions of read-only data spaces
    asked: Int64[ndarray, "S P"]  # ANY_ENTRIES, LAST_ENTRY or EACH_ENTRY, for the code over vectors
    explicit_blocks: bool  # spatial blocks are always walked: some level distributes its multicast
    coded: bool  # ``motion`` fits in 64 bits; otherwise kernels compare rank by rank


_KNOWN: dict[int, dict[Switches, Geometry]] = {}


def geometry_of(spec: Spec, switches: Switches | None = None) -> Geometry:
    """The geometry of a Spec, hops and any number of entries asked for; the same record whenever it is asked for again.

    Args:
        spec: machine and problem.
        switches: reuse switches; those of the constraints if none are given.

    Raises:
        UnsupportedFeatureError: the rule set is unknown.
    """
    switches = spec.constraints.switches if switches is None else switches
    if id(spec) not in _KNOWN:
        _KNOWN[id(spec)] = {}
        weakref.finalize(spec, _KNOWN.pop, id(spec), None)
    known = _KNOWN[id(spec)]
    if switches not in known:
        known[switches] = _build(spec, switches)
    return known[switches]


def asking(
    geometry: Geometry, hops: bool, entries: Int64[ndarray, "S P"] | None = None, all_figures: bool = False
) -> Geometry:
    """A copy in which something else is asked for: counts are the same, but not all have to be made."""
    copy = duplicate(geometry)
    copy.hops_needed, copy.all_figures = hops, all_figures
    if entries is not None:
        fill(copy, {"asked": entries})
    return copy


@inlined
def extent(geometry: Geometry, r: int, tile: Int64[ndarray, "D"]) -> int:
    """Extent of rank r of the hull of a tile with ``tile[d]`` steps in dim d (2.3)."""
    size = 1
    for t in range(geometry.term_start[r], geometry.term_start[r + 1]):
        size += geometry.term_distance[t] * (tile[geometry.term_dim[t]] - 1)
    return size


@inlined
def hull_words(geometry: Geometry, p: int, tile: Int64[ndarray, "D"]) -> int:
    """Words of data space p in the hull of a tile with ``tile[d]`` steps in dim d (2.3)."""
    words = 1
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        words *= extent(geometry, r, tile)
    return words


def _build(spec: Spec, switches: Switches) -> Geometry:
    if spec.options.rules not in ("2022", "2025"):
        raise UnsupportedFeatureError("unknown rule set", value=spec.options.rules, expected="2022 or 2025")
    problem, storage, spaces = spec.problem, spec.architecture.storage, spec.problem.data_spaces
    values = {
        **_problem_values(problem),
        **_machine_values(spec),
        **_switch_values(switches, (len(storage), len(spaces))),
        **_option_values(spec),
    }
    counts = {
        "D": len(problem.dims),
        "P": len(spaces),
        "S": len(storage),
        "T": len(spec.architecture.tiling_levels),
        "R": sum(len(space.ranks) for space in spaces),
        "terms": sum(len(rank) for space in spaces for rank in space.ranks),
    }
    geometry = allocate(Geometry, axis_sizes(counts, LEAST))
    fill(geometry, values)
    return geometry


def axis_sizes(counts: Mapping[str, int], least: Mapping[str, int]) -> dict[str, int]:
    """Sizes of the axes of a record that hold the given counts."""
    return {axis: rounded(counts[axis], smallest) for axis, smallest in least.items()}


def _problem_values(problem: Problem) -> Values:
    """Sections 1 and 2: bounds and projections."""
    spaces, motion = problem.data_spaces, _motions(problem)
    return {
        "dims": len(problem.dims),
        "spaces": len(spaces),
        "bounds": _ints(problem.bounds),
        "read_write": np.array([space.read_write for space in spaces], np.bool_),
        "rank_start": _ints(np.cumsum([0, *(len(space.ranks) for space in spaces)])),
        "term_start": _ints(np.cumsum([0, *(len(rank) for space in spaces for rank in space.ranks)])),
        "term_dim": _ints([term.dim for space in spaces for rank in space.ranks for term in rank]),
        "term_coefficient": _ints(
            [term.coefficient for space in spaces for rank in space.ranks for term in rank]
        ),
        **_occurrences(problem),
        "motion": np.zeros((len(spaces), len(problem.dims)), np.int64) if motion is None else motion,
        "term_distance": _ints(
            [abs(term.coefficient) for space in spaces for rank in space.ranks for term in rank]
        ),
        "coded": motion is not None,
    }


def _machine_values(spec: Spec) -> Values:
    """Sections 1 and 11: meshes and sizes."""
    architecture = spec.architecture
    storage, levels = architecture.storage, range(len(architecture.storage))
    return {
        "levels": len(storage),
        "tiles": len(architecture.tiling_levels),
        "tile_storage": _ints([tile.storage for tile in architecture.tiling_levels]),
        "tile_spatial": np.array([tile.spatial for tile in architecture.tiling_levels], np.bool_),
        "blocks": sum(tile.spatial for tile in architecture.tiling_levels),
        "block_level": _ints([t for t, tile in enumerate(architecture.tiling_levels) if tile.spatial]),
        "fanout_x": _ints([architecture.fanout_x(s) for s in levels]),
        "fanout_y": _ints([architecture.fanout_y(s) for s in levels]),
        "instances": _ints([level.instances for level in storage]),
        "mesh_x": _ints([level.mesh_x for level in storage]),
        "mesh_y": _ints([level.mesh_y for level in storage]),
        "capacity": _ints([_capacity(level) for level in storage]),
        "least": _floats([least_words(level) for level in storage]),
        "compute": _ints(
            [
                architecture.compute.instances,
                architecture.compute.mesh_x,
                architecture.compute.mesh_y,
            ]
        ),
        "distributed": np.array([level.network.distributed for level in storage], np.bool_),
    }


def _switch_values(switches: Switches, pairs: tuple[int, int]) -> Values:
    """Reuse switches (sections 3, 5, 9 and 10)."""
    return {
        "no_temporal_reuse": _pairs(switches.no_temporal_reuse, pairs),
        "rmw_first_update": _pairs(switches.rmw_first_update, pairs),
        "no_coalesce": _pairs(switches.no_coalesce, pairs),
        "no_multicast": _pairs(switches.no_multicast, pairs),
        "no_link_transfer": _pairs(switches.no_link_transfer, pairs),
    }


def _option_values(spec: Spec) -> Values:
    """Options, and what may be left out."""
    return {
        "rules_2022": spec.options.rules == "2022",
        "link_transfers": spec.options.link_transfers,
        "first_read_elision": spec.options.first_read_elision,
        "all_figures": False,
        "hops_needed": True,
        "explicit_blocks": any(level.network.distributed for level in spec.architecture.storage),
    }


def least_words(level: StorageLevel) -> float:
    """Effective size times min_utilization, in words; 0 where there is no size."""
    return 0.0 if level.effective_size is None else level.effective_size * level.min_utilization


def _ints(values: object) -> ndarray:
    return np.array(values, np.int64)


def _floats(values: object) -> ndarray:
    return np.array(values, np.float64)


def _pairs(pairs: Pairs, shape: tuple[int, int]) -> ndarray:
    table = np.zeros(shape, np.bool_)
    for s, p in pairs:
        table[s, p] = True
    return table


def _capacity(level: StorageLevel) -> int:
    return NO_LIMIT if level.effective_size is None else level.effective_size


def _occurrences(problem: Problem) -> dict[str, ndarray]:
    """Per data space and dim the ranks that it moves, with distances; opposite terms of one rank may cancel."""
    shape = (len(problem.data_spaces), len(problem.dims))
    start, end, bit, single = (np.zeros(shape, np.int64) for _ in range(4))
    steps: list[list[int]] = []
    ranks: list[int] = []
    distances: list[int] = []
    first = 0
    for p, space in enumerate(problem.data_spaces):
        for d in range(len(problem.dims)):
            start[p, d] = len(ranks)
            for r, rank in enumerate(space.ranks):
                distance = abs(sum(term.coefficient for term in rank if term.dim == d))
                if distance:
                    ranks.append(first + r)
                    distances.append(distance)
                    bit[p, d], single[p, d] = 1 << r, distance
            end[p, d] = len(ranks)
            if end[p, d] - start[p, d] != 1:
                bit[p, d] = 0
        steps += [
            [abs(sum(term.coefficient for term in rank if term.dim == d)) for d in range(len(problem.dims))]
            for rank in space.ranks
        ]
        first += len(space.ranks)
    everywhere = [rank for space in problem.data_spaces for rank in space.ranks]
    moved = sorted((term.dim, r, abs(term.coefficient)) for r, rank in enumerate(everywhere) for term in rank)
    return {
        "moved_start": _ints([sum(entry[0] < d for entry in moved) for d in range(shape[1] + 1)]),
        "moved_rank": _ints([entry[1] for entry in moved]),
        "moved_distance": _ints([entry[2] for entry in moved]),
        "occurrence_start": start,
        "occurrence_end": end,
        "occurrence_rank": _ints(ranks),
        "occurrence_distance": _ints(distances),
        "rank_bit": bit,
        "rank_distance": single,
        "used": (end > start).astype(np.uint8),
        "rank_step": _ints(steps),
        **_lone_dims(problem),
    }


def _lone_dims(problem: Problem) -> dict[str, ndarray]:
    """Dims that move a rank alone, by one term. No spatial block reaches as far in it as a temporal loop outside."""
    lone = np.zeros((len(problem.data_spaces), len(problem.dims)), np.bool_)
    used = np.zeros_like(lone)
    for p, space in enumerate(problem.data_spaces):
        for rank in space.ranks:
            for term in rank:
                used[p, term.dim] = True
                lone[p, term.dim] |= len(rank) == 1 and term.coefficient != 0
    return {"lone": lone, "coupled": np.asarray((used & ~lone).any(axis=1))}


def _extents(problem: Problem, space: DataSpace) -> list[int]:
    return [
        1 + sum(abs(term.coefficient) * (problem.bounds[term.dim] - 1) for term in rank)
        for rank in space.ranks
    ]


def _motions(problem: Problem) -> ndarray | None:
    """Motion of every box per unit of every dim as one integer, or ``None`` if that needs more than 64 bits.

    A motion is a number whose digits are the motions of the ranks. Differences of motions stay below 4 extents, so
    with a radix above 8 extents two codes are equal only if all digits are.
    """
    table = [[0] * len(problem.dims) for _ in problem.data_spaces]
    for p, space in enumerate(problem.data_spaces):
        weight = 1
        for rank, extent in zip(space.ranks, _extents(problem, space)):
            for term in rank:
                table[p][term.dim] += weight * term.coefficient
            weight *= 8 * extent + 1 if extent > 1 else 1
        if weight >= LARGEST_COUNT:
            return None
    return _ints(table)


def require_countable(problem: Problem) -> None:
    """Refuse problems whose largest possible count does not fit: computes times the growth of strided hulls."""
    for space in problem.data_spaces:
        bound = 4
        for d, size in enumerate(problem.bounds):
            terms = [term for rank in space.ranks for term in rank if term.dim == d]
            bound *= size ** max(1, len(terms))
            for term in terms:
                bound *= max(1, abs(term.coefficient))
        if bound >= LARGEST_COUNT:
            raise UnsupportedFeatureError(
                f"accesses of data space {space.name} may exceed 64-bit counts",
                path="problem.instance",
                value=dict(zip(problem.dims, problem.bounds)),
                remedy="split the layer into smaller ones",
            )
