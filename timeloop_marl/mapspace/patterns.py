"""Permutation, split and bypass choices of each level, as the mapspace numbers them (mapspace sections 1.2 to 1.4),
and the same as plain arrays for kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from ..errors import SpecError, UnsupportedFeatureError
from ..specs.architecture import Architecture, TilingLevel
from ..specs.constraints import Constraints, LoopConstraint
from ..specs.problem import Problem

MOST_FREE_FLAGS = 62
LARGEST_PERMUTATION = 20  # 20! is the largest factorial that fits into 64 bits


@dataclass(frozen=True)
class Pattern:
    """The order of one tiling level: prefix + a permutation of free + suffix, innermost first.

    ``canonical`` levels have declaration order, no freedom, and are never pruned.
    """

    prefix: tuple[int, ...]
    free: tuple[int, ...]
    suffix: tuple[int, ...]
    canonical: bool

    @property
    def size(self) -> int:
        """Number of orders."""
        return math.factorial(len(self.free))


@dataclass(frozen=True)
class BypassChoices:
    """``fixed[s][p]``: kept or not where fixed (True where free); ``free``: (storage, data space) of bit k of an id."""

    fixed: tuple[tuple[bool, ...], ...]
    free: tuple[tuple[int, int], ...]


def constraint_of(constraints: Constraints, level: TilingLevel) -> LoopConstraint:
    """The loop constraint of a tiling level; an empty one if the user gave none."""
    return constraints.loops.get(level, LoopConstraint())


def level_label(architecture: Architecture, level: TilingLevel) -> str:
    """A tiling level in messages: ``BUF (spatial)``."""
    kind = "spatial" if level.spatial else "temporal"
    return f"{architecture.storage[level.storage].name} ({kind})"


def permutation_patterns(
    problem: Problem, architecture: Architecture, constraints: Constraints, template: str
) -> tuple[Pattern, ...]:
    """The pattern of every tiling level, inside-out."""
    dims = tuple(range(len(problem.dims)))
    patterns = []
    for index, level in enumerate(architecture.tiling_levels):
        user = constraint_of(constraints, level)
        if _is_canonical(architecture, index, level, user):
            patterns.append(Pattern(dims, (), (), canonical=True))
            continue
        prefix, suffix = user.prefix or (), user.suffix
        if template == "ruby" and suffix:
            if suffix != prefix:
                raise SpecError(
                    "template ruby takes no permutation suffix",
                    path=user.source,
                    value="".join(problem.dims[d] for d in prefix)
                    + "_"
                    + "".join(problem.dims[d] for d in suffix),
                    remedy="give the order from the inside only, or use template uber",
                )
            suffix = ()
        free = tuple(d for d in dims if d not in prefix and d not in suffix)
        if len(free) > LARGEST_PERMUTATION:
            raise UnsupportedFeatureError(
                f"{len(free)} dimensions may be permuted at {level_label(architecture, level)}",
                expected=f"at most {LARGEST_PERMUTATION}",
                remedy="fix part of the permutation",
            )
        patterns.append(Pattern(prefix, free, suffix, canonical=False))
    return tuple(patterns)


def _is_canonical(architecture: Architecture, index: int, level: TilingLevel, user: LoopConstraint) -> bool:
    if not level.spatial:
        return index == 0
    two_dimensional = architecture.fanout_x(level.storage) > 1 and architecture.fanout_y(level.storage) > 1
    return not two_dimensional and user.prefix is None


def bypass_choices(problem: Problem, architecture: Architecture, constraints: Constraints) -> BypassChoices:
    """What is kept by force, what is free; by default everything is free below the top level."""
    levels = len(architecture.storage)
    default = "X" * (levels - 1) + "1"
    strings = ["".join(row) for row in constraints.bypass] or [default] * len(problem.data_spaces)
    fixed = tuple(tuple(text[s] != "0" for text in strings) for s in range(levels))
    free = tuple((s, p) for p, text in enumerate(strings) for s in range(levels) if text[s] == "X")
    if len(free) > MOST_FREE_FLAGS:
        raise UnsupportedFeatureError(
            f"{len(free)} keep flags are free",
            expected=f"at most {MOST_FREE_FLAGS}, so that a bypass id fits into 64 bits",
            remedy="keep or bypass some data spaces by constraints",
        )
    return BypassChoices(fixed, free)


class LevelTables(NamedTuple):
    """What may be chosen at each of T tiling levels; ``user_split`` -1 = none."""

    split_column: Int64[ndarray, "T"]  # index among the spatial levels, -1 for temporal ones
    canonical: Bool[ndarray, "T"]
    prefix: Int64[ndarray, "T D"]
    n_prefix: Int64[ndarray, "T"]
    free: Int64[ndarray, "T D"]
    n_free: Int64[ndarray, "T"]
    suffix: Int64[ndarray, "T D"]
    n_suffix: Int64[ndarray, "T"]
    user_split: Int64[ndarray, "T"]
    keep_fixed: Bool[ndarray, "S P"]
    free_level: Int64[ndarray, "B"]  # bit k of a bypass id: storage level and data space
    free_space: Int64[ndarray, "B"]
    min_parallelism: float
    max_temporal_loops: int
    any_width: bool  # fan-outs are checked later: instances may be skipped


def level_tables(
    architecture: Architecture,
    constraints: Constraints,
    patterns: tuple[Pattern, ...],
    bypass: BypassChoices,
    dims: int,
    max_temporal_loops: int,
    any_width: bool,
) -> LevelTables:
    """Pack patterns, splits and bypass choices."""
    levels = architecture.tiling_levels
    spatial = np.array([level.spatial for level in levels], np.bool_)
    splits = [constraint_of(constraints, level).split if level.spatial else None for level in levels]

    def packed(rows: list[tuple[int, ...]]) -> Int64[ndarray, "T D"]:
        table = np.zeros((len(rows), dims), np.int64)
        for index, row in enumerate(rows):
            table[index, : len(row)] = row
        return table

    def lengths(rows: list[tuple[int, ...]]) -> Int64[ndarray, "T"]:
        return np.array([len(row) for row in rows], np.int64)

    prefix, free, suffix = ([getattr(p, name) for p in patterns] for name in ("prefix", "free", "suffix"))
    return LevelTables(
        np.where(spatial, np.cumsum(spatial) - 1, -1).astype(np.int64),
        np.array([p.canonical for p in patterns], np.bool_),
        packed(prefix), lengths(prefix), packed(free), lengths(free), packed(suffix), lengths(suffix),
        np.array([-1 if split is None else split for split in splits], np.int64),
        np.array(bypass.fixed, np.bool_),
        np.array([s for s, _ in bypass.free], np.int64),
        np.array([p for _, p in bypass.free], np.int64),
        float(constraints.min_parallelism),
        max_temporal_loops,
        any_width,
    )  # fmt: skip
