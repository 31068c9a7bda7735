"""Who decides what in a mapping: the agent of every loop's size and place, and of every data space kept or bypassed."""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import MappingError
from ..mapping import Mapping
from ..mapspace.axes import LearnersMapspace
from ..mapspace.learners.tables import Axis, AxisKind
from ..specs.spec import Spec
from .nest import LevelNest, Loop, loop_nest


@dataclass(frozen=True)
class DecidedLoop:
    """A loop as text; ``size``: the agents whose factors make it up, ``place``: who ranks it, ``None`` = nobody."""

    text: str
    size: tuple[int, ...]
    place: int | None


@dataclass(frozen=True)
class DecidedLevel:
    """A storage level. ``kept``: data space, whether it is kept there, and who decides that (``None`` = nobody)."""

    name: str
    kept: tuple[tuple[str, bool, int | None], ...]
    loops: tuple[DecidedLoop, ...]


@dataclass(frozen=True)
class Decisions:
    """``levels`` outermost first; agents count from 1, as in the table of agents; ``agents``: how many there are."""

    levels: tuple[DecidedLevel, ...]
    agents: int

    @property
    def named(self) -> tuple[int, ...]:
        """The agents that have decided anything of this mapping."""
        loops = [loop for level in self.levels for loop in level.loops]
        found = {agent for loop in loops for agent in loop.size}
        found |= {loop.place for loop in loops if loop.place is not None}
        found |= {agent for level in self.levels for _, _, agent in level.kept if agent is not None}
        return tuple(sorted(found))


def decisions(spec: Spec, mapping: Mapping, agents: Map[str, Any] | None) -> Decisions | None:
    """Of the groups that the agents ended with; ``None`` without agents, or if they decided about something else.

    Args:
        agents: ``agents.json``.
    """
    groups = (agents or {}).get("groups") or []
    if agents is None or not groups:
        return None
    space = LearnersMapspace(spec)
    if [axis.name for axis in space.columns] != list(agents.get("axes", [])):
        return None
    try:
        row = space.encode(mapping)
    except MappingError:
        return None
    last: Sequence[Sequence[int]] = groups[-1]["groups"]
    owner = {axis: number for number, group in enumerate(last, 1) for axis in group}
    who = _Who(spec, space.columns, [int(value) for value in row], owner)
    levels = tuple(who.level(nest, mapping) for nest in loop_nest(mapping, spec.architecture))
    return Decisions(tuple(level for level in levels if level.kept or level.loops), len(last))


@dataclass(frozen=True)
class _Who:
    spec: Spec
    axes: Sequence[Axis]
    row: Sequence[int]
    owner: Map[int, int]

    def level(self, nest: LevelNest, mapping: Mapping) -> DecidedLevel:
        """What there is to decide at a level; data spaces that no agent decides about are left out."""
        names = [space.name for space in self.spec.problem.data_spaces]
        kept = tuple(
            (names[axis.data_space], mapping.keep[nest.level][axis.data_space], self.owner.get(i))
            for i, axis in enumerate(self.axes)
            if axis.kind is AxisKind.BYPASS and axis.storage == nest.level and axis.data_space is not None
        )
        loops = tuple(self._loop(nest.level, loop) for loop in nest.loops)
        return DecidedLevel(self.spec.architecture.storage[nest.level].name, kept, loops)

    def _loop(self, level: int, loop: Loop) -> DecidedLoop:
        dim = self.spec.problem.dims[loop.dim]
        text = f"{dim} in 0:{loop.bound}" + (f" →{loop.axis}" if loop.axis else "")
        return DecidedLoop(
            text if loop.axis else f"for {text}", self._size(level, loop), self._place(level, loop)
        )

    def _size(self, level: int, loop: Loop) -> tuple[int, ...]:
        name = self.spec.architecture.storage[level].name
        slots = (f"{name}.X", f"{name}.Y") if loop.axis else (name,)
        found = {
            self.owner[i]
            for i, axis in enumerate(self.axes)
            if axis.kind is AxisKind.FACTOR and axis.dim == loop.dim and axis.labels[self.row[i]] in slots
        }
        return tuple(sorted(found))

    def _place(self, level: int, loop: Loop) -> int | None:
        tilings = self.spec.architecture.tiling_levels
        for i, axis in enumerate(self.axes):
            if axis.kind is not AxisKind.ORDER or axis.dim != loop.dim or axis.tiling is None:
                continue
            if axis.storage == level and tilings[axis.tiling].spatial == bool(loop.axis):
                return self.owner.get(i)
        return None
