"""Loop nests by name, so that what was found on one layer or machine can be fitted into the mapspace of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.tables import TEMPORAL, Axis, AxisKind, X, Y

TIME = "time"
SIDES = {TEMPORAL: TIME, X: "X", Y: "Y"}
_REORDERED = 0.1  # chance that a loop's rank is drawn anew in a variant
_TOGGLED = 0.05  # chance that a bypass is toggled in a variant
_WORTH = 0.5  # share of a prime's logarithm that has to fit what a place still lacks

Place = tuple[str, str]  # level, and ``time`` or the side of an array


@dataclass(frozen=True)
class Loop:
    """One loop: ``side`` is ``time``, ``X`` or ``Y``."""

    level: str
    side: str
    dim: str
    factor: int


@dataclass(frozen=True)
class Nest:
    """Loops of more than one iteration, innermost first, and which level keeps which tensor."""

    loops: tuple[Loop, ...]
    kept: frozenset[tuple[str, str]]  # level, tensor

    def renamed(self, levels: Mapping[str, str]) -> Nest:
        """With other names of the levels; what has none is left out."""
        loops = (Loop(levels[x.level], x.side, x.dim, x.factor) for x in self.loops if x.level in levels)
        return Nest(tuple(loops), frozenset((levels[s], p) for s, p in self.kept if s in levels))


def level_names(space: LearnersMapspace) -> tuple[str, ...]:
    """Names of the storage levels, innermost first."""
    return tuple(level.name for level in space.spec.architecture.storage)


def nest_of(space: LearnersMapspace, row: Int64[ndarray, "axes"]) -> Nest:
    """The loop nest of a row."""
    mapping = space.decode(row[None])[0]
    levels, problem = level_names(space), space.spec.problem
    loops = []
    for tiling, level in zip(space.spec.architecture.tiling_levels, mapping.loops, strict=True):
        for position, d in enumerate(level.order):
            if level.factors[d] > 1:
                side = TIME if not tiling.spatial else "X" if position < level.split else "Y"
                loops.append(Loop(levels[tiling.storage], side, problem.dims[d], level.factors[d]))
    kept = frozenset(
        (levels[s], problem.data_spaces[p].name)
        for s, row_kept in enumerate(mapping.keep)
        for p, held in enumerate(row_kept)
        if held
    )
    return Nest(tuple(loops), kept)


class Fitter:
    """Fits nests into one mapspace: inner factors as they were, as near as the primes allow; the rest outermost."""

    def __init__(self, space: LearnersMapspace) -> None:
        self.space = space
        self._levels = level_names(space)
        tables, tiling = space.tables, space.spec.architecture.tiling_levels
        self._places: list[Place] = [
            (self._levels[tiling[t].storage], SIDES[side])
            for t, side in zip(tables.slot_level.tolist(), tables.slot_side.tolist(), strict=True)
        ]
        self._factors: dict[str, list[tuple[int, Axis]]] = {}
        for a, axis in enumerate(space.columns):
            if axis.kind is AxisKind.FACTOR and axis.dim is not None:
                self._factors.setdefault(space.spec.problem.dims[axis.dim], []).append((a, axis))
        for axes in self._factors.values():
            axes.sort(key=lambda entry: -entry[1].factor)

    def __call__(
        self, nest: Nest, rng: np.random.Generator, n: int, spread: float
    ) -> Int64[ndarray, "m axes"]:
        """At most n feasible rows: the nest itself, then variants.

        Args:
            spread: standard deviation of a variant's factors, natural logarithm.
        """
        rows = np.zeros((n, self.space.axes), np.int64)
        for dim, axes in self._factors.items():
            factors = [self._wanted(nest, dim, k) for k in range(len(self._places))]
            wanted = np.log(factors)
            for i in range(n):
                left = list(factors) if i == 0 else [1.0] * len(factors)
                noise = rng.normal(0.0, spread, len(factors)) if i else 0.0
                lacking = np.where(wanted > 0, wanted + noise, 0.0)
                self._place(axes, left, lacking.tolist(), rows[i])
        self._arrange(nest, rows, rng)
        fitted, feasible = self.space.repair(rows, rng)
        return fitted[feasible]

    def _wanted(self, nest: Nest, dim: str, k: int) -> float:
        """The factor that the nest has at place k, beyond what constraints put there anyway."""
        level, side = self._places[k]
        factor = 1.0
        for loop in nest.loops:
            if (loop.level, loop.side, loop.dim) == (level, side, dim):
                factor *= loop.factor
        tables, d = self.space.tables, self.space.spec.problem.dims.index(dim)
        t = int(tables.slot_level[k])
        given = int(tables.base_factor[t, d]) if tables.base_side[t, d] == tables.slot_side[k] else 1
        return max(1.0, factor / given)

    def _place(
        self, axes: Sequence[tuple[int, Axis]], left: list[float], lacking: list[float], row: ndarray
    ) -> None:
        """Every prime of a dim to a place, largest primes first.

        Where it divides what is ``left`` there; else where most is ``lacking`` (natural logarithms); else as far out
        as possible.
        """
        for a, axis in axes:
            size = float(np.log(axis.factor))
            inner = axis.slots[:-1] if axis.slots[-1] == len(self._places) - 1 else axis.slots
            dividing = [v for v, k in enumerate(axis.slots) if left[k] > 1 and left[k] % axis.factor == 0]
            best = max(range(len(inner)), key=lambda v: lacking[inner[v]], default=-1)
            if dividing:
                best = dividing[0]
                left[axis.slots[best]] /= axis.factor
            elif best < 0 or lacking[inner[best]] < _WORTH * size:
                best = len(axis.slots) - 1
            row[a] = best
            lacking[axis.slots[best]] -= size

    def _arrange(self, nest: Nest, rows: ndarray, rng: np.random.Generator) -> None:
        """Loop orders and bypasses."""
        problem, tiling = self.space.spec.problem, self.space.spec.architecture.tiling_levels
        for a, axis in enumerate(self.space.columns):
            if axis.kind is AxisKind.ORDER and axis.tiling is not None and axis.dim is not None:
                level = tiling[axis.tiling]
                place = self._levels[level.storage]
                order = [x.dim for x in nest.loops if x.level == place and (x.side != TIME) == level.spatial]
                dim = problem.dims[axis.dim]
                value = min(order.index(dim) if dim in order else len(order), axis.cardinality - 1)
                chance = _REORDERED
            elif axis.kind is AxisKind.BYPASS and axis.storage is not None and axis.data_space is not None:
                tensor = problem.data_spaces[axis.data_space].name
                value = int((self._levels[axis.storage], tensor) in nest.kept)
                chance = _TOGGLED
            else:
                continue
            rows[:, a] = value
            anew = np.flatnonzero(rng.random(len(rows)) < chance)
            anew = anew[anew > 0]  # the first row is the nest itself
            rows[anew, a] = rng.integers(0, axis.cardinality, len(anew))


def translation(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """Which level of another machine is which: by name; what has another name by position, if the depth is the same."""
    names = {name: name for name in source if name in target}
    if len(source) == len(target):
        for old, new in zip(source, target):
            if old not in names and new not in names.values():
                names[old] = new
    return names
