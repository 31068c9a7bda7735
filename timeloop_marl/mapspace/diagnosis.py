"""Why a set of constraints leaves no valid mapping, or wastes the machine: found without a search."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations

import numpy as np

from ..errors import InfeasibleError
from ..kernels.record import boxed
from ..specs.architecture import TilingLevel
from ..specs.constraints import LoopConstraint
from ..specs.spec import Spec
from ..traffic.geometry import least_words
from .factorization import timeloop_divisors
from .kernels import hull_volumes
from .learners.build import Builder
from .patterns import constraint_of, level_label
from .timeloop import LARGEST_SPACE, TimeloopMapspace


class Severity(Enum):
    """``ERROR``: no valid mapping is left. ``WARNING``: legal, but probably not what was meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One finding: what is wrong, at which level, where it was said, what would mend it."""

    severity: Severity
    problem: str
    level: str = ""  # e.g. "BUF (spatial)"; empty if it concerns the whole space
    source: str = ""  # file and key path of the constraint
    found: str = ""
    expected: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return str(self.as_error())

    def as_error(self) -> InfeasibleError:
        """The finding as an exception."""
        where = f"{self.level}: " if self.level else ""
        text = f"{where}{self.problem}"
        if self.found:
            return InfeasibleError(
                text, path=self.source, value=self.found, expected=self.expected, remedy=self.remedy
            )
        return InfeasibleError(text, path=self.source, expected=self.expected, remedy=self.remedy)


def diagnose(spec: Spec, template: str | None = None) -> list[Finding]:
    """All findings, errors first. A Spec without errors may still have no valid mapping, but none that is this plain.

    Checked: factor lists (fixed, minimum and maximum factors), forced spatial factors against fan-outs, forced tiles
    against capacities, data spaces kept nowhere, min_utilization, parallelism, idle arrays.

    ``template``: ``uber`` (perfect factors) or ``ruby``; None = that of the mapper options.
    """
    space = TimeloopMapspace(spec, template)
    checks: tuple[Callable[[TimeloopMapspace], Iterator[Finding]], ...] = (
        _empty_lists, _imperfect_factors, _fanouts, _kept_nowhere, _capacity_findings, _parallelism_bounds, _size,
    )  # fmt: skip
    found = [finding for check in checks for finding in check(space)]
    # These two would only repeat in other words what an error above says.
    for check in (_unplaced_factors, _idle_arrays):
        if not any(finding.severity is Severity.ERROR for finding in found):
            found += check(space)
    return sorted(found, key=lambda finding: finding.severity is Severity.WARNING)


def require_feasible(spec: Spec, template: str | None = None) -> None:
    """Raise ``InfeasibleError`` for the first error that ``diagnose`` finds."""
    for finding in diagnose(spec, template):
        if finding.severity is Severity.ERROR:
            raise finding.as_error()


def _fanouts(space: TimeloopMapspace) -> Iterator[Finding]:
    """Factors that are forced at a spatial level have to fit its mesh."""
    for t in space.spatial_levels:
        level = space.tiling_levels[t]
        rule = space.constraint(t)
        forced = {d: _forced(space, t, d) for d in range(space.dims)}
        if _spatial_fits(space, t, forced):
            continue
        text = " ".join(f"{space.problem.dims[d]}{factor}" for d, factor in forced.items() if factor > 1)
        x, y = space.mesh(t)
        split = "" if rule.split is None else f" with split {rule.split}"
        yield Finding(
            Severity.ERROR, "the spatial factors that the constraints force do not fit the mesh",
            level_label(space.architecture, level), rule.source, f"{text}{split}",
            f"loops of at most {x} in X and {y} in Y",
            "lower the fixed or minimum factors, or change split and permutation",
        )  # fmt: skip


def _forced(space: TimeloopMapspace, t: int, dim: int) -> int:
    """The least that the loop of a dim at tiling level t can be."""
    rule, bound = space.constraint(t), space.problem.bounds[dim]
    least = min(bound, max(rule.fixed.get(dim, 1), rule.minimum.get(dim, 1)))
    if space.template == "uber" and not space.counts[dim].given.imperfect:
        return least
    # Factors that cover more than the bound are cut to what the loops inside have left of it.
    return min(least, -(-bound // _inside_bounds(space, t - 1)[1][dim]))


def _kept_nowhere(space: TimeloopMapspace) -> Iterator[Finding]:
    for p, data_space in enumerate(space.problem.data_spaces):
        free = any(q == p for _, q in space.bypass.free)
        if not free and not any(row[p] for row in space.bypass.fixed):
            sources = (space.constraints.bypass_sources.get((p, s)) for s in range(len(space.bypass.fixed)))
            yield Finding(
                Severity.ERROR, f"data space {data_space.name} is bypassed at every storage level",
                source="; ".join(dict.fromkeys(source for source in sources if source)),
                expected="kept at one level at least, usually the outermost",
                remedy=f"keep {data_space.name} at {space.architecture.storage[-1].name}",
            )  # fmt: skip


def _size(space: TimeloopMapspace) -> Iterator[Finding]:
    if space.size >= LARGEST_SPACE:
        yield Finding(
            Severity.WARNING, f"the mapspace has {space.size:.3g} mappings, 2^128 or more",
            remedy="the real timeloop-mapper refuses it: fix factors, permutations or bypasses",
        )  # fmt: skip


# Factor constraints of one dimension against its bound: contradictions, empty lists, factors without a place.

_KINDS = (("fixed", "="), ("minimum", ">="), ("maximum", "<="))


def _empty_lists(space: TimeloopMapspace) -> Iterator[Finding]:
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


def _imperfect_factors(space: TimeloopMapspace) -> Iterator[Finding]:
    """Fixed factors that do not divide what is left of the bound: legal, seldom meant."""
    for d, counts in enumerate(space.counts):
        for t in counts.given.imperfect:
            level = space.tiling_levels[t]
            name, factor = space.problem.dims[d], counts.given.factors[t]
            yield Finding(
                Severity.WARNING,
                f"{name}={factor} does not divide what the inner fixed factors leave of the bound "
                f"{space.problem.bounds[d]}: the last iteration is partly empty",
                level_label(space.architecture, level), space.constraint(t).source,
                remedy=f"use a divisor of {space.problem.bounds[d]} if every iteration should be full",
            )  # fmt: skip


def _unplaced_factors(space: TimeloopMapspace) -> Iterator[Finding]:
    """A prime factor whose only levels are spatial, each with a mesh that is too small or on the wrong side."""
    if space.template != "uber" or any(counts.given.imperfect for counts in space.counts):
        return  # imperfect factors need not contain the prime, and may be cut to less than they say
    try:
        Builder(space.spec)
    except InfeasibleError as error:
        yield Finding(
            Severity.ERROR, error.problem, source=error.path, expected=error.expected, remedy=error.remedy
        )


# Tiles that the constraints force, against meshes, capacities and minimum utilisations.


def _spatial_fits(space: TimeloopMapspace, t: int, factors: Mapping[int, int]) -> bool:
    """Whether spatial tiling level t can hold these factors (dim -> factor; others 1) within its fan-out."""
    fanout_x, fanout_y = space.mesh(t)
    used = {d: factor for d, factor in factors.items() if factor > 1}
    total = math.prod(used.values())
    for x_dims in _x_choices(space, t, tuple(used)):
        x = math.prod(used[d] for d in x_dims)
        if x <= fanout_x and total // x <= fanout_y:
            return True
    return False


def _x_choices(space: TimeloopMapspace, t: int, used: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The sets of used dims that can stand before the split: initial segments of prefix, free subset, suffix."""
    pattern, split = space.patterns[t], min(int(space.choices.user_split[t]), space.dims)
    free = [d for d in pattern.free if d in used]
    units = len(pattern.free) - len(free)

    def kept(dims: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(d for d in dims if d in used)

    for size in range(len(pattern.prefix) + 1):
        if split in (-1, size):
            yield kept(pattern.prefix[:size])
    for size in range(len(free) + 1):
        positions = range(len(pattern.prefix) + size, len(pattern.prefix) + size + units + 1)
        if split < 0 or split in positions:
            for chosen in combinations(free, size):
                yield kept(pattern.prefix) + chosen
    inside = len(pattern.prefix) + len(pattern.free)
    for size in range(len(pattern.suffix) + 1):
        if split in (-1, inside + size):
            yield kept(pattern.prefix) + tuple(free) + kept(pattern.suffix[:size])


def _inside_bounds(space: TimeloopMapspace, boundary: int) -> tuple[list[int], list[int]]:
    """Per dim, the least and the largest product of the factors of tiling levels 0..boundary."""
    least, largest = [], []
    for d, bound in enumerate(space.problem.bounds):
        low, low_outside, high, high_outside = 1, 1, 1, 1
        # Imperfect factors can cover more than the bound: then only the factors themselves limit the product.
        perfect = space.template == "uber" and not space.counts[d].given.imperfect
        for t, level in enumerate(space.tiling_levels):
            rule = space.constraint(t)
            fixed = rule.fixed.get(d)
            floor = fixed or rule.minimum.get(d, 1)
            ceiling = fixed or rule.maximum.get(d, bound)
            if level.spatial:
                ceiling = min(ceiling, math.prod(space.mesh(t)))
            if t <= boundary:
                low, high = low * floor, min(high * ceiling, bound) if perfect else high * ceiling
            else:
                low_outside, high_outside = low_outside * floor, min(high_outside * ceiling, bound)
        least.append(min(max(low, -(-bound // high_outside)), bound))
        largest.append(max(1, min(high, -(-bound // low_outside)) if perfect else high))
    return least, largest


def _capacity_findings(space: TimeloopMapspace) -> Iterator[Finding]:
    """Levels that the forced tile overfills, or that the largest possible one cannot fill enough."""
    temporal = [t for t, level in enumerate(space.tiling_levels) if not level.spatial]
    for s, storage in enumerate(space.architecture.storage):
        room = space.room(s)
        if room is None:
            continue
        least, largest = _inside_bounds(space, temporal[s])
        forced = np.array([(s, p) not in space.bypass.free for p in range(len(space.problem.data_spaces))])
        kept = np.array(space.bypass.fixed[s], np.bool_)  # free ones count as kept
        words = hull_volumes(boxed(space.geometry), np.array([least, largest], np.int64))
        smallest, greatest = int(words[0, forced & kept].sum()), int(words[1, kept].sum())
        names = ", ".join(space.problem.data_spaces[p].name for p in np.flatnonzero(forced & kept))
        dims = " ".join(f"{name}{n}" for name, n in zip(space.problem.dims, least) if n > 1)
        if smallest > room:
            yield Finding(
                Severity.ERROR, "the smallest tile that the constraints allow does not fit", storage.name,
                _sources(space, s), f"{smallest} words for {names} (tile {dims or 'of one operation'})",
                f"at most {room} words",
                f"bypass a data space at {storage.name}, relax fixed or minimum factors at or inside it, "
                "allow larger factors outside it, or enlarge it",
            )  # fmt: skip
        if greatest < least_words(storage):
            yield Finding(
                Severity.ERROR, f"min_utilization {storage.min_utilization:g} cannot be reached", storage.name,
                _sources(space, s), f"at most {greatest} words can be held",
                f"at least {least_words(storage):g} of {storage.effective_size} words",
                f"lower min_utilization of {storage.name} or keep more data spaces in it",
            )  # fmt: skip


def _sources(space: TimeloopMapspace, storage: int) -> str:
    sources = [
        constraint_of(space.constraints, level).source
        for level in space.tiling_levels
        if level.storage <= storage
    ]
    keeps = space.constraints.bypass_sources
    sources += [keeps.get((p, storage), "") for p in range(len(space.problem.data_spaces))]
    return "; ".join(dict.fromkeys(source for source in sources if source))


# How much of each array the constraints let a mapping use.

IDLE = 0.5
"""A constraint is reported if it leaves less than this share of an array, and without it twice as much could run."""


def _reachable(space: TimeloopMapspace, t: int, released: frozenset[int] = frozenset()) -> int:
    """Largest number of children of spatial level t that can work at once; ``released`` dims are unconstrained.

    Each dim lies in X or in Y as a whole; permutations and splits are taken to be free.
    """
    fanout_x, fanout_y = space.mesh(t)
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


def _parallelism_bounds(space: TimeloopMapspace) -> Iterator[Finding]:
    """A parallelism minimum that no mapping reaches."""
    least = space.constraints.min_parallelism
    best = 1.0
    for t in space.spatial_levels:
        if space.template == "ruby" and space.constraint(t).remainders:
            continue  # almost any factor can be had there
        best *= _reachable(space, t) / math.prod(space.mesh(t))
    if best < least:
        yield Finding(
            Severity.ERROR, "the parallelism minimum cannot be reached",
            source=space.constraints.parallelism_source, found=f"at most {best:g}",
            expected=f"at least {least:g}", remedy="lower it, or relax the spatial factor constraints",
        )  # fmt: skip


def _idle_arrays(space: TimeloopMapspace) -> Iterator[Finding]:
    """Constraints that pin dims of bound > 1 at a spatial level and so leave most of its array idle."""
    for t in space.spatial_levels:
        if space.template == "ruby" and space.constraint(t).remainders:
            continue
        available = math.prod(space.mesh(t))
        used = _reachable(space, t)
        pinned = [d for d in range(space.dims) if _pinned(space, t, d)]
        if not used or used >= IDLE * available or not pinned:
            continue
        if _reachable(space, t, frozenset(pinned)) < 2 * used:
            continue
        gains = {d: _reachable(space, t, frozenset({d})) for d in pinned}
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
    return limit is not None and limit < min(space.problem.bounds[dim], math.prod(space.mesh(t)))


def _limit(space: TimeloopMapspace, t: int, dim: int) -> int | None:
    rule = space.constraint(t)
    return rule.fixed.get(dim, rule.maximum.get(dim))
