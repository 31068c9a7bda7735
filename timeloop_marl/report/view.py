"""A mapping as people picture it: storage levels, the data they hold, their loops and the fan-outs between them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ..cost.outcome import Statistics
from ..mapping import Mapping
from ..specs.architecture import Architecture
from ..specs.spec import Spec
from .nest import LevelNest, Loop, loop_nest

_DUMMY = re.compile(r"inter_(?P<name>.+)_spatial")


@dataclass(frozen=True)
class Held:
    """A data space held at a level. ``words`` per instance."""

    name: str
    words: int


@dataclass(frozen=True)
class Fanout:
    """Children side by side below a level: ``columns`` by ``rows`` of them exist, the loops fill some."""

    name: str
    columns: int
    rows: int
    loops: tuple[Loop, ...]

    @property
    def used(self) -> int:
        """Children that do work: the product of the loop bounds."""
        product = 1
        for loop in self.loops:
            product *= loop.bound
        return product


@dataclass(frozen=True)
class LevelView:
    """One storage level: its index, its data, its temporal loops (outermost first) and the fan-outs below it."""

    level: int
    name: str
    instances: int
    capacity: int | None
    held: tuple[Held, ...]
    loops: tuple[Loop, ...]
    fanouts: tuple[Fanout, ...]

    @property
    def words(self) -> int:
        """Words held per instance."""
        return sum(tensor.words for tensor in self.held)


def level_views(spec: Spec, mapping: Mapping, statistics: Statistics) -> tuple[LevelView, ...]:
    """Outermost first. A level that only stands for a fan-out (``inter_*_spatial``) joins the level around it."""
    views: list[LevelView] = []
    for nest in loop_nest(mapping, spec.architecture):
        fanout = _fanout(spec.architecture, nest)
        if views and _is_fanout_only(spec.architecture, mapping, nest):
            joined = (*views[-1].fanouts, fanout) if fanout else views[-1].fanouts
            views[-1] = replace(views[-1], fanouts=joined)
        else:
            views.append(_view(spec, mapping, statistics, nest, fanout))
    return tuple(views)


def stands_for_fanout(name: str) -> bool:
    """Whether a storage level is only there because a container with a fan-out has to be some level."""
    return _DUMMY.fullmatch(name) is not None


def _view(
    spec: Spec, mapping: Mapping, statistics: Statistics, nest: LevelNest, fanout: Fanout | None
) -> LevelView:
    hardware = spec.architecture.storage[nest.level]
    tensors = statistics.levels[nest.level].tensors
    held = tuple(
        Held(space.name, tensor.capacity)
        for space, tensor, kept in zip(
            spec.problem.data_spaces, tensors, mapping.keep[nest.level], strict=True
        )
        if kept
    )
    return LevelView(
        level=nest.level,
        name=hardware.name,
        instances=hardware.instances,
        capacity=hardware.effective_size,
        held=held,
        loops=nest.temporal,
        fanouts=(fanout,) if fanout else (),
    )


def _is_fanout_only(architecture: Architecture, mapping: Mapping, nest: LevelNest) -> bool:
    stands_in = stands_for_fanout(architecture.storage[nest.level].name)
    return stands_in and not any(mapping.keep[nest.level]) and not nest.temporal


def _fanout(architecture: Architecture, nest: LevelNest) -> Fanout | None:
    columns, rows = architecture.fanout_x(nest.level), architecture.fanout_y(nest.level)
    if columns * rows == 1:
        return None
    dummy = _DUMMY.fullmatch(architecture.storage[nest.level].name)
    inner = architecture.compute if nest.level == 0 else architecture.storage[nest.level - 1]
    return Fanout(dummy["name"] if dummy else inner.name, columns, rows, nest.spatial)


@dataclass(frozen=True)
class NestView:
    """Everything that a picture of a mapping shows. ``levels`` outermost first."""

    problem: str
    dims: tuple[str, ...]
    tensors: tuple[str, ...]
    levels: tuple[LevelView, ...]
    compute: str
    units: int
    units_used: int


def nest_view(spec: Spec, mapping: Mapping, statistics: Statistics) -> NestView:
    """The mapping, for ``charts.nest``."""
    return NestView(
        problem=spec.problem.name or "the layer",
        dims=tuple(spec.problem.dims),
        tensors=tuple(space.name for space in spec.problem.data_spaces),
        levels=level_views(spec, mapping, statistics),
        compute=spec.architecture.compute.name,
        units=spec.architecture.compute.instances,
        units_used=statistics.compute.utilized_instances,
    )
