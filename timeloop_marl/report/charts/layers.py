"""Picture: which layers the cycles and the energy of a network go to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..drawing.metrics import text_width, wrapped
from ..drawing.shapes import Drawing, Rect, Text
from ..units import share_text
from .parts import BODY, SMALL, draw_swatches

_ROW, _BAR = 30.0, 7.0
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
    drawing = Drawing(width, title="Cycles and energy by layer", description=_words(shown, cycles, energy))
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
    label = min(max((text_width(_name(layer), BODY) for layer in shown), default=0.0), 0.36 * width) + 12
    for layer in shown:
        y = _draw(drawing, layer, (cycles, energy), (label, longest), y)
    drawing.height = y
    return drawing


def _draw(
    drawing: Drawing, layer: LayerShare, totals: tuple[float, float], scale: tuple[float, float], y: float
) -> float:
    label, longest = scale
    names = wrapped(_name(layer), label - 10, BODY)
    for number, line in enumerate(names):
        drawing.add(Text(0, y + 11 + 14 * number, line, BODY, tip=layer.name))
    room = drawing.width - label - 46
    for place, (part, whole, role) in enumerate(
        ((layer.cycles, totals[0], "series-0"), (layer.energy, totals[1], "series-4"))
    ):
        top = y + (_BAR + 4) * place
        length = room * _share(part, whole) / longest if longest and layer.count else 0.0
        if layer.count:
            drawing.add(Rect(label, top + 1, max(length, 0.5), _BAR, role, radius=1))
        drawing.add(Text(label + length + 6, top + 8.5, share_text(part, whole), SMALL, "muted"))
    return y + max(_ROW, 14.0 * len(names) + 10)


def _largest(layers: Sequence[LayerShare]) -> list[LayerShare]:
    if len(layers) <= _MOST:
        return list(layers)
    kept = set(sorted(range(len(layers)), key=lambda i: -layers[i].energy)[: _MOST - 1])
    rest = [layer for i, layer in enumerate(layers) if i not in kept]
    others = LayerShare(f"{len(rest)} others", 0, sum(r.cycles for r in rest), sum(r.energy for r in rest))
    return [*(layer for i, layer in enumerate(layers) if i in kept), others]


def _name(layer: LayerShare) -> str:
    return layer.name if layer.count < 2 else f"{layer.name} ×{layer.count}"


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _words(layers: Sequence[LayerShare], cycles: float, energy: float) -> str:
    parts = (
        f"{_name(layer)} {share_text(layer.cycles, cycles)} of the cycles, "
        f"{share_text(layer.energy, energy)} of the energy"
        for layer in layers
    )
    return "; ".join(parts)
