"""The shapes a picture is made of, how wide their texts are, and several pictures as one.

Lengths in px, y downwards; colours are roles of ``palette.ROLES``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import matplotlib
from matplotlib.ft2font import FT2Font

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


MONO_EM = 0.602  # width of a letter of DejaVu Sans Mono, Menlo and most others
_UNKNOWN_EM = 1.05  # letters that the font lacks, such as Chinese ones
_LEAST_WORD = 12  # a line is broken after _ . - or a case change only if so many letters are on it
_PIECES = re.compile(r"\s+|[^\s_./:\-]+[_./:\-]*|[_./:\-]+")


def text_width(text: str, size: float, *, bold: bool = False, mono: bool = False) -> float:
    """Width in px of one line."""
    if mono:
        return size * sum(MONO_EM if ord(letter) < 0x1100 else _UNKNOWN_EM for letter in text)
    return size * sum(_em(letter, bold) for letter in text)


def wrapped(
    text: str, width: float, size: float, *, bold: bool = False, mono: bool = False, lines: int = 3
) -> list[str]:
    """The text in at most ``lines`` lines no wider than ``width`` px, the last one shortened if needed."""
    rows = [""]
    for piece in _PIECES.findall(text):
        if text_width(rows[-1] + piece.rstrip(), size, bold=bold, mono=mono) <= width:
            rows[-1] += piece
            continue
        if rows[-1].strip():
            rows.append("")
        rows[-1] = piece.lstrip()
        while text_width(rows[-1], size, bold=bold, mono=mono) > width:
            kept = _fitting(rows[-1], width, size, bold, mono)
            rows[-1:] = [rows[-1][:kept], rows[-1][kept:]]
    if len(rows) > lines:
        rest = "".join(rows[lines - 1 :])
        rows = [*rows[: lines - 1], shortened(rest, width, size, bold=bold, mono=mono)]
    return [row.rstrip() for row in rows]


def shortened(text: str, width: float, size: float, *, bold: bool = False, mono: bool = False) -> str:
    """The text, its middle replaced by ``…`` if it is wider than ``width``: both ends tell names apart."""
    if text_width(text, size, bold=bold, mono=mono) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        head = (kept + 1) // 2
        short = f"{text[:head]}…{text[len(text) - (kept - head) :]}"
        if text_width(short, size, bold=bold, mono=mono) <= width:
            return short
    return "…"


def _fitting(text: str, width: float, size: float, bold: bool, mono: bool) -> int:
    """How many letters fit, at least one."""
    kept = len(text)
    while kept > 1 and text_width(text[:kept], size, bold=bold, mono=mono) > width:
        kept -= 1
    return kept


@lru_cache(maxsize=4096)
def _em(letter: str, bold: bool) -> float:
    font = _font(bold)
    if not font.get_char_index(ord(letter)):
        return _UNKNOWN_EM
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536 / _MEASURED


_MEASURED = 64  # px at which letters are measured


@lru_cache(maxsize=2)
def _font(bold: bool) -> FT2Font:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    font = FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name))
    font.set_size(_MEASURED, 72)
    return font


_MARGIN, _GAP = 18.0, 36.0
_TITLE_LINE, _NAME_LINE = 22.0, 26.0  # heights of a line of the title, and of the name of a drawing


def beside(drawings: Sequence[Drawing], title: str = "", line: str = "") -> Drawing:
    """Side by side, each under its own title, with a margin around; ``title`` and ``line`` above all."""
    width = 2 * _MARGIN + sum(d.width for d in drawings) + _GAP * (len(drawings) - 1)
    whole = Drawing(
        width, title=title, description="; ".join(f"{d.title}: {d.description}" for d in drawings)
    )
    y = _MARGIN
    for text in wrapped(title, width - 2 * _MARGIN, 17, bold=True) if title else []:
        whole.add(Text(_MARGIN, y + 16, text, 17, bold=True))
        y += _TITLE_LINE
    for text in wrapped(line, width - 2 * _MARGIN, 12) if line else []:
        whole.add(Text(_MARGIN, y + 14, text, 12, "muted"))
        y += 18
    y += 12 if title or line else 0
    x, deepest = _MARGIN, 0.0
    for drawing in drawings:
        named = below([drawing]) if drawing.title else drawing
        whole.add(*(moved(shape, x, y) for shape in named.shapes))
        x, deepest = x + drawing.width + _GAP, max(deepest, named.height)
    whole.height = y + deepest + _MARGIN
    return whole


def below(drawings: Sequence[Drawing]) -> Drawing:
    """One below the other, each under its own title."""
    whole = Drawing(max(d.width for d in drawings))
    for drawing in drawings:
        whole.height += 14 if whole.shapes else 0
        if drawing.title:
            for text in wrapped(drawing.title, drawing.width, 13, bold=True):
                whole.add(Text(0, whole.height + 12, text, 13, bold=True))
                whole.height += 16
            whole.height += _NAME_LINE - 16
        whole.add(*(moved(shape, 0, whole.height) for shape in drawing.shapes))
        whole.height += drawing.height
    return whole


def moved(shape: Shape, x: float, y: float) -> Shape:
    """The same shape elsewhere."""
    if isinstance(shape, Line):
        return replace(shape, points=[(a + x, b + y) for a, b in shape.points])
    return replace(shape, x=shape.x + x, y=shape.y + y)
