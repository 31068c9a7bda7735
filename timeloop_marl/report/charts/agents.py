"""Pictures of a team of agents: which choices belong together, who decides what, how sure they have become."""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import MappingError
from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.tables import Axis, AxisKind
from ...run.units import short_count
from ...specs.mapping import Mapping
from ...specs.spec import Spec
from ..drawing import palette
from ..drawing.shapes import Drawing, Line, Marker, Rect, Text, shortened, text_width, wrapped
from ..maps import LevelNest, Loop, loop_nest
from .axes import BODY, SMALL, Scale, draw_frame, label_room

_PAIR = 13.0  # height of a row of the matrix
_AXIS_NAME = 10.0  # px of the letters of axis names
_ENTROPY = 190.0
_TOLD = 0.7  # root of the share from which on a pair is told under the pointer


@dataclass(frozen=True)
class Dependencies:
    """``strength[a][b]``: how strongly axes a and b belong together; ``groups``: axes of each agent."""

    names: Sequence[str]
    groups: Sequence[Sequence[int]]
    strength: Sequence[Sequence[float]]


def dependency_matrix(data: Dependencies, width: float) -> Drawing:
    """Every pair of choices, the stronger the darker; choices of one agent stand together in a frame."""
    order = [axis for group in data.groups for axis in group]
    drawing = Drawing(width, title="Which choices belong together", description=_group_words(data))
    label = (
        min(max((text_width(data.names[axis], _AXIS_NAME) for axis in order), default=0.0), 0.38 * width) + 6
    )
    cell = min((width - label - 1) / max(len(order), 1), 2.2 * _PAIR)
    top = max((max(row, default=0.0) for row in data.strength), default=0.0)
    for place, axis in enumerate(order):
        name = shortened(data.names[axis], label - 6, _AXIS_NAME)
        drawing.add(
            Text(label - 5, _PAIR * place + 10, name, _AXIS_NAME, "muted", "end", tip=data.names[axis])
        )
        for column, other in enumerate(order):
            share = (data.strength[axis][other] / top) ** 0.5 if top > 0 and axis != other else 0.0
            if share > 0.1:
                tip = f"{data.names[axis]} and {data.names[other]}: {share**2:.0%} of the strongest"
                x, y = label + cell * column, _PAIR * place
                tip = tip if share > _TOLD else ""
                drawing.add(Rect(x, y, cell, _PAIR, "series-0", opacity=min(round(share, 1), 0.99), tip=tip))
    begin = 0
    for group in data.groups:
        x, y = label + cell * begin, _PAIR * begin
        drawing.add(Rect(x, y, cell * len(group), _PAIR * len(group), "none", "ink", 1.2))
        begin += len(group)
    side = label + cell * len(order), _PAIR * len(order)
    drawing.add(Rect(label, 0, side[0] - label, side[1], "none", "faint"))
    drawing.height = side[1] + 1
    return drawing


Merges = Sequence[tuple[int, int, float]]  # first axis of either cluster, distance
_SIGNALS = {
    "interaction": "share of the variance of log cost that the pair explains beyond both alone",
    "pearson": "size of the correlation of the values",
    "spearman": "size of the rank correlation of the values",
    "mutual": "mutual information of the values, in nats",
}


