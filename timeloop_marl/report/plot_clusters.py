"""Plot: how strongly the choices of a mapping belong together, the tree of clusters, the agents' groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy import ndarray

from .drawing import palette
from .plots import STYLE

Merges = Sequence[tuple[int, int, float]]  # first axis of either cluster, distance
_MEANINGS = {
    "interaction": "share of the variance of log cost that the pair explains beyond both alone",
    "pearson": "size of the correlation of the values",
    "spearman": "size of the rank correlation of the values",
    "mutual": "mutual information of the values [nats]",
}
_INCH = 0.15  # of a row
_CMAP = LinearSegmentedColormap.from_list("strength", ["#ffffff", palette.SKY, palette.BLUE, "#00243a"])


def clusters_figure(
    names: Sequence[str],
    strength: Float64[ndarray, "axes axes"],
    groups: Sequence[Sequence[int]],
    merges: Merges,
    signal: str,
) -> Figure:
    """Matrix ordered by the tree, the tree to the right of it, a frame around each agent's choices.

    Args:
        merges: nearest clusters first, each named by its first axis (the merged one by the first).
    """
    order = _ordered(len(names), groups, merges)
    side = max(_INCH * len(names), 2.4)
    with rc_context(STYLE):
        figure = Figure(figsize=(side * 1.45 + 2.6, side + 2.2), layout="constrained")
        FigureCanvasAgg(figure)
        matrix, tree = figure.subplots(1, 2, width_ratios=(3, 1), sharey=True)
        _draw_matrix(figure, matrix, [names[a] for a in order], strength[np.ix_(order, order)], signal)
        place = {axis: row for row, axis in enumerate(order)}
        for group in groups:
            first = min(place[axis] for axis in group)
            frame = (first - 0.5, first - 0.5), len(group), len(group)
            matrix.add_patch(Rectangle(*frame, fill=False, edgecolor=palette.VERMILION, linewidth=1.3))
        _draw_tree(tree, order, groups, merges)
        several = sum(len(group) > 1 for group in groups)
        alone = len(groups) - several
        title = f"{len(names)} choices, {len(groups)} agents: {several} of several choices, {alone} of one"
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _ordered(axes: int, groups: Sequence[Sequence[int]], merges: Merges) -> list[int]:
    """Axes as the tree orders them; trees of several choices first. Members of a group stand together."""
    leaves = {axis: [axis] for axis in range(axes)}
    for first, second, _ in merges:
        leaves[first] += leaves.pop(second)
    roots = sorted(leaves, key=lambda root: (-len(leaves[root]), root))
    order = [axis for root in roots for axis in leaves[root]]
    place = {axis: row for row, axis in enumerate(order)}
    by_group = sorted(groups, key=lambda group: min(place[axis] for axis in group))
    return [axis for group in by_group for axis in sorted(group, key=place.__getitem__)]


def _draw_matrix(
    figure: Figure, axes: Axes, names: Sequence[str], strength: Float64[ndarray, "axes axes"], signal: str
) -> None:
    shown = np.ma.masked_where(np.eye(len(names), dtype=bool), np.sqrt(strength))
    image = axes.imshow(shown, cmap=_CMAP, vmin=0.0, aspect="equal", interpolation="nearest")
    size = min(7.0, 72 * _INCH * 0.62)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.set_xticks(range(len(names)), names, fontsize=size, rotation=90)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.6, pad=0.02)
    ticks = [t for t in bar.get_ticks() if t <= float(shown.max() or 0.0) + 1e-12]
    bar.set_ticks(ticks, labels=[f"{t * t:.2g}" for t in ticks])
    bar.set_label(_MEANINGS[signal], fontsize=8)


def _draw_tree(axes: Axes, order: Sequence[int], groups: Sequence[Sequence[int]], merges: Merges) -> None:
    """Merges inside a group in colour, those above the cut in grey."""
    owner = {axis: k for k, group in enumerate(groups) for axis in group}
    at = {axis: (float(row), 0.0) for row, axis in enumerate(order)}
    for first, second, height in merges:
        (one, low), (other, far) = at[first], at.pop(second)
        colour = palette.VERMILION if owner[first] == owner[second] else palette.GREY
        axes.plot([low, height, height, far], [one, one, other, other], color=colour, linewidth=0.9)
        at[first] = (one + other) / 2.0, height
    axes.set_xlim(0.0, 1.02)
    axes.set_xlabel("distance: 1 = nothing to do with each other", fontsize=8)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", left=False, labelleft=False)
