"""Bounds that do not factor: which dimensions may take imperfect factors, where that pays, and how to say so."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from math import prod

from ..errors import SpecError
from ..specs.constraints import LoopConstraint
from ..specs.primes import divisors, prime_factors
from ..specs.spec import Spec

AUTO, PERFECT, IMPERFECT = "auto", "perfect", "imperfect"
IDLE = 0.05
"""Share of the compute units that perfect factors may leave idle before ``auto`` looks further."""
GAIN = 1.03
"""How many times as many of them imperfect factors must use for ``auto`` to take them."""
COARSE = 16
"""A larger prime factor leaves no choice of tiles either: ``auto`` takes imperfect factors for its dimension."""

_DENSE = 32  # loop bounds up to this are all there
_SPACING = 1.1  # ratio of neighbours above
_BEAM = 48
_FREE = LoopConstraint()


def loop_bounds(bound: int) -> list[int]:
    """Bounds that a loop of an imperfect dimension may have, falling to 1: ceil(bound / n), and all divisors.

    Every tight tuple is made of such bounds. Large ones are thinned out; the absorber takes the exact rest.
    """
    found, value = {bound, *divisors(bound)}, bound
    while value > 1:
        below = max(int(value / _SPACING), min(value - 1, _DENSE))
        value = -(-bound // -(-bound // below))
        found.add(value)
    return sorted(found, reverse=True)


def absorber(spec: Spec, d: int) -> int:
    """The tiling level that takes what the others leave of dimension d; -1 if it has to have perfect factors.

    That is the outermost level in time without limits for d, and nothing outside it may be of limited size. Smallest
    factors and fixed ones above 1 bind the whole tuple: such a dimension stays perfect, and so do all on a machine with
    a ``min_utilization``, which Timeloop holds against the shorter last tiles, too.
    """
    levels = spec.architecture.tiling_levels
    rules = [spec.constraints.loops.get(level, _FREE) for level in levels]
    if any(level.min_utilization > 0 for level in spec.architecture.storage):
        return -1
    if any(rule.fixed.get(d, 1) != 1 or rule.minimum.get(d, 1) > 1 for rule in rules):
        return -1
    for t in reversed(range(len(levels))):
        if spec.architecture.storage[levels[t].storage].effective_size is not None:
            break
        if not levels[t].spatial and d not in rules[t].fixed and d not in rules[t].maximum:
            return t
    return -1


def imperfect_dims(spec: Spec) -> dict[int, int]:
    """Dimensions of imperfect factors in the learners' view, with the tiling levels that absorb the rest.

    Raises:
        SpecError: ``remainders`` of a level, which only Timeloop's own enumeration has; or imperfect factors are asked
            for, and no dimension can have them.
    """
    wish = spec.mapper.factors or (IMPERFECT if spec.mapper.template == "ruby" else AUTO)
    if wish == PERFECT:
        return {}
    rule = limited(spec)
    if rule is not None:
        raise SpecError(
            "'remainders' limits Timeloop's own enumeration of imperfect factors; this searcher has another one",
            path=rule.source,
            value=rule.remainders,
            expected="no 'remainders' (any loop may be imperfect), or one of the searchers timeloop-…",
            remedy="remove it, or search with --factors perfect",
        )
    able = {d: absorber(spec, d) for d, bound in enumerate(spec.problem.bounds) if bound > 2}
    able = {d: t for d, t in able.items() if t >= 0}
    if wish == IMPERFECT:
        if not able and max(spec.problem.bounds) > 2:
            raise SpecError(
                "no dimension can have imperfect factors here",
                path="mapper.factors",
                value=wish,
                expected="a dimension without fixed (above 1) or smallest factors, free at the outermost level, "
                "and a machine without min_utilization",
                remedy="loosen the constraints, or search with --factors perfect",
            )
        return able
    chosen = {d for d in able if max(prime_factors(spec.problem.bounds[d])) > COARSE}
    perfect = busy(spec, ())
    if perfect < 1 - IDLE and busy(spec, able) >= GAIN * perfect:
        chosen |= {d for d in able if busy(spec, (d,)) >= GAIN * perfect} or set(able)
    return {d: t for d, t in able.items() if d in chosen}


def limited(spec: Spec) -> LoopConstraint | None:
    """A level whose ``remainders`` limit the imperfect factors of template ruby, if there is one."""
    rules = spec.constraints.loops.values() if spec.mapper.template == "ruby" else ()
    return next((rule for rule in rules if rule.remainders is not None), None)


def busy(spec: Spec, imperfect: Collection[int]) -> float:
    """Largest share of the compute units that spatial factors can keep busy, by the constraints on factors alone.

    Args:
        imperfect: dimensions whose factors need not divide.
    """
    architecture, rules = spec.architecture, spec.constraints.loops
    sides, most = [], []
    for level in architecture.tiling_levels:
        if level.spatial:
            rule = rules.get(level, _FREE)
            limits = tuple(
                rule.fixed.get(d, rule.maximum.get(d, bound)) for d, bound in enumerate(spec.problem.bounds)
            )
            widths = architecture.fanout_x(level.storage), architecture.fanout_y(level.storage)
            for y, width in enumerate(widths):
                if width > 1:
                    sides.append(width)
                    most.append(
                        tuple(n if _may_lie(rule, d, len(limits), y) else 1 for d, n in enumerate(limits))
                    )
    return _busy(tuple(spec.problem.bounds), tuple(sides), tuple(most), frozenset(imperfect))


def _may_lie(rule: LoopConstraint, d: int, dims: int, y: int) -> bool:
    """Whether the user's split and permutation can ever put dim d on side X (y = 0) or Y (1)."""
    prefix = rule.prefix or ()
    if rule.split is None or not (d in prefix or d in rule.suffix):
        return True
    place = prefix.index(d) if d in prefix else dims - len(rule.suffix) + rule.suffix.index(d)
    return (place >= rule.split) == bool(y)


