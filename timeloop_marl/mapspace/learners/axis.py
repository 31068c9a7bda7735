"""One axis of the learners' view: what an agent may decide."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class AxisKind(Enum):
    """What an axis decides."""

    FACTOR = "factor"  # the slot of one prime factor of a dimension
    ORDER = "order"  # the rank of a dimension among the loops of a tiling level, 0 innermost
    BYPASS = "bypass"  # whether a storage level keeps a data space


@dataclass(frozen=True)
class Axis:
    """A column of a candidate row; its values are 0 .. cardinality - 1.

    ``labels`` name the values. ``dim``, ``storage``, ``tiling``, ``data_space`` say what the axis is about, so that
    axes can be grouped into agents; ``None`` where it has no single one. ``factor`` is the prime factor (or the fixed
    spatial factor whose side is free), ``slots`` the mapspace's slot numbers behind the values of a factor axis.
    """

    name: str
    kind: AxisKind
    cardinality: int
    labels: tuple[str, ...]
    dim: int | None = None
    storage: int | None = None
    tiling: int | None = None
    data_space: int | None = None
    factor: int = 1
    slots: tuple[int, ...] = ()
