"""The loop nest of a mapping as all printed forms see it (cost-model section 1): level by level, outermost first."""

from __future__ import annotations

from dataclasses import dataclass

from ..mapping import Mapping, TilingLoops
from ..specs.architecture import Architecture


@dataclass(frozen=True)
class Loop:
    """One loop. ``dim`` is a dimension index; ``axis`` is ``"X"`` or ``"Y"`` for a spatial loop, else empty."""

    dim: int
    bound: int
    residual: int
    axis: str = ""

    @property
    def perfect(self) -> bool:
        """Whether every execution of the loop has the same number of iterations."""
        return self.bound == self.residual


@dataclass(frozen=True)
class LevelNest:
    """The non-unit loops of one storage level, each tuple outermost first; the temporal ones lie outside."""

    level: int
    temporal: tuple[Loop, ...]
    spatial: tuple[Loop, ...]

    @property
    def loops(self) -> tuple[Loop, ...]:
        """All loops, outermost first."""
        return self.temporal + self.spatial


def loop_nest(mapping: Mapping, architecture: Architecture) -> tuple[LevelNest, ...]:
    """The nest of every storage level, outermost level first."""
    levels = range(len(architecture.storage))
    temporal: dict[int, tuple[Loop, ...]] = dict.fromkeys(levels, ())
    spatial: dict[int, tuple[Loop, ...]] = dict.fromkeys(levels, ())
    for tiling, loops in zip(architecture.tiling_levels, mapping.loops, strict=True):
        target = spatial if tiling.spatial else temporal
        target[tiling.storage] = _loops(loops, tiling.spatial)
    return tuple(LevelNest(level, temporal[level], spatial[level]) for level in reversed(levels))


def _loops(level: TilingLoops, spatial: bool) -> tuple[Loop, ...]:
    """Loops of one tiling level, outermost first, unit bounds dropped."""
    found = []
    for position, dim in enumerate(level.order):
        # X or Y follows from the place in the whole permutation: unit loops count as places
        axis = ("X" if position < level.split else "Y") if spatial else ""
        if level.factors[dim] > 1:
            found.append(Loop(dim, level.factors[dim], level.residuals[dim], axis))
    return tuple(reversed(found))


def normalised(mapping: Mapping, architecture: Architecture) -> Mapping:
    """The same nest with unit loops last, in declaration order: the form that printed mappings are read back to.

    Splits count the X loops that remain; they and the places of unit loops have no other effect on a mapping.
    """
    levels = []
    for tiling, loops in zip(architecture.tiling_levels, mapping.loops, strict=True):
        order = [dim for dim in loops.order if loops.factors[dim] > 1]
        split = sum(loops.factors[dim] > 1 for dim in loops.order[: loops.split])
        order += [dim for dim, factor in enumerate(loops.factors) if factor == 1]
        levels.append(
            TilingLoops(loops.factors, loops.residuals, tuple(order), split if tiling.spatial else len(order))
        )
    return Mapping(tuple(levels), mapping.keep)
