"""Several figures to be minimised at once: dominance, hypervolume, the front as samples arrive."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from ..errors import UsageError

Points = Float64[ndarray, "n k"]


def non_dominated(points: Points) -> Bool[ndarray, "n"]:
    """Which points no other point is at least as good as in every column and better in one; +inf and nan never are.

    Of equal points the first one counts.
    """
    keep = np.zeros(len(points), np.bool_)
    front = np.zeros((0, points.shape[1]))
    # In lexicographic order a point can only be dominated by one before it.
    for i in np.lexsort((np.arange(len(points)), *points.T[::-1])):
        if np.isfinite(points[i]).all() and not (front <= points[i]).all(axis=1).any():
            keep[i] = True
            front = np.concatenate([front, points[i : i + 1]])
    return keep


def ranks(points: Points) -> ndarray:
    """Front number of every point: 0 = not dominated, 1 = not dominated once those are gone, and so on; int64 (n,).

    Points that are equal share a rank; +inf in any column comes last.
    """
    n = len(points)
    smaller_or_equal = (points[:, None, :] <= points[None, :, :]).all(axis=2)
    dominates = smaller_or_equal & ~smaller_or_equal.T
    finite = np.isfinite(points).all(axis=1)
    rank = np.full(n, n, np.int64)
    left, number = finite.copy(), 0
    while left.any():
        best = left & ~(dominates & left[:, None]).any(axis=0)
        rank[best], number = number, number + 1
        left &= ~best
    return rank


def crowding(points: Points) -> Float64[ndarray, "n"]:
    """Crowding distance of the points of one front (Deb et al. 2002): ends +inf, else the size of the gap around."""
    n, k = points.shape
    distance = np.zeros(n)
    for column in range(k):
        order = np.argsort(points[:, column], kind="stable")
        values = points[order, column]
        distance[order[[0, -1]]] = np.inf
        span = values[-1] - values[0]
        if span > 0 and n > 2:
            distance[order[1:-1]] += (values[2:] - values[:-2]) / span
    return distance


def hypervolume(points: Points, reference: Sequence[float]) -> float:
    """Volume between the points and the reference that at least one point dominates; exact, two or three columns.

    Points that are not better than the reference in every column add nothing.

    Raises:
        UsageError: other numbers of columns, or a reference that does not fit.
    """
    corner = np.asarray(reference, np.float64)
    if points.ndim != 2 or points.shape[1] not in (2, 3) or corner.shape != (points.shape[1],):
        raise UsageError(
            "hypervolume: points of two or three columns and a reference of as many, "
            f"got {points.shape} and {corner.shape}"
        )
    inside = points[(points < corner).all(axis=1)]
    inside = inside[non_dominated(inside)]
    return _area(inside, corner) if len(corner) == 2 else _volume(inside, corner)


def _area(points: Points, corner: Float64[ndarray, "2"]) -> float:
    ordered = points[np.argsort(points[:, 0])]
    heights = np.concatenate([[corner[1]], ordered[:-1, 1]]) - ordered[:, 1]
    return float(((corner[0] - ordered[:, 0]) * heights).sum())


def _volume(points: Points, corner: Float64[ndarray, "3"]) -> float:
    """Slices along the third column; the staircase of the first two grows from slice to slice."""
    ordered = points[np.argsort(points[:, 2], kind="stable")]
    ends = np.append(ordered[1:, 2], corner[2])
    stairs, area, volume = Staircase(float(corner[0]), float(corner[1])), 0.0, 0.0
    for (x, y, z), end in zip(ordered, ends):
        area += stairs.add(float(x), float(y))
        volume += area * (float(end) - float(z))
    return volume


class Staircase:
    """The non-dominated points in two columns below a corner, and the area that each new one adds."""

    def __init__(self, right: float, top: float) -> None:
        self._corner = (right, top)
        self._xs: list[float] = []
        self._ys: list[float] = []  # falling

    def add(self, x: float, y: float) -> float:
        """The area that is newly dominated; 0 for a dominated point, which is not kept."""
        right, top = self._corner
        if not (x < right and y < top):
            return 0.0
        i = bisect.bisect_right(self._xs, x)
        level = self._ys[i - 1] if i else top
        if level <= y:
            return 0.0
        gained, left, j = 0.0, x, i
        while j < len(self._xs) and self._ys[j] >= y:
            gained += (self._xs[j] - left) * (level - y)
            left, level, j = self._xs[j], self._ys[j], j + 1
        gained += ((self._xs[j] if j < len(self._xs) else right) - left) * (level - y)
        start = i - 1 if i and self._xs[i - 1] == x else i
        self._xs[start:j], self._ys[start:j] = [x], [y]
        return gained


class Archive:
    """The front of all points so far. ``points`` (n, k) and ``tags`` (n, t), e.g. sample number and candidate row."""

    def __init__(self, columns: int, tag_columns: int) -> None:
        self.points: Points = np.zeros((0, columns))
        self.tags: ndarray = np.zeros((0, tag_columns), np.int64)

    def __len__(self) -> int:
        return len(self.points)

    def add(self, points: Points, tags: ndarray) -> int:
        """Take in new points (later ones equal to a member are dropped); how many are on the front now."""
        # Most samples are dominated by the front at once: only the others are compared with each other.
        fresh = np.array([not (self.points <= point).all(axis=1).any() for point in points], np.bool_)
        fresh &= np.isfinite(points).all(axis=1)
        if not fresh.any():
            return 0
        every = np.concatenate([self.points, points[fresh]])
        named = np.concatenate([self.tags, tags[fresh]])
        keep = non_dominated(every)
        added = int(keep[len(self.points) :].sum())
        self.points, self.tags = every[keep], named[keep]
        return added
