"""Plot: the loop nest as nested storage levels with the data each holds and the fan-outs between them."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from ..mapping import Mapping
from ..model.outcome import Statistics
from ..specs.spec import Spec
from . import palette
from .nest import Loop
from .units import share_text, short_count
from .view import Fanout, LevelView, level_views

ROW = 0.23  # inches per line of text
_WIDTH = 100.0  # the axes are 100 units wide; one unit high is one row
_INDENT = 1.6
_FLOOR = 0.24  # rows between the lower edges of a box and of the one inside it
_COMPUTE_ROWS = 1.25
_FANOUT_LETTERS = 44
_MONO = "monospace"


@dataclass(frozen=True)
class _Style:
    colours: dict[str, tuple[str, str]]
    dims: tuple[str, ...]
    inches: float  # width of the axes


def nest_rows(spec: Spec, mapping: Mapping, statistics: Statistics) -> float:
    """Height of the drawing in rows."""
    views = level_views(spec, mapping, statistics)
    return sum(_level_rows(view, spec.problem.dims) for view in views) + _COMPUTE_ROWS + _FLOOR * len(views)


def draw_nest(axes: Axes, spec: Spec, mapping: Mapping, statistics: Statistics, inches: float = 6.0) -> None:
    """Draw the nest into ``axes``, about ``inches`` wide and ``nest_rows`` times ``ROW`` high."""
    views = level_views(spec, mapping, statistics)
    style = _Style(
        palette.tensor_styles([space.name for space in spec.problem.data_spaces]), spec.problem.dims, inches
    )
    height = nest_rows(spec, mapping, statistics)
    axes.set_xlim(0, _WIDTH)
    axes.set_ylim(height, 0)
    axes.axis("off")
    axes.set_title("Loop nest (outermost first) and data held", loc="left")
    top = 0.0
    for depth, view in enumerate(views):
        _draw_level(axes, view, depth, top, height, style)
        top += _level_rows(view, style.dims)
    left = _INDENT * len(views)
    axes.text(left + 1, top + 0.6, spec.architecture.compute.name, va="center", fontweight="bold", fontsize=9)
    axes.text(
        _WIDTH - left - 1,
        top + 0.6,
        f"{statistics.compute.utilized_instances} of {spec.architecture.compute.instances} units in use",
        va="center",
        ha="right",
        fontsize=8,
    )


def _level_rows(view: LevelView, dims: tuple[str, ...]) -> float:
    """Heading, data, a row a loop, a little more a fan-out, and a gap."""
    fanouts = sum(_fanout_rows(fanout, dims) for fanout in view.fanouts)
    return 2.45 + len(view.loops) + fanouts


def _draw_level(axes: Axes, view: LevelView, depth: int, top: float, height: float, style: _Style) -> None:
    left = _INDENT * depth
    right = _WIDTH - left
    shade = "#FFFFFF" if depth % 2 else "#F4F4F4"
    axes.add_patch(
        FancyBboxPatch(
            (left + 0.4, top + 0.15),
            right - left - 0.8,
            height - top - 0.2 - _FLOOR * depth,
            boxstyle="round,pad=0,rounding_size=0.3",
            facecolor=shade,
            edgecolor=palette.GREY,
            linewidth=0.8,
        )
    )
    _draw_heading(axes, view, left, right, top)
    row = _draw_held(axes, view, left, right, top + 1.25, style)
    for loop in view.loops:
        text = f"for {style.dims[loop.dim]} in {_range(loop)}"
        axes.text(left + 2.6, row + 0.5, text, va="center", family=_MONO, fontsize=8.5)
        row += 1
    for fanout in view.fanouts:
        _draw_fanout(axes, fanout, left, right, row, style)
        row += _fanout_rows(fanout, style.dims)


def _draw_heading(axes: Axes, view: LevelView, left: float, right: float, top: float) -> None:
    name = view.name if view.instances == 1 else f"{view.name}  ×{view.instances}"
    axes.text(left + 1.4, top + 0.75, name, va="center", fontweight="bold", fontsize=9)
    if not view.held:
        use = ""
    elif view.capacity is None:
        use = f"{short_count(view.words)} words"
    else:
        use = f"{short_count(view.words)} of {short_count(view.capacity)} words"
        use += f" ({share_text(view.words, view.capacity)})"
    axes.text(right - 1.4, top + 0.75, use, va="center", ha="right", fontsize=8, color=palette.INK)


def _draw_held(axes: Axes, view: LevelView, left: float, right: float, row: float, style: _Style) -> float:
    """The data spaces as coloured labels of equal width; returns the row below."""
    if not view.held:
        axes.text(left + 2.6, row + 0.5, "holds nothing", va="center", fontsize=8, color=palette.GREY)
        return row + 1.05
    width = min(30.0, (right - left - 4) / len(view.held))
    for index, tensor in enumerate(view.held):
        colour, hatch = style.colours[tensor.name]
        x = left + 2.2 + index * width
        axes.add_patch(
            Rectangle((x, row + 0.1), width - 0.8, 0.82, facecolor=colour, edgecolor="white", hatch=hatch)
        )
        text = _fitted(f"{tensor.name} {short_count(tensor.words)}", (width - 1.6) / _WIDTH * style.inches)
        axes.text(
            x + (width - 0.8) / 2,
            row + 0.52,
            text,
            va="center",
            ha="center",
            fontsize=7.5,
            color=palette.text_colour(colour),
        )
    return row + 1.05


def _fitted(text: str, inches: float, points: float = 7.5) -> str:
    """The text, its name shortened if it is wider than ``inches`` (0.6 of the height a letter on average)."""
    room = int(inches * 72 / (0.58 * points))
    if len(text) <= room:
        return text
    name, _, amount = text.rpartition(" ")
    return f"{name[: max(1, room - len(amount) - 2)]}… {amount}"


def _fanout_lines(fanout: Fanout, dims: tuple[str, ...]) -> list[str]:
    """The parallel loops, as many a line as fit beside the figure on the right even in the innermost boxes."""
    lines: list[str] = []
    for loop in fanout.loops:
        text = f"{dims[loop.dim]} in {_range(loop)} →{loop.axis}"
        if lines and len(lines[-1]) + len(text) <= _FANOUT_LETTERS:
            lines[-1] += f"   {text}"
        else:
            lines.append(f"{'parallel' if not lines else ' ' * 8} {text}")
    return lines or ["not used"]


def _fanout_rows(fanout: Fanout, dims: tuple[str, ...]) -> float:
    return len(_fanout_lines(fanout, dims)) * 0.9 + 0.25


def _draw_fanout(axes: Axes, fanout: Fanout, left: float, right: float, row: float, style: _Style) -> None:
    rows = _fanout_rows(fanout, style.dims)
    axes.add_patch(
        Rectangle(
            (left + 2.2, row + 0.06),
            right - left - 4.4,
            rows - 0.19,
            facecolor="#DCEAF5",
            edgecolor=palette.BLUE,
            linewidth=0.8,
        )
    )
    for number, line in enumerate(_fanout_lines(fanout, style.dims)):
        axes.text(
            left + 3.0,
            row + 0.54 + 0.9 * number,
            line,
            va="center",
            family=_MONO,
            fontsize=8.5,
            color=palette.BLUE,
        )
    exists = fanout.columns * fanout.rows
    mesh = f" ({fanout.columns}×{fanout.rows})" if fanout.rows > 1 and fanout.columns > 1 else ""
    axes.text(
        right - 3.0,
        row + 0.54,
        f"{fanout.used} of {exists} {fanout.name}{mesh}",
        va="center",
        ha="right",
        fontsize=8,
        color=palette.BLUE,
    )


def _range(loop: Loop) -> str:
    return f"[0:{loop.bound})" if loop.perfect else f"[0:{loop.bound},{loop.residual})"
