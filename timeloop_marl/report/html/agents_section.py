"""The section about the team of agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..charts.agents import Dependencies, dependency_matrix, entropy_plot
from ..charts.deciders import decider_nest
from ..deciders import Decisions
from ..units import share_text
from .blocks import HALF, Block, Cell, Grid, Paragraph, Picture, Section, Table


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
    blocks: list[Block] = [Paragraph(_intro(len(names), len(last), groups))]
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
            "The stronger the colour, the more the best value of one depends on the other. Framed: one agent.",
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
    blocks.append(_table(names, last, history))
    return [Section("agents", "The team of agents", blocks)]


def _intro(axes: int, agents: int, groups: Sequence[Mapping[str, Any]]) -> str:
    text = f"{axes} choices make up a mapping; {agents} agents decide them, each with a policy of its own."
    again = [f"{entry['samples']:,}" for entry in groups if entry["samples"]]
    return f"{text} They were grouped anew after {', '.join(again)} samples." if again else text


def _table(
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
