"""Sections about one evaluated mapping: its nest, its energy, its roofline, its levels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...cost.outcome import LevelStatistics, Statistics
from ...specs.spec import Spec
from ..charts.energy import energy_bars
from ..charts.nest import nest_tiles
from ..charts.roofline import roofline_plot
from ..energy_shares import component_energies
from ..roofline import LevelLimit, Roofline, roofline
from ..run_record import Ranked
from ..units import energy_text, share_text, short_count
from ..view import nest_view
from .blocks import HALF, Block, Cell, Fold, Paragraph, Picture, Section, Table

NEST_CAPTION = (
    "Outermost level first. Coloured: the data that lives at a level, in words of one instance, and how much of it "
    "they fill. Blue: copies working in parallel."
)


def nest_section(spec: Spec, ranked: Ranked) -> Section:
    """The nest of a mapping."""
    return Section("mapping", "The best mapping", [nest_picture(spec, ranked, "nest")], half=True)


def nest_picture(
    spec: Spec, ranked: Ranked, name: str, widths: Sequence[float] = HALF, caption: str = NEST_CAPTION
) -> Picture:
    """The nest as a picture."""
    view = nest_view(spec, ranked.mapping, ranked.statistics)
    return Picture(name, lambda width: nest_tiles(view, width), caption, widths)


def energy_section(
    spec: Spec, statistics: Statistics, name: str = "energy", title: str = "Energy by level and data space"
) -> Section:
    """Energy by level and data space, as bars and as a table."""
    components = component_energies(spec, statistics)
    tensors = [space.name for space in spec.problem.data_spaces]
    picture = Picture(name, lambda width: energy_bars(components, tensors, width), "", HALF)
    parts = list(dict.fromkeys(part for each in components for part in each.parts if each.parts[part] > 0))
    rows = [
        [
            Cell(component.name),
            *(_energy_cell(component.parts.get(part, 0.0)) for part in parts),
            _energy_cell(component.total),
            Cell(share_text(component.total, statistics.energy_pj), component.total),
        ]
        for component in components
    ]
    table = Table(
        f"{name}-table",
        "Energy by level and data space",
        ("level", *parts, "total", "share"),
        rows,
        numeric=frozenset(range(1, len(parts) + 3)),
    )
    blocks: list[Block] = [picture, Fold("The same as figures", [table])]
    if not components:
        blocks = [Paragraph("No energy is spent.")]
    return Section(f"{name}-section", title, blocks, half=True)


def roofline_section(spec: Spec, statistics: Statistics) -> Section:
    """What the machine could do, and what sets the pace."""
    data = roofline(spec, statistics)
    picture = Picture(
        "roofline",
        lambda width: roofline_plot(data, width),
        "A point lies on its level's roof where that level sets the pace; the dotted line is what is left.",
        HALF,
    )
    return Section("roofline-section", "Roofline", [Paragraph(verdict(data)), picture], half=True)


def verdict(data: Roofline) -> str:
    """What sets the pace, and what would help."""
    binding = data.binding
    if binding is not None:
        return (
            f"The {binding.port} bandwidth of {binding.name} sets the pace: more of it, or more reuse below it, would "
            "make this layer faster."
        )
    if data.achieved >= 0.999 * data.peak:
        return "All compute units are busy in every cycle: only more of them would make this layer faster."
    return "No bandwidth sets the pace; the compute units in use do. Using more of them would make this layer faster."


def levels_section(spec: Spec, statistics: Statistics) -> Section:
    """Bandwidth and traffic of every level."""
    data = roofline(spec, statistics)
    by_name = {level.name: level for level in statistics.levels}
    rows = [_level_row(limit, by_name[limit.name]) for limit in data.levels]
    table = Table(
        "levels",
        "All instances together; words per cycle at the busiest port",
        (
            "level", "in use", "reads", "fills", "updates", "words/cycle", "limit", "of the limit", "computes/word",
        ),
        rows,
        numeric=frozenset(range(1, 9)),
        sortable=True,
    )  # fmt: skip
    return Section("traffic", "Traffic and bandwidth", [table])


def _level_row(limit: LevelLimit, level: LevelStatistics) -> list[Cell]:
    moved = [
        sum(getattr(tensor, kind) * tensor.instances for tensor in level.tensors if tensor.kept)
        for kind in ("reads", "fills", "updates")
    ]
    bounded = math.isfinite(limit.limit)
    computes = limit.computes_per_word
    return [
        Cell(limit.name),
        Cell(f"{limit.used:,} of {limit.instances:,}", limit.used),
        *(Cell(short_count(words), words) for words in moved),
        Cell(short_count(limit.achieved), limit.achieved),
        Cell(
            f"{short_count(limit.limit)} ({limit.port})" if bounded else "none",
            limit.limit if bounded else None,
        ),
        Cell(f"{limit.share:.0%}", limit.share, min(limit.share, 1.0)) if bounded else Cell("–"),
        Cell(short_count(computes), computes) if math.isfinite(computes) else Cell("–"),
    ]


def per_compute(energy_pj: float, computes: int) -> str:
    """Energy of one compute, in words."""
    return f"{energy_pj / computes:.4g} pJ per compute" if computes else ""


def _energy_cell(energy_pj: float) -> Cell:
    return Cell(energy_text(energy_pj) if energy_pj else "", energy_pj)