def cluster_tree(data: Dependencies, merges: Merges, signal: str, width: float) -> Drawing:
    """The matrix of ``dependency_matrix`` in the order of the tree that was cut, and the tree to its right.

    Args:
        merges: nearest clusters first, each named by its first axis (the merged one by the first).
        signal: what the strength measures.
    """
    tree = 0.24 * width
    order = _by_tree(len(data.names), data.groups, merges)
    place = {axis: row for row, axis in enumerate(order)}
    groups = sorted(
        (sorted(group, key=place.__getitem__) for group in data.groups), key=lambda g: place[g[0]]
    )
    drawing = dependency_matrix(Dependencies(data.names, groups, data.strength), width - tree)
    drawing.width = width
    several = sum(len(group) > 1 for group in groups)
    counts = f"{several} of several choices, {len(groups) - several} of one"
    drawing.title = f"{len(order)} choices, {len(groups)} agents: {counts}"
    owner = {axis: number for number, group in enumerate(groups) for axis in group}
    across = Scale(0.0, 1.0, width - tree + 12, width - 6)
    at = {axis: (_PAIR * (row + 0.5), 0.0) for axis, row in place.items()}
    for first, second, height in merges:
        (one, low), (other, far) = at[first], at.pop(second)
        role = "series-0" if owner[first] == owner[second] else "faint"  # grey: above the cut
        corners = [(low, one), (height, one), (height, other), (far, other)]
        drawing.add(Line([(across(x), y) for x, y in corners], role, 1.2))
        at[first] = (one + other) / 2.0, height
    bottom = drawing.height
    drawing.add(
        Text(across.start, bottom + 16, "0", SMALL, "muted"),
        Text(width, bottom + 16, "1", SMALL, "muted", "end"),
    )
    for line in (
        f"The darker, the stronger: {_SIGNALS[signal]}.",
        "Framed: the choices of one agent.",
        "Right: the tree that was cut, by distance; 1 = nothing to do with each other.",
    ):
        for row in wrapped(line, width, SMALL):
            drawing.add(Text(0, drawing.height + 36, row, SMALL, "muted"))
            drawing.height += 15
    drawing.height += 32
    return drawing


def _by_tree(axes: int, groups: Sequence[Sequence[int]], merges: Merges) -> list[int]:
    """Axes as the tree orders them, trees of several choices first; members of a group stand together."""
    leaves = {axis: [axis] for axis in range(axes)}
    for first, second, _ in merges:
        leaves[first] += leaves.pop(second)
    roots = sorted(leaves, key=lambda root: (-len(leaves[root]), root))
    place = {axis: row for row, axis in enumerate(axis for root in roots for axis in leaves[root])}
    ordered = sorted((sorted(group, key=place.__getitem__) for group in groups), key=lambda g: place[g[0]])
    return [axis for group in ordered for axis in group]


def entropy_plot(history: Sequence[dict[str, Any]], width: float) -> Drawing:
    """Mean entropy of the agents' choices against samples, with the range of the agents."""
    points = [(entry["samples"], [e for e in entry["entropy"] if e > 0]) for entry in history]
    points = [(samples, values) for samples, values in points if values]
    drawing = Drawing(width, title="How sure the agents are")
    if not points:
        drawing.add(Text(0, 14, "The agents did not learn in this search.", BODY, "muted"))
        drawing.height = 22
        return drawing
    highest = max(max(values) for _, values in points)
    up = Scale(0.0, highest * 1.06, 26 + _ENTROPY, 26)
    first = max(1, points[0][0])
    across = Scale(first, max(points[-1][0], first + 1), label_room(up, _plain), width - 8, log=True)
    draw_frame(
        drawing, across, up, (short_count, _plain), ("samples (logarithmic)", "entropy [nats per choice]")
    )
    band = [(across(s), up(max(v))) for s, v in points] + [
        (across(s), up(min(v))) for s, v in reversed(points)
    ]
    drawing.add(Line(band, "none", 0, (), "series-0", 0.18))
    mean = [(across(s), up(sum(v) / len(v))) for s, v in points]
    drawing.add(Line(mean, "series-0", 2.0), Marker(*mean[-1], 4.0, "series-0"))
    drawing.height = 26 + _ENTROPY + 36
    start, end = (sum(v) / len(v) for v in (points[0][1], points[-1][1]))
    drawing.description = (
        f"mean entropy from {start:.2f} to {end:.2f} nats per choice; the band spans the agents"
    )
    return drawing


def _plain(value: float) -> str:
    return f"{value:.2g}"


def _group_words(data: Dependencies) -> str:
    return "; ".join(
        f"agent {number}: {', '.join(data.names[axis] for axis in group)}"
        for number, group in enumerate(data.groups, 1)
    )


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
    who = _Deciders(spec, space.columns, [int(value) for value in row], owner)
    levels = tuple(who.level(nest, mapping) for nest in loop_nest(mapping, spec.architecture))
    return Decisions(tuple(level for level in levels if level.kept or level.loops), len(last))


@dataclass(frozen=True)
class _Deciders:
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


_ROW, _BADGE, _GAP = 20.0, 16.0, 3.0
_MOST = 4  # badges side by side; the others are counted
_INSET = 6.0  # px that a level stands further in than the one around it


