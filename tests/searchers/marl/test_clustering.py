"""Signals find planted structure; clusters are what average linkage and the silhouette say."""

from __future__ import annotations

import numpy as np
import pytest

from timeloop_marl.searchers.marl.clustering import clusters, strengths

RNG = np.random.default_rng(0)
CARDINALITY = np.array([4, 3, 5, 2, 4, 3])


def drawn(n: int = 600) -> np.ndarray:
    return RNG.integers(0, CARDINALITY, (n, len(CARDINALITY)))


def test_interaction_finds_pairs_and_ignores_single_effects() -> None:
    rows = drawn()
    pairs = {(0, 3): 3.0 * RNG.normal(size=(4, 2)), (1, 4): 3.0 * RNG.normal(size=(3, 4))}
    logs = sum(table[rows[:, a], rows[:, b]] for (a, b), table in pairs.items())
    logs = logs + 5.0 * rows[:, 2] - 3.0 * rows[:, 5]
    found = strengths("interaction", rows, logs, CARDINALITY)
    np.testing.assert_array_equal(found, found.T)
    assert found[0, 3] > 0.01
    assert found[1, 4] > 0.01
    others = [found[a, b] for a in range(6) for b in range(a) if (b, a) not in pairs]
    assert max(others) < 0.005
    groups = clusters(found, 4)
    assert (0, 3) in groups
    assert (1, 4) in groups


def test_no_interaction_in_an_additive_cost() -> None:
    rows = drawn()
    assert strengths("interaction", rows, rows @ np.arange(6.0), CARDINALITY).max() < 0.01


@pytest.mark.parametrize("signal", ["pearson", "spearman", "mutual"])
def test_value_signals_find_dependent_axes(signal: str) -> None:
    rows = drawn()
    rows[:, 5] = np.minimum(rows[:, 1], 2)
    found = strengths(signal, rows, np.zeros(len(rows)), CARDINALITY)
    assert found[1, 5] == found.max()
    assert np.delete(found[1], 5).max() < 0.3 * found[1, 5]


def test_spearman_is_blind_to_monotone_bends_unlike_pearson() -> None:
    rows = drawn()
    rows[:, 2] = np.array([0, 0, 0, 4])[rows[:, 0]]
    bent = strengths("pearson", rows, np.zeros(len(rows)), CARDINALITY)[0, 2]
    ranked = strengths("spearman", rows, np.zeros(len(rows)), CARDINALITY)[0, 2]
    assert bent < 1.0
    assert ranked < 1.0
    rows[:, 2] = rows[:, 0] ** 2 // 3
    assert strengths("spearman", rows, np.zeros(len(rows)), CARDINALITY)[0, 2] > 0.9


def test_constant_axes_do_no_harm() -> None:
    rows = drawn()
    rows[:, 0] = 0
    for signal in ("interaction", "pearson", "spearman", "mutual"):
        assert np.isfinite(strengths(signal, rows, RNG.normal(size=len(rows)), CARDINALITY)).all()


def test_the_number_of_clusters_is_found() -> None:
    strength = np.kron(np.eye(5), np.ones((4, 4))) + 0.01
    groups = clusters(strength, 0)
    assert groups == tuple(tuple(range(4 * g, 4 * g + 4)) for g in range(5))


def test_average_linkage_by_hand() -> None:
    """Distances 0-1: 0, 2-3: 0.4; {0, 1} to 4: mean of 0.5 and 0.9 = 0.7; nothing else is near."""
    strength = np.zeros((5, 5))
    for a, b, s in ((0, 1, 1.0), (2, 3, 0.6), (0, 4, 0.5), (1, 4, 0.1)):
        strength[a, b] = strength[b, a] = s**2
    assert clusters(strength, 4) == ((0, 1), (2,), (3,), (4,))
    assert clusters(strength, 3) == ((0, 1), (2, 3), (4,))
    assert clusters(strength, 2) == ((0, 1, 4), (2, 3))


def test_no_cluster_grows_beyond_the_limit() -> None:
    """One axis that interacts with all others would draw them all in."""
    strength = np.zeros((30, 30))
    strength[0, :] = strength[:, 0] = 1.0
    strength[1:, 1:] = 0.5
    np.fill_diagonal(strength, 0.0)
    groups = clusters(strength, 0, members=8)
    assert max(len(group) for group in groups) <= 8
    assert sorted(a for group in groups for a in group) == list(range(30))


def test_no_signal_at_all_still_gives_a_partition() -> None:
    groups = clusters(np.zeros((7, 7)), 0)
    assert sorted(a for group in groups for a in group) == list(range(7))
