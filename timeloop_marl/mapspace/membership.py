"""Is a mapping allowed? Every violated constraint by name (mapspace section 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ..specs.architecture import TilingLevel
from ..specs.constraints import LoopConstraint
from ..specs.mapping import Mapping, TilingLoops
from ..specs.spec import Spec
from .patterns import Pattern, constraint_of, level_label


class Rule(Enum):
    """What a mapping can violate."""

    BOUND = "factor product"
    FIXED = "fixed factor"
    MAXIMUM = "maximum factor"
    MINIMUM = "minimum factor"
    PERMUTATION = "permutation"
    SPLIT = "split"
    BYPASS = "bypass"
    KEPT_NOWHERE = "kept nowhere"
    FANOUT = "fan-out"
    PARALLELISM = "parallelism"
    TEMPORAL_LOOPS = "temporal loops"


@dataclass(frozen=True)
class Violation:
    """One broken constraint: where it applies, what was expected and found, and the file and key path it comes from."""

    rule: Rule
    level: str  # e.g. "BUF (spatial)"; empty if it concerns the whole mapping
    subject: str  # dimension or data space, may be empty
    expected: str
    found: str
    source: str = ""

    def __str__(self) -> str:
        where = " at ".join(part for part in (self.subject, self.level) if part)
        what = f"{self.rule.value} of {where}" if where else self.rule.value
        source = f" ({self.source})" if self.source else ""
        return f"{what}: expected {self.expected}, found {self.found}{source}"


def violations(mapping: Mapping, spec: Spec) -> list[Violation]:
    """Everything that keeps a mapping from being drawn under the constraints of a Spec, capacity apart.

    Empty = allowed. Unit loops may stand anywhere in an order. As in Timeloop's mapper, a permutation of the innermost
    temporal loops is without effect (they have no order that matters), so it is not looked at.
    """
    found = list(_bounds(mapping, spec))
    left = list(spec.problem.bounds)
    for index, (level, loops) in enumerate(zip(spec.architecture.tiling_levels, mapping.loops)):
        rule, label = constraint_of(spec.constraints, level), level_label(spec.architecture, level)
        found += _factors(spec, rule, label, loops, left)
        if index or level.spatial:
            found += _order(spec, rule, label, loops, level)
        if level.spatial:
            found += _fanout(spec, label, loops, level)
        left = [-(-rest // factor) for rest, factor in zip(left, loops.factors)]
    found += _bypass(mapping, spec)
    found += _totals(mapping, spec)
    return found


def _bounds(mapping: Mapping, spec: Spec) -> Iterator[Violation]:
    for d, bound in enumerate(spec.problem.bounds):
        last = 0
        for loops in reversed(mapping.loops):
            last = last * loops.factors[d] + loops.residuals[d] - 1
        if last != bound - 1:
            yield Violation(Rule.BOUND, "", spec.problem.dims[d], str(bound), str(last + 1))


def _factors(
    spec: Spec, rule: LoopConstraint, label: str, loops: TilingLoops, left: list[int]
) -> Iterator[Violation]:
    ruby = spec.mapper.template == "ruby"
    for d, name in enumerate(spec.problem.dims):
        factor, residual = loops.factors[d], loops.residuals[d]
        values = (factor, residual) if ruby else (factor,)
        if d in rule.fixed and factor != min(rule.fixed[d], left[d]):
            yield Violation(Rule.FIXED, label, name, str(rule.fixed[d]), str(factor), rule.source)
        if d in rule.maximum and max(values) > rule.maximum[d]:
            yield Violation(Rule.MAXIMUM, label, name, f"at most {rule.maximum[d]}", str(factor), rule.source)
        if d in rule.minimum and min(values) < rule.minimum[d]:
            yield Violation(
                Rule.MINIMUM, label, name, f"at least {rule.minimum[d]}", str(min(values)), rule.source
            )


def _order(
    spec: Spec, rule: LoopConstraint, label: str, loops: TilingLoops, level: TilingLevel
) -> Iterator[Violation]:
    dims = tuple(range(len(spec.problem.dims)))
    prefix, suffix = rule.prefix or (), rule.suffix
    free = tuple(d for d in dims if d not in prefix and d not in suffix)
    pattern = Pattern(prefix, free, suffix, canonical=False)
    x, y = _non_unit(loops) if level.spatial else (tuple(d for d in loops.order if loops.factors[d] > 1), ())
    if not _admits(pattern, x + y, (), None):
        yield Violation(
            Rule.PERMUTATION, label, "", _order_text(spec, prefix, suffix), _names(spec, x + y), rule.source
        )
    elif level.spatial and rule.split is not None and not _admits(pattern, x, y, rule.split):
        found = f"X = {_names(spec, x) or 'none'}, Y = {_names(spec, y) or 'none'}"
        yield Violation(Rule.SPLIT, label, "", f"{rule.split} positions in X", found, rule.source)


def _non_unit(loops: TilingLoops) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dims with a factor above 1, innermost first: those at X positions and those at Y positions."""
    x = tuple(d for d in loops.order[: loops.split] if loops.factors[d] > 1)
    y = tuple(d for d in loops.order[max(loops.split, 0) :] if loops.factors[d] > 1)
    return x, y


