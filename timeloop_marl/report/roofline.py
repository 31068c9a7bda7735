"""What the machine could do and what a mapping does with it: compute and bandwidth, level by level (section 12)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..cost.outcome import LevelStatistics, Statistics
from ..specs.architecture import StorageLevel
from ..specs.spec import Spec


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
        _limit(hardware, level, statistics)
        for hardware, level in zip(spec.architecture.storage, statistics.levels, strict=True)
    ]
    return Roofline(
        peak=spec.architecture.compute.instances,
        achieved=statistics.computes / statistics.cycles if statistics.cycles else 0.0,
        computes=statistics.computes,
        levels=tuple(level for level in reversed(levels) if level.moved > 0),
    )


def _limit(hardware: StorageLevel, level: LevelStatistics, statistics: Statistics) -> LevelLimit:
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
