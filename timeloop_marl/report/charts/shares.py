"""Pictures of shares: energy by level and data space, cycles and energy by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...cost.components import LEAKAGE, NETWORKS, OPERATIONS, ComponentEnergy
from ...run.units import energy_text, share_text
from ..drawing import palette
from ..drawing.shapes import Drawing, Rect, Text, text_width, wrapped
from .axes import BODY, SMALL, draw_swatches

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
    drawing = Drawing(
        width, title="Energy by level and data space", description=_energy_words(components, total)
    )
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
            # A part that no data space has a name for: the files of the layer that has it are gone.
            role, hatch = styles.get(part, ("raised", 1))
            tip = f"{component.name}, {part}: {energy_text(energy)} ({share_text(energy, total)} of all)"
            drawing.add(Rect(x, y, max(length - 1.0, 0.8), _BAR, role, hatch=hatch, tip=tip))
            _draw_inside(drawing, share_text(energy, component.total), role, x, y, length)
        x += length
    return y + _BAR + _GAP


def _draw_inside(drawing: Drawing, share: str, role: str, x: float, y: float, length: float) -> None:
    """The share of a part in its bar, where there is room for it."""
    if role.startswith("tensor") and text_width(share, SMALL - 1) + 10 < length:
        drawing.add(Text(x + 5, y + 10.2, share, SMALL - 1, "on-tensor"))


def _energy_words(components: Sequence[ComponentEnergy], total: float) -> str:
    parts = [f"{c.name} {energy_text(c.total)} ({share_text(c.total, total)})" for c in components]
    return f"{energy_text(total)} in all: " + ", ".join(parts) if parts else "no energy"


_LAYER, _LAYER_BAR = 30.0, 7.0
_MOST = 28  # layers drawn one by one; the rest together


@dataclass(frozen=True)
class LayerShare:
    """A layer with its part of the network's totals, all its occurrences together; ``count`` 0 = several layers."""

    name: str
    count: int
    cycles: float
    energy: float


def layer_shares(layers: Sequence[LayerShare], width: float) -> Drawing:
    """Two bars a layer: its shares of the cycles and of the energy of the network.

    In the order given; of very many layers the largest by energy, and the others as one, in figures alone.
    """
    cycles, energy = sum(layer.cycles for layer in layers), sum(layer.energy for layer in layers)
    shown = _largest(layers)
    drawing = Drawing(
        width, title="Cycles and energy by layer", description=_layer_words(shown, cycles, energy)
    )
    y = (
        draw_swatches(
            drawing, [("share of the cycles", "series-0", 0), ("share of the energy", "series-4", 0)], 0
        )
        + 4
    )
    drawn = [layer for layer in shown if layer.count]  # not the rest, which would dwarf them
    longest = max(
        (share for layer in drawn for share in (_share(layer.cycles, cycles), _share(layer.energy, energy))),
        default=1.0,
    )
    label = (
        min(max((text_width(_layer_name(layer), BODY) for layer in shown), default=0.0), 0.36 * width) + 12
    )
    for layer in shown:
        y = _draw_layer(drawing, layer, (cycles, energy), (label, longest), y)
    drawing.height = y
    return drawing


def _draw_layer(
    drawing: Drawing, layer: LayerShare, totals: tuple[float, float], scale: tuple[float, float], y: float
) -> float:
    label, longest = scale
    names = wrapped(_layer_name(layer), label - 10, BODY)
    for number, line in enumerate(names):
        drawing.add(Text(0, y + 11 + 14 * number, line, BODY, tip=layer.name))
    room = drawing.width - label - 46
    for place, (part, whole, role) in enumerate(
        ((layer.cycles, totals[0], "series-0"), (layer.energy, totals[1], "series-4"))
    ):
        top = y + (_LAYER_BAR + 4) * place
        length = room * _share(part, whole) / longest if longest and layer.count else 0.0
        if layer.count:
            drawing.add(Rect(label, top + 1, max(length, 0.5), _LAYER_BAR, role, radius=1))
        drawing.add(Text(label + length + 6, top + 8.5, share_text(part, whole), SMALL, "muted"))
    return y + max(_LAYER, 14.0 * len(names) + 10)


def _largest(layers: Sequence[LayerShare]) -> list[LayerShare]:
    if len(layers) <= _MOST:
        return list(layers)
    kept = set(sorted(range(len(layers)), key=lambda i: -layers[i].energy)[: _MOST - 1])
    rest = [layer for i, layer in enumerate(layers) if i not in kept]
    others = LayerShare(f"{len(rest)} others", 0, sum(r.cycles for r in rest), sum(r.energy for r in rest))
    return [*(layer for i, layer in enumerate(layers) if i in kept), others]


def _layer_name(layer: LayerShare) -> str:
    return layer.name if layer.count < 2 else f"{layer.name} ×{layer.count}"


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _layer_words(layers: Sequence[LayerShare], cycles: float, energy: float) -> str:
    parts = (
        f"{_layer_name(layer)} {share_text(layer.cycles, cycles)} of the cycles, "
        f"{share_text(layer.energy, energy)} of the energy"
        for layer in layers
    )
    return "; ".join(parts)
