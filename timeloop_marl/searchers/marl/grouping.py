"""Groups of axes that need no samples (by meaning, at random, given), and their names."""

from __future__ import annotations

import numpy as np

from ...errors import UsageError
from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.tables import Axis, AxisKind
from .clustering import SIGNALS

GROUPINGS = ("dimension", "level", "each", "joint", "random", "given")
SIGNALS_OF_TEAM = (
    *SIGNALS,
    "critic",
)  # critic: interaction in the critic's predictions, which cost no samples

Groups = tuple[tuple[int, ...], ...]


def fixed_groups(
    space: LearnersMapspace, kind: str, number: int, text: str, rng: np.random.Generator
) -> Groups:
    """Groups of one of ``GROUPINGS``; for a signal (nothing is known yet) those by dimension.

    Args:
        number: of random groups, 0 = 8.
        text: for ``given``: axis names, comma within a group, semicolon between groups; axes not named are grouped by
            dimension.

    Raises:
        UsageError: an unknown or repeated axis name.
    """
    if kind == "each":
        return tuple((a,) for a in range(space.axes))
    if kind == "joint":
        return (tuple(range(space.axes)),) if space.axes else ()
    if kind == "level":
        return space.groups(lambda axis: _level(space, axis))
    if kind == "random":
        order = rng.permutation(space.axes)
        parts = np.array_split(order, min(number or 8, max(1, space.axes)))
        return tuple(tuple(sorted(part.tolist())) for part in parts if len(part))
    if kind == "given":
        return _given(space, text)
    return space.groups(by_dimension)


def by_dimension(axis: Axis) -> tuple[str, int | None]:
    """Factors and ranks of a dimension together, bypasses of a data space together."""
    if axis.kind is AxisKind.BYPASS:
        return "bypass", axis.data_space
    return "dim", axis.dim


def _level(space: LearnersMapspace, axis: Axis) -> tuple[str, int | None]:
    """Ranks and bypasses of a storage level together; a factor belongs to no level, so to its dimension."""
    return ("factor", axis.dim) if axis.kind is AxisKind.FACTOR else ("level", axis.storage)


def _given(space: LearnersMapspace, text: str) -> Groups:
    column = {axis.name: a for a, axis in enumerate(space.columns)}
    groups: list[tuple[int, ...]] = []
    taken: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(";"))):
        group = []
        for name in (name.strip() for name in part.split(",")):
            if name not in column:
                raise UsageError(f"option groups: no axis {name!r}; axes: {', '.join(column)}")
            if column[name] in taken:
                raise UsageError(f"option groups: axis {name!r} is named twice")
            taken.add(column[name])
            group.append(column[name])
        groups.append(tuple(group))
    rest = (tuple(a for a in group if a not in taken) for group in space.groups(by_dimension))
    return (*groups, *(group for group in rest if group))
