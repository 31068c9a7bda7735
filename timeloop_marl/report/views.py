"""An evaluated mapping as people picture it: levels and fan-outs, who spends the energy, what the machine allows."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from ..cost.outcome import LevelStatistics, Statistics
from ..specs.architecture import Architecture, StorageLevel
from ..specs.mapping import Mapping
from ..specs.spec import Spec
from .maps import LevelNest, Loop, loop_nest

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
            views.append(_level_view(spec, mapping, statistics, nest, fanout))
    return tuple(views)


def stands_for_fanout(name: str) -> bool:
    """Whether a storage level is only there because a container with a fan-out has to be some level."""
    return _DUMMY.fullmatch(name) is not None


def _level_view(
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


@dataclass(frozen=True)
class LevelLimit:
    """One storage level with the port that is busiest. Words of all instances together.

    ``limit``: words per cycle through that port at most, infinite if the file names no bandwidth; ``moved``: words
    through it in the whole run; ``share``: part of its bandwidth in use while the mapping runs, on the instances in
    use; 1 means that it sets the pace. ``computes_per_word``: of the mapping, the operational intensity at this level.
    """

    name: str
    port: str
    instances: int
    used: int
    limit: float
    moved: float
    achieved: float
    share: float
    computes_per_word: float


@dataclass(frozen=True)
class Roofline:
    """``peak`` and ``achieved`` in computes per cycle; ``levels`` outermost first, those that move nothing left out."""

    peak: int
    achieved: float
    computes: int
    levels: tuple[LevelLimit, ...]

    @property
    def binding(self) -> LevelLimit | None:
        """The level whose bandwidth sets the pace; ``None`` if the compute units do."""
        slowest = max(self.levels, key=lambda level: level.share, default=None)
        return slowest if slowest is not None and slowest.share >= 1 - 1e-9 else None


def roofline(spec: Spec, statistics: Statistics) -> Roofline:
    """The limits of the machine and what an evaluated mapping makes of them."""
    levels = [
        _level_limit(hardware, level, statistics)
        for hardware, level in zip(spec.architecture.storage, statistics.levels, strict=True)
    ]
    return Roofline(
        peak=spec.architecture.compute.instances,
        achieved=statistics.computes / statistics.cycles if statistics.cycles else 0.0,
        computes=statistics.computes,
        levels=tuple(level for level in reversed(levels) if level.moved > 0),
    )


def _level_limit(hardware: StorageLevel, level: LevelStatistics, statistics: Statistics) -> LevelLimit:
    """The busiest of the read, write and shared ports."""
    kept = [tensor for tensor in level.tensors if tensor.kept]
    used = max((tensor.instances for tensor in kept), default=0)
    read = sum(tensor.read_bandwidth for tensor in kept)
    write = sum(tensor.write_bandwidth for tensor in kept)
    ports = [
        ("read", read, hardware.read_bandwidth),
        ("write", write, hardware.write_bandwidth),
        ("shared", read + write, hardware.shared_bandwidth),
    ]
    limited = [(name, words, bound) for name, words, bound in ports if bound]
    # throttled figures: at their limit where the level sets the pace
    name, words, bound = max(
        limited, key=lambda p: p[1] / p[2], default=("read and write", read + write, None)
    )
    unthrottled = words / level.throttle if level.throttle > 0 else 0.0
    moved = unthrottled * statistics.compute.cycles * used
    slowest = min(each.throttle for each in statistics.levels)
    return LevelLimit(
        name=hardware.name,
        port=name,
        instances=hardware.instances,
        used=used,
        limit=math.inf if bound is None else bound * hardware.instances,
        moved=moved,
        achieved=moved / statistics.cycles if statistics.cycles else 0.0,
        share=0.0 if bound is None else unthrottled * slowest / bound,
        computes_per_word=statistics.computes / moved if moved > 0 else math.inf,
    )
