"""From loops to the ranks of formats (docs/sparse.md, section 3)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from ...specs.problem import DataSpace, Problem
from ...specs.sparse import Sparsity, TensorFormat
from .density import Box, points
from .nest import Loop, box


class MisfitError(Exception):
    """A mapping that a sparse design does not take: failure class, storage level (-1 = compute) and message."""

    def __init__(self, kind: str, level: int, message: str) -> None:
        super().__init__(message)
        self.kind, self.level, self.message = kind, level, message


class LoopRank(NamedTuple):
    """One rank: the loops that it holds as (dim, bound), the tile of its outermost one, points of its fibers."""

    loops: tuple[tuple[int, int], ...]
    tile: Box
    fiber: int


class LevelRanks(NamedTuple):
    """Ranks of one data space at one level, innermost first; ``inside``: the tile inside the innermost."""

    ranks: tuple[LoopRank, ...]
    inside: Box


def check_formats(
    sparsity: Sparsity, problem: Problem, names: Sequence[str], keep: Sequence[Sequence[bool]]
) -> None:
    """What levels must be able to do for their neighbours' formats (3.1).

    Raises:
        MisfitError: something else is needed.
    """
    for p, space in enumerate(problem.data_spaces):
        kept = [s for s in reversed(range(len(names))) if keep[s][p]]
        for u, s in itertools.pairwise(kept):
            outer, inner = sparsity.levels[u].formats[p], sparsity.levels[s].formats[p]
            if outer is None or not outer.compressed:
                continue
            if inner is None or not inner.compressed:
                if not sparsity.levels[s].decompression:
                    raise MisfitError(
                        "format", s, "decompression (from parent level) needed but not supported"
                    )
                if space.read_write and not sparsity.levels[s].compression:
                    raise MisfitError("format", s, "compression (to parent level) needed but not supported")
            elif len(outer.ranks) < len(inner.ranks):
                raise MisfitError(
                    "format", u, "runtime partition needed but not supported (NOT IMPLEMENTED YET)"
                )


def assign_ranks(
    sparsity: Sparsity, problem: Problem, names: Sequence[str], nest: Sequence[Sequence[Loop]],
    volume: Sequence[Sequence[int]],
) -> list[list[LevelRanks | None]]:  # fmt: skip
    """Ranks of every level and data space; ``None`` where it is not stored.

    Raises:
        MisfitError: more ranks are needed than a format has, or neighbours' formats do not align.
    """
    result: list[list[LevelRanks | None]] = [[None] * len(problem.data_spaces) for _ in names]
    for p, space in enumerate(problem.data_spaces):
        child: int | None = None
        for s in range(len(names)):
            if volume[s][p] == 0:
                continue
            loops = [loop for level in nest[(0 if child is None else child + 1) : s + 1] for loop in level]
            loops = [loop for loop in loops if loop.dim in space.dims]
            boxes = [box(space, loop.extents) for loop in loops]
            form, below = sparsity.levels[s].formats[p], None if child is None else result[child][p]
            pre = form is not None and form.compressed and child is not None and volume[child][p] > 1
            if pre:
                assert form is not None and child is not None and below is not None
                _check_alignment(
                    form, sparsity.levels[child].formats[p], len(below.ranks), space.name, names, s, child
                )
            else:
                below = None
            bounds = _bounds(loops, None if pre else nest[: 0 if child is None else child + 1])
            ranks = _assign(form, list(zip(loops, bounds, boxes)), 0 if below is None else len(below.ranks))
            if ranks is None:
                raise MisfitError(
                    "ranks", s,
                    f"more compression ranks needed than supported in hardware. dataspace name: {space.name}",
                )  # fmt: skip
            scalar = (1,) * len(space.ranks)
            inside = scalar if below is None else below.inside
            done = [_finished(space, len(problem.dims), held, tile) for held, tile in ranks]
            result[s][p] = LevelRanks((*(() if below is None else below.ranks), *done), inside)
            child = s
    return result


def _check_alignment(
    form: TensorFormat,
    child: TensorFormat | None,
    inner: int,
    space: str,
    names: Sequence[str],
    s: int,
    c: int,
) -> None:
    """A format that holds the child's tiles as its innermost ranks (3.2)."""
    aligned = inner <= len(form.ranks)
    if child is not None and child.compressed:
        aligned = aligned and all(a.format == b.format for a, b in zip(form.ranks, child.ranks))
    if not aligned:
        message = f"pretiling for {space}required but level compression format does not align: {names[s]} {names[c]}\n"
        raise MisfitError("ranks", s, message)


def _bounds(loops: Sequence[Loop], inner: Sequence[Sequence[Loop]] | None) -> list[int]:
    """Bounds of loops; without pre-tiling the innermost of each dim reaches down to single points (3.3)."""
    bounds = [loop.bound for loop in loops]
    seen: set[int] = set()
    for i, loop in enumerate(loops):
        if inner is not None and loop.dim not in seen:
            seen.add(loop.dim)
            for level in inner:
                for other in level:
                    if other.dim == loop.dim:
                        bounds[i] *= other.bound
    return bounds


Ranked = tuple[Loop, int, Box]
Found = list[tuple[list[tuple[int, int]], Box | None]]


def _assign(form: TensorFormat | None, loops: list[Ranked], inner: int) -> Found | None:
    """Which ranks hold which loops, innermost first; ``None`` if loops are left over (3.4, 3.5)."""
    count = 1 if form is None else len(form.ranks)
    outwards = form is not None and form.inner_to_outer
    order = list(range(inner, count)) if outwards else list(range(count - 1, inner - 1, -1))
    waiting = [entry for entry in (loops if outwards else loops[::-1]) if entry[1] != 1]
    empty_tile = loops[0][2]
    found: Found = []
    place = 0
    while place < len(order) and waiting:
        rules = () if form is None else form.ranks[order[place]].rules
        place += 1
        loop, _, tile = waiting[0]
        rule = next((rule for rule in rules if loop.dim in rule), None)
        if rules and rule is None:
            # A scalar tile from the inside, the innermost tile from the outside; both at the outer end.
            found.append(([], None if outwards else empty_tile))
            continue
        taken = 1
        if form is None:
            taken = len(waiting)
        elif rule is not None:
            while taken < len(waiting) and waiting[taken][0].dim in rule:
                taken += 1
        entry = [(each.dim, n) for each, n, _ in waiting[:taken]], tile
        waiting = waiting[taken:]
        if outwards:
            found.append(entry)
        else:
            found.insert(0, entry)
    if waiting:
        return None
    for _ in order[place:]:
        if outwards:
            found.append(([], empty_tile))
        else:
            found.insert(0, ([], empty_tile))
    return found


def _finished(space: DataSpace, dims: int, loops: list[tuple[int, int]], tile: Box | None) -> LoopRank:
    """A rank with the points of its fibers (3.7)."""
    extents = [1] * dims
    for d, n in loops:
        extents[d] *= n
    fiber = points(box(space, tuple(extents)))
    return LoopRank(tuple(loops), (1,) * len(space.ranks) if tile is None else tile, fiber)