@lru_cache(maxsize=512)
def _busy(
    bounds: tuple[int, ...],
    sides: tuple[int, ...],
    most: tuple[tuple[int, ...], ...],
    imperfect: frozenset[int],
) -> float:
    """Beam search over sides and dims: what is left of each dim, and the room left on the side."""
    states: dict[tuple[int, ...], int] = {bounds: 1}
    for width, limits in zip(sides, most, strict=True):
        states = dict.fromkeys(states, width)
        for d in range(len(bounds)):
            grown: dict[tuple[int, ...], int] = {}
            for left, room in states.items():
                for n in _steps(left[d], min(room, limits[d]), d in imperfect):
                    state = (*left[:d], -(-left[d] // n), *left[d + 1 :])
                    grown[state] = max(grown.get(state, 0), room // n)
            kept = sorted(grown, key=lambda state: (prod(state) / grown[state], state))[:_BEAM]
            states = {state: grown[state] for state in kept}
    return prod(bounds) / prod(sides) / min(prod(state) for state in states)


def _steps(left: int, most: int, imperfect: bool) -> Iterator[int]:
    """Factors up to ``most`` of what is left: divisors, or the least that leave so much."""
    if not imperfect:
        yield from (n for n in divisors(left) if n <= most)
        return
    n = 1
    while n <= most:
        yield n
        rest = -(-left // n)
        if rest == 1:
            return
        n = -(-left // (rest - 1))


def factors_notice(spec: Spec) -> str:
    """What imperfect factors make of the arrays, and whether they are searched; empty where perfect ones will do."""
    if spec.mapper.template == "ruby":
        return ""
    able = [d for d, bound in enumerate(spec.problem.bounds) if bound > 2 and absorber(spec, d) >= 0]
    helpful, searched = imperfect_dims(spec.with_factors(AUTO)), imperfect_dims(spec)
    if not helpful:
        return ""
    named = ", ".join(_factored(spec.problem.dims[d], spec.problem.bounds[d]) for d in helpful)
    perfect, most = busy(spec, ()), busy(spec, able)
    if most < GAIN * perfect:
        how = "imperfect ones are searched" if searched else "--factors imperfect has more"
        return f"{named}: perfect factors leave few sizes of tiles, {how}"
    how = "imperfect ones, which are searched," if searched else "with --factors imperfect"
    return f"{named}: perfect factors keep at most {perfect:.1%} of the compute units busy, {how} {most:.1%}"


def _factored(dim: str, bound: int) -> str:
    primes = prime_factors(bound)
    if len(primes) == 1:
        return f"{dim} = {bound} is prime"
    powers = (f"{p}^{primes.count(p)}" if primes.count(p) > 1 else str(p) for p in dict.fromkeys(primes))
    return f"{dim} = {bound} = {' × '.join(powers)}"
