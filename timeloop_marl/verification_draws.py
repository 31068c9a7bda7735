"""Random mappings to compare the native model and the real one on: of the mapspace, and from outside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from .errors import UsageError
from .evaluators.cache import mapping_key
from .mapping import Mapping, MappingBatch, TilingLoops
from .mapspace.timeloop import TimeloopMapspace
from .specs.constraints import Constraints
from .specs.spec import Spec
from .verification import draw_mappings

_ROUNDS = 20  # tries per mapping that is wanted
# Mappings may be wider than the machine, but few times only: timeloop-model looks at every instance before it says so,
# which takes minutes where there are ten thousands.
_TOO_WIDE = 4


def drawn(spec: Spec, kind: str, count: int, seed: int) -> list[Mapping]:
    """Up to ``count`` different random mappings; fewer where there are not so many.

    Args:
        spec: machine, problem, constraints.
        kind: one of ``KINDS``: ``feasible`` (of the mapspace, drawn to be valid), ``any`` (of Timeloop's whole
            mapspace, most of them invalid), ``unconstrained`` (drawn to be valid, constraints left out: any bypass,
            order and factor), ``imperfect`` (those with factors that do not divide), ``mixed`` (some of each).
        count: how many.
        seed: of the draw.

    Raises:
        UsageError: an unknown kind.
    """
    if kind == "mixed":
        return _mixed(spec, count, seed)
    if kind not in _DRAWS:
        raise UsageError(f"unknown kind of draw {kind!r}: expected one of {', '.join(KINDS)}")
    return _DRAWS[kind](spec, count, seed)


def _mixed(spec: Spec, count: int, seed: int) -> list[Mapping]:
    """Of every kind the same number, as far as there are so many; the rest is drawn to be valid."""
    found: dict[Mapping, None] = {}
    for kind in _DRAWS:
        found.update(dict.fromkeys(drawn(spec, kind, count // len(_DRAWS), seed)))
    found.update(dict.fromkeys(draw_mappings(spec, count, seed)))
    return list(found)[:count]


def _any(spec: Spec, count: int, seed: int) -> list[Mapping]:
    space, rng = TimeloopMapspace(spec, "uber"), np.random.Generator(np.random.PCG64(seed))
    found: dict[bytes, Mapping] = {}
    spatial = list(space.spatial_levels)
    widest = _TOO_WIDE * spec.architecture.compute.instances
    for _ in range(_ROUNDS):
        batch = space.decode(space.sample(rng, count))
        width = batch.factors[:, spatial, :].astype(float).prod(axis=(1, 2))
        fitting = batch.take(np.flatnonzero(width <= widest))
        found.update((mapping_key("", fitting, i), fitting[i]) for i in range(len(fitting)))
        if len(found) >= count:
            break
    return list(found.values())[:count]


def _unconstrained(spec: Spec, count: int, seed: int) -> list[Mapping]:
    free = Constraints(switches=spec.constraints.switches)
    return draw_mappings(dataclasses.replace(spec, constraints=free), count, seed)


def _imperfect(spec: Spec, count: int, seed: int) -> list[Mapping]:
    rng = np.random.Generator(np.random.PCG64(seed))
    found: dict[bytes, Mapping] = {}
    for attempt in range(_ROUNDS):
        for mapping in _unconstrained(spec, count, seed + attempt):
            changed = _with_remainders(mapping, spec, rng)
            if changed is not None:
                found[mapping_key("", MappingBatch.of([changed]), 0)] = changed
        if len(found) >= count:
            break
    return list(found.values())[:count]


def _with_remainders(mapping: Mapping, spec: Spec, rng: np.random.Generator) -> Mapping | None:
    """One loop made a little shorter, the outermost loop of its dimension as long as it then has to be.

    Inside-out every loop but the last takes its factor of what is left, a remainder being the length of its last pass.
    """
    places = [
        (t, d) for t, level in enumerate(mapping.loops[:-1]) for d, n in enumerate(level.factors) if n > 2
    ]
    if not places:
        return None
    t, d = places[int(rng.integers(len(places)))]
    factors = [level.factors[d] for level in mapping.loops]
    factors[t] = int(rng.integers(2, factors[t]))
    left, residuals = spec.problem.bounds[d], []
    for index, factor in enumerate(factors[:-1]):
        factors[index] = factor = min(factor, left)
        residuals.append(left % factor or factor)
        left = -(-left // factor)
    factors[-1] = left
    residuals.append(left)
    if factors == residuals:
        return None
    loops = [_replaced(level, d, *pair) for level, *pair in zip(mapping.loops, factors, residuals)]
    return Mapping(tuple(loops), mapping.keep)


def _replaced(level: TilingLoops, dim: int, factor: int, residual: int) -> TilingLoops:
    factors, residuals = list(level.factors), list(level.residuals)
    factors[dim], residuals[dim] = factor, residual
    return dataclasses.replace(level, factors=tuple(factors), residuals=tuple(residuals))


_DRAWS: dict[str, Callable[[Spec, int, int], list[Mapping]]] = {
    "feasible": draw_mappings,
    "any": _any,
    "unconstrained": _unconstrained,
    "imperfect": _imperfect,
}
KINDS = (*_DRAWS, "mixed")
