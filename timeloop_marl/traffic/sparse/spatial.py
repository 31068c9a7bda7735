"""Instances that are skipped because their tiles are empty (docs/sparse.md, section 5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .actions import Situation
from .doubles import unsigned
from .nest import Extents, Loop, box, grow
from .ranks import MisfitError


@dataclass
class Spread:
    """Instances by level and data space; the compute level's as numbers of their own.

    ``instances`` are averages; ``across`` and ``down`` what is needed at most. ``chance[u][p]``: share of the children
    of level u that is skipped.
    """

    instances: list[list[float]]
    across: list[list[int]]
    down: list[list[int]]
    compute_instances: float
    compute_across: int
    compute_down: int
    chance: list[list[float]]


@dataclass
class _Counts:
    """One data space: columns, rows and shares of the compute level (0) and all storage levels (1 and up)."""

    x: list[int]
    y: list[int]
    share: list[float]


def skip_instances(situation: Situation, spread: Spread, rep: Sequence[int], compute: int) -> None:
    """Fewer instances where a format tells which children are empty; ``spread`` holds the dense counts at first.

    Raises:
        MisfitError: more children are needed than there are.
    """
    levels, spaces = len(rep), len(situation.problem.data_spaces)
    counts = [_begin(situation, spread, p) for p in range(spaces)]
    for u, level in enumerate(situation.sparsity.levels):
        for (option,) in level.spatial:
            _enter(situation, counts[option.target], u, option.target, option.conditions[0])
    entries = {(u, o.target) for u, level in enumerate(situation.sparsity.levels) for (o,) in level.spatial}
    spread.compute_across = spread.compute_down = 0
    spread.compute_instances = 0.0
    for p, found in enumerate(counts):
        x0, y0 = [row[p] for row in spread.across], [row[p] for row in spread.down]
        for a in range(levels, -1, -1):
            rx = ry = 1.0
            if a >= 1:
                spread.instances[a - 1][p] = rep[a - 1] * found.share[a]
                spread.across[a - 1][p], spread.down[a - 1][p] = found.x[a], found.y[a]
                rx, ry = found.x[a] / x0[a - 1], found.y[a] / y0[a - 1]
            else:
                spread.compute_across = max(spread.compute_across, found.x[0])
                spread.compute_down = max(spread.compute_down, found.y[0])
                spread.compute_instances = max(spread.compute_instances, compute * found.share[0])
            if a < levels:
                spread.chance[a][p] = 1.0 - found.share[a]
            if rx != 1.0 or ry != 1.0:
                _hand_down(found, a, rx, ry, [(i, p) in entries for i in range(a)])
    _check_fanout(situation, counts)


def _begin(situation: Situation, spread: Spread, p: int) -> _Counts:
    """What the formats of p itself tell (5.6, 5.7)."""
    levels, dims = len(spread.across), situation.problem.data_spaces[p].dims
    found = _Counts(
        [spread.compute_across, *(row[p] for row in spread.across)],
        [spread.compute_down, *(row[p] for row in spread.down)],
        [1.0] * (levels + 1),
    )
    marked = [False] * (levels + 1)
    for u in range(levels):
        holder = situation.holder(u, p)
        tile = situation.tiles[levels - 1 if holder is None else holder][p]
        if tile is None or tile.form is None:
            continue
        loops = [loop for loop in situation.nest[u] if loop.spatial and loop.bound > 1 and loop.dim in dims]
        found.share[u] = _shrink(situation, found, u, p, [(loop, loop.below) for loop in loops])
        marked[u] = found.share[u] != 1.0
    for a in range(levels, 0, -1):
        s = a - 1
        rx, ry = found.x[a] / spread.across[s][p], found.y[a] / spread.down[s][p]
        if rx != 1.0 or ry != 1.0:
            spread.across[s][p], spread.down[s][p] = found.x[a], found.y[a]
            _hand_down(found, a, rx, ry, marked[:a])
    return found


def _hand_down(found: _Counts, a: int, rx: float, ry: float, stops: Sequence[bool]) -> None:
    """Levels inside a have as many fewer instances; shares go on to the first level that has its own."""
    stopped = False
    for i in range(a - 1, -1, -1):
        stopped = stopped or stops[i]
        found.x[i], found.y[i] = unsigned(found.x[i] * rx), unsigned(found.y[i] * ry)
        if not stopped:
            found.share[i] *= found.share[a]


def _shrink(
    situation: Situation, found: _Counts, a: int, q: int, loops: Sequence[tuple[Loop, Extents]]
) -> float:
    """Reduce the children over loops with the tile of one child each; share of children that hold anything."""
    space, model, share = situation.problem.data_spaces[q], situation.models[q], 1.0
    for i, (loop, element) in enumerate(loops):
        fiber = grow(element, loop.dim, loop.bound)
        if i == 0:
            share = 1.0 - model.empty(box(space, element))
        most = model.most_elements(box(space, fiber), box(space, element))
        if loop.across:
            found.x[a] = unsigned(found.x[a] * (most / loop.bound))
        else:
            found.y[a] = unsigned(found.y[a] * (most / loop.bound))
    return share


def _enter(situation: Situation, found: _Counts, u: int, p: int, q: int) -> None:
    """One entry: children of level u work on p only where q holds anything (5.8)."""
    spaces = situation.problem.data_spaces
    holder = situation.holder(u, q)
    tile = situation.tiles[len(situation.tiles) - 1 if holder is None else holder][q]
    if tile is None or tile.form is None:
        found.share[u] = 1.0
        return
    inner = situation.child(u, p)
    loops = []
    for loop in situation.nest[u]:
        if not (loop.spatial and loop.bound > 1 and loop.dim in spaces[q].dims):
            continue
        element = loop.below
        if inner is not None and loop.dim in spaces[p].dims & spaces[q].dims:
            outer = situation.holder(u, p)
            for other in _until(
                situation, u, len(situation.tiles) - 1 if outer is None else outer, spaces[p].dims
            ):
                element = grow(element, other.dim, other.bound)
        loops.append((loop, element))
    found.share[u] = _shrink(situation, found, u, q, loops)


def _until(situation: Situation, u: int, t: int, dims: frozenset[int]) -> list[Loop]:
    """Temporal loops of levels u to t inside the first that moves the target."""
    found: list[Loop] = []
    for level in situation.nest[u : t + 1]:
        for loop in level:
            if loop.spatial or loop.bound == 1:
                continue
            if loop.dim in dims:
                return found
            found.append(loop)
    return found


def _check_fanout(situation: Situation, counts: Sequence[_Counts]) -> None:
    """Children of every level against what there is (5.10)."""
    text, failed = "", dict[int, str]()
    for found in counts:
        for a in range(len(situation.tiles) - 1, -1, -1):
            for name, values, limit in (
                ("X", found.x, situation.architecture.fanout_x(a)),
                ("Y", found.y, situation.architecture.fanout_y(a)),
            ):
                needed = values[a] // values[a + 1]
                if needed > limit:
                    text += f"Required fanout{name} {needed} does not meet hardware constraint {limit}\n"
                    failed[a] = text
    if failed:
        raise MisfitError("fanout", min(failed) - 1, failed[min(failed)])
