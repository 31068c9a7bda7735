"""Sections that pages share: of one evaluated mapping, of a search, of a team of agents."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...cost.components import component_energies
from ...cost.outcome import LevelStatistics, Statistics
from ...run.units import energy_text, share_text, short_count
from ...specs.spec import Spec
from ..charts.agents import Decisions, Dependencies, decider_nest, dependency_matrix, entropy_plot
from ..charts.courses import convergence
from ..charts.nest import nest_tiles
from ..charts.roofline import roofline_plot
from ..charts.shares import energy_bars
from ..records import Ranked, RunRecord
from ..views import LevelLimit, Roofline, nest_view, roofline
from .page import FULL, HALF, Block, Cell, Fold, Grid, Paragraph, Picture, Section, Table, Tile

NEST_CAPTION = (
    "Outermost level first. Coloured: the data that lives at a level, in words of one instance, and how much of it "
    "they fill. Blue: copies working in parallel."
)

KNOWLEDGE = {
    "traffic": "traffic: it counts the words that a candidate moves, as the cost model does, and learns from its "
    "samples what a word costs. Candidates judged in this way are not evaluated and not counted as samples",
    "none": "none: of costs it knows only those of its samples",
}


def judged_tiles(judged: int) -> list[Tile]:
    """Candidates that the searcher judged beside the samples; nothing if there are none."""
    return [Tile("judged on traffic", f"{judged:,}", "candidates, not evaluated")] if judged else []


def knowledge_facts(knowledge: str | None) -> list[tuple[str, str]]:
    """What the searcher knows, in words; nothing for folders of versions that did not say."""
    return [("searcher's knowledge", KNOWLEDGE.get(knowledge, knowledge))] if knowledge else []


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


def convergence_section(record: RunRecord, *, half: bool = True) -> Section:
    """The best cost against samples, and every failure by kind."""
    course = record.course
    picture = Picture(
        "convergence",
        lambda width: convergence([course], width),
        "Every sample counts, valid or not.",
        HALF if half else FULL,
    )
    blocks: list[Picture | Fold] = [picture] if record.best else []
    failures = record.summary.get("failures") or {}
    if failures:
        total = int(record.summary["samples"])
        rows = [
            [Cell(name), Cell(f"{count:,}", count), Cell(share_text(count, total), count)]
            for name, count in sorted(failures.items(), key=lambda item: -item[1])
        ]
        table = Table(
            "failures", "Invalid samples by reason", ("reason", "samples", "share"), rows, frozenset((1, 2))
        )
        blocks.append(Fold("Why samples were invalid", [table], is_open=not record.best))
    return Section("course", "Convergence" if record.best else "Samples", blocks, half)


def agents_section(agents: Mapping[str, Any] | None, found: Decisions | None = None) -> list[Section]:
    """What the team did, of ``agents.json``; nothing if the searcher left no such record.

    Args:
        found: who decides what in the best mapping.
    """
    groups = (agents or {}).get("groups") or []
    if agents is None or not groups:
        return []
    names, history = list(agents.get("axes", [])), list(agents.get("history") or [])
    last = groups[-1]["groups"]
    blocks: list[Block] = [Paragraph(_agents_intro(len(names), len(last), groups))]
    cells: list[tuple[str, Sequence[Block]]] = []
    if found is not None:
        nest = Picture(
            "deciders",
            lambda width: decider_nest(found, width),
            "The best mapping. Numbered: the agents of the table below, after their last grouping; a loop made up of "
            "several factors may have several. No number: nothing is left to decide.",
            HALF,
        )
        cells.append(("Where each agent acts", [nest]))
    strength = agents.get("strength")
    if strength:
        data = Dependencies(names, last, strength)
        matrix = Picture(
            "dependencies",
            lambda width: dependency_matrix(data, width),
            "The stronger the colour, the more the best value of one depends on the other. Framed: one agent. "
            + choice_words(names),
            HALF,
        )
        cells.append(("Which choices belong together", [matrix]))
    if history:
        entropy = Picture(
            "entropy",
            lambda width: entropy_plot(history, width),
            "Mean over the agents, and their range. It falls as they commit themselves.",
            HALF,
        )
        cells.append(("How sure the agents are", [entropy]))
    if cells:
        blocks.append(Grid(cells, pairs=True))
    blocks.append(Fold("What each agent decides", [_agents_table(names, last, history)], "agents-one-by-one"))
    return [Section("agents", "The team of agents", blocks)]


_KINDS = (
    (
        re.compile(r"^(\w+):(\d+)(#\d+)?$"),
        "{0}: the level of that factor of its dimension (#2: of the second such factor)",
    ),
    (re.compile(r"^.+:rank\(.+\)$"), "{0}: how far inside that loop stands at its level"),
    (re.compile(r"^.+:keep\(.+\)$"), "{0}: whether the level keeps that data space"),
)


def choice_words(names: Sequence[str]) -> str:
    """What the names of choices mean, by an example of each kind among them."""
    found = ((next((name for name in names if pattern.match(name)), None), text) for pattern, text in _KINDS)
    parts = [text.format(name) for name, text in found if name is not None]
    return "Choices: " + "; ".join(parts) + "." if parts else ""


def _agents_intro(axes: int, agents: int, groups: Sequence[Mapping[str, Any]]) -> str:
    text = f"{axes} choices make up a mapping; {agents} agents decide them, each with a policy of its own."
    again = [f"{entry['samples']:,}" for entry in groups if entry["samples"]]
    return f"{text} They were grouped anew after {', '.join(again)} samples." if again else text


def _agents_table(
    names: Sequence[str], groups: Sequence[Sequence[int]], history: Sequence[Mapping[str, Any]]
) -> Table:
    """One row an agent: its choices, its share of the credit, its entropy when it last learnt."""
    fitting = [entry for entry in history if len(entry["credit"]) == len(groups)]
    credit = [sum(entry["credit"][i] for entry in fitting) for i in range(len(groups))]
    total = sum(credit)
    rows = []
    for number, group in enumerate(groups):
        entropy = (
            history[-1]["entropy"][number] if history and len(history[-1]["entropy"]) == len(groups) else None
        )
        share = credit[number] / total if total else 0.0
        rows.append(
            [
                Cell(f"agent {number + 1}", number + 1),
                Cell(", ".join(names[axis] for axis in group)),
                Cell(f"{len(group)}", len(group)),
                Cell(share_text(share, 1.0), share, share) if total else Cell(""),
                Cell(f"{entropy:.2f}", entropy) if entropy is not None else Cell(""),
            ]
        )
    columns = ("agent", "decides", "choices", "credit", "entropy")
    caption = "Credit: how much of what the samples taught went to an agent. Entropy in nats per choice, at the end."
    return Table("agents-table", caption, columns, rows, frozenset((2, 3, 4)), sortable=True)
