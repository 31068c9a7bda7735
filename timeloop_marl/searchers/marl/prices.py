"""Prices of words: non-negative least squares by an active set (Lawson & Hanson 1974, chapter 23).

Prices that share words move together, and coordinate descent creeps along such valleys: on a few hundred samples of
deep_hierarchy it was 1 % off in predicted energy after a thousand sweeps, where the solution is 0.2 % off.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from ...compiling import allocating

_GAIN = 1e-9  # slope, relative to the largest, from which on a price is worth having
_FLAT = 1e-13  # pivot, relative to the diagonal, below which a column adds nothing to those before it


@allocating
def nonnegative(
    columns: Float64[ndarray, "n parts"],
    weight: Float64[ndarray, "n"],
    start: Float64[ndarray, "parts"],
    shrinkage: Float64[ndarray, "parts"],
) -> Float64[ndarray, "parts"]:
    """Non-negative prices that bring ``columns @ prices`` closest to 1.

    Args:
        weight: of the squared error of each row.
        start: prices to begin with; they change how long it takes, not what comes out.
        shrinkage: of each price, in units of its column's own square: keeps prices that move together from growing
            against each other.
    """
    n, parts = columns.shape
    gram, aim = np.zeros((parts, parts)), np.zeros(parts)
    for i in range(n):
        for a in range(parts):
            value = weight[i] * columns[i, a]
            if value != 0.0:
                aim[a] += value
                for b in range(a + 1):
                    gram[a, b] += value * columns[i, b]
    for a in range(parts):
        for b in range(a):
            gram[b, a] = gram[a, b]
    scale = np.zeros(parts)
    for a in range(parts):
        if gram[a, a] > 0.0:
            scale[a] = 1.0 / np.sqrt(gram[a, a])
    for a in range(parts):
        aim[a] *= scale[a]
        for b in range(parts):
            gram[a, b] *= scale[a] * scale[b]
        gram[a, a] += shrinkage[a]
    scaled = np.zeros(parts)
    for a in range(parts):
        scaled[a] = start[a] / scale[a] if scale[a] > 0.0 else 0.0
    active = scaled > 0.0
    _settle(gram, aim, active, scaled)
    largest = np.abs(aim).max() if parts else 0.0
    refused = np.zeros(parts, np.bool_)
    for _ in range(3 * parts):
        entering, steepest = -1, _GAIN * largest
        for a in range(parts):
            if not active[a] and not refused[a] and scale[a] > 0.0:
                slope = aim[a]
                for b in range(parts):
                    slope -= gram[a, b] * scaled[b]
                if slope > steepest:
                    entering, steepest = a, slope
        if entering < 0:
            break
        active[entering] = True
        if _settle(gram, aim, active, scaled) or active[entering]:
            refused[:] = False
        else:
            refused[entering] = True  # what it would gain is lost in rounding
    return scaled * scale


@allocating
def _settle(gram: ndarray, aim: ndarray, active: Bool[ndarray, "parts"], prices: ndarray) -> bool:
    """The best prices of the active parts, others 0; parts whose price would be negative on the way become inactive.

    Returns whether all that were active still are.
    """
    whole = True
    solution = np.zeros(len(aim))
    while True:
        _solve(gram, aim, active, solution)
        share, leaving = 1.0, -1
        for a in range(len(aim)):
            if active[a] and solution[a] <= 0.0:
                step = prices[a] / (prices[a] - solution[a]) if prices[a] > 0.0 else 0.0
                if leaving < 0 or step < share:
                    share, leaving = step, a
        if leaving < 0:
            prices[:] = solution
            return whole
        whole = False
        for a in range(len(aim)):
            if active[a]:
                prices[a] += share * (solution[a] - prices[a])
        active[leaving], prices[leaving] = False, 0.0


@allocating
def _solve(gram: ndarray, aim: ndarray, active: ndarray, solution: ndarray) -> None:
    """Solve for the active parts by Cholesky's decomposition; others and those without a pivot become 0."""
    index = np.flatnonzero(active)
    n = len(index)
    lower, half = np.zeros((n, n)), np.zeros(n)
    solution[:] = 0.0
    for i in range(n):
        for j in range(i + 1):
            value = gram[index[i], index[j]]
            for k in range(j):
                value -= lower[i, k] * lower[j, k]
            if j < i:
                lower[i, j] = value / lower[j, j] if lower[j, j] > 0.0 else 0.0
            elif value > _FLAT:
                lower[i, i] = np.sqrt(value)
        value = aim[index[i]]
        for k in range(i):
            value -= lower[i, k] * half[k]
        half[i] = value / lower[i, i] if lower[i, i] > 0.0 else 0.0
    for i in range(n - 1, -1, -1):
        value = half[i]
        for k in range(i + 1, n):
            value -= lower[k, i] * solution[index[k]]
        solution[index[i]] = value / lower[i, i] if lower[i, i] > 0.0 else 0.0
