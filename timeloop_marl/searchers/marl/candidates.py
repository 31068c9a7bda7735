"""Rows to be proposed, and which evaluated row each was changed from: what credit is measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..learner import Rows

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
    different = (rows[:, None, :] != elites[None, :, :]).sum(axis=2)
    nearest = different.argmin(axis=1)
    near = different[np.arange(len(rows)), nearest] <= _NEAR * rows.shape[1]
    return Candidates(
        rows, np.where(near[:, None], elites[nearest], rows), np.where(near, logs[nearest], np.nan)
    )
