"""Picture: energy by level, each bar stacked by data space."""

from __future__ import annotations

from collections.abc import Sequence

from .. import palette
from ..drawing.metrics import text_width, wrapped
from ..drawing.shapes import Drawing, Rect, Text
from ..energy_shares import LEAKAGE, NETWORKS, OPERATIONS, ComponentEnergy
from ..units import energy_text, share_text
from .parts import BODY, SMALL, draw_swatches

_BAR, _LINE, _GAP = 13.0, 15.0, 13.0
_SEEN = 0.0015  # of the longest bar: thinner parts are no picture


def energy_bars(
    components: Sequence[ComponentEnergy], tensors: Sequence[str], width: float, longest: float | None = None
) -> Drawing:
    """One bar per component, the name above it, energy and share of the total at the right.

    Args:
        components: in the order shown, e.g. of ``component_energies``.
        tensors: names of the data spaces in declaration order; they choose the colours.
        longest: energy in pJ of a bar of full width; that of the longest bar unless given.
    """
    total = sum(component.total for component in components)
    drawing = Drawing(width, title="Energy by level and data space", description=_words(components, total))
    longest = longest or max((component.total for component in components), default=0.0)
    styles = part_roles(tensors)
    shown = [p for p in styles if any(c.parts.get(p, 0.0) > _SEEN * longest for c in components)]
    y = draw_swatches(drawing, [(part, *styles[part]) for part in shown], 0.0) + 4
    for component in components:
        y = _draw_bar(drawing, component, styles, (longest, total), y)
    drawing.height = y
    return drawing


def part_roles(tensors: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Colour role and hatch of every part that an energy can have."""
    return {
        **palette.tensor_roles(tensors),
        OPERATIONS: ("operations", 0),
        LEAKAGE: ("leakage", 1),
        NETWORKS: ("networks", 0),
    }


def _draw_bar(
    drawing: Drawing,
    component: ComponentEnergy,
    styles: dict[str, tuple[str, int]],
    scale: tuple[float, float],
    y: float,
) -> float:
    longest, total = scale
    figure = f"{energy_text(component.total)} · {share_text(component.total, total)}"
    room = drawing.width - text_width(figure, BODY) - 14
    names = wrapped(component.name, room, BODY)
    for number, line in enumerate(names):
        drawing.add(Text(0, y + 11 + _LINE * number, line, BODY, tip=component.name))
    drawing.add(Text(drawing.width, y + 11, figure, BODY, "muted", "end"))
    y += _LINE * len(names) + 2
    drawing.add(Rect(0, y, drawing.width, _BAR, "raised", radius=2))
    x = 0.0
    for part, energy in component.parts.items():
        length = drawing.width * energy / longest if longest else 0.0
        if length > 0.3:
            role, hatch = styles[part]
            tip = f"{component.name}, {part}: {energy_text(energy)} ({share_text(energy, total)} of all)"
            drawing.add(Rect(x, y, max(length - 1.0, 0.8), _BAR, role, hatch=hatch, tip=tip))
            _draw_inside(drawing, share_text(energy, component.total), role, x, y, length)
        x += length
    return y + _BAR + _GAP


def _draw_inside(drawing: Drawing, share: str, role: str, x: float, y: float, length: float) -> None:
    """The share of a part in its bar, where there is room for it."""
    if role.startswith("tensor") and text_width(share, SMALL - 1) + 10 < length:
        drawing.add(Text(x + 5, y + 10.2, share, SMALL - 1, "on-tensor"))


def _words(components: Sequence[ComponentEnergy], total: float) -> str:
    parts = [f"{c.name} {energy_text(c.total)} ({share_text(c.total, total)})" for c in components]
    return f"{energy_text(total)} in all: " + ", ".join(parts) if parts else "no energy"
