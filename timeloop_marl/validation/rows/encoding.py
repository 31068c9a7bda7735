"""One row's ``map`` list to a ``Mapping`` and back.

``map`` lists the storage levels outermost first. Keys of a level: ``l`` name, ``t`` temporal factors, ``p`` temporal
permutation (first letter innermost), ``s`` ``sp`` ``split`` the same for its spatial loops, ``b`` bypassed data
spaces. A factor is a bound n, or ``[n, r]`` with residual r; a dimension not named has factor 1.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from typing import Any, NoReturn, TypeGuard

from ...errors import MappingError
from ...specs.architecture import Architecture, TilingLevel
from ...specs.mapping import Mapping, TilingLoops
from ...specs.problem import Problem
from ...specs.spec import Spec

LEVEL_KEYS = ("l", "t", "p", "s", "sp", "split", "b")


def row_mapping(row: MappingType[str, Any], spec: Spec) -> Mapping:
    """The mapping that a row's ``map`` describes.

    Raises:
        MappingError: unknown level, dimension or data space, a level missing or twice, malformed factors, or factors
            that do not multiply up to a dimension's bound.
    """
    problem, architecture = spec.problem, spec.architecture
    levels = _levels_by_name(row, architecture)
    loops = tuple(
        _spatial_loops(levels[tiling.storage], problem)
        if tiling.spatial
        else _loops(levels[tiling.storage], "t", "p", problem)
        for tiling in architecture.tiling_levels
    )
    _check_no_stray_spatial(levels, architecture)
    check_bounds(loops, problem)
    keep = tuple(_keep(level, problem) for level in levels)
    return Mapping(loops, keep)


def mapping_row(mapping: Mapping, spec: Spec) -> list[dict[str, Any]]:
    """The ``map`` list of a mapping; ``row_mapping`` gives the mapping back."""
    problem, architecture = spec.problem, spec.architecture
    levels: list[dict[str, Any]] = [{"l": storage.name} for storage in architecture.storage]
    for tiling, loops in zip(architecture.tiling_levels, mapping.loops, strict=True):
        levels[tiling.storage].update(_loops_row(tiling, loops, problem))
    for level, keep in zip(levels, mapping.keep, strict=True):
        bypassed = [space.name for space, kept in zip(problem.data_spaces, keep, strict=True) if not kept]
        if bypassed:
            level["b"] = bypassed
    return levels[::-1]


def check_bounds(loops: tuple[TilingLoops, ...], problem: Problem) -> None:
    """Raise a ``MappingError`` unless every dimension's loops cover its bound (Timeloop cost model, section 1)."""
    for d, (name, bound) in enumerate(zip(problem.dims, problem.bounds, strict=True)):
        last = 0
        for level in reversed(loops):
            last = last * level.factors[d] + level.residuals[d] - 1
        if last != bound - 1:
            raise MappingError(
                f"the factors of dimension {name} cover {last + 1} iterations, not its bound",
                path="map",
                expected=f"{bound} iterations of {name} over all levels",
                remedy=f"make the factors of {name} multiply to {bound}, or give a residual as [n, r]",
            )


def _levels_by_name(row: MappingType[str, Any], architecture: Architecture) -> list[MappingType[str, Any]]:
    """The level entries, inside-out like ``architecture.storage``."""
    entries = row.get("map")
    if not isinstance(entries, list):
        _fail("the row has no list of levels", "map", entries, "a list of levels, outermost first")
    found: dict[int, MappingType[str, Any]] = {}
    for position, entry in enumerate(entries):
        path = f"map[{position}]"
        if not isinstance(entry, dict):
            _fail("not a level", path, entry, "a map with the keys " + ", ".join(LEVEL_KEYS))
        for key in entry:
            if key not in LEVEL_KEYS:
                _fail(f"unknown key {key!r}", path, entry, "only the keys " + ", ".join(LEVEL_KEYS))
        try:
            index = architecture.level_index(entry.get("l", ""))
        except KeyError:
            names = ", ".join(level.name for level in architecture.storage)
            _fail("no such storage level", f"{path}.l", entry.get("l"), f"one of {names}")
        if index in found:
            _fail("level named twice", f"{path}.l", entry["l"], "every level once")
        found[index] = entry
    missing = [level.name for s, level in enumerate(architecture.storage) if s not in found]
    if missing:
        _fail(f"no entry for level {missing[0]}", "map", ..., "every storage level once")
    return [found[s] for s in range(len(architecture.storage))]


