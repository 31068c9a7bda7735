"""Drawings as PNG, by matplotlib: no browser and no further library needed."""

from __future__ import annotations

import io
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Polygon, Rectangle

from . import palette
from .shapes import NONE, Drawing, Line, Marker, Rect, Text
from .svg import outline

_DPI = 72  # a point is a px
_HATCHES = ("", "////", "\\\\\\\\", "||||", "----")


def png(drawing: Drawing, *, scale: float = 2.0, dark: bool = False) -> bytes:
    """The picture as PNG, ``scale`` pixels per px."""
    with rc_context({"font.family": "DejaVu Sans", "hatch.linewidth": 1.0}):
        figure = Figure(
            figsize=(drawing.width / _DPI, drawing.height / _DPI), facecolor=_colour("surface", dark)
        )
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_xlim(0, drawing.width)
        axes.set_ylim(drawing.height, 0)
        axes.axis("off")
        for order, shape in enumerate(drawing.shapes):
            _draw(axes, shape, dark, order)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=_DPI * scale, facecolor=figure.get_facecolor())
    return stream.getvalue()


def _draw(axes: Axes, shape: Any, dark: bool, order: int) -> None:
    if isinstance(shape, Text):
        _text(axes, shape, dark, order)
    elif isinstance(shape, Line):
        _line(axes, shape, dark, order)
    elif isinstance(shape, Marker):
        _marker(axes, shape, dark, order)
    elif isinstance(shape, Rect):
        _rect(axes, shape, dark, order)


def _colour(role: str, dark: bool) -> str:
    return NONE if role == NONE else palette.ROLES[role][dark]


def _text(axes: Axes, text: Text, dark: bool, order: int) -> None:
    axes.text(
        text.x,
        text.y,
        text.text.replace("$", r"\$"),  # no mathematics in names
        fontsize=text.size,
        color=_colour(text.fill, dark),
        ha={"start": "left", "middle": "center", "end": "right"}[text.anchor],
        va="baseline",
        weight="bold" if text.bold else "normal",
        family="DejaVu Sans Mono" if text.mono else "DejaVu Sans",
        zorder=order,
    )


def _line(axes: Axes, line: Line, dark: bool, order: int) -> None:
    if line.fill != NONE:
        look = {"facecolor": _colour(line.fill, dark), "edgecolor": _colour(line.stroke, dark)}
        axes.add_patch(
            Polygon(
                list(line.points), closed=True, **look, linewidth=line.width, alpha=line.opacity, zorder=order
            )
        )
        return
    dashes: Any = (0, tuple(length / max(line.width, 0.1) for length in line.dash)) if line.dash else "-"
    axes.plot(
        [x for x, _ in line.points],
        [y for _, y in line.points],
        color=_colour(line.stroke, dark),
        linewidth=line.width,
        linestyle=dashes,
        alpha=line.opacity,
        solid_joinstyle="round",
        solid_capstyle="butt",
        zorder=order,
    )


def _marker(axes: Axes, marker: Marker, dark: bool, order: int) -> None:
    look: dict[str, Any] = {
        "facecolor": _colour(marker.fill, dark),
        "edgecolor": _colour(marker.stroke, dark),
        "linewidth": 1.0,
        "zorder": order,
    }
    if marker.shape == "circle":
        axes.add_patch(Circle((marker.x, marker.y), marker.radius, **look))
    else:
        axes.add_patch(Polygon(list(outline(marker)), closed=True, **look))


def _rect(axes: Axes, rect: Rect, dark: bool, order: int) -> None:
    look: dict[str, Any] = {
        "facecolor": _colour(rect.fill, dark),
        "edgecolor": _colour(rect.stroke, dark),
        "linewidth": rect.stroke_width if rect.stroke != NONE else 0.0,
        "alpha": rect.opacity if rect.opacity < 1 else None,
        "zorder": order,
    }
    radius = min(rect.radius, rect.width / 2, rect.height / 2)
    corner, width, height = (rect.x, rect.y), max(rect.width, 0.0), max(rect.height, 0.0)
    if radius > 0:
        style = f"round,pad=0,rounding_size={radius}"
        axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, mutation_aspect=1, **look))
    else:
        axes.add_patch(Rectangle(corner, width, height, **look))
    if rect.hatch:
        pattern: dict[str, Any] = {
            "facecolor": NONE,
            "edgecolor": _colour("surface", dark),
            "linewidth": 0.0,
            "zorder": order,
        }
        axes.add_patch(Rectangle(corner, width, height, hatch=_HATCHES[(rect.hatch - 1) % 4 + 1], **pattern))
