"""Why a set of constraints leaves no valid mapping, or wastes the machine: found without a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..specs.spec import Spec
from .arrays_in_use import idle_arrays, parallelism_bounds
from .factor_findings import empty_lists, imperfect_factors, unplaced_factors
from .findings import Finding, Severity
from .fitting import spatial_fits
from .patterns import constraint_of, level_label
from .tile_bounds import capacity_findings, inside_bounds
from .timeloop import LARGEST_SPACE, TimeloopMapspace

__all__ = ["Finding", "Severity", "diagnose", "require_feasible"]


def diagnose(spec: Spec, template: str | None = None) -> list[Finding]:
    """All findings, errors first. A Spec without errors may still have no valid mapping, but none that is this plain.

    Checked: factor lists (fixed, minimum and maximum factors), forced spatial factors against fan-outs, forced tiles
    against capacities, data spaces kept nowhere, min_utilization, parallelism, idle arrays.

    ``template``: ``uber`` (perfect factors) or ``ruby``; None = that of the mapper options.
    """
    space = TimeloopMapspace(spec, template)
    checks: tuple[Callable[[TimeloopMapspace], Iterator[Finding]], ...] = (
        empty_lists, imperfect_factors, _fanouts, _kept_nowhere, capacity_findings, parallelism_bounds, _size,
    )  # fmt: skip
    found = [finding for check in checks for finding in check(space)]
    # These two would only repeat in other words what an error above says.
    for check in (unplaced_factors, idle_arrays):
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
        rule = constraint_of(space.constraints, level)
        forced = {d: _forced(space, t, d) for d in range(space.dims)}
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


def _forced(space: TimeloopMapspace, t: int, dim: int) -> int:
    """The least that the loop of a dim at tiling level t can be."""
    rule, bound = constraint_of(space.constraints, space.tiling_levels[t]), space.problem.bounds[dim]
    least = min(bound, max(rule.fixed.get(dim, 1), rule.minimum.get(dim, 1)))
    if space.template == "uber" and not space.counts[dim].given.imperfect:
        return least
    # Factors that cover more than the bound are cut to what the loops inside have left of it.
    return min(least, -(-bound // inside_bounds(space, t - 1)[1][dim]))


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
