"""Pictures as lists of shapes with colours named by role, written as SVG for pages and as PNG."""

from __future__ import annotations

from .raster import png
from .shapes import Drawing, Line, Marker, Rect, Text, below, beside
from .svg import page_svg, standalone_svg

__all__ = [
    "Drawing",
    "Line",
    "Marker",
    "Rect",
    "Text",
    "below",
    "beside",
    "page_svg",
    "png",
    "standalone_svg",
]