def decider_nest(view: Decisions, width: float) -> Drawing:
    """Level by level, outermost first: on the right who decides a loop's size, and its place among its neighbours."""
    drawing = Drawing(width, title="Which agent decides what", description=_decision_words(view))
    place = width - 8 - _badge_width(view.agents)
    size = place - 14 - _badge_room(view)
    size = min(size, place - text_width("place", SMALL) - 10)
    drawing.add(Text(size, 12, "size", SMALL, "muted"), Text(place, 12, "place", SMALL, "muted", "start"))
    if place + text_width("place", SMALL) > width:
        drawing.shapes[-1] = Text(width - 2, 12, "place", SMALL, "muted", "end")
    y = 20.0
    inset = min(_INSET, 48.0 / max(1, len(view.levels)))
    for depth, level in enumerate(view.levels):
        y = _draw_decided(drawing, level, y, inset * depth, (size, place), view.agents)
    drawing.height = y + 2
    return drawing


def _draw_decided(
    drawing: Drawing, level: DecidedLevel, y: float, left: float, columns: tuple[float, float], agents: int
) -> float:
    size, place = columns
    top = y
    room = size - left - 16
    rows: list[Text | Rect] = []
    for line in wrapped(level.name, room, 12.5, bold=True):
        rows.append(Text(left + 8, y + 15, line, 12.5, bold=True, tip=level.name))
        y += 17
    y += 3
    for name, kept, agent in level.kept:
        verb = "keeps" if kept else "bypasses"
        text = shortened(f"{verb} {name}", room - 8, BODY)
        rows.append(Text(left + 16, y + 14, text, BODY, "ink" if kept else "muted", tip=f"{verb} {name}"))
        rows += _badges(() if agent is None else (agent,), size, y, agents)
        y += _ROW
    for loop in level.loops:
        for k, line in enumerate(wrapped(loop.text, room - 8, 12, mono=True)):
            y += _ROW - 4 if k else 0
            rows.append(Text(left + 16, y + 14, line, 12, mono=True, tip=loop.text))
        if loop.size:
            rows += _badges(loop.size, size, y, agents)
        else:
            rows.append(Text(size, y + 14, "fixed", SMALL, "muted"))
        rows += _badges(() if loop.place is None else (loop.place,), place, y, agents)
        y += _ROW
    y += 3
    drawing.add(Rect(left + 0.5, top, drawing.width - left - 1, y - top, "raised", "faint", radius=5), *rows)
    return y + 4


def _badges(found: tuple[int, ...], x: float, y: float, agents: int) -> list[Text | Rect]:
    """A number in a frame of the agent's colour for each: the number tells agents apart without the colour."""
    drawn: list[Text | Rect] = []
    width = _badge_width(agents)
    for agent in found[: _MOST if len(found) <= _MOST else _MOST - 1]:
        role, tip = palette.series_role(agent - 1), f"agent {agent}"
        drawn.append(Rect(x, y + 2, width, _BADGE, "surface", role, 2.2, radius=4, tip=tip))
        drawn.append(Text(x + width / 2, y + 14, str(agent), SMALL, "ink", "middle", bold=True))
        x += width + _GAP
    if len(found) > _MOST:
        rest = ", ".join(map(str, found[_MOST - 1 :]))
        drawn.append(Text(x, y + 14, f"+{len(found) - _MOST + 1}", SMALL, "muted", tip=f"agents {rest}"))
    return drawn


def _badge_width(agents: int) -> float:
    return max(_BADGE + 2, text_width(str(agents), SMALL, bold=True) + 9)


def _badge_room(view: Decisions) -> float:
    """Width of the widest row of badges."""
    most = max((len(loop.size) for level in view.levels for loop in level.loops), default=1)
    return (min(max(most, 2), _MOST)) * (_badge_width(view.agents) + _GAP)


def _decision_words(view: Decisions) -> str:
    parts = []
    for level in view.levels:
        said = [f"agent {agent} {'keeps' if kept else 'bypasses'} {name}" for name, kept, agent in level.kept]
        said += [
            f"{loop.text}: size by {', '.join(f'agent {a}' for a in loop.size) or 'constraint'}"
            + ("" if loop.place is None else f", place by agent {loop.place}")
            for loop in level.loops
        ]
        parts.append(f"{level.name}: {'; '.join(said) or 'nothing to decide'}")
    return ". ".join(parts)
