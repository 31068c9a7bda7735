"""The shapes a picture is made of. Lengths in px, y downwards; colours are roles of ``palette.ROLES``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Point = tuple[float, float]
NONE = "none"


@dataclass(frozen=True)
class Rect:
    """A rectangle; ``hatch`` > 0 lays a pattern over it, ``tip`` is shown under the pointer."""

    x: float
    y: float
    width: float
    height: float
    fill: str = NONE
    stroke: str = NONE
    stroke_width: float = 1.0
    radius: float = 0.0
    hatch: int = 0
    opacity: float = 1.0
    tip: str = ""


@dataclass(frozen=True)
class Line:
    """A line through points; with ``fill`` the area it encloses."""

    points: Sequence[Point]
    stroke: str = "ink"
    width: float = 1.0
    dash: tuple[float, ...] = ()
    fill: str = NONE
    opacity: float = 1.0


@dataclass(frozen=True)
class Marker:
    """A point of a series. ``shape``: circle, square, diamond or triangle, told apart without colour."""

    x: float
    y: float
    radius: float
    fill: str
    shape: str = "circle"
    stroke: str = "surface"
    tip: str = ""


@dataclass(frozen=True)
class Text:
    """One line of text; ``y`` is its baseline, ``anchor`` start, middle or end."""

    x: float
    y: float
    text: str
    size: float = 12.0
    fill: str = "ink"
    anchor: str = "start"
    bold: bool = False
    mono: bool = False
    tip: str = ""


Shape = Rect | Line | Marker | Text


@dataclass
class Drawing:
    """A picture ``width`` by ``height`` px. ``title`` says what it is, ``description`` what it shows, in words."""

    width: float
    height: float = 0.0
    title: str = ""
    description: str = ""
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Put shapes on top of those that are there."""
        self.shapes.extend(shapes)
