"""How often accesses are gated and skipped (docs/sparse.md, sections 5.1 and 5.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...specs.architecture import Architecture
from ...specs.problem import Problem
from ...specs.sparse import Option, Sparsity
from .density import DensityModel, points
from .nest import Extents, Loop, box
from .ranks import MisfitError
from .tiles import Tile

GATED, SKIPPED = "gated", "skipped"


@dataclass
class Action:
    """What is done at a level about a data space: kind and probability."""

    kind: str
    chance: float


@dataclass(frozen=True)
class Situation:
    """One mapping, as far as actions look at it.

    Attributes:
        nest: complete loops of every level.
        tiles: by level and data space; ``None`` where it is not stored.
        read_energy: pJ of one access of every level: the price by which an option is chosen.
    """

    sparsity: Sparsity
    problem: Problem
    architecture: Architecture
    models: Sequence[DensityModel]
    nest: Sequence[Sequence[Loop]]
    tiles: Sequence[Sequence[Tile | None]]
    read_energy: Sequence[float]

    def child(self, s: int, p: int) -> int | None:
        """The nearest level inside that stores p."""
        return next((c for c in range(s - 1, -1, -1) if self.tiles[c][p] is not None), None)

    def holder(self, s: int, p: int) -> int | None:
        """Level s, or the next outer one, that stores p."""
        return next((t for t in range(s, len(self.tiles)) if self.tiles[t][p] is not None), None)


def find_actions(situation: Situation) -> dict[tuple[int, int], Action]:
    """Gating first, then skipping, levels inside-out; the larger probability stays (5.5).

    Raises:
        MisfitError: no level stores a target.
    """
    found: dict[tuple[int, int], Action] = {}
    for kind in (GATED, SKIPPED):
        for s, level in enumerate(situation.sparsity.levels):
            for options in level.gating if kind == GATED else level.skipping:
                best, chosen = 0.0, None
                for option in options:
                    t, chance = option_chance(situation, s, option)
                    alone = len(options) == 1 and _is_finite(situation, t, option.target)
                    saving = 0.0 if alone else _saving(situation, t, option.target) * chance
                    if saving >= best:
                        best, chosen = saving, (t, option.target, chance)
                if chosen is None:
                    continue
                t, p, chance = chosen
                if (t, p) not in found or chance > found[t, p].chance:
                    found[t, p] = Action(kind, chance)
    return found


def _is_finite(situation: Situation, t: int, p: int) -> bool:
    """Whether what a read saves is a number without a look at all occupancies of the tile."""
    c = situation.child(t, p)
    tile, inner = situation.tiles[t][p], situation.tiles[t if c is None else c][p]
    return tile is not None and inner is not None and not tile.aware and inner.form is None


def _saving(situation: Situation, t: int, p: int) -> float:
    """PJ of reading a tile of p from level t once."""
    level, tile = situation.sparsity.levels[t], situation.tiles[t][p]
    assert tile is not None
    c = situation.child(t, p)
    inner = tile if c is None else situation.tiles[c][p]
    assert inner is not None
    units = 0.0
    for metadata, payload in inner.metadata:
        units += metadata + payload
    ratio = level.word_bits // situation.architecture.storage[t].word_bits
    words = tile.words + units * ratio
    return (situation.read_energy[t] / situation.architecture.storage[t].block_size) * words


def option_chance(situation: Situation, s: int, option: Option) -> tuple[int, float]:
    """The level that holds the target, and how often its accesses are in vain (5.1 to 5.4)."""
    p = option.target
    t = situation.holder(s, p)
    if t is None:
        name = situation.problem.data_spaces[p].name
        level = situation.architecture.storage[s].name
        message = f"skipping/gating for {name}does not have a source storage for datastreams{level}\n"
        raise MisfitError("source", s, message)
    child = situation.child(t, p)
    loops = [loop for level in situation.nest[0 if child is None else child + 1 : t + 1] for loop in level]
    place, scalar = _target_loop(situation, loops, t, p, child)
    target = loops[place]
    base = (1,) * len(target.extents) if scalar else target.extents
    extended, relevant = _extended(situation, loops, place, base, p, child)
    kept = 1.0
    for q in option.conditions:
        tile = _condition_tile(situation, target, base, extended, relevant, scalar, t, p, q)
        if tile is not None:
            kept *= 1.0 - situation.models[q].empty(box(situation.problem.data_spaces[q], tile))
    return t, 1.0 - kept


def _target_loop(
    situation: Situation, loops: Sequence[Loop], t: int, p: int, child: int | None
) -> tuple[int, bool]:
    """Place of the loop between whose steps accesses may be saved; whether its tile is a single point (5.1)."""
    dims = situation.problem.data_spaces[p].dims
    if child is not None:
        for i, loop in enumerate(loops):
            if loop.bound > 1 and loop.dim in dims:
                return i, False
        return len(loops) - 1, False
    start = 0
    for s in range(t + 1):
        level = situation.nest[s]
        for i, loop in enumerate(level):
            followed = i + 1 < len(level) and not level[i + 1].spatial
            if followed or (loop.spatial and loop.bound > 1 and loop.dim in dims):
                return start + i, not loop.spatial
        start += len(level)
    return len(loops) - 1, not loops[-1].spatial


def _extended(
    situation: Situation, loops: Sequence[Loop], place: int, base: Extents, p: int, child: int | None
) -> tuple[Extents, list[Loop]]:
    """The tile that one access serves, and the loops that make it (5.2)."""
    dims = situation.problem.data_spaces[p].dims
    target = loops[place]
    extents, relevant, closed = list(base), [target], False
    for loop in loops[place + 1 :]:
        if loop.bound == 1:
            continue
        absorbed = loop.spatial
        if target.spatial and not loop.spatial:
            absorbed = child is not None and not closed and loop.dim not in dims
            closed = closed or child is None or loop.dim in dims
        if absorbed:
            extents[loop.dim] *= loop.bound
            relevant.append(loop)
    return tuple(extents), relevant


def _condition_tile(
    situation: Situation, target: Loop, base: Extents, extended: Extents, relevant: Sequence[Loop], scalar: bool,
    t: int, p: int, q: int,
) -> Extents | None:  # fmt: skip
    """The tile of the condition that must be empty; ``None`` for a condition without effect (5.3)."""
    spaces = situation.problem.data_spaces
    shared, asked = spaces[p].dims & spaces[q].dims, spaces[q].dims
    factors: dict[int, int] = {}
    product, met = 1, False
    for loop in [] if scalar else relevant:
        if target.spatial and met and loop.dim in asked:
            return None
        if loop.dim in shared:
            factors[loop.dim] = factors.get(loop.dim, 1) * loop.bound
            product *= loop.bound
            met = True
    size = points(box(spaces[p], base))
    block = situation.architecture.storage[t].block_size
    left = float(math.ceil(block / (size / product)))
    tile = list(extended)
    for d in sorted(factors):
        share = factors[d] / left
        tile[d] = math.ceil(tile[d] / share)
        left = left / factors[d]
    if left > 1.0:
        tile[target.dim] = int(tile[target.dim] * left)
    return tuple(tile)
