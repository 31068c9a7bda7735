"""How much of each array the constraints let a mapping use: unreachable parallelism, idle arrays, pinned dims."""

from __future__ import annotations

from collections.abc import Iterator

from .factorization import timeloop_divisors
from .findings import Finding, Severity
from .patterns import level_label
from .timeloop import TimeloopMapspace

IDLE = 0.5
"""A constraint is reported if it leaves less than this share of an array, and without it twice as much could run."""


def reachable(space: TimeloopMapspace, t: int, released: frozenset[int] = frozenset()) -> int:
    """Largest number of children of spatial level t that can work at once; ``released`` dims are unconstrained.

    Each dim lies in X or in Y as a whole; permutations and splits are taken to be free.
    """
    fanout_x, fanout_y = int(space.choices.fanout_x[t]), int(space.choices.fanout_y[t])
    shapes = {(1, 1)}
    for d in range(space.dims):
        options = _factors(space, t, d, d in released)
        shapes = {
            shape
            for x, y in shapes
            for factor in options
            for shape in ((x * factor, y), (x, y * factor))
            if shape[0] <= fanout_x and shape[1] <= fanout_y
        }
    return max((x * y for x, y in shapes), default=0)


def _factors(space: TimeloopMapspace, t: int, dim: int, released: bool) -> list[int]:
    rule, bound = space.constraint(t), space.problem.bounds[dim]
    if released:
        return timeloop_divisors(bound)
    if dim in rule.fixed:
        largest = min(rule.fixed[dim], bound)
        # Of several factors that cover more than the bound, the outer ones are cut to what is left of it.
        cut = space.template == "ruby" or bool(space.counts[dim].given.imperfect)
        return list(range(1, largest + 1)) if cut else [largest]
    least, most = rule.minimum.get(dim, 1), rule.maximum.get(dim, bound)
    # Imperfect fixed factors leave a remainder whose divisors need not divide the bound.
    left = bound if space.template == "ruby" else space.counts[dim].given.remainder
    return [factor for factor in timeloop_divisors(left) if least <= factor <= most]


def parallelism_bounds(space: TimeloopMapspace) -> Iterator[Finding]:
    """A parallelism minimum that no mapping reaches."""
    least = space.constraints.min_parallelism
    best = 1.0
    for t in space.spatial_levels:
        if space.template == "ruby" and space.constraint(t).remainders:
            continue  # almost any factor can be had there
        best *= reachable(space, t) / float(space.choices.fanout_x[t] * space.choices.fanout_y[t])
    if best < least:
        yield Finding(
            Severity.ERROR, "the parallelism minimum cannot be reached",
            source=space.constraints.parallelism_source, found=f"at most {best:g}",
            expected=f"at least {least:g}", remedy="lower it, or relax the spatial factor constraints",
        )  # fmt: skip


def idle_arrays(space: TimeloopMapspace) -> Iterator[Finding]:
    """Constraints that pin dims of bound > 1 at a spatial level and so leave most of its array idle."""
    for t in space.spatial_levels:
        if space.template == "ruby" and space.constraint(t).remainders:
            continue
        available = int(space.choices.fanout_x[t] * space.choices.fanout_y[t])
        used = reachable(space, t)
        pinned = [d for d in range(space.dims) if _pinned(space, t, d)]
        if not used or used >= IDLE * available or not pinned:
            continue
        if reachable(space, t, frozenset(pinned)) < 2 * used:
            continue
        gains = {d: reachable(space, t, frozenset({d})) for d in pinned}
        helpful = [d for d in pinned if gains[d] >= 2 * used] or pinned
        rule = space.constraint(t)
        text = ", ".join(
            f"{space.problem.dims[d]} (bound {space.problem.bounds[d]}) to {_limit(space, t, d)}"
            for d in helpful
        )
        yield Finding(
            Severity.WARNING, f"the constraints pin {text}: at most {used} of {available} children can work",
            level_label(space.architecture, space.tiling_levels[t]), rule.source,
            remedy="check that the constraint means this problem's dimensions, e.g. that letters name the same thing "
            "in the machine's constraints and in the problem; else remove it",
        )  # fmt: skip


def _pinned(space: TimeloopMapspace, t: int, dim: int) -> bool:
    limit = _limit(space, t, dim)
    fanout = int(space.choices.fanout_x[t] * space.choices.fanout_y[t])
    return limit is not None and limit < min(space.problem.bounds[dim], fanout)


def _limit(space: TimeloopMapspace, t: int, dim: int) -> int | None:
    rule = space.constraint(t)
    return rule.fixed.get(dim, rule.maximum.get(dim))
