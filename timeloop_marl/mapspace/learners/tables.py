"""The learners' view as plain data: its axes, and the arrays that its compiled kernels read and write."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from ...kernels.record import Box
from ...traffic.geometry import Geometry

TEMPORAL, X, Y = 0, 1, 2  # sides of a slot


class AxisKind(Enum):
    """What an axis decides."""

    FACTOR = "factor"  # the slot of one prime factor of a dimension
    ORDER = "order"  # the rank of a dimension among the loops of a tiling level, 0 innermost
    BYPASS = "bypass"  # whether a storage level keeps a data space


@dataclass(frozen=True)
class Axis:
    """A column of a candidate row; its values are 0 .. cardinality - 1.

    ``labels`` name the values. ``dim``, ``storage``, ``tiling``, ``data_space`` say what the axis is about, so that
    axes can be grouped into agents; ``None`` where it has no single one. Behind the values of a factor axis: ``slots``,
    the mapspace's slot numbers, and ``factors``, what each puts there. A perfect axis has one factor (a prime, or a
    fixed spatial factor whose side is free) and many slots; an imperfect one has one slot and many factors.
    """

    name: str
    kind: AxisKind
    cardinality: int
    labels: tuple[str, ...]
    dim: int | None = None
    storage: int | None = None
    tiling: int | None = None
    data_space: int | None = None
    slots: tuple[int, ...] = ()
    factors: tuple[int, ...] = ()

    @property
    def factor(self) -> int:
        """The largest factor; the only one of a perfect axis."""
        return max(self.factors, default=1)

    @property
    def imperfect(self) -> bool:
        """Whether it chooses the loop bound of one slot."""
        return len(set(self.factors)) > 1


class Tables(NamedTuple):
    """Arrays of one mapspace. T tiling levels, S storage levels, D dims, P data spaces, I items, A axes.

    An *item* is a prime factor of a dimension still to be placed (or a fixed spatial factor whose side is free), or the
    loop bound of an imperfect dimension at one slot; a *slot* is a tiling level and a side, numbered inside-out, X
    before Y. The value of item i's axis is an index into ``item_slots[item_first[i] : item_first[i] + item_count[i]]``
    and ``item_values`` of the same range. Loop bounds fall, down to 1, so that the next value is always the one that
    takes less inside. An imperfect dimension has an *absorber*, the outermost tiling level that takes it: its bound is
    what the others leave, rounded up.
    """

    geometry: Box[Geometry]
    temporal_of: Int64[ndarray, "S"]  # tiling level that holds the temporal loops of a storage level
    slot_level: Int64[ndarray, "slots"]
    slot_side: Int64[ndarray, "slots"]
    item_bound: Bool[ndarray, "I"]  # a loop bound, no prime factor
    item_dim: Int64[ndarray, "I"]
    item_axis: Int64[ndarray, "I"]
    item_first: Int64[ndarray, "I"]
    item_count: Int64[ndarray, "I"]
    item_slots: Int64[ndarray, "flat"]
    item_values: Int64[ndarray, "flat"]
    item_twin: Bool[ndarray, "I"]  # interchangeable with the item before it
    absorber: Int64[ndarray, "D"]  # tiling level, -1 for a dimension of perfect factors
    tight: (
        bool  # bounds are lowered to what covers the dimension; not where too little of the array may be used
    )
    base_factor: Int64[ndarray, "T D"]
    base_side: Int64[ndarray, "T D"]
    maximum: Int64[ndarray, "T D"]
    fan: Int64[ndarray, "T 3"]  # capacity of each side of a tiling level; column 0 unused
    demand: Int64[ndarray, "demands 3"]  # tiling level, dim, smallest factor there
    instances: Int64[ndarray, "S+1"]  # 0 = compute, s + 1 = storage level s; 0 there = implied by the meshes
    min_parallelism: float
    keep: Int64[ndarray, "S P"]  # 0 bypassed, 1 kept, 2 free
    keep_axis: Int64[ndarray, "S P"]
    rank_axis: Int64[ndarray, "T D"]  # axis that ranks the dim among the loops of the level, -1 none
    free: Bool[ndarray, "T D"]  # in neither prefix nor suffix of the user's permutation
    position: Int64[ndarray, "T D"]  # place in the user's permutation; the free dims of a level share one
    ordered: Bool[ndarray, "T"]  # X loops must precede Y loops in the user's permutation
    split: Int64[ndarray, "T"]  # the user's, -1 none
    free_sides: Int64[ndarray, "T 3"]  # how many free dims a user's split lets be X, Y
    cardinality: Int64[ndarray, "A"]


class Work(NamedTuple):
    """Scratch of the kernels: one candidate being built."""

    factor: Int64[ndarray, "T D"]
    side: Int64[ndarray, "T D"]
    used: Int64[ndarray, "T 3"]
    extent: Int64[ndarray, "S D"]
    before: Int64[ndarray, "S D"]  # extents to be had again
    keep: Int64[ndarray, "S P"]
    chosen: Int64[ndarray, "I"]  # index into the item's slots, -1 = not placed
    wish: Int64[ndarray, "I"]  # index into the item's slots that the genome asks for
    order: Int64[ndarray, "I"]
    roomy: Bool[ndarray, "S"]  # the level holds its tile wherever the items still to be placed may go
    state: ndarray  # uint64 (1,)


def workspace(tables: Tables) -> Work:
    """Fresh scratch arrays, one per chunk of candidates."""
    T, D = tables.base_factor.shape
    S, P = tables.keep.shape
    items = tables.item_dim.shape[0]
    return Work(
        factor=np.ones((T, D), np.int64),
        side=np.zeros((T, D), np.int64),
        used=np.ones((T, 3), np.int64),
        extent=np.ones((S, D), np.int64),
        before=np.ones((S, D), np.int64),
        keep=np.zeros((S, P), np.int64),
        chosen=np.zeros(items, np.int64),
        wish=np.zeros(items, np.int64),
        order=np.zeros(items, np.int64),
        roomy=np.zeros(S, np.bool_),
        state=np.zeros(1, np.uint64),
    )
