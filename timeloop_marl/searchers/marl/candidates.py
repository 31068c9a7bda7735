"""Rows to be proposed, and which evaluated row each was changed from: what credit is measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...compiling import kernel
from ..base import Rows

_NEAR = 0.5  # share of choices that a row may differ in from the elite that it is compared with


@dataclass(frozen=True)
class Candidates:
    """Repaired rows and where they come from: the row they were moved from (itself if none) and its log cost (nan)."""

    rows: Rows
    origin: Rows
    before: Float64[ndarray, "n"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Int64[ndarray, "k"]) -> Candidates:
        return Candidates(self.rows[index], self.origin[index], self.before[index])


def whole(rows: Rows) -> Candidates:
    """Rows that were not moved from others."""
    return Candidates(rows, rows, np.full(len(rows), np.nan))


def joined(parts: list[Candidates]) -> Candidates:
    """All candidates, in the order of the parts."""
    return Candidates(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.origin for part in parts]),
        np.concatenate([part.before for part in parts]),
    )


def traced(rows: Rows, elites: Rows, logs: Float64[ndarray, "elites"]) -> Candidates:
    """Rows as moves from the elite that they differ least from (the better of equals); whole ones if all are far."""
    if not len(rows) or not len(elites):
        return whole(rows)
    nearest, different = np.zeros((2, len(rows)), np.int64)
    _compare(np.ascontiguousarray(rows), np.ascontiguousarray(elites), nearest, different)
    near = different <= _NEAR * rows.shape[1]
    return Candidates(
        rows, np.where(near[:, None], elites[nearest], rows), np.where(near, logs[nearest], np.nan)
    )


@kernel
def _compare(rows: ndarray, elites: ndarray, nearest: ndarray, different: ndarray) -> None:
    """Which elite every row differs least from (the first of equals), and in how many choices."""
    for i in range(rows.shape[0]):
        different[i] = rows.shape[1] + 1
        for e in range(elites.shape[0]):
            count = 0
            for a in range(rows.shape[1]):
                count += rows[i, a] != elites[e, a]
            if count < different[i]:
                different[i], nearest[i] = count, e
