"""Gaussian process with a Matérn-3/2 kernel, grown point by point; loops instead of BLAS: the same bits everywhere.

Rasmussen and Williams, Gaussian Processes for Machine Learning, sections 2.3 and 4.2. BLAS libraries split sums by the
number of threads, which would change traces; here every sum has one order, and the long loops still run in vector
units because they go over independent points.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ...kernels.compiling import allocating, inlined

_ROOT3 = np.sqrt(3.0)


@dataclass
class GaussianProcess:
    """Zero-mean process of unit signal variance, scaled afterwards; inputs are already scaled by the caller.

    Args:
        capacity: most points.
        features: inputs per point.
        length: length scale of the kernel, in units of the inputs.
        noise: variance of the noise relative to the signal's.
    """

    capacity: int
    features: int
    length: float
    noise: float
    count: int = 0
    points: Float64[ndarray, "features capacity"] = field(init=False)
    upper: Float64[ndarray, "capacity capacity"] = field(init=False)  # transposed Cholesky factor
    weights: Float64[ndarray, "capacity"] = field(init=False)
    scale: float = 1.0  # standard deviation of the signal

    def __post_init__(self) -> None:
        self.points = np.zeros((self.features, self.capacity))
        self.upper = np.zeros((self.capacity, self.capacity))
        self.weights = np.zeros(self.capacity)

    def __getstate__(self) -> dict[str, Any]:
        """Without the room for points to come: searches are put aside by the hundred."""
        n = self.count
        used = {"points": self.points[:, :n], "upper": self.upper[:n, :n], "weights": self.weights[:n]}
        return {**self.__dict__, **used}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        n, used = self.count, (self.points, self.upper, self.weights)
        self.__post_init__()
        self.points[:, :n], self.upper[:n, :n], self.weights[:n] = used

    def add(self, points: Float64[ndarray, "m features"]) -> None:
        """More points, without their values; O(count^2) each."""
        more = np.ascontiguousarray(points)
        append(self.points, self.upper, self.count, more, self.length, self.noise)
        self.count += len(points)

    def fit(self, values: Float64[ndarray, "count"]) -> float:
        """Values of all points; returns the log marginal likelihood at the best signal variance."""
        n = self.count
        likelihood, self.scale = solve(self.upper, n, values, self.weights)
        return float(likelihood)

    def predict(self, points: Float64[ndarray, "m features"]) -> Float64[ndarray, "m"]:
        """Posterior mean."""
        mean = np.zeros(len(points))
        predict(self.points, self.weights, self.count, np.ascontiguousarray(points), self.length, mean)
        return mean


@inlined
def squares(points: ndarray, n: int, x: ndarray, out: ndarray) -> None:
    """out[j]: squared distance of x from point j, summed input by input; four a pass spare loads and stores."""
    out[:n] = 0.0
    inputs = points.shape[0]
    for f in range(0, inputs - 3, 4):
        a, b, c, d = points[f], points[f + 1], points[f + 2], points[f + 3]
        xa, xb, xc, xd = x[f], x[f + 1], x[f + 2], x[f + 3]
        for j in range(n):
            ga, gb, gc, gd = a[j] - xa, b[j] - xb, c[j] - xc, d[j] - xd
            out[j] = (((out[j] + ga * ga) + gb * gb) + gc * gc) + gd * gd
    for f in range(inputs - inputs % 4, inputs):
        here, line = x[f], points[f]
        for j in range(n):
            gap = line[j] - here
            out[j] += gap * gap


@inlined
def covariances(points: ndarray, n: int, x: ndarray, length: float, out: ndarray) -> None:
    """out[j]: covariance of x with point j."""
    squares(points, n, x, out)
    for j in range(n):
        r = _ROOT3 * np.sqrt(out[j]) / length
        out[j] = (1.0 + r) * np.exp(-r)


@inlined
def _forward(upper: ndarray, n: int, b: ndarray) -> None:
    """Solve upper.T z = b in place, four columns at a time: one long independent loop takes all four off the rest.

    (Slices that begin where the loop does: an index that might be negative would keep it out of vector units.)
    """
    for j in range(0, n - 3, 4):
        k = j + 4
        p, q, r, s = upper[j, j:n], upper[j + 1, j:n], upper[j + 2, j:n], upper[j + 3, j:n]
        zp = b[j] / p[0]
        zq = (b[j + 1] - zp * p[1]) / q[1]
        zr = ((b[j + 2] - zp * p[2]) - zq * q[2]) / r[2]
        zs = (((b[j + 3] - zp * p[3]) - zq * q[3]) - zr * r[3]) / s[3]
        b[j], b[j + 1], b[j + 2], b[j + 3] = zp, zq, zr, zs
        rest, p, q, r, s = b[k:n], p[4:], q[4:], r[4:], s[4:]
        for i in range(n - k):
            rest[i] = (((rest[i] - zp * p[i]) - zq * q[i]) - zr * r[i]) - zs * s[i]
    for j in range(n - n % 4, n):
        z = b[j] / upper[j, j]
        b[j] = z
        for i in range(j + 1, n):
            b[i] -= z * upper[j, i]


@allocating
def append(points: ndarray, upper: ndarray, count: int, more: ndarray, length: float, noise: float) -> None:
    """Extend the Cholesky factor by the rows of ``more``."""
    column = np.empty(points.shape[1])
    for i in range(more.shape[0]):
        n = count + i
        covariances(points, n, more[i], length, column)
        _forward(upper, n, column)
        rest = 1.0 + noise
        for j in range(n):
            rest -= column[j] * column[j]
            upper[j, n] = column[j]
        upper[n, n] = np.sqrt(max(rest, 1e-10))
        for f in range(points.shape[0]):
            points[f, n] = more[i, f]


@allocating
def solve(upper: ndarray, n: int, values: ndarray, weights: ndarray) -> tuple[float, float]:
    """weights = K^-1 values; log marginal likelihood and signal deviation that maximise it."""
    column = values.copy()
    _forward(upper, n, column)
    square, log_det = 0.0, 0.0
    for j in range(n):
        square += column[j] * column[j]
        log_det += np.log(upper[j, j])
    for j in range(n - 1, -1, -1):
        total = column[j]
        for i in range(j + 1, n):
            total -= upper[j, i] * weights[i]
        weights[j] = total / upper[j, j]
    variance = max(square / max(n, 1), 1e-12)
    return -0.5 * n * np.log(variance) - log_det, np.sqrt(variance)


@allocating
def predict(
    points: ndarray, weights: ndarray, n: int, queries: ndarray, length: float, mean: ndarray
) -> None:
    """Posterior mean of every query."""
    column = np.empty(n)
    for i in range(queries.shape[0]):
        covariances(points, n, queries[i], length, column)
        total = 0.0
        for j in range(n):
            total += column[j] * weights[j]
        mean[i] = total
