"""timeloop-model's check of a mapping against the architecture constraints (mapspace section 2.5)."""

from __future__ import annotations

from ...mapping import Mapping, TilingLoops
from ...specs.constraints import LoopConstraint
from ...specs.spec import Spec


def violates_constraints(mapping: Mapping, spec: Spec) -> bool:
    """Whether fixed or largest factors, a permutation prefix or a split do not match.

    Smallest factors, keep and bypass and the minimum parallelism are not looked at, as in the real program.
    """
    for tiling, loops in zip(spec.architecture.tiling_levels, mapping.loops, strict=True):
        constraint = spec.constraints.loops.get(tiling)
        if constraint is not None and _violates(loops, constraint, tiling.spatial):
            return True
    return False


def _violates(loops: TilingLoops, constraint: LoopConstraint, spatial: bool) -> bool:
    if any(loops.factors[dim] != factor for dim, factor in constraint.fixed.items()):
        return True
    if any(loops.factors[dim] > limit for dim, limit in constraint.maximum.items()):
        return True
    prefix = constraint.prefix or ()
    # the real program looks at the nest, where unit loops are gone, and appends the unit dims in declaration order
    order = [dim for dim in loops.order if loops.factors[dim] > 1]
    order += [dim for dim, factor in enumerate(loops.factors) if factor == 1]
    if any(wanted != found for wanted, found in zip(prefix, order, strict=False)):
        return True
    return spatial and constraint.split is not None and constraint.split != loops.split
