"""Why a set of constraints leaves no valid mapping, or wastes the machine: found without a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ..specs.architecture import TilingLevel
from ..specs.constraints import LoopConstraint
from ..specs.spec import Spec
from .arrays_in_use import idle_arrays, parallelism_bounds
from .findings import Finding, Severity
from .fitting import spatial_fits
from .patterns import constraint_of, level_label
from .tile_bounds import capacity_findings
from .timeloop import LARGEST_SPACE, TimeloopMapspace

__all__ = ["Finding", "Severity", "diagnose", "require_feasible"]


def diagnose(spec: Spec) -> list[Finding]:
    """All findings, errors first. A Spec without errors may still have no valid mapping, but none that is this plain.

    Checked: factor lists (fixed, minimum and maximum factors), forced spatial factors against fan-outs, forced tiles
    against capacities, data spaces kept nowhere, min_utilization, parallelism, idle arrays.
    """
    space = TimeloopMapspace(spec)
    checks: tuple[Callable[[TimeloopMapspace], Iterator[Finding]], ...] = (
        _empty_lists, _imperfect, _fanouts, _kept_nowhere, capacity_findings, parallelism_bounds, _size,
    )  # fmt: skip
    found = [finding for check in checks for finding in check(space)]
    if not any(finding.severity is Severity.ERROR for finding in found):
        found += idle_arrays(space)
    return sorted(found, key=lambda finding: finding.severity is Severity.WARNING)


def require_feasible(spec: Spec) -> None:
    """Raise ``InfeasibleError`` for the first error that ``diagnose`` finds."""
    for finding in diagnose(spec):
        if finding.severity is Severity.ERROR:
            raise finding.as_error()


def _user(space: TimeloopMapspace) -> list[tuple[TilingLevel, LoopConstraint]]:
    return [(level, constraint_of(space.constraints, level)) for level in space.tiling_levels]


def _empty_lists(space: TimeloopMapspace) -> Iterator[Finding]:
    for d, size in enumerate(space.factorization_sizes):
        if size == 0:
            yield from _why_empty(space, d)


def _why_empty(space: TimeloopMapspace, dim: int) -> Iterator[Finding]:
    """Name the constraints of a dim whose removal alone would leave factorisations."""
    name, bound = space.problem.dims[dim], space.problem.bounds[dim]
    culprits = []
    for level, rule in _user(space):
        for kind, sign in (("fixed", "="), ("minimum", ">="), ("maximum", "<=")):
            if dim not in getattr(rule, kind) or not _helps(space, level, kind, dim):
                continue
            text = f"{name}{sign}{getattr(rule, kind)[dim]}"
            culprits.append((level_label(space.architecture, level), rule.source, text))
    limits = "; ".join(
        f"{level_label(space.architecture, level)}: {text}"
        for level, rule in _user(space)
        if (text := _limits_text(name, dim, rule))
    )
    problem = f"no factorisation of {name} (bound {bound}) satisfies the factor constraints"
    expected = f"factors whose product is {bound}, each a divisor of what the fixed ones leave"
    if not culprits:
        yield Finding(
            Severity.ERROR, problem, found=limits, expected=expected,
            remedy=f"relax several of the constraints on {name}: no single one is to blame",
        )  # fmt: skip
    for level_name, source, text in culprits:
        yield Finding(
            Severity.ERROR, problem, level_name, source, f"{text} (all limits: {limits})", expected,
            f"remove or change {text} at {level_name}",
        )  # fmt: skip


def _limits_text(name: str, dim: int, rule: LoopConstraint) -> str:
    parts = [
        f"{name}{sign}{values[dim]}"
        for sign, values in (("=", rule.fixed), (">=", rule.minimum), ("<=", rule.maximum))
        if dim in values
    ]
    return " ".join(parts)


def _helps(space: TimeloopMapspace, level: TilingLevel, kind: str, dim: int) -> bool:
    """Whether the dim has factorisations once one constraint is taken away."""
    rule = constraint_of(space.constraints, level)
    values = {d: value for d, value in getattr(rule, kind).items() if d != dim}
    changed = {
        "fixed": replace(rule, fixed=values),
        "minimum": replace(rule, minimum=values),
        "maximum": replace(rule, maximum=values),
    }[kind]
    loops = {**space.constraints.loops, level: changed}
    spec = replace(space.spec, constraints=replace(space.constraints, loops=loops))
    return TimeloopMapspace(spec, space.template).factorization_sizes[dim] > 0


def _imperfect(space: TimeloopMapspace) -> Iterator[Finding]:
    for d, counts in enumerate(space.counts):
        for t in counts.given.imperfect:
            level = space.tiling_levels[t]
            name, factor = space.problem.dims[d], counts.given.factors[t]
            yield Finding(
                Severity.WARNING,
                f"{name}={factor} does not divide what the inner fixed factors leave of the bound "
                f"{space.problem.bounds[d]}: the last iteration is partly empty",
                level_label(space.architecture, level), constraint_of(space.constraints, level).source,
                remedy=f"use a divisor of {space.problem.bounds[d]} if every iteration should be full",
            )  # fmt: skip


def _fanouts(space: TimeloopMapspace) -> Iterator[Finding]:
    """Factors that are forced at a spatial level have to fit its mesh."""
    for t in space.spatial_levels:
        level = space.tiling_levels[t]
        rule = constraint_of(space.constraints, level)
        forced = {
            d: min(space.problem.bounds[d], max(rule.fixed.get(d, 1), rule.minimum.get(d, 1)))
            for d in range(space.dims)
        }
        if spatial_fits(space, t, forced):
            continue
        text = " ".join(f"{space.problem.dims[d]}{factor}" for d, factor in forced.items() if factor > 1)
        x, y = space.choices.fanout_x[t], space.choices.fanout_y[t]
        split = "" if rule.split is None else f" with split {rule.split}"
        yield Finding(
            Severity.ERROR, "the spatial factors that the constraints force do not fit the mesh",
            level_label(space.architecture, level), rule.source, f"{text}{split}",
            f"loops of at most {x} in X and {y} in Y",
            "lower the fixed or minimum factors, or change split and permutation",
        )  # fmt: skip


def _kept_nowhere(space: TimeloopMapspace) -> Iterator[Finding]:
    for p, data_space in enumerate(space.problem.data_spaces):
        free = any(q == p for _, q in space.bypass.free)
        if not free and not any(row[p] for row in space.bypass.fixed):
            yield Finding(
                Severity.ERROR, f"data space {data_space.name} is bypassed at every storage level",
                expected="kept at one level at least, usually the outermost",
                remedy=f"keep {data_space.name} at {space.architecture.storage[-1].name}",
            )  # fmt: skip


def _size(space: TimeloopMapspace) -> Iterator[Finding]:
    if space.size >= LARGEST_SPACE:
        yield Finding(
            Severity.WARNING, f"the mapspace has {space.size:.3g} mappings, 2^128 or more",
            remedy="the real timeloop-mapper refuses it: fix factors, permutations or bypasses",
        )  # fmt: skip
