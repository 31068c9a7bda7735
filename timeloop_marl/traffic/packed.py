"""Hops of packed blocks (section 5.2), and a table of them by the shape of the block.

A packed block uses fewer columns than there are: children in the order of their ids fill row after row, so a group has
no rows and columns of its own, and its hops no formula. But grid and centre are given, and what remains are the bounds
of the loops and which of them move the box: a few hundred shapes, as loops next to each other that do the same are one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from .geometry import Geometry
from .workspace import Workspace

MOST_PACKED = 64
"""Most children of a block whose shapes are listed."""

_FACTOR = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


@kernel
def group_hops(
    bounds: Int64[ndarray, "loops"], moves: Int64[ndarray, "loops"], loops: int, columns: int, rows: int
) -> float:
    """Sum over the groups of a block of the hops of one packet to each; loops inside-out."""
    children = 1
    for k in range(loops):
        children *= bounds[k]
    total = 0.0
    for leader in range(children):
        if _leader(bounds, moves, loops, leader) == leader:
            last = 0
            for column in range(columns):
                first_row, last_row = -1, -1
                for child in range(column, children, columns):
                    if _leader(bounds, moves, loops, child) == leader:
                        last_row = child // columns
                        first_row = last_row if first_row < 0 else first_row
                if first_row >= 0:
                    last = column
                    total += max(0.0, (rows - 1) / 2 - first_row) + max(0.0, last_row - (rows - 1) / 2)
            total += float(last)
    return total


@kernel
def _leader(bounds: Int64[ndarray, "loops"], moves: Int64[ndarray, "loops"], loops: int, child: int) -> int:
    """The first child with the same data."""
    leader, radix, rest = 0, 1, child
    for k in range(loops):
        leader += rest % bounds[k] * radix if moves[k] else 0
        rest //= bounds[k]
        radix *= bounds[k]
    return leader


@kernel
def packed_hops(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
) -> float:
    """Sum over the groups of a packed block of level t of the hops of one packet to each."""
    s = geometry.tile_storage[t]
    for k in range(geometry.dims):
        work.event_bound[k] = factors[i, t, order[i, t, k]]
        work.event_kind[k] = geometry.used[p, order[i, t, k]]
    return group_hops(
        work.event_bound, work.event_kind, geometry.dims, geometry.fanout_x[s], geometry.fanout_y[s]
    )


@kernel
def place_key(radix: int) -> int:
    """What a radix adds to the key of a shape if a run of loops that do not move the box ends there."""
    return radix * radix * radix + 5 * radix


@kernel
def shape_key(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    t: int,
    p: int,
) -> int:
    """A number that tells the shapes of blocks apart: children, and where runs of loops that share data lie.

    A loop adds what its end does less what its beginning does: nothing if it has one iteration, and two next to each
    other the same as one.
    """
    key, radix = 0, 1
    for k in range(geometry.dims):
        d = order[i, t, k]
        longer = radix * factors[i, t, d]
        key += 0 if geometry.used[p, d] else place_key(longer) - place_key(radix)
        radix = longer
    return key * (MOST_PACKED + 1) + radix


@dataclass(frozen=True)
class HopTable:
    """Hops by key: ``hops[(key * factor mod 2^64 >> shift) ^ moved[key & (len(moved) - 1)]]``.

    Both lengths are powers of 2. Keys of blocks that are not packed lead to some element, too.
    """

    factor: int
    shift: int
    moved: tuple[int, ...]
    hops: tuple[float, ...]

    def slot(self, key: int) -> int:
        """Where the hops of a key are."""
        return (key * self.factor & _MASK) >> self.shift ^ self.moved[key & (len(self.moved) - 1)]


def hop_table(columns: int, rows: int) -> HopTable | None:
    """Hops of all packed shapes on a grid; ``None`` if two shapes had one key or no place was found."""
    found: dict[int, float] = {}
    for bounds, moves in _shapes(columns, columns * rows):
        key, hops = (
            _key(bounds, moves),
            group_hops(np.array(bounds), np.array(moves), len(bounds), columns, rows),
        )
        if found.setdefault(key, hops) != hops:
            return None
    bits = max(4, (2 * len(found)).bit_length())
    tables = (_placed(found, bits, _FACTOR * power & _MASK) for power in range(1, 200, 2))
    return next((table for table in tables if table is not None), None)


def _placed(found: dict[int, float], bits: int, factor: int) -> HopTable | None:
    """Hash and displace: the fullest buckets first, each moved to where all its keys find free slots."""
    size = 1 << bits
    buckets: list[list[int]] = [[] for _ in range(size // 4)]
    for key in found:
        buckets[key & (len(buckets) - 1)].append(key)
    start = {key: (key * factor & _MASK) >> (64 - bits) for key in found}
    hops, taken, moved = [0.0] * size, [False] * size, [0] * len(buckets)
    for bucket in sorted(range(len(buckets)), key=lambda b: (-len(buckets[b]), b)):
        keys = buckets[bucket]
        for move in range(size):
            slots = {start[key] ^ move for key in keys}
            if len(slots) == len(keys) and not any(taken[slot] for slot in slots):
                break
        else:
            return None
        moved[bucket] = move
        for key in keys:
            hops[start[key] ^ move], taken[start[key] ^ move] = found[key], True
    return HopTable(factor, 64 - bits, tuple(moved), tuple(hops))


def _key(bounds: tuple[int, ...], moves: tuple[int, ...]) -> int:
    """``shape_key`` of a shape."""
    key, radix = 0, 1
    for bound, moving in zip(bounds, moves, strict=True):
        key += 0 if moving else place_key(radix * bound) - place_key(radix)
        radix *= bound
    return key * (MOST_PACKED + 1) + radix


def _shapes(columns: int, most: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Bounds of loops that move and do not move the box in turn, for all numbers of children of packed blocks."""
    for children in range(columns + 1, most + 1):
        for bounds in _factorings(children):
            for first in (0, 1):
                yield bounds, tuple((first + k) % 2 for k in range(len(bounds)))


def _factorings(number: int) -> Iterator[tuple[int, ...]]:
    """All ordered products of factors above 1."""
    if number == 1:
        yield ()
    for factor in range(2, number + 1):
        if number % factor == 0:
            for rest in _factorings(number // factor):
                yield (factor, *rest)
