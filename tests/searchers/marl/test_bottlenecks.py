"""Which paths set the pace, and how wide they are."""

from __future__ import annotations

import numpy as np
import pytest

from timeloop_marl.searchers.marl.trend import Bottlenecks


def samples(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Words of four paths, of which the second passes 2 a cycle and the third 0.5; the others limit nothing."""
    rng = np.random.default_rng(5)
    steps = rng.uniform(3.0, 6.0, n)
    flows = np.exp(rng.uniform(2.0, 6.0, (n, 4)))
    flows[:, 3] = 0.0
    cycles = np.maximum(np.exp(steps), np.maximum(flows[:, 1] / 2.0, flows[:, 2] / 0.5))
    return flows, steps, cycles


def test_limits_are_found_and_predict_unseen_cycles() -> None:
    flows, steps, cycles = samples(400)
    found = Bottlenecks()
    found.fit(flows[:200], steps[:200], cycles[:200])
    assert sorted(found.paths) == [1, 2]
    np.testing.assert_allclose(found.log_cycles(flows[200:], steps[200:]), np.log(cycles[200:]), atol=0.02)


def test_nothing_limits_where_nothing_was_slower_than_its_iterations() -> None:
    flows, steps, _ = samples(50)
    found = Bottlenecks()
    found.fit(flows, steps, np.exp(steps))
    assert found.paths == []
    assert found.log_cycles(flows, steps) == pytest.approx(steps)


def test_what_no_path_explains_is_left_alone() -> None:
    found = Bottlenecks()
    found.fit(np.zeros((5, 4)), np.zeros(5), np.full(5, 10.0))
    assert found.paths == []
