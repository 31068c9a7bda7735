"""What the pictures drawn by matplotlib share. Drawn without pyplot: no global state, no display needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from matplotlib import rc_context
from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "hatch.linewidth": 0.6,
}


def save_figure(figure: Figure, path: Path | BinaryIO) -> None:
    """Write a figure as its file ending says (.png, .svg or .pdf); a stream gets a PNG."""
    with rc_context(STYLE):
        figure.savefig(path, dpi=150)
