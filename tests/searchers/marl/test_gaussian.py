"""The Gaussian process against dense linear algebra."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from timeloop_marl.searchers.marl.gaussian import GaussianProcess

RNG = np.random.default_rng(1)
POINTS, QUERIES = RNG.normal(size=(40, 5)), RNG.normal(size=(7, 5))
VALUES = np.sin(POINTS).sum(axis=1)
LENGTH, NOISE = 1.7, 1e-3


def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    r = np.sqrt(3.0) * np.linalg.norm(a[:, None] - b[None], axis=2) / LENGTH
    return (1.0 + r) * np.exp(-r)


def fitted(*parts: np.ndarray) -> GaussianProcess:
    process = GaussianProcess(64, 5, LENGTH, NOISE)
    for part in parts:
        process.add(part)
    process.fit(VALUES)
    return process


def test_mean_and_scale_are_those_of_the_formulas() -> None:
    process = fitted(POINTS)
    K = kernel(POINTS, POINTS) + NOISE * np.eye(40)
    k = kernel(POINTS, QUERIES)
    np.testing.assert_allclose(process.predict(QUERIES), k.T @ np.linalg.solve(K, VALUES), rtol=1e-9)
    assert process.scale == pytest.approx(np.sqrt(VALUES @ np.linalg.solve(K, VALUES) / 40))


def test_likelihood_is_that_of_the_formula_up_to_a_constant() -> None:
    K = kernel(POINTS, POINTS) + NOISE * np.eye(40)
    variance = VALUES @ np.linalg.solve(K, VALUES) / 40
    expected = -20 * np.log(variance) - 0.5 * np.linalg.slogdet(K)[1]
    process = GaussianProcess(40, 5, LENGTH, NOISE)
    process.add(POINTS)
    assert process.fit(VALUES) == pytest.approx(expected, rel=1e-9)


def test_growing_in_parts_gives_the_same_bits() -> None:
    whole, parts = fitted(POINTS), fitted(POINTS[:3], POINTS[3:17], POINTS[17:])
    np.testing.assert_array_equal(whole.predict(QUERIES), parts.predict(QUERIES))
    np.testing.assert_array_equal(whole.upper, parts.upper)


def test_repeated_points_do_not_break_it() -> None:
    process = GaussianProcess(8, 5, LENGTH, 0.0)
    process.add(np.repeat(POINTS[:2], 3, axis=0))
    process.fit(np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0]))
    assert np.isfinite(process.predict(POINTS[:2])).all()


def test_put_aside_and_gone_on_with() -> None:
    rng = np.random.default_rng(5)
    points, values = rng.random((30, 3)), rng.random(40)
    process = GaussianProcess(100, 3, 1.0, 1e-4)
    process.add(points)
    aside = pickle.loads(pickle.dumps(process))
    assert len(pickle.dumps(process)) < len(pickle.dumps(process.upper)) / 2
    for one in (process, aside):
        one.add(rng.random((10, 3)) if one is process else process.points[:, 30:40].T)
        one.fit(values)
    queries = rng.random((20, 3))
    assert np.array_equal(process.predict(queries), aside.predict(queries))
