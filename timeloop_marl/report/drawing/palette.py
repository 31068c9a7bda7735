"""Colours that people with any colour vision can tell apart (Okabe and Ito, 2008)."""

from __future__ import annotations

from collections.abc import Sequence

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE, BLACK = "#0072B2", "#D55E00", "#CC79A7", "#000000"
GREY, LIGHT_GREY, INK = "#999999", "#E5E5E5", "#222222"

_TENSORS = (ORANGE, SKY, GREEN, PURPLE, YELLOW, VERMILION, BLUE)

# What colours stand for: role -> (on light paper, on a dark screen). The same hue for the same thing in both.
ROLES: dict[str, tuple[str, str]] = {
    "ink": ("#1c2127", "#e8eaed"),
    "muted": ("#5a6470", "#a3adb8"),
    "faint": ("#c3c9d0", "#4a535e"),
    "grid": ("#e4e7eb", "#2f363e"),
    "surface": ("#ffffff", "#171b20"),
    "raised": ("#f5f7f9", "#1f252c"),
    "accent": ("#0067a3", "#6cb8ea"),
    "accent-soft": ("#dcebf6", "#1d3a50"),
    "warning": ("#b34700", "#f0945a"),
    "operations": ("#3d4650", "#b9c2cc"),
    "leakage": (GREY, "#7d8690"),
    "networks": ("#7a6652", "#b89f86"),
    "tensor-0": (ORANGE, ORANGE),
    "tensor-1": (SKY, SKY),
    "tensor-2": (GREEN, "#1fae85"),
    "tensor-3": (PURPLE, PURPLE),
    "tensor-4": (YELLOW, YELLOW),
    "tensor-5": (VERMILION, "#e8702a"),
    "tensor-6": ("#4a9bd4", "#4a9bd4"),
    "on-tensor": ("#14181c", "#14181c"),
    "series-0": (BLUE, "#5fb0e6"),
    "series-1": (VERMILION, "#f0803c"),
    "series-2": (GREEN, "#35c39a"),
    "series-3": ("#a8518a", "#dd9cc0"),
    "series-4": ("#a87200", "#e9b044"),
    "series-5": ("#3a4a8c", "#9fb0f0"),
    "series-6": ("#4d545c", "#c5ccd4"),
}
_TENSOR_ROLES = len(_TENSORS)
SERIES_ROLES = 7
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 3), (2, 2), (8, 3, 2, 3), (4, 2), (10, 4), (1, 3))
MARKERS = ("circle", "square", "diamond", "triangle")


def tensor_roles(names: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Role and hatch number (0: none) of every data space, in declaration order; hatches when colours are used up."""
    return {name: (f"tensor-{i % _TENSOR_ROLES}", i // _TENSOR_ROLES) for i, name in enumerate(names)}


def series_role(index: int) -> str:
    """Role of the ``index``-th line of a plot."""
    return f"series-{index % SERIES_ROLES}"