def _loops(level: MappingType[str, Any], factors_key: str, order_key: str, problem: Problem) -> TilingLoops:
    path = f"map.{level['l']}"
    factors, residuals = [1] * len(problem.dims), [1] * len(problem.dims)
    given = level.get(factors_key, {})
    if not isinstance(given, dict):
        _fail("not a map of factors", f"{path}.{factors_key}", given, "dimension: factor")
    for name, factor in given.items():
        d = _dim(name, problem, f"{path}.{factors_key}")
        factors[d], residuals[d] = _factor(factor, f"{path}.{factors_key}.{name}")
    order = _order(level.get(order_key, ""), problem, f"{path}.{order_key}")
    return TilingLoops(tuple(factors), tuple(residuals), order, 0)


def _spatial_loops(level: MappingType[str, Any], problem: Problem) -> TilingLoops:
    loops = _loops(level, "s", "sp", problem)
    split = level.get("split", len(problem.dims))
    if not _is_count(split) or split > len(problem.dims):
        _fail("not a split", f"map.{level['l']}.split", split, f"a number from 0 to {len(problem.dims)}")
    return TilingLoops(loops.factors, loops.residuals, loops.order, split)


def _check_no_stray_spatial(levels: list[MappingType[str, Any]], architecture: Architecture) -> None:
    spatial = {tiling.storage for tiling in architecture.tiling_levels if tiling.spatial}
    for s, level in enumerate(levels):
        if s not in spatial and level.keys() & {"s", "sp", "split"}:
            _fail(
                "spatial loops at a level without fan-out", f"map.{level['l']}", ..., "no s, sp, split here"
            )


def _keep(level: MappingType[str, Any], problem: Problem) -> tuple[bool, ...]:
    bypassed = level.get("b", [])
    names = [space.name for space in problem.data_spaces]
    if not isinstance(bypassed, list):
        _fail("not a list", f"map.{level['l']}.b", bypassed, "a list of data spaces")
    for name in bypassed:
        if name not in names:
            _fail("no such data space", f"map.{level['l']}.b", name, "one of " + ", ".join(names))
    return tuple(name not in bypassed for name in names)


def _factor(factor: object, path: str) -> tuple[int, int]:
    """(n, r) of ``n`` or ``[n, r]``."""
    n, r = factor if isinstance(factor, list) and len(factor) == 2 else (factor, factor)
    if not _is_count(n) or not _is_count(r) or not 1 <= r <= n:
        _fail("not a factor", path, factor, "a number n >= 1, or [n, r] with 1 <= r <= n")
    return n, r


def _order(letters: object, problem: Problem, path: str) -> tuple[int, ...]:
    """Permutation letters to dim indices; dimensions left out follow in declaration order, as in Timeloop."""
    if not isinstance(letters, str):
        _fail("not a permutation", path, letters, "letters of dimensions, innermost first")
    order = [_dim(letter, problem, path) for letter in letters]
    if len(set(order)) != len(order):
        _fail("a dimension occurs twice", path, letters, "every dimension once")
    return (*order, *(d for d in range(len(problem.dims)) if d not in order))


def _dim(name: object, problem: Problem, path: str) -> int:
    try:
        return problem.dim_index(str(name))
    except KeyError:
        _fail("no such dimension", path, name, "one of " + ", ".join(problem.dims))


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _fail(problem: str, path: str, value: object, expected: str) -> NoReturn:
    raise MappingError(problem, path=path, value=value, expected=expected)


def _loops_row(tiling: TilingLevel, loops: TilingLoops, problem: Problem) -> dict[str, Any]:
    factors = {
        name: n if n == r else [n, r]
        for name, n, r in zip(problem.dims, loops.factors, loops.residuals, strict=True)
        if n > 1
    }
    order = "".join(problem.dims[d] for d in loops.order)
    if tiling.spatial:
        return {"s": factors, "sp": order, "split": loops.split}
    return {"t": factors, "p": order}
