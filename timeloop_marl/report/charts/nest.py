"""Picture: a mapping as nested tiles, outermost level outside, with the data that lives at each level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...run.units import share_text, short_count
from ..drawing import palette
from ..drawing.shapes import Drawing, Line, Rect, Text, shortened, text_width, wrapped
from ..maps import Loop
from ..views import Fanout, LevelView, NestView
from .axes import SMALL

_INSET, _PAD = 7.0, 9.0
_LOOP, _CHIP, _HEAD = 17.0, 20.0, 22.0
_CELLS = 16  # side of a drawn mesh in cells at most
_MESH = 52.0  # its side in px


@dataclass
class _Pen:
    """Where the next row of a level begins, and the room it has."""

    drawing: Drawing
    view: NestView
    roles: dict[str, tuple[str, int]]
    left: float
    right: float
    y: float

    @property
    def width(self) -> float:
        return self.right - self.left


def nest_tiles(view: NestView, width: float) -> Drawing:
    """The nest of ``nest_view``, one box inside the other."""
    drawing = Drawing(width, title=f"Mapping of {view.problem}", description=_words(view))
    pen = _Pen(drawing, view, palette.tensor_roles(view.tensors), 0.5, width - 0.5, 0.5)
    boxes = []
    for depth, level in enumerate(view.levels):
        top = pen.y
        pen.left, pen.right = pen.left + _PAD, pen.right - _PAD
        pen.y += 3
        _draw_level(pen, level)
        boxes.append((depth, top, pen.left - _PAD, pen.right + _PAD))
        inset = min(_INSET, 40.0 / len(view.levels))
        pen.left, pen.right = pen.left - _PAD + inset, pen.right + _PAD - inset
        pen.y += 4
    _draw_compute(pen)
    bottom = pen.y + 6 * len(boxes)
    drawing.shapes[:0] = [
        Rect(
            left,
            top,
            right - left,
            bottom - 6 * depth - top,
            ("surface", "raised")[depth % 2],
            "faint",
            radius=6,
        )
        for depth, top, left, right in boxes
    ]
    drawing.height = bottom + 1
    return drawing


def _draw_level(pen: _Pen, level: LevelView) -> None:
    use = _use_text(level)
    beside = text_width(use, SMALL)
    name = level.name if level.instances == 1 else f"{level.name} ×{level.instances:,}"
    whole = text_width(name, 12.5, bold=True) + beside + 14 > pen.width
    for line in wrapped(name, pen.width if whole else pen.width - beside - 14, 12.5, bold=True):
        pen.drawing.add(Text(pen.left, pen.y + 14, line, 12.5, bold=True, tip=level.name))
        pen.y += 16
    if use:
        place = (pen.left, "start") if whole else (pen.right, "end")
        pen.y += 15 if whole else 0
        pen.drawing.add(Text(place[0], pen.y - 2, use, SMALL, "muted", place[1]))
    pen.y += _HEAD - 16
    _draw_held(pen, level)
    for loop in level.loops:
        _draw_loop(pen, loop)
    for fanout in level.fanouts:
        _draw_fanout(pen, fanout)


def _use_text(level: LevelView) -> str:
    if not level.held:
        return ""
    if level.capacity is None:
        return f"{short_count(level.words)} words"
    share = share_text(level.words, level.capacity)
    return f"{short_count(level.words)} of {short_count(level.capacity)} words · {share}"


def _draw_held(pen: _Pen, level: LevelView) -> None:
    """Chips with the tensors held, over a bar that shows how full the level is."""
    if not level.held:
        pen.drawing.add(Text(pen.left, pen.y + 9, "holds nothing, passes on", SMALL, "muted"))
        pen.y += 18
        return
    if level.capacity:
        _draw_filling(pen, level, level.capacity)
    x = pen.left
    for tensor in level.held:
        role, hatch = pen.roles[tensor.name]
        amount = short_count(tensor.words)
        name = shortened(tensor.name, pen.width - text_width(amount, SMALL, bold=True) - 22, SMALL)
        width = text_width(name, SMALL) + text_width(amount, SMALL, bold=True) + 19
        if x > pen.left and x + width > pen.right:
            x, pen.y = pen.left, pen.y + _CHIP + 3
        tip = f"{tensor.name}: {tensor.words:,} words"
        pen.drawing.add(Rect(x, pen.y, width, _CHIP - 2, role, radius=3, tip=tip))
        if hatch:
            pen.drawing.add(Rect(x, pen.y + _CHIP - 5, width, 3, role, hatch=hatch))
        pen.drawing.add(Text(x + 6, pen.y + 13, name, SMALL, "on-tensor"))
        pen.drawing.add(Text(x + width - 6, pen.y + 13, amount, SMALL, "on-tensor", "end", bold=True))
        x += width + 5
    pen.y += _CHIP + 3


def _draw_filling(pen: _Pen, level: LevelView, capacity: int) -> None:
    pen.drawing.add(Rect(pen.left, pen.y, pen.width, 4, "grid", radius=2))
    x = pen.left
    for tensor in level.held:
        length = pen.width * tensor.words / capacity
        pen.drawing.add(Rect(x, pen.y, length, 4, pen.roles[tensor.name][0]))
        x += length
    pen.y += 8


def _draw_loop(pen: _Pen, loop: Loop) -> None:
    head, tail = f"for {pen.view.dims[loop.dim]}", f"in {_range(loop)}"
    rows = wrapped(f"{head} {tail}", pen.width - 8, 12, mono=True)
    for row in rows:
        pen.drawing.add(Text(pen.left + 4, pen.y + 12, row, 12, mono=True))
        pen.y += _LOOP - 1


def _draw_fanout(pen: _Pen, fanout: Fanout) -> None:
    """The children side by side as a small mesh, those that work filled, and the parallel loops beside it."""
    exists = fanout.columns * fanout.rows
    columns, rows = min(fanout.columns, _CELLS), min(fanout.rows, _CELLS)
    across = _MESH if columns >= rows else max(_MESH * columns / rows, 8.0)
    down = _MESH if rows >= columns else max(_MESH * rows / columns, 8.0)
    room = pen.width - _MESH - 26
    lines: list[tuple[str, bool]] = []
    for loop in fanout.loops:
        text = f"{pen.view.dims[loop.dim]} in {_range(loop)} →{loop.axis}"
        lines += [(row, True) for row in wrapped(text, room, 12, mono=True)]
    mesh = f"{fanout.columns:,}×{fanout.rows:,} " if fanout.rows > 1 and fanout.columns > 1 else ""
    title = f"{fanout.used:,} of {exists:,} {fanout.name} in parallel"
    heads = wrapped(title, room, SMALL)
    height = max(14 * len(heads) + 15 * len(lines) + 10, down + 12)
    box = Rect(pen.left, pen.y, pen.width, height, "accent-soft", radius=4, tip=f"{mesh}{title}")
    pen.drawing.add(box)
    used = [_along(fanout, axis) for axis in "XY"]
    _draw_mesh(
        pen, (pen.left + 8 + (_MESH - across) / 2, pen.y + 6), (across, down), fanout, (used[0], used[1])
    )
    y = pen.y + 5
    for line in heads:
        pen.drawing.add(Text(pen.left + _MESH + 18, y + 11, line, SMALL, "accent"))
        y += 14
    for line, mono in lines:
        pen.drawing.add(Text(pen.left + _MESH + 18, y + 12, line, 12, mono=mono))
        y += 15
    pen.y += height + 5


def _draw_mesh(
    pen: _Pen, corner: tuple[float, float], size: tuple[float, float], fanout: Fanout, used: tuple[int, int]
) -> None:
    """The share in use as an area, with the cells drawn in if there are few."""
    (x, y), (width, height) = corner, size
    share = min(1.0, used[0] / fanout.columns), min(1.0, used[1] / fanout.rows)
    pen.drawing.add(Rect(x, y, width, height, "surface"))
    pen.drawing.add(Rect(x, y, width * share[0], height * share[1], "accent"))
    if fanout.columns <= _CELLS and fanout.rows <= _CELLS:
        for column in range(1, fanout.columns):
            at = x + width * column / fanout.columns
            pen.drawing.add(Line([(at, y), (at, y + height)], "accent-soft", 0.8))
        for row in range(1, fanout.rows):
            at = y + height * row / fanout.rows
            pen.drawing.add(Line([(x, at), (x + width, at)], "accent-soft", 0.8))


def _along(fanout: Fanout, axis: str) -> int:
    product = 1
    for loop in fanout.loops:
        product *= loop.bound if loop.axis == axis else 1
    return product


def _draw_compute(pen: _Pen) -> None:
    view = pen.view
    figure = f"{view.units_used:,} of {view.units:,} units in use"
    pen.left, pen.right = pen.left + 4, pen.right - 4
    name = wrapped(view.compute, pen.width - 4, 12.5, bold=True)
    one_line = (
        len(name) == 1 and text_width(name[0], 12.5, bold=True) + text_width(figure, SMALL) + 12 < pen.width
    )
    for line in name:
        pen.drawing.add(Text(pen.left, pen.y + 14, line, 12.5, bold=True))
        pen.y += 17
    if one_line:
        pen.drawing.add(Text(pen.right, pen.y - 3, figure, SMALL, "muted", "end"))
    else:
        pen.drawing.add(Text(pen.left, pen.y + 10, figure, SMALL, "muted"))
        pen.y += 16
    pen.y += 3


def _range(loop: Loop) -> str:
    return f"0:{loop.bound}" if loop.perfect else f"0:{loop.bound} (last {loop.residual})"


def _words(view: NestView) -> str:
    parts: Sequence[str] = [_level_words(level, view) for level in view.levels]
    return f"{'; '.join(parts)}; {view.units_used:,} of {view.units:,} {view.compute} in use"


def _level_words(level: LevelView, view: NestView) -> str:
    held = ", ".join(f"{t.name} {t.words:,}" for t in level.held) or "nothing"
    loops = ", ".join(f"{view.dims[loop.dim]} {loop.bound}" for loop in level.loops)
    return f"{level.name} holds {held}" + (f", loops {loops}" if loops else "")
