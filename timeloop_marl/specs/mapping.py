"""Mappings: one decoded candidate (``Mapping``) and many in array form (``MappingBatch``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int8, Int64
from numpy import ndarray


@dataclass(frozen=True)
class TilingLoops:
    """The loops of one tiling level, all dims.

    Indexed by dim: ``factors`` N and ``residuals`` R (R = N when perfect). ``order`` lists dim indices, innermost
    first. ``split``: positions of ``order`` below it are X, the others Y (spatial levels only).
    """

    factors: tuple[int, ...]
    residuals: tuple[int, ...]
    order: tuple[int, ...]
    split: int


@dataclass(frozen=True)
class Mapping:
    """A complete mapping.

    ``loops`` inside-out as ``Architecture.tiling_levels``; ``keep[s][p]``: storage level s holds data space p.
    """

    loops: tuple[TilingLoops, ...]
    keep: tuple[tuple[bool, ...], ...]

    @property
    def imperfect(self) -> bool:
        """Whether any loop has a residual other than its bound."""
        return any(level.factors != level.residuals for level in self.loops)


@dataclass(frozen=True)
class MappingBatch:
    """m mappings as a structure of arrays.

    T tiling levels and S storage levels (both inside-out), D dims, P data spaces.
    """

    factors: Int64[ndarray, "m T D"]
    residuals: Int64[ndarray, "m T D"]
    order: Int8[ndarray, "m T D"]  # order[i, t, k] = dim at position k, position 0 innermost
    split: Int8[ndarray, "m T"]
    keep: Bool[ndarray, "m S P"]

    def __len__(self) -> int:
        return int(self.factors.shape[0])

    def __getitem__(self, index: int) -> Mapping:
        """Row ``index`` as a ``Mapping``."""
        loops = tuple(
            TilingLoops(
                factors=tuple(int(x) for x in self.factors[index, t]),
                residuals=tuple(int(x) for x in self.residuals[index, t]),
                order=tuple(int(x) for x in self.order[index, t]),
                split=int(self.split[index, t]),
            )
            for t in range(self.factors.shape[1])
        )
        return Mapping(loops, tuple(tuple(bool(k) for k in row) for row in self.keep[index]))

    def take(self, rows: ndarray | slice) -> MappingBatch:
        """The chosen rows as a batch of their own."""
        return MappingBatch(
            self.factors[rows], self.residuals[rows], self.order[rows], self.split[rows], self.keep[rows]
        )

    @classmethod
    def empty(
        cls, m: int, tiling_levels: int, dims: int, storage_levels: int, data_spaces: int
    ) -> MappingBatch:
        """m mappings of unit loops in declaration order, all X, everything kept."""
        order = np.broadcast_to(np.arange(dims, dtype=np.int8), (m, tiling_levels, dims)).copy()
        return cls(
            factors=np.ones((m, tiling_levels, dims), np.int64),
            residuals=np.ones((m, tiling_levels, dims), np.int64),
            order=order,
            split=np.full((m, tiling_levels), dims, np.int8),
            keep=np.ones((m, storage_levels, data_spaces), np.bool_),
        )

    @classmethod
    def of(cls, mappings: Sequence[Mapping]) -> MappingBatch:
        """Stack decoded mappings (at least one) into arrays."""
        return cls(
            factors=np.array([[t.factors for t in m.loops] for m in mappings], np.int64),
            residuals=np.array([[t.residuals for t in m.loops] for m in mappings], np.int64),
            order=np.array([[t.order for t in m.loops] for m in mappings], np.int8),
            split=np.array([[t.split for t in m.loops] for m in mappings], np.int8),
            keep=np.array([m.keep for m in mappings], np.bool_),
        )
