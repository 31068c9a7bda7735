"""``timeloop-marl cluster``: which choices of a mapping belong together."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from rich.table import Table

from ..clusters import Clusters, find_clusters
from ..report.charts.agents import Dependencies, cluster_tree
from ..report.drawing import beside, png
from ..run_folder import RunFolder
from .inputs import print_notices, read_inputs
from .screen import console

JSON, PICTURE = "cluster.json", "cluster.png"
_PAIRS = 5
_NAMES, _CELL = 420.0, 17.0  # px: names and tree of the picture, and each choice in it


def run(options: argparse.Namespace) -> int:
    """Print the groups and the strongest pairs; with ``--output``, write them and the picture."""
    _, spec = read_inputs(options)
    print_notices(spec)
    found = find_clusters(
        spec,
        signal=options.signal,
        samples=options.samples,
        agents=options.agents or 0,
        objective=options.objective,
        seed=options.seed,
    )
    screen = console()
    screen.print(
        f"{len(found.names)} choices in {len(found.groups)} groups, by {found.signal} over {found.valid} mappings"
    )
    screen.print("", _groups(found), "", _pairs(found))
    if options.output is not None:
        folder = RunFolder(Path(options.output))
        folder.create()
        folder.write(JSON, json.dumps(found.as_json()) + "\n")
        data = Dependencies(found.names, found.groups, found.strength.tolist())
        drawing = cluster_tree(data, found.merges, found.signal, _NAMES + _CELL * len(found.names))
        folder.write(PICTURE, png(beside([drawing])))
        screen.print("", f"written: {folder.path / JSON}, {folder.path / PICTURE}")
    return 0


def _groups(found: Clusters) -> Table:
    """The largest groups first; choices alone in their group in one line."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("agent", justify="right")
    table.add_column("choices")
    ordered = sorted((group for group in found.groups if len(group) > 1), key=lambda group: -len(group))
    for number, group in enumerate(ordered, 1):
        table.add_row(str(number), ", ".join(found.names[a] for a in group))
    alone = [found.names[group[0]] for group in found.groups if len(group) == 1]
    if alone:
        table.add_row("each", ", ".join(alone))
    return table


def _pairs(found: Clusters) -> Table:
    """The strongest pairs."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("strongest pairs", "", "strength"):
        table.add_column(title, justify="right" if title == "strength" else "left")
    upper = np.triu(found.strength, 1)
    for place in np.argsort(-upper, axis=None, kind="stable")[:_PAIRS]:
        a, b = (int(k) for k in np.unravel_index(place, upper.shape))
        if upper[a, b] > 0:
            table.add_row(found.names[a], found.names[b], f"{upper[a, b]:.3g}")
    return table
