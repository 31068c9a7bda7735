"""Widths of texts, so that nothing is cut off or overlaps, whatever the names.

Measured in DejaVu Sans, the font of the PNG files; the fonts that browsers take from the page's list are narrower.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import matplotlib
from matplotlib.ft2font import FT2Font

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
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536 / _SIZE


_SIZE = 64  # px at which letters are measured


@lru_cache(maxsize=2)
def _font(bold: bool) -> FT2Font:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    font = FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name))
    font.set_size(_SIZE, 72)
    return font
