"""The macros and automatic steps of v0.4 constraints, in the front end's order (mapspace section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..document import Origin
from ..marked import Seq, error_at
from ..primes import prime_factors
from .factors import Factor, read_factors, unique
from .nodes import Branch, Level, Parallel
from .wishes import Loops, Workload

MAX_STATES = 200_000  # of the search of maximize_dims


def apply_macros(levels: Sequence[Level], workload: Workload, integer: Any) -> None:
    """Replace every macro by the factors that it stands for; spatial constraints first, innermost level first."""
    inside_out = list(reversed(levels))
    loops = [level.wishes.spatial for level in inside_out] + [level.wishes.temporal for level in inside_out]
    for one in loops:
        _plain_macros(one, workload)
    for level in inside_out:
        _maximize(level.wishes.spatial, level.fan_x * level.fan_y, inside_out, workload, integer)
    for level in inside_out:
        _maximize(level.wishes.temporal, None, inside_out, workload, integer)


def _plain_macros(loops: Loops, workload: Workload) -> None:
    macros = loops.macros
    if "factors_only" in macros:
        origin = macros.origin_of("factors_only")
        only = read_factors(macros.pop("factors_only"), origin)
        loops.factors = unique([*loops.factors, *only])
        named = {factor.dim for factor in only}
        _fix_to_one(loops, [dim for dim in workload.dims if dim not in named], origin)
    for name in ("no_iteration_over_dataspaces", "must_iterate_over_dataspaces"):
        if name in macros:
            origin = macros.origin_of(name)
            spaces = workload.names(macros.pop(name), origin, name)
            touched = frozenset[str]().union(*(workload.spaces.get(space, frozenset()) for space in spaces))
            outside = name.startswith("must")
            _fix_to_one(loops, [dim for dim in workload.dims if (dim in touched) is not outside], origin)


def _fix_to_one(loops: Loops, dims: Iterable[str], origin: Origin) -> None:
    loops.factors = unique([*loops.factors, *(Factor(dim, "=", 1, origin) for dim in dims)])


def _maximize(
    loops: Loops, fanout: int | None, levels: Sequence[Level], workload: Workload, integer: Any
) -> None:
    """The macro ``maximize_dims``: greedy fixed factors that fill the fan-out, or the capacity given."""
    if "maximize_dims" not in loops.macros:
        if "maximize_dims_capacity" in loops.macros:
            raise error_at(
                loops.macros.origin_of("maximize_dims_capacity"),
                "maximize_dims_capacity without maximize_dims",
                remedy="add maximize_dims: [[dims], ...]",
            )
        return
    origin = loops.macros.origin_of("maximize_dims")
    groups = _groups(loops.macros.pop("maximize_dims"), origin, workload)
    limit = loops.macros.pop("maximize_dims_capacity", None)
    if limit is not None:
        fanout = integer(limit, loops.macros.origin_of("maximize_dims_capacity"))
    if fanout is None:
        raise error_at(
            origin,
            "maximize_dims in a temporal constraint needs maximize_dims_capacity",
            expected="an integer",
        )
    for group in groups:
        capacity = fanout
        for factor in loops.factors:
            if factor.sign in ("=", ">="):
                capacity //= max(1, factor.value)
        bounds = {dim: _free_bound(dim, levels, workload) for dim in group if loops.fixed(dim) is None}
        best = best_factors(bounds, capacity, origin)
        loops.factors = unique([*loops.factors, *(Factor(dim, "=", best[dim], origin) for dim in bounds)])


def _groups(value: Any, origin: Origin, workload: Workload) -> list[list[str]]:
    groups = value if isinstance(value, Seq) else Seq(origin)
    if groups and not any(isinstance(group, Seq) for group in groups):
        groups = Seq(origin)
        groups.add(value, origin)
    result: list[list[str]] = []
    for index, group in enumerate(groups):
        dims = list(group) if isinstance(group, (Seq, str)) else []
        wrong = [dim for dim in dims if dim not in workload.dims] or ([group] if not dims else [])
        if wrong:
            raise error_at(
                groups.origin_of(index),
                "not a list of dimensions of the problem",
                value=wrong[0],
                expected=", ".join(workload.dims),
            )
        result.append(dims)
    if not result:
        raise error_at(origin, "maximize_dims names no dimensions", value=value, expected="[[C, M], ...]")
    return result


def _free_bound(dim: str, levels: Sequence[Level], workload: Workload) -> int:
    """The bound of a dim, divided (up) by every ``=`` factor of the specification."""
    bound = workload.bounds.get(dim, 1)
    for level in levels:
        for loops in (level.wishes.spatial, level.wishes.temporal):
            bound = -(-bound // max(1, loops.fixed(dim) or 1))
    return bound


def best_factors(bounds: dict[str, int], capacity: int, origin: Origin) -> dict[str, int]:
    """The greedy choice of ``maximize_dims``: the factor of every dim.

    At every step a dim either takes all of the remaining capacity, split into equal parts, or one of its prime
    factors; the first best utilisation above 1 is kept.
    """
    known: dict[tuple[tuple[int, ...], int], tuple[float, dict[str, int]]] = {}
    dims = list(bounds)

    def search(values: tuple[int, ...], room: int) -> tuple[float, dict[str, int]]:
        key = (values, room)
        if key in known:
            return known[key]
        if len(known) > MAX_STATES:
            raise error_at(origin, "maximize_dims has too many choices", remedy="name fewer dimensions")
        best: tuple[float, dict[str, int]] = (1.0, {})
        for index, (dim, value) in enumerate(zip(dims, values)):
            if value > room > 0:
                turns = -(-value // room)
                part = -(-value // turns)
                used = (part * (turns - 1) + value % part) / turns
                if used > best[0]:
                    best = (used, {dim: part})
            for prime in dict.fromkeys(prime_factors(value)):
                if prime > room:
                    continue
                rest = (*values[:index], value // prime, *values[index + 1 :])
                used, chosen = search(rest, room // prime)
                if used * prime > best[0]:
                    best = (used * prime, {**chosen, dim: chosen.get(dim, 1) * prime})
        known[key] = best
        return best

    chosen = search(tuple(bounds.values()), capacity)[1]
    return {dim: chosen.get(dim, 1) for dim in dims}


def spread_over_branches(parallels: Iterable[Parallel], workload: Workload) -> None:
    """Inside a ``!Parallel`` every data space lives in exactly one branch; all others bypass it."""
    for parallel in parallels:
        for space in workload.spaces:
            homes = [branch for branch in parallel.branches if space in _kept(branch)]
            if len(homes) != 1:
                raise error_at(
                    parallel.origin,
                    f"data space {space} is kept in {len(homes)} branches of a !Parallel node",
                    expected="exactly one branch with it in constraints: {dataspace: {keep: [...]}}",
                    remedy="add it to one branch; a branch !Nothing {constraints: {dataspace: {keep: [...]}}} may hold "
                    "what no level keeps",
                )
            for branch in parallel.branches:
                if branch is not homes[0]:
                    for level in branch.levels:
                        level.wishes.keeping.add("bypass", [space], parallel.origin)


def _kept(branch: Branch) -> list[str]:
    kept = list(branch.nothing.keeping.keep) if branch.nothing is not None else []
    for level in branch.levels:
        kept += level.wishes.keeping.keep
    return kept


def put_unit_dims_first(loops: Loops, workload: Workload) -> None:
    """Dims of factor or bound 1 that the permutation lacks go to its front: their order is no choice."""
    units = [factor.dim for factor in loops.factors if factor.sign == "=" and factor.value == 1]
    units += [dim for dim in workload.dims if workload.bounds.get(dim) == 1]
    permutation = list(loops.permutation or ())
    for dim in units:
        if dim not in permutation:
            permutation.insert(0, dim)
    if permutation:
        loops.permutation = permutation
