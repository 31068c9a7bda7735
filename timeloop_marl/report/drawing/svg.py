"""Drawings as SVG: inside a page, in the colours of its theme, or as a file that stands on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from . import palette
from .shapes import NONE, Drawing, Line, Marker, Point, Rect, Shape, Text

SANS = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif'
MONO = 'ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace'
_HATCH_ANGLES = (45, -45, 0, 90)


def page_svg(drawing: Drawing, name: str) -> Markup:
    """For a page whose style sheet has ``role_rules()``; ``name`` must be unique in the page."""
    return _svg(drawing, name, "")


def standalone_svg(drawing: Drawing) -> str:
    """A file: light colours on white, fonts named, nothing else needed."""
    style = Markup("<style>") + Markup(role_rules()) + Markup("</style>")
    background = _element("rect", width=drawing.width, height=drawing.height, class_="f-surface")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + str(_svg(drawing, "p", style + background)) + "\n"


def role_rules(dark: bool = False) -> str:
    """The style rules that the shapes refer to: fill, stroke and text of every role."""
    rules = [f".f-{NONE}{{fill:none}}.s-{NONE}{{stroke:none}}"]
    for role, colours in palette.ROLES.items():
        colour = colours[dark]
        rules.append(f".f-{role}{{fill:{colour}}}.s-{role}{{stroke:{colour}}}")
    rules.append(
        f"svg text{{font-family:{SANS}}}svg text.mono{{font-family:{MONO}}}svg text.bold{{font-weight:600}}"
    )
    return "".join(rules)


def _svg(drawing: Drawing, name: str, head: str) -> Markup:
    width, height = _number(drawing.width), _number(drawing.height)
    hatches = sorted({s.hatch for s in drawing.shapes if isinstance(s, Rect) and s.hatch})
    definitions = Markup("").join(_hatch(name, number) for number in hatches)
    inside = Markup("").join(_shape(shape, name) for shape in drawing.shapes)
    labels = Markup("<title>{}</title><desc>{}</desc>").format(drawing.title, drawing.description)
    return (
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" '
            'aria-label="{2}">'
        ).format(width, height, f"{drawing.title}. {drawing.description}".strip(". "))
        + labels
        + (Markup("<defs>") + definitions + Markup("</defs>") if hatches else "")
        + head
        + inside
        + Markup("</svg>")
    )


def _shape(shape: Shape, name: str) -> Markup:
    if isinstance(shape, Rect):
        return _rect(shape, name)
    if isinstance(shape, Line):
        return _line(shape)
    if isinstance(shape, Marker):
        return _marker(shape)
    return _text(shape)


def _rect(rect: Rect, name: str) -> Markup:
    place: dict[str, Any] = {
        "x": rect.x,
        "y": rect.y,
        "width": max(rect.width, 0.0),
        "height": max(rect.height, 0.0),
    }
    look: dict[str, Any] = {"class_": f"f-{rect.fill} s-{rect.stroke}", "rx": rect.radius or None}
    line = rect.stroke_width if rect.stroke != NONE else None
    opacity = rect.opacity if rect.opacity < 1 else None
    drawn = _element("rect", tip=rect.tip, **place, **look, stroke_width=line, opacity=opacity)
    if rect.hatch:
        drawn += _element("rect", **place, rx=rect.radius or None, fill=f"url(#{name}-h{rect.hatch})")
    return drawn


def _line(line: Line) -> Markup:
    tag = "polygon" if line.fill != NONE else "polyline"
    return _element(
        tag,
        points=" ".join(f"{_number(x)},{_number(y)}" for x, y in line.points),
        class_=f"f-{line.fill} s-{line.stroke}",
        stroke_width=line.width if line.stroke != NONE else None,
        stroke_dasharray=" ".join(map(_number, line.dash)) or None,
        stroke_linejoin="round",
        opacity=line.opacity if line.opacity < 1 else None,
    )


def _marker(marker: Marker) -> Markup:
    look: dict[str, Any] = {"class_": f"f-{marker.fill} s-{marker.stroke}", "stroke_width": 1.0}
    if marker.shape == "circle":
        return _element("circle", tip=marker.tip, cx=marker.x, cy=marker.y, r=marker.radius, **look)
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in outline(marker))
    return _element("polygon", tip=marker.tip, points=points, **look)


def outline(marker: Marker) -> Sequence[Point]:
    """The corners of a marker that is no circle."""
    r = marker.radius
    corners = {
        "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        "diamond": ((0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)),
        "triangle": ((0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)),
    }[marker.shape]
    return [(marker.x + r * x, marker.y + r * y) for x, y in corners]


def _text(text: Text) -> Markup:
    classes = [f"f-{text.fill}", *(["bold"] if text.bold else []), *(["mono"] if text.mono else [])]
    return _element(
        "text",
        tip=text.tip,
        content=text.text,
        x=text.x,
        y=text.y,
        font_size=text.size,
        class_=" ".join(classes),
        text_anchor=text.anchor if text.anchor != "start" else None,
    )


def _hatch(name: str, number: int) -> Markup:
    angle = _HATCH_ANGLES[(number - 1) % len(_HATCH_ANGLES)]
    return Markup(
        '<pattern id="{0}-h{1}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate({2})">'
        '<line x1="0" y1="0" x2="0" y2="5" class="s-surface" stroke-width="2"/></pattern>'
    ).format(name, number, angle)


def _element(tag: str, tip: str = "", content: str = "", **attributes: float | str | None) -> Markup:
    """One element, everything escaped; ``_`` in attribute names stands for ``-``."""
    written = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _number(value))
        for name, value in attributes.items()
        if value is not None
    )
    inside = (Markup("<title>{}</title>").format(tip) if tip else Markup("")) + escape(content)
    if inside:
        return Markup("<{0}{1}>{2}</{0}>").format(tag, written, inside)
    return Markup("<{}{}/>").format(tag, written)


def _number(value: float | str) -> str:
    """Two decimals at most: pages of hundreds of pictures stay small."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
