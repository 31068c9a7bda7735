"""The runs of a comparison as lines of a plot: ours as medians with quartiles, Timeloop's one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

OURS, PROGRAM = "timeloop-marl", "timeloop-mapper"  # kinds of runs, besides reproduced ones
_POINTS = 240


@dataclass(frozen=True)
class ContestLine:
    """Best cost so far on a grid: median, and quartiles where there are several runs; NaN before anything valid."""

    searcher: str
    label: str
    ours: bool
    real: bool  # the real timeloop-mapper
    place: Float64[ndarray, "k"]
    low: Float64[ndarray, "k"]
    middle: Float64[ndarray, "k"]
    high: Float64[ndarray, "k"]

    @property
    def final(self) -> float:
        """The median at the end; NaN if nothing was found."""
        return float(self.middle[-1])


def contest_lines(
    runs: Sequence[Mapping[str, Any]], column: str, least: float, most: float
) -> list[ContestLine]:
    """The lines, ours first.

    Args:
        runs: as in ``compare.json``.
        column: ``samples`` or ``seconds``.
        least, most: ends of the logarithmic grid; it reaches to the end of the longest run.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["kind"], run["searcher"]), []).append(run)
    most = max([most, *(float(run[column]) for run in runs)])
    place = np.geomspace(least, most, _POINTS)
    place[-1] = most
    lines = []
    for (kind, searcher), group in groups.items():
        curves = np.array([_best_at(run, column, place) for run in group])
        low, middle, high = (_sorted_at(curves, share) for share in (0.25, 0.5, 0.75))
        lines.append(
            ContestLine(
                searcher,
                _label(kind, searcher, len(group)),
                kind == OURS,
                kind == PROGRAM,
                place,
                low,
                middle,
                high,
            )
        )
    return sorted(lines, key=lambda line: not line.ours)


def _label(kind: str, searcher: str, runs: int) -> str:
    if kind == OURS:
        return searcher if runs == 1 else f"{searcher}, median of {runs} and quartiles"
    return f"Timeloop {searcher}" + (" (timeloop-mapper)" if kind == PROGRAM else "")


def _best_at(run: Mapping[str, Any], column: str, grid: Float64[ndarray, "k"]) -> Float64[ndarray, "k"]:
    """Cost of the best mapping known at every point of the grid; NaN before the first valid one."""
    points = run["trajectory"]
    places = np.array([point[column] for point in points], np.float64)
    costs = np.array([np.nan, *(point["cost"] for point in points)])
    return costs[np.searchsorted(places, grid, side="right")]


def _sorted_at(curves: Float64[ndarray, "runs k"], share: float) -> Float64[ndarray, "k"]:
    """A quantile that occurred; a run that has nothing yet counts as infinite and is drawn as a gap."""
    ranked = np.sort(np.where(np.isnan(curves), np.inf, curves), axis=0)
    row = ranked[max(0, int(np.ceil(share * len(curves))) - 1)]
    return np.where(np.isfinite(row), row, np.nan)
