"""Factor constraints of one dimension against its bound: contradictions, empty lists, factors without a place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..errors import InfeasibleError
from ..specs.architecture import TilingLevel
from ..specs.constraints import LoopConstraint
from .findings import Finding, Severity
from .learners.build import Builder
from .patterns import constraint_of, level_label
from .timeloop import TimeloopMapspace

_KINDS = (("fixed", "="), ("minimum", ">="), ("maximum", "<="))


def empty_lists(space: TimeloopMapspace) -> Iterator[Finding]:
    """Dims without any factorisation: limits of one level that contradict each other, or of several together."""
    for d, size in enumerate(space.factorization_sizes):
        if size == 0:
            yield from list(_contradictions(space, d)) or _why_empty(space, d)


def _user(space: TimeloopMapspace) -> list[tuple[TilingLevel, LoopConstraint]]:
    return [(level, constraint_of(space.constraints, level)) for level in space.tiling_levels]


def _contradictions(space: TimeloopMapspace, dim: int) -> Iterator[Finding]:
    """Levels at which no factor at all meets the limits of a dim."""
    name = space.problem.dims[dim]
    for level, rule in _user(space):
        fixed = rule.fixed.get(dim)
        low, high = rule.minimum.get(dim, 1), rule.maximum.get(dim, fixed or space.problem.bounds[dim])
        if dim in rule.maximum and low > high:
            text = f"{name}>={low} contradicts {name}<={high}"
        elif fixed is not None and not low <= fixed <= high:
            text = f"{name}={fixed} contradicts {_limits_text(name, dim, replace(rule, fixed={}))}"
        else:
            continue
        yield Finding(
            Severity.ERROR, text, level_label(space.architecture, level), rule.source,
            remedy=f"drop one of the limits of {name}",
        )  # fmt: skip


def _why_empty(space: TimeloopMapspace, dim: int) -> Iterator[Finding]:
    """Name the constraints of a dim whose removal alone would leave factorisations."""
    name, bound = space.problem.dims[dim], space.problem.bounds[dim]
    culprits = []
    for level, rule in _user(space):
        for kind, sign in _KINDS:
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
    return " ".join(
        f"{name}{sign}{getattr(rule, kind)[dim]}" for kind, sign in _KINDS if dim in getattr(rule, kind)
    )


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


def imperfect_factors(space: TimeloopMapspace) -> Iterator[Finding]:
    """Fixed factors that do not divide what is left of the bound: legal, seldom meant."""
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


def unplaced_factors(space: TimeloopMapspace) -> Iterator[Finding]:
    """A prime factor whose only levels are spatial, each with a mesh that is too small or on the wrong side."""
    if space.template != "uber" or any(counts.given.imperfect for counts in space.counts):
        return  # imperfect factors need not contain the prime, and may be cut to less than they say
    try:
        Builder(space.spec)
    except InfeasibleError as error:
        yield Finding(
            Severity.ERROR, error.problem, source=error.path, expected=error.expected, remedy=error.remedy
        )
