"""Which axes belong together: signals between pairs of axes, and average-linkage clusters with their number chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...errors import UsageError
from ...kernels.compiling import allocating
from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.tables import Axis, AxisKind

SIGNALS = ("interaction", "pearson", "spearman", "mutual")
_SWEEPS = 12
LARGEST = 12  # axes per cluster


def strengths(
    signal: str,
    rows: Int64[ndarray, "n axes"],
    logs: Float64[ndarray, "n"],
    cardinalities: Int64[ndarray, "axes"],
) -> Float64[ndarray, "axes axes"]:
    """Symmetric, non-negative strength of every pair of axes; zero diagonal.

    Args:
        signal: ``interaction``: share of the variance of log cost that the pair explains beyond an additive fit, less
            what chance explains. ``pearson``, ``spearman``: size of the correlation of the values (not of the
            cost). ``mutual``: mutual information of the values in nats, less its bias (Miller and Madow 1955).
        logs: log cost of each row.
    """
    if signal == "interaction":
        residual = additive_residual(rows, logs, cardinalities, _SWEEPS)
        found = interactions(rows, residual, cardinalities, float(((logs - logs.mean()) ** 2).sum()))
    elif signal == "mutual":
        found = mutual_information(rows, cardinalities)
    else:
        values = rows.astype(np.float64)
        if signal == "spearman":
            values = np.stack([_ranks(column) for column in values.T], axis=1)
        found = np.abs(_correlation(values))
    np.fill_diagonal(found, 0.0)
    return np.maximum(found, 0.0)


def clusters(
    strength: Float64[ndarray, "axes axes"], number: int, members: int = LARGEST
) -> tuple[tuple[int, ...], ...]:
    """Groups of axes by average linkage, none larger than ``members``.

    Without that limit one group swallows nearly all axes (the strongest axes interact with everything), and its policy
    is too large to learn from the samples there are.

    Args:
        number: of groups, or the nearest that the limit allows; 0: the best mean silhouette among the cuts between
            four groups and one group for every two axes.
    """
    return chosen_cut(strength, number, members)[0]


def chosen_cut(
    strength: Float64[ndarray, "axes axes"], number: int, members: int = LARGEST
) -> tuple[tuple[tuple[int, ...], ...], tuple[Merge, ...]]:
    """``clusters`` and the tree that was cut."""
    axes = len(strength)
    distance = distances(strength)
    merges = linkage(distance, max(members, -(-axes // number) if number else 1))
    cuts = _cuts(axes, merges)
    if number > 0:
        return _groups(cuts[min(cuts, key=lambda k: (abs(k - number), k))]), merges
    eligible = [k for k in range(4, max(axes // 2, 4) + 1) if k in cuts] or [min(cuts)]
    scores = [_silhouette(distance, cuts[k]) for k in eligible]
    return _groups(cuts[eligible[int(np.argmax(scores))]]), merges


def distances(strength: Float64[ndarray, "axes axes"]) -> Float64[ndarray, "axes axes"]:
    """0 for the strongest pair to 1 for pairs that have nothing to do with each other."""
    top = float(strength.max(initial=0.0))
    # The root brings out the weaker pairs: a few strong ones would leave all others at a distance of almost 1.
    distance = 1.0 - np.sqrt(strength / top) if top > 0 else np.ones(strength.shape)
    np.fill_diagonal(distance, 0.0)
    return distance


def _groups(label: Int64[ndarray, "axes"]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(np.flatnonzero(label == g).tolist()) for g in np.unique(label))


def _ranks(values: Float64[ndarray, "n"]) -> Float64[ndarray, "n"]:
    """Average ranks: ties share theirs."""
    _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2.0)[inverse]


def _correlation(values: Float64[ndarray, "n axes"]) -> Float64[ndarray, "axes axes"]:
    centred = values - values.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    scaled = np.divide(centred, size, out=np.zeros_like(centred), where=size > 0)
    # einsum without optimisation adds in one fixed order, unlike BLAS.
    return np.einsum("ia,ib->ab", scaled, scaled, optimize=False)


@allocating
def additive_residual(rows: ndarray, logs: ndarray, cardinalities: ndarray, sweeps: int) -> ndarray:
    """What a sum of one effect per axis leaves of ``logs`` (backfitting, effects shrunk by one pseudo-sample)."""
    n, axes = rows.shape
    residual = logs - logs.mean()
    effect = np.zeros((axes, cardinalities.max()))
    for _ in range(sweeps):
        for a in range(axes):
            total = np.zeros(cardinalities[a])
            count = np.ones(cardinalities[a])
            for i in range(n):
                total[rows[i, a]] += residual[i] + effect[a, rows[i, a]]
                count[rows[i, a]] += 1.0
            for i in range(n):
                v = rows[i, a]
                residual[i] += effect[a, v] - total[v] / count[v]
            for v in range(cardinalities[a]):
                effect[a, v] = total[v] / count[v]
    return residual


@allocating
def interactions(rows: ndarray, residual: ndarray, cardinalities: ndarray, total_square: float) -> ndarray:
    """Squares of the residual between the cells of each pair of axes, less those expected by chance, as a share."""
    n, axes = rows.shape
    found = np.zeros((axes, axes))
    square = (residual * residual).sum()
    if total_square <= 0.0:
        return found
    for a in range(axes):
        for b in range(a):
            width = cardinalities[b]
            total = np.zeros(cardinalities[a] * width)
            count = np.zeros(cardinalities[a] * width)
            for i in range(n):
                cell = rows[i, a] * width + rows[i, b]
                total[cell] += residual[i]
                count[cell] += 1.0
            between, cells = 0.0, 0
            for c in range(len(total)):
                if count[c] > 0.0:
                    between += total[c] * total[c] / count[c]
                    cells += 1
            found[a, b] = (between - square * (cells - 1.0) / n) / total_square
            found[b, a] = found[a, b]
    return found


@allocating
def mutual_information(rows: ndarray, cardinalities: ndarray) -> ndarray:
    """Mutual information of the values of each pair of axes in nats, bias-corrected."""
    n, axes = rows.shape
    found = np.zeros((axes, axes))
    for a in range(axes):
        for b in range(a):
            joint = np.zeros((cardinalities[a], cardinalities[b]))
            for i in range(n):
                joint[rows[i, a], rows[i, b]] += 1.0 / n
            one, other = joint.sum(axis=1), joint.sum(axis=0)
            total, cells = 0.0, 0
            for v in range(cardinalities[a]):
                for w in range(cardinalities[b]):
                    if joint[v, w] > 0.0:
                        total += joint[v, w] * np.log(joint[v, w] / (one[v] * other[w]))
                        cells += 1
            bias = (cells - (one > 0).sum() - (other > 0).sum() + 1.0) / (2.0 * n)
            found[a, b] = total - bias
            found[b, a] = found[a, b]
    return found


class Merge(NamedTuple):
    """Two clusters become one; each is named by its first axis, the new one by ``first``."""

    first: int
    second: int
    height: float


def linkage(distance: Float64[ndarray, "axes axes"], members: int) -> tuple[Merge, ...]:
    """Average linkage, the nearest clusters first; ties go to the lowest indices.

    Merges that would make a cluster larger than ``members`` are left out: the tree may end before one cluster.
    """
    axes = len(distance)
    merges = []
    between = distance.astype(np.float64).copy()
    np.fill_diagonal(between, np.inf)
    size = np.ones(axes)
    for _ in range(axes - 1):
        between[size[:, None] + size > members] = np.inf
        if not np.isfinite(between).any():
            break
        a, b = sorted(int(x) for x in divmod(int(np.argmin(between)), axes))
        merges.append(Merge(a, b, float(between[a, b])))
        merged = (size[a] * between[a] + size[b] * between[b]) / (size[a] + size[b])
        between[a, :], between[:, a] = merged, merged
        between[b, :], between[:, b], between[a, a] = np.inf, np.inf, np.inf
        size[a] += size[b]
    return tuple(merges)


def _cuts(axes: int, merges: Sequence[Merge]) -> dict[int, Int64[ndarray, "axes"]]:
    """Labels of every cut of the tree, by number of clusters."""
    label = np.arange(axes)
    cuts = {axes: label.copy()}
    for done, merge in enumerate(merges, 1):
        label[label == merge.second] = merge.first
        cuts[axes - done] = label.copy()
    return cuts


def _silhouette(distance: Float64[ndarray, "axes axes"], label: Int64[ndarray, "axes"]) -> float:
    """Mean silhouette width (Rousseeuw 1987); single members count 0."""
    groups = np.unique(label)
    mean = np.stack([distance[:, label == g].mean(axis=1) for g in groups], axis=1)
    own = np.searchsorted(groups, label)
    size = np.bincount(own)[own]
    index = np.arange(len(label))
    inside = mean[index, own] * size / np.maximum(size - 1, 1)
    mean[index, own] = np.inf
    outside = mean.min(axis=1)
    larger = np.maximum(np.maximum(inside, outside), 1e-12)
    width = np.where(size > 1, (outside - inside) / larger, 0.0)
    return float(width.mean())


GROUPINGS = ("dimension", "level", "each", "joint", "random", "given")
INTERACTION = "interaction"  # clusters learnt from the log costs

Groups = tuple[tuple[int, ...], ...]


def fixed_groups(
    space: LearnersMapspace, kind: str, number: int, text: str, rng: np.random.Generator
) -> Groups:
    """Groups of one of ``GROUPINGS``; for a signal (nothing is known yet) those by dimension.

    Args:
        number: of random groups, 0 = 8.
        text: for ``given``: axis names, comma within a group, semicolon between groups; axes not named are grouped by
            dimension.

    Raises:
        UsageError: an unknown or repeated axis name.
    """
    if kind == "each":
        return tuple((a,) for a in range(space.axes))
    if kind == "joint":
        return (tuple(range(space.axes)),) if space.axes else ()
    if kind == "level":
        return space.groups(lambda axis: _level(space, axis))
    if kind == "random":
        order = rng.permutation(space.axes)
        parts = np.array_split(order, min(number or 8, max(1, space.axes)))
        return tuple(tuple(sorted(part.tolist())) for part in parts if len(part))
    if kind == "given":
        return _given(space, text)
    return space.groups(by_dimension)


def by_dimension(axis: Axis) -> tuple[str, int | None]:
    """Factors and ranks of a dimension together, bypasses of a data space together."""
    if axis.kind is AxisKind.BYPASS:
        return "bypass", axis.data_space
    return "dim", axis.dim


def _level(space: LearnersMapspace, axis: Axis) -> tuple[str, int | None]:
    """Ranks and bypasses of a storage level together; a factor belongs to no level, so to its dimension."""
    return ("factor", axis.dim) if axis.kind is AxisKind.FACTOR else ("level", axis.storage)


def _given(space: LearnersMapspace, text: str) -> Groups:
    column = {axis.name: a for a, axis in enumerate(space.columns)}
    groups: list[tuple[int, ...]] = []
    taken: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(";"))):
        group = []
        for name in (name.strip() for name in part.split(",")):
            if name not in column:
                raise UsageError(f"option groups: no axis {name!r}; axes: {', '.join(column)}")
            if column[name] in taken:
                raise UsageError(f"option groups: axis {name!r} is named twice")
            taken.add(column[name])
            group.append(column[name])
        groups.append(tuple(group))
    rest = (tuple(a for a in group if a not in taken) for group in space.groups(by_dimension))
    return (*groups, *(group for group in rest if group))