def _admits(pattern: Pattern, x: tuple[int, ...], y: tuple[int, ...], split: int | None) -> bool:
    """Whether an order of the pattern has the non-unit dims x, then y, with all x before the split.

    Unit loops count as positions but move nothing: they are put wherever the pattern lets them, so that a mapping
    written by hand is recognised whatever order its unit loops have.
    """
    wanted = x + y
    fixed = set(pattern.prefix) | set(pattern.suffix)
    free_x = [d for d in x if d not in fixed]
    free_y = [d for d in y if d not in fixed]
    units = [d for d in pattern.free if d not in wanted]
    for front in range(len(units) + 1):
        for middle in range(len(units) - front + 1):
            free = units[:front] + free_x + units[front : front + middle] + free_y + units[front + middle :]
            order = (*pattern.prefix, *free, *pattern.suffix)
            last_x = max((order.index(d) for d in x), default=-1)
            first_y = min((order.index(d) for d in y), default=len(order))
            at = last_x + 1 if split is None else split
            if last_x < at <= first_y and tuple(d for d in order if d in wanted) == wanted:
                return True
    return False


def _names(spec: Spec, dims: tuple[int, ...]) -> str:
    return "".join(spec.problem.dims[d] for d in dims)


def _order_text(spec: Spec, prefix: tuple[int, ...], suffix: tuple[int, ...]) -> str:
    inside = f"{_names(spec, prefix)} innermost" if prefix else ""
    outside = f"{_names(spec, suffix)} outermost" if suffix else ""
    return " and ".join(part for part in (inside, outside) if part)


def extents(loops: TilingLoops) -> tuple[int, int]:
    """Products of the X and of the Y loop bounds of a spatial level."""
    x = y = 1
    for position, d in enumerate(loops.order):
        if position < loops.split:
            x *= loops.factors[d]
        else:
            y *= loops.factors[d]
    return x, y


def _fanout(spec: Spec, label: str, loops: TilingLoops, level: TilingLevel) -> Iterator[Violation]:
    hardware = spec.architecture.fanout_x(level.storage), spec.architecture.fanout_y(level.storage)
    for axis, mapped, available in zip("XY", extents(loops), hardware):
        if mapped > available:
            yield Violation(Rule.FANOUT, label, axis, f"at most {available}", str(mapped), "architecture")


def _bypass(mapping: Mapping, spec: Spec) -> Iterator[Violation]:
    for p, space in enumerate(spec.problem.data_spaces):
        if not any(row[p] for row in mapping.keep):
            yield Violation(
                Rule.KEPT_NOWHERE, "", space.name, "kept at one level at least", "bypassed everywhere"
            )
        for s, level in enumerate(spec.architecture.storage):
            wanted = spec.constraints.bypass[p][s] if spec.constraints.bypass else "X"
            if wanted != "X" and mapping.keep[s][p] != (wanted == "1"):
                texts = ("kept", "bypassed") if wanted == "1" else ("bypassed", "kept")
                source = spec.constraints.bypass_sources.get((p, s), "")
                yield Violation(Rule.BYPASS, level.name, space.name, *texts, source)


def _totals(mapping: Mapping, spec: Spec) -> Iterator[Violation]:
    parallelism, loops_used = 1.0, 0
    for level, loops in zip(spec.architecture.tiling_levels, mapping.loops):
        if level.spatial:
            x, y = extents(loops)
            available = spec.architecture.fanout_x(level.storage) * spec.architecture.fanout_y(level.storage)
            parallelism *= x * y / available
        else:
            loops_used += sum(factor > 1 for factor in loops.factors)
    least, most = spec.constraints.min_parallelism, spec.mapper.max_temporal_loops_in_a_mapping
    if parallelism < least:
        source = spec.constraints.parallelism_source
        yield Violation(Rule.PARALLELISM, "", "", f"at least {least:g}", f"{parallelism:g}", source)
    if 0 < most < loops_used:
        yield Violation(Rule.TEMPORAL_LOOPS, "", "", f"at most {most}", str(loops_used))
