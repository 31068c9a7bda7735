"""The macros and automatic steps of v0.4 constraints, in the front end's order (mapspace section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..document import Node, Origin
from ..factors import Factor, listed_factors, unique
from ..primes import prime_factors
from .constraints import Integer, Loops, Workload
from .nodes import Branch, Level, Parallel

MAX_STATES = 200_000  # of the search of maximize_dims


def apply_macros(levels: Sequence[Level], workload: Workload, integer: Integer) -> None:
    """Replace every macro by the factors that it stands for; spatial constraints first, innermost level first."""
    inside_out = list(reversed(levels))
    for loops in [level.wishes.spatial for level in inside_out] + [
        level.wishes.temporal for level in inside_out
    ]:
        _plain_macros(loops, workload)
    for level in inside_out:
        _maximize(level.wishes.spatial, level.fan_x * level.fan_y, inside_out, workload, integer)
    for level in inside_out:
        _maximize(level.wishes.temporal, None, inside_out, workload, integer)


def _plain_macros(loops: Loops, workload: Workload) -> None:
    if "factors_only" in loops.macros:
        node = loops.macros.pop("factors_only")
        only = listed_factors(node)
        loops.factors = unique([*loops.factors, *only])
        named = {factor.dim for factor in only}
        loops.fix_to_one([dim for dim in workload.dims if dim not in named], node.origin)
    for name in ("no_iteration_over_dataspaces", "must_iterate_over_dataspaces"):
        if name in loops.macros:
            node = loops.macros.pop(name)
            spaces = workload.names(node, name)
            touched = frozenset[str]().union(*(workload.spaces.get(space, frozenset()) for space in spaces))
            outside = name.startswith("must")
            loops.fix_to_one([dim for dim in workload.dims if (dim in touched) is not outside], node.origin)


def _maximize(
    loops: Loops, fanout: int | None, levels: Sequence[Level], workload: Workload, integer: Integer
) -> None:
    """The macro ``maximize_dims``: greedy fixed factors that fill the fan-out, or the capacity given."""
    limit = loops.macros.pop("maximize_dims_capacity", None)
    node = loops.macros.pop("maximize_dims", None)
    if node is None:
        if limit is not None:
            raise limit.origin.error(
                "maximize_dims_capacity without maximize_dims", remedy="add maximize_dims: [[dims], ...]"
            )
        return
    groups = _groups(node, workload)
    if limit is not None:
        fanout = integer(limit)
    if fanout is None:
        raise node.origin.error(
            "maximize_dims in a temporal constraint needs maximize_dims_capacity", expected="an integer"
        )
    for group in groups:
        capacity = fanout
        for factor in loops.factors:
            if factor.relation in ("=", ">="):
                capacity //= max(1, factor.value)
        bounds = {dim: _free_bound(dim, levels, workload) for dim in group if loops.fixed(dim) is None}
        best = best_factors(bounds, capacity, node.origin)
        chosen = [Factor(dim, "=", best[dim], None, node.origin) for dim in bounds]
        loops.factors = unique([*loops.factors, *chosen])


def _groups(node: Node, workload: Workload) -> list[list[str]]:
    elements = node.elements() if isinstance(node.value, list) else []
    if elements and not any(isinstance(element.value, list) for element in elements):
        elements = [node]
    result: list[list[str]] = []
    for element in elements:
        dims = list(element.value) if isinstance(element.value, (list, str)) else []
        wrong = [dim for dim in dims if dim not in workload.dims] or ([element.value] if not dims else [])
        if wrong:
            Node(wrong[0], element.origin).fail(
                "not a list of dimensions of the problem", expected=", ".join(workload.dims)
            )
        result.append(dims)
    if not result:
        node.fail("maximize_dims names no dimensions", expected="[[C, M], ...]")
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
            raise origin.error("maximize_dims has too many choices", remedy="name fewer dimensions")
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
    """Inside a ``!Parallel`` every data space lives in exactly one branch; all others bypass it.

    ``parallels``: inner ones before those around them, as the walk meets their ends.
    """
    for parallel in reversed(list(parallels)):
        for space in workload.spaces:
            homes = [branch for branch in parallel.branches if space in _kept(branch)]
            levels = [level for branch in parallel.branches for level in branch.levels]
            if parallel.inner and not homes and all(space in level.wishes.keeping.bypass for level in levels):
                continue  # it lives in another branch of the one around
            if len(homes) != 1:
                raise parallel.origin.error(
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
    wishes = [*branch.nothings, *(level.wishes for level in branch.levels)]
    return [space for one in wishes for space in one.keeping.keep]
