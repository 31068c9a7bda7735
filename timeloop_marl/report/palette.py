"""Colours that people with any colour vision can tell apart (Okabe and Ito, 2008)."""

from __future__ import annotations

from collections.abc import Sequence

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE, BLACK = "#0072B2", "#D55E00", "#CC79A7", "#000000"
GREY, LIGHT_GREY, INK = "#999999", "#E5E5E5", "#222222"

_TENSORS = (ORANGE, SKY, GREEN, PURPLE, YELLOW, VERMILION, BLUE)
_HATCHES = ("", "//", "..", "\\\\", "xx")


def tensor_styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and hatch of every data space, in declaration order; hatches set in when the colours are used up."""
    return {
        name: (_TENSORS[i % len(_TENSORS)], _HATCHES[(i // len(_TENSORS)) % len(_HATCHES)])
        for i, name in enumerate(names)
    }


def text_colour(background: str) -> str:
    """Black or white, whichever reads better on a ``#rrggbb`` background."""
    red, green, blue = (int(background[i : i + 2], 16) for i in (1, 3, 5))
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 100 else "#FFFFFF"
