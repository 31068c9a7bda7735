"""How far the best cost so far lies above the best known, against samples, log–log, quartile bands over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter
from measures import Results
from running import cost_after

# Okabe and Ito's colours, with a style each so that they differ without colour too.
STYLES = (
    ("#000000", "-"), ("#0072B2", "--"), ("#D55E00", "-."), ("#009E73", ":"),
    ("#CC79A7", "--"), ("#E69F00", "-."), ("#56B4E9", "-"),
)  # fmt: skip
_LOWEST, _HIGHEST = 0.1, 10_000.0  # per cent above the best known; what lies beyond is drawn on the edge
_FEWEST = 3  # runs that a curve needs to go on
_NAMES = {"edp": "EDP"}
_TICKS = (0.1, 0.5, 2, 10, 100, 1000, 10_000)


def convergence(results: Results, searchers: Sequence[str], path: Path, columns: int = 5) -> None:
    """One panel a pair."""
    pairs = results.pairs()
    rows = -(-(len(pairs) + 1) // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(3.0 * columns, 2.7 * rows), sharex=True, sharey=True, layout="constrained"
    )
    panels = np.ravel(panels)
    for panel, pair in zip(panels, pairs):
        for name, (colour, dashes) in zip(searchers, STYLES):
            if (pair, name) in results.runs:
                _band(panel, results, pair, name, colour, dashes)
        machine, network, layer = pair.split("/")
        panel.set_title(f"{machine}\n{network} {layer}", fontsize=9)
        panel.grid(True, which="major", color="#E5E5E5", linewidth=0.6)
    _dress(panels[0])
    handles, labels = _legend(searchers)
    for panel in panels[len(pairs) :]:
        panel.axis("off")
    panels[len(pairs)].legend(handles, labels, loc="center", fontsize=9, frameon=False)
    for k in range(len(pairs)):
        if k % columns == 0:
            panels[k].set_ylabel(
                f"{_NAMES.get(results.objective, results.objective)}, % above best known", fontsize=9
            )
        if k + columns >= len(pairs):
            panels[k].set_xlabel("evaluated mappings", fontsize=9)
            panels[k].tick_params(labelbottom=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _band(panel: Axes, results: Results, pair: str, name: str, colour: str, dashes: str) -> None:
    entries = results.runs[pair, name]
    # As far as three runs go; shorter ones stay where they ended, so that no curve jumps where they do.
    end = sorted((entry["budget"] for entry in entries), reverse=True)[:_FEWEST][-1]
    at = np.unique(np.geomspace(8, end, 60).astype(int))
    # Without a valid mapping the cost is infinite, which percentiles cannot interpolate.
    costs = [
        np.minimum([cost_after(entry, int(n)) / results.best[pair] for entry in entries], _HIGHEST)
        for n in at
    ]
    bands = np.array([np.percentile(values, [25, 50, 75]) for values in costs]).T
    low, middle, high = ((bands - 1) * 100).clip(_LOWEST, _HIGHEST * 10)
    panel.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
    panel.plot(at, middle, color=colour, linestyle=dashes, linewidth=1.4)


def _dress(panel: Axes) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_ylim(_LOWEST * 0.85, _HIGHEST)
    panel.set_yticks(_TICKS)
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())


def _legend(searchers: Sequence[str]) -> tuple[list[matplotlib.lines.Line2D], list[str]]:
    lines = [
        matplotlib.lines.Line2D([], [], color=colour, linestyle=dashes)
        for _, (colour, dashes) in zip(searchers, STYLES)
    ]
    return lines, [name.replace("@tuned", " (tuned)").replace(":form=", ", ") for name in searchers]
