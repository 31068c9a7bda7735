"""Writes constraints in the v0.3 form, the inverse of ``constraint_reading`` (mapspace section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .architecture import TilingLevel
from .constraints import LoopConstraint
from .problem import Problem
from .spec import Spec


def constraint_targets(spec: Spec) -> list[dict[str, Any]]:
    """The list under ``targets``, levels outermost first, each entry with target and type."""
    targets: list[dict[str, Any]] = []
    for level in reversed(range(len(spec.architecture.storage))):
        targets += [*_bypass(spec, level)]
        for spatial in (True, False):
            targets += [*_loops(spec, TilingLevel(level, spatial))]
    if spec.constraints.min_parallelism > 0:
        innermost = spec.architecture.storage[0].name
        minimum = spec.constraints.min_parallelism
        targets.append({"target": innermost, "type": "utilization", "min": minimum})
    return targets


def _bypass(spec: Spec, level: int) -> list[dict[str, Any]]:
    """What is kept and bypassed by decree; that the outermost level keeps is the rule and not said."""
    flags = [row[level] for row in spec.constraints.bypass]
    names = [space.name for space in spec.problem.data_spaces]
    outermost = level == len(spec.architecture.storage) - 1
    lists = {
        "keep": [name for name, flag in zip(names, flags, strict=False) if flag == "1" and not outermost],
        "bypass": [name for name, flag in zip(names, flags, strict=False) if flag == "0"],
        "no_coalesce": _switched(spec, spec.constraints.switches.no_coalesce, level),
    }
    entry = {key: found for key, found in lists.items() if found}
    return [{"target": spec.architecture.storage[level].name, "type": "datatype", **entry}] if entry else []


def _loops(spec: Spec, tiling: TilingLevel) -> list[dict[str, Any]]:
    if tiling not in spec.architecture.tiling_levels:
        return []
    constraint, switches = spec.constraints.loops.get(tiling), spec.constraints.switches
    entry = {} if constraint is None else _loop_keys(constraint, spec.problem)
    if tiling.spatial:
        pairs = {
            "no_multicast_no_reduction": switches.no_multicast,
            "no_link_transfer": switches.no_link_transfer,
        }
    else:
        pairs = {
            "no_temporal_reuse": switches.no_temporal_reuse,
            "rmw_first_update": switches.rmw_first_update,
        }
    lists = {key: _switched(spec, chosen, tiling.storage) for key, chosen in pairs.items()}
    entry |= {key: names for key, names in lists.items() if names}
    if constraint is None and not entry:
        return []
    kind = "spatial" if tiling.spatial else "temporal"
    return [{"target": spec.architecture.storage[tiling.storage].name, "type": kind, **entry}]


def _loop_keys(constraint: LoopConstraint, problem: Problem) -> dict[str, Any]:
    """Factors, permutation, split and remainders, as far as they are constrained."""
    keys: dict[str, Any] = {}
    tables = {"=": constraint.fixed, "<=": constraint.maximum, ">=": constraint.minimum}
    factors = [
        f"{name}{relation}{table[dim]}"
        for relation, table in tables.items()
        for dim, name in enumerate(problem.dims)
        if dim in table
    ]
    if factors:
        keys["factors"] = " ".join(factors)
    if constraint.prefix is not None or constraint.suffix:
        suffix = _letters(constraint.suffix, problem)
        keys["permutation"] = _letters(constraint.prefix or (), problem) + (suffix and f"_{suffix}")
    if constraint.split is not None:
        keys["split"] = constraint.split
    if constraint.remainders is not None:
        keys["remainders"] = constraint.remainders
    return keys


def _letters(dims: Sequence[int], problem: Problem) -> str:
    return "".join(problem.dims[dim] for dim in dims)


def _switched(spec: Spec, pairs: frozenset[tuple[int, int]], level: int) -> list[str]:
    return [space.name for index, space in enumerate(spec.problem.data_spaces) if (level, index) in pairs]
