"""Picture: a loop nest with the agent that decides each of its loops and bypasses."""

from __future__ import annotations

from .. import palette
from ..deciders import DecidedLevel, Decisions
from ..drawing.metrics import shortened, text_width, wrapped
from ..drawing.shapes import Drawing, Rect, Text
from .parts import BODY, SMALL

_ROW, _BADGE, _GAP = 20.0, 16.0, 3.0
_MOST = 4  # badges side by side; the others are counted
_INSET = 6.0  # px that a level stands further in than the one around it


def decider_nest(view: Decisions, width: float) -> Drawing:
    """Level by level, outermost first: on the right who decides a loop's size, and its place among its neighbours."""
    drawing = Drawing(width, title="Which agent decides what", description=_words(view))
    place = width - 8 - _badge_width(view.agents)
    size = place - 14 - _room(view)
    size = min(size, place - text_width("place", SMALL) - 10)
    drawing.add(Text(size, 12, "size", SMALL, "muted"), Text(place, 12, "place", SMALL, "muted", "start"))
    if place + text_width("place", SMALL) > width:
        drawing.shapes[-1] = Text(width - 2, 12, "place", SMALL, "muted", "end")
    y = 20.0
    inset = min(_INSET, 48.0 / max(1, len(view.levels)))
    for depth, level in enumerate(view.levels):
        y = _draw_level(drawing, level, y, inset * depth, (size, place), view.agents)
    drawing.height = y + 2
    return drawing


def _draw_level(
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


def _room(view: Decisions) -> float:
    """Width of the widest row of badges."""
    most = max((len(loop.size) for level in view.levels for loop in level.loops), default=1)
    return (min(max(most, 2), _MOST)) * (_badge_width(view.agents) + _GAP)


def _words(view: Decisions) -> str:
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
