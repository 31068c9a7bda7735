"""From a mapping to its digits in Timeloop's mapspace: the inverse of ``TimeloopMapspace.decode``."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..errors import MappingError
from ..mapping import Mapping, TilingLoops
from .arrangement import Arrangement, arrange, non_unit
from .factorization import index_of, loops_of
from .patterns import Pattern, level_label
from .timeloop import TimeloopMapspace


def encode(space: TimeloopMapspace, mapping: Mapping) -> Int64[ndarray, "axes"]:
    """The unpruned candidate row that decodes to the mapping, up to the order of unit loops.

    Raises ``MappingError`` where the mapping is not in the space: ``membership.violations`` names the constraint, if
    it is one of the user's; otherwise the space itself is narrower (canonical orders, factors of the template).
    """
    row = np.zeros(space.axes, np.int64)
    for d in range(space.dims):
        row[1 + d] = _factor_index(space, mapping, d)
    start = 1 + space.dims
    column = start + len(space.tiling_levels)
    for t, (pattern, loops) in enumerate(zip(space.patterns, mapping.loops)):
        spatial = space.tiling_levels[t].spatial
        found = _arrangement(pattern, loops, space.constraint(t).split if spatial else None, spatial)
        if found is None:
            raise MappingError(
                f"the loop order at {level_label(space.architecture, space.tiling_levels[t])} is not in the mapspace",
                value="".join(space.problem.dims[d] for d in loops.order),
                expected=_pattern_text(space, pattern),
            )
        row[start + t] = order_digit(pattern, found.order)
        if spatial:
            row[column] = 0 if space.constraint(t).split is not None else found.split
            column += 1
    row[-1] = _bypass_id(space, mapping)
    return row


def _factor_index(space: TimeloopMapspace, mapping: Mapping, dim: int) -> int:
    factors = [loops.factors[dim] for loops in mapping.loops]
    residuals = [loops.residuals[dim] for loops in mapping.loops]
    found: int | None
    if space.template == "ruby":
        entry = space.lists[dim]
        equal = (entry.factors == factors).all(axis=1) & (entry.residuals == residuals).all(axis=1)
        found = int(np.argmax(equal)) if equal.any() else None
    else:
        counts = space.counts[dim]
        raw = [counts.given.factors.get(t, factor) for t, factor in enumerate(factors)]
        found = index_of(counts, raw)
        if loops_of(space.problem.bounds[dim], raw) != (factors, residuals):
            found = None
    if found is None:
        raise MappingError(
            f"the factors of dimension {space.problem.dims[dim]} are not in the mapspace",
            value=[(n, r) if n != r else n for n, r in zip(factors, residuals)],
            expected=f"one of {space.factorization_sizes[dim]} factor tuples of bound {space.problem.bounds[dim]}",
        )
    return found


def _arrangement(
    pattern: Pattern, loops: TilingLoops, user_split: int | None, spatial: bool
) -> Arrangement | None:
    """The order as it stands if the pattern has it, else one that differs in unit loops only."""
    middle = loops.order[len(pattern.prefix) : len(loops.order) - len(pattern.suffix)]
    literal = (*pattern.prefix, *middle, *pattern.suffix) == loops.order and set(middle) == set(pattern.free)
    if literal and (not spatial or user_split in (None, loops.split)):
        return Arrangement(loops.order, loops.split)
    x, y = non_unit(loops)
    return arrange(pattern, x, y, user_split) if spatial else arrange(pattern, x + y, (), None)


def order_digit(pattern: Pattern, order: tuple[int, ...]) -> int:
    """The number of an order of the pattern: lexicographic among the orders of its free dims."""
    left = list(pattern.free)
    digit = 0
    for dim in order[len(pattern.prefix) : len(pattern.prefix) + len(pattern.free)]:
        position = left.index(dim)
        digit += position * math.factorial(len(left) - 1)
        left.pop(position)
    return digit


def _bypass_id(space: TimeloopMapspace, mapping: Mapping) -> int:
    for s, (forced, kept) in enumerate(zip(space.bypass.fixed, mapping.keep)):
        for p, (must, does) in enumerate(zip(forced, kept)):
            if (s, p) not in space.bypass.free and must != does:
                raise MappingError(
                    f"data space {space.problem.data_spaces[p].name} must be {'kept' if must else 'bypassed'} at "
                    f"{space.architecture.storage[s].name}"
                )
    return sum(1 << k for k, (s, p) in enumerate(space.bypass.free) if mapping.keep[s][p])


def _pattern_text(space: TimeloopMapspace, pattern: Pattern) -> str:
    prefix, free, suffix = (
        "".join(space.problem.dims[d] for d in dims)
        for dims in (pattern.prefix, pattern.free, pattern.suffix)
    )
    return f"{prefix}, then {free or 'nothing'} in any order, then {suffix or 'nothing'} (innermost first)"
