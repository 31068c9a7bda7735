"""Constraint sets that leave no mapping: found before the search, with the constraint, the level and a remedy."""

from __future__ import annotations

from ..errors import InfeasibleError
from ..specs.constraints import LoopConstraint
from ..specs.problem import DataSpace
from ..specs.spec import Spec


def check_constraints(spec: Spec) -> None:
    """Raise ``InfeasibleError`` for contradictions that need no search to see.

    Limits that contradict each other at one level, dimensions with no level left, meshes too small for the fixed
    factors, data spaces kept nowhere, buffers too small for the smallest tile, parallelism above 1.
    """
    for index in range(len(spec.architecture.tiling_levels)):
        _check_level(spec, index)
    _check_dims(spec)
    _check_kept(spec)
    _check_smallest_tiles(spec)
    _check_smallest_use(spec)
    if spec.constraints.min_parallelism > 1.0:
        raise InfeasibleError(
            "the parallelism constraint asks for more than the whole array",
            value=spec.constraints.min_parallelism,
            expected="a share between 0 and 1",
        )


def _rule(spec: Spec, index: int) -> LoopConstraint:
    return spec.constraints.loops.get(spec.architecture.tiling_levels[index], LoopConstraint())


def _name(spec: Spec, index: int) -> str:
    level = spec.architecture.tiling_levels[index]
    return f"{spec.architecture.storage[level.storage].name} ({'spatial' if level.spatial else 'temporal'})"


def _check_level(spec: Spec, index: int) -> None:
    rule, dims = _rule(spec, index), spec.problem.dims
    for d, fixed in rule.fixed.items():
        low, high = rule.minimum.get(d, 1), rule.maximum.get(d, fixed)
        if not low <= fixed <= high:
            raise InfeasibleError(
                f"at {_name(spec, index)} {dims[d]}={fixed} contradicts {dims[d]}>={low}, {dims[d]}<={high}",
                path=rule.source,
                remedy=f"drop one of the limits of {dims[d]}",
            )
    for d, low in rule.minimum.items():
        if low > rule.maximum.get(d, low):
            raise InfeasibleError(
                f"at {_name(spec, index)} {dims[d]}>={low} contradicts {dims[d]}<={rule.maximum[d]}",
                path=rule.source,
                remedy=f"drop one of the limits of {dims[d]}",
            )
    level = spec.architecture.tiling_levels[index]
    if level.spatial:
        mesh = spec.architecture.fanout_x(level.storage) * spec.architecture.fanout_y(level.storage)
        used = 1
        for d in range(len(dims)):
            used *= min(max(rule.fixed.get(d, 1), rule.minimum.get(d, 1)), spec.problem.bounds[d])
        if used > mesh:
            raise InfeasibleError(
                f"the factors demanded at {_name(spec, index)} need {used} children, there are {mesh}",
                path=rule.source,
                remedy="lower one of the factors",
            )


def _check_dims(spec: Spec) -> None:
    rules = [_rule(spec, index) for index in range(len(spec.architecture.tiling_levels))]
    for d, dim in enumerate(spec.problem.dims):
        rem, most = spec.problem.bounds[d], 1
        for rule in rules:
            rem = -(-rem // rule.fixed.get(d, 1))
        for rule in rules:
            most *= 1 if d in rule.fixed else min(rule.maximum.get(d, rem), rem)
        least = 1
        for rule in rules:
            least *= 1 if d in rule.fixed else rule.minimum.get(d, 1)
        if most < rem or least > rem:
            problem = f"at most {most} of it can be placed" if most < rem else f"at least {least} is demanded"
            raise InfeasibleError(
                f"{dim} has bound {spec.problem.bounds[d]}, {rem} after the fixed factors, but {problem}",
                path=next((rule.source for rule in rules if d in rule.fixed or d in rule.maximum), ""),
                remedy=f"free {dim} at one level: drop a '{dim}=' or change a limit of {dim}",
            )


def _check_kept(spec: Spec) -> None:
    for text, space in zip(spec.constraints.bypass, spec.problem.data_spaces):
        if all(letter == "0" for letter in text):
            raise InfeasibleError(
                f"{space.name} is bypassed at every storage level",
                remedy=f"keep {space.name} at least at {spec.architecture.storage[-1].name}",
            )


def _check_smallest_tiles(spec: Spec) -> None:
    """Tiles of the fixed and smallest factors alone must fit where data spaces are kept by force."""
    levels, bounds = spec.architecture.tiling_levels, spec.problem.bounds
    extent = [1] * len(bounds)
    for index, level in enumerate(levels):
        rule = _rule(spec, index)
        for d in range(len(bounds)):
            extent[d] = min(extent[d] * max(rule.fixed.get(d, 1), rule.minimum.get(d, 1)), bounds[d])
        size = spec.architecture.storage[level.storage].effective_size
        if level.spatial or size is None:
            continue
        kept = [
            space
            for text, space in zip(spec.constraints.bypass, spec.problem.data_spaces)
            if text[level.storage] == "1"
        ]
        words = sum(_hull(space, extent) for space in kept)
        if words > size:
            raise InfeasibleError(
                f"{_name(spec, index)} keeps {', '.join(space.name for space in kept)}: the smallest tile that the "
                f"constraints allow has {words} words, the buffer {size}",
                path=rule.source,
                remedy="bypass one of them there, lower the factors fixed inside, or enlarge the buffer",
            )


def _check_smallest_use(spec: Spec) -> None:
    """A lower limit on a buffer's use that even the whole problem does not reach."""
    masks = spec.constraints.bypass or [("X",) * len(spec.architecture.storage)] * len(
        spec.problem.data_spaces
    )
    for s, level in enumerate(spec.architecture.storage):
        if level.effective_size is None:
            continue
        words = sum(
            _hull(space, list(spec.problem.bounds))
            for text, space in zip(masks, spec.problem.data_spaces)
            if text[s] != "0"
        )
        if words < level.effective_size * level.min_utilization:
            raise InfeasibleError(
                f"{level.name} must use at least {level.min_utilization:g} of its {level.effective_size} words, all "
                f"data that it may keep has {words}",
                path=f"{level.name}.attributes.min_utilization",
                value=level.min_utilization,
                remedy="lower min_utilization for a problem this small",
            )


def _hull(space: DataSpace, extent: list[int]) -> int:
    volume = 1
    for rank in space.ranks:
        volume *= 1 + sum(abs(term.coefficient) * (extent[term.dim] - 1) for term in rank)
    return volume
