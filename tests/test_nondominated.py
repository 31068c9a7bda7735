"""Dominance, hypervolume against brute force, the archive against all at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeloop_marl.cost.nondominated import Archive, Staircase, crowding, hypervolume, non_dominated, ranks
from timeloop_marl.errors import UsageError


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a <= b).all() and (a < b).any())


def clouds(columns: int) -> st.SearchStrategy[np.ndarray]:
    """Integer points on a small grid: many ties and duplicates."""
    point = st.lists(st.integers(0, 7), min_size=columns, max_size=columns)
    return st.lists(point, max_size=14).map(lambda rows: np.array(rows, np.float64).reshape(-1, columns))


@pytest.mark.parametrize("columns", [2, 3])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_non_dominated_against_the_definition(columns: int, data: st.DataObject) -> None:
    points = data.draw(clouds(columns))
    expected = [
        not any(dominates(q, p) for q in points) and not any((q == p).all() for q in points[:i])
        for i, p in enumerate(points)
    ]
    assert non_dominated(points).tolist() == expected


def counted(points: np.ndarray, corner: int) -> int:
    """Unit cells below the corner that a point dominates: the volume of points on the grid."""
    cells = itertools.product(range(corner), repeat=points.shape[1])
    return sum(any((p <= cell).all() for p in points) for cell in map(np.array, cells))


@pytest.mark.parametrize("columns", [2, 3])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_hypervolume_against_counting(columns: int, data: st.DataObject) -> None:
    points = data.draw(clouds(columns))
    assert hypervolume(points, [6.0] * columns) == counted(points, 6)


@pytest.mark.parametrize("columns", [2, 3])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_hypervolume_by_inclusion_and_exclusion(columns: int, data: st.DataObject) -> None:
    number = st.floats(0.0, 9.0)
    rows = data.draw(st.lists(st.lists(number, min_size=columns, max_size=columns), max_size=7))
    points, corner = np.array(rows).reshape(-1, columns), np.full(columns, 8.0)
    inside = points[(points < corner).all(axis=1)]
    total = 0.0
    for size in range(1, len(inside) + 1):
        for chosen in itertools.combinations(range(len(inside)), size):
            common = corner - inside[list(chosen)].max(axis=0)
            total += (-1) ** (size + 1) * float(common.prod())
    assert hypervolume(points, corner) == pytest.approx(total, abs=1e-9)


def test_hypervolume_by_hand() -> None:
    assert hypervolume(np.array([[1.0, 3.0], [2.0, 1.0], [2.0, 2.0]]), (4.0, 4.0)) == 7.0
    assert hypervolume(np.array([[1.0, 1.0, 1.0]]), (2.0, 3.0, 4.0)) == 6.0
    assert hypervolume(np.zeros((0, 3)), (1.0, 1.0, 1.0)) == 0.0
    assert hypervolume(np.array([[np.inf, 0.0], [5.0, 5.0]]), (4.0, 4.0)) == 0.0


def test_hypervolume_wants_two_or_three_columns_and_a_fitting_reference() -> None:
    with pytest.raises(UsageError, match="two or three columns"):
        hypervolume(np.zeros((1, 4)), (1.0,) * 4)
    with pytest.raises(UsageError, match="two or three columns"):
        hypervolume(np.zeros((1, 3)), (1.0, 1.0))


@settings(max_examples=200, deadline=None)
@given(points=clouds(2))
def test_the_staircase_adds_up_to_the_area(points: np.ndarray) -> None:
    stairs = Staircase(6.0, 6.0)
    for i, (x, y) in enumerate(points):
        gained = stairs.add(x, y)
        assert gained == counted(points[: i + 1], 6) - counted(points[:i], 6)


@pytest.mark.parametrize("columns", [2, 3])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_archive_is_the_front_of_everything_and_remembers_which(
    columns: int, data: st.DataObject
) -> None:
    points = data.draw(clouds(columns))
    archive, done = Archive(columns, 1), 0
    while done < len(points):
        size = data.draw(st.integers(1, 5))
        part = points[done : done + size]
        archive.add(part, np.arange(done, done + len(part))[:, None])
        done += len(part)
    keep = non_dominated(points)
    assert sorted(map(tuple, archive.points)) == sorted(map(tuple, points[keep]))
    np.testing.assert_array_equal(points[archive.tags[:, 0]], archive.points)


def test_the_archive_counts_and_drops() -> None:
    archive = Archive(2, 1)
    assert archive.add(np.array([[2.0, 2.0], [3.0, 3.0], [np.inf, 0.0]]), np.array([[0], [1], [2]])) == 1
    assert archive.add(np.array([[2.0, 2.0], [np.nan, 1.0]]), np.array([[3], [4]])) == 0
    assert archive.tags.tolist() == [[0]]
    assert archive.add(np.array([[1.0, 3.0], [1.0, 1.0]]), np.array([[5], [6]])) == 1
    assert len(archive) == 1
    assert archive.tags.tolist() == [[6]]


@pytest.mark.parametrize("columns", [2, 3])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_ranks_peel_front_by_front(columns: int, data: st.DataObject) -> None:
    points = data.draw(clouds(columns))
    left, number, expected = list(range(len(points))), 0, [0] * len(points)
    while left:
        best = [i for i in left if not any(dominates(points[j], points[i]) for j in left)]
        for i in best:
            expected[i] = number
        left, number = [i for i in left if i not in best], number + 1
    assert ranks(points).tolist() == expected


def test_invalid_points_rank_last() -> None:
    points = np.array([[1.0, 2.0], [np.inf, np.inf], [2.0, 3.0]])
    assert ranks(points).tolist() == [0, 3, 1]


def test_crowding_by_hand() -> None:
    points = np.array([[0.0, 10.0], [1.0, 4.0], [4.0, 2.0], [10.0, 0.0]])
    distance = crowding(points)
    assert distance[0] == distance[3] == np.inf
    assert distance[1:3] == pytest.approx([0.4 + 0.8, 0.9 + 0.4])
    assert crowding(np.array([[1.0, 1.0]])).tolist() == [np.inf]
