"""The learners' view of a mapspace: one axis per prime factor, loop rank and bypass choice; all draws feasible.

A dimension of imperfect factors (``awkward``) has one axis per loop instead: its bound.

A candidate row holds one small integer per axis. Unlike Timeloop's four ids, nearby rows are similar mappings, every
axis means something by itself (so that it can be an agent), and ``repair`` turns any row into a mapping that meets all
capacities, meshes and user constraints. Canonical rows stand for different loop nests: equal primes are sorted, and
unit loops have no rank.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from ..errors import MappingError, UsageError
from ..specs.mapping import Mapping, MappingBatch
from ..specs.spec import Spec
from .awkward import imperfect_dims
from .diagnosis import require_feasible
from .learners import decoding, drawing, moves, repair
from .learners.build import Builder, encode_mapping
from .learners.tables import Axis, AxisKind, workspace


class LearnersMapspace:
    """Integer axes of one Spec; a ``Space``.

    Raises ``InfeasibleError`` at once if the constraints leave no mapping.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        require_feasible(spec, "uber")
        self._builder = Builder(spec, imperfect_dims(spec))
        self.tables = self._builder.tables
        self.columns: tuple[Axis, ...] = tuple(self._builder.axes)

    @property
    def axes(self) -> int:
        """Number of columns of a candidate row."""
        return len(self.columns)

    @property
    def cardinalities(self) -> Int64[ndarray, "axes"]:
        """Number of values of each axis."""
        return self.tables.cardinality

    @cached_property
    def log10_size(self) -> float:
        """Decimal logarithm of the number of rows, feasible and canonical or not."""
        return float(np.log10(self.cardinalities.astype(np.float64)).sum())

    def groups(self, label: Callable[[Axis], object]) -> tuple[tuple[int, ...], ...]:
        """Columns grouped by any property of their axes, e.g. ``lambda axis: axis.dim``."""
        found: dict[object, list[int]] = {}
        for a, axis in enumerate(self.columns):
            found.setdefault(label(axis), []).append(a)
        return tuple(tuple(group) for group in found.values())

    def warm_up(self) -> None:
        """Compile (or load from the cache) what a search would on its first rows."""
        rng = np.random.default_rng(0)
        rows, _ = self.repair(self.sample(1, rng), rng)
        self.feasible(rows)
        self.decode(rows)

    def sample(self, n: int, rng: np.random.Generator) -> Int64[ndarray, "n axes"]:
        """n random feasible canonical rows: every axis drawn uniformly, then repaired."""
        return self._drawn(_seeds(rng, n))

    def numbered(self, seed: int, numbers: Int64[ndarray, "n"]) -> Int64[ndarray, "n axes"]:
        """Random rows as ``sample`` draws them, each by its number: the same wherever and in whatever order."""
        states = np.zeros(len(numbers), np.uint64)
        for i, number in enumerate(numbers):
            drawing.start(states[i : i + 1], seed, int(number))
        return self._drawn(states)

    def consecutive(self, seed: int, first: int, n: int) -> Int64[ndarray, "n axes"]:
        """``numbered`` for the numbers from ``first`` on."""
        states = np.zeros(n, np.uint64)
        drawing.start_all(states, seed, first)
        return self._drawn(states)

    def _drawn(self, states: ndarray) -> Int64[ndarray, "n axes"]:
        rows = np.zeros((len(states), self.axes), np.int64)
        feasible = np.zeros(len(states), np.bool_)
        repair.sample_rows(self.tables, workspace(self.tables), rows, states, feasible)
        return rows

    def repair(
        self,
        candidates: Int64[ndarray, "m axes"],
        rng: np.random.Generator,
        first: Int64[ndarray, "m"] | None = None,
    ) -> tuple[Int64[ndarray, "m axes"], Bool[ndarray, "m"]]:
        """Feasible canonical rows near the given ones, and which rows could be made feasible.

        A feasible row changes only in form. ``first[i]``: a column whose wish is served before the others' (a move
        just made would otherwise bounce off a full buffer), -1 none.
        """
        rows = self._checked(candidates).copy()
        m = len(rows)
        feasible = np.zeros(m, np.bool_)
        head = np.full(m, -1, np.int64) if first is None else np.asarray(first, np.int64)
        repair.repair_rows(self.tables, workspace(self.tables), rows, _seeds(rng, m), head, feasible)
        return rows, feasible

    def feasible(self, candidates: Int64[ndarray, "m axes"]) -> Bool[ndarray, "m"]:
        """Which rows, taken literally, meet all limits and constraints."""
        rows = self._checked(candidates)
        out = np.zeros(len(rows), np.bool_)
        decoding.feasible_rows(self.tables, workspace(self.tables), rows, out)
        return out

    def mask(self, candidates: Int64[ndarray, "m axes"], axis: int) -> Bool[ndarray, "m values"]:
        """Values that ``axis`` may take beside what is decided; -1 marks an axis of the row as undecided.

        Upper limits only (capacities, meshes, largest factors, sides): these can never be mended by later choices.
        """
        rows = self._checked(candidates, undecided=True).copy()
        allowed = np.ones((len(rows), self.columns[axis].cardinality), np.bool_)
        column, work = self.columns[axis], workspace(self.tables)
        if column.kind is AxisKind.FACTOR:
            item = int(np.flatnonzero(self.tables.item_axis == axis)[0])
            decoding.mask_items(self.tables, work, rows, item, allowed)
        elif column.kind is AxisKind.BYPASS:
            s, p = (int(k) for k in np.argwhere(self.tables.keep_axis == axis)[0])
            decoding.mask_keeps(self.tables, work, rows, s, p, allowed)
        return allowed

    def decode(self, candidates: Int64[ndarray, "m axes"]) -> MappingBatch:
        """The mappings that the rows stand for, literally: feasible or not."""
        rows = self._checked(candidates)
        T, D = self.tables.base_factor.shape
        S, P = self.tables.keep.shape
        m = len(rows)
        batch = MappingBatch(
            factors=np.empty((m, T, D), np.int64),
            residuals=np.empty((m, T, D), np.int64),
            order=np.empty((m, T, D), np.int8),
            split=np.empty((m, T), np.int8),
            keep=np.empty((m, S, P), np.bool_),
        )
        decoding.decode_rows(
            self.tables,
            workspace(self.tables),
            rows,
            batch.factors,
            batch.residuals,
            batch.order,
            batch.split,
            batch.keep,
        )
        return batch

    def encode(self, mapping: Mapping) -> Int64[ndarray, "axes"]:
        """The canonical row of a mapping; ``MappingError`` if it is not in this mapspace."""
        row = encode_mapping(self._builder, mapping)
        rows, feasible = self.repair(row[None], np.random.default_rng(0))
        if not feasible[0] or not (self.feasible(row[None])[0]):
            raise MappingError(
                "the mapping violates a capacity, a mesh or a user constraint",
                remedy="evaluate it to see which level fails, or loosen the constraints",
            )
        if self._builder.absorbers and self.decode(rows)[0].loops != self.decode(row[None])[0].loops:
            raise MappingError(
                "a loop bound of the mapping could be lower and would still cover its dimension",
                expected="tight loop bounds, as the learners' view has them",
            )
        return rows[0]

    def moved(
        self,
        candidates: Int64[ndarray, "m axes"],
        rng: np.random.Generator,
        counts: Int64[ndarray, "m"] | None = None,
        weights: tuple[int, int, int, int] = (4, 1, 2, 1),
    ) -> Int64[ndarray, "m axes"]:
        """Rows a few random local moves (and their repair) away.

        Args:
            counts: moves per row, default one.
            weights: chances of moving a factor, exchanging two, swapping two loops, toggling a bypass.
        """
        rows = self._checked(candidates).copy()
        m = len(rows)
        number = np.ones(m, np.int64) if counts is None else np.asarray(counts, np.int64)
        first = np.empty(m, np.int64)
        moves.move_rows(
            self.tables,
            workspace(self.tables),
            rows,
            _seeds(rng, m),
            number,
            np.array(weights, np.int64),
            first,
        )
        return self.repair(rows, rng, first)[0]

    def neighbours(
        self, candidate: Int64[ndarray, "axes"], rng: np.random.Generator
    ) -> Int64[ndarray, "n axes"]:
        """All distinct feasible rows one changed axis (and its repair) away."""
        base = self._checked(candidate[None])[0]
        changed, head = [], []
        for a, cardinality in enumerate(self.cardinalities):
            for value in range(int(cardinality)):
                if value != base[a]:
                    row = base.copy()
                    row[a] = value
                    changed.append(row)
                    head.append(a)
        rows, feasible = self.repair(
            np.array(changed, np.int64).reshape(-1, self.axes), rng, np.array(head, np.int64)
        )
        rows = rows[feasible & (rows != base).any(axis=1)]
        return np.unique(rows, axis=0)

    def keys(self, candidates: Int64[ndarray, "m axes"]) -> list[bytes]:
        """One hashable key per row; equal keys of canonical rows mean the same mapping."""
        small = candidates.astype(np.uint8 if self._narrow else np.uint16)
        width = small.dtype.itemsize * self.axes
        data = small.tobytes()
        return [data[i * width : (i + 1) * width] for i in range(len(small))]

    @cached_property
    def _narrow(self) -> bool:
        return bool((self.cardinalities <= 256).all())

    def _checked(
        self, candidates: Int64[ndarray, "m axes"], undecided: bool = False
    ) -> Int64[ndarray, "m axes"]:
        rows = np.asarray(candidates)
        if rows.ndim != 2 or rows.shape[1] != self.axes or rows.dtype != np.int64:
            raise UsageError(
                f"candidates must be int64 of shape (m, {self.axes}): one row per candidate, one column per axis; "
                f"got {rows.dtype} of shape {rows.shape}"
            )
        low = -1 if undecided else 0
        bad = (rows < low) | (rows >= self.cardinalities)
        if bad.any():
            i, a = (int(k) for k in np.argwhere(bad)[0])
            raise UsageError(
                f"candidate {i}: axis {a} ({self.columns[a].name}) is {rows[i, a]}, "
                f"expected {low} .. {self.columns[a].cardinality - 1}"
            )
        return np.ascontiguousarray(rows)


def _seeds(rng: np.random.Generator, m: int) -> ndarray:
    return rng.integers(0, 1 << 63, m, dtype=np.uint64)


class LiteralSpace(LearnersMapspace):
    """The same axes; decodes every row.

    Of a row that is not feasible nothing is kept anywhere, so that every evaluator calls it invalid: no evaluator knows
    the user's constraints, and a mapping that breaks one must not win.
    """

    def __init__(self, space: LearnersMapspace) -> None:
        super().__init__(space.spec)

    def decode(self, candidates: Int64[ndarray, "m axes"]) -> MappingBatch:
        """The mappings that the rows stand for; unusable ones for infeasible rows."""
        batch = super().decode(candidates)
        batch.keep[~self.feasible(candidates)] = False
        return batch
