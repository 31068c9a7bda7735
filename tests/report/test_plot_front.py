"""The picture of a front: everything within the page, axes that can be read, figures of 0."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest

from timeloop_marl.report.plot_front import front_figure
from timeloop_marl.report.plots import save_figure
from timeloop_marl.searchers.fronts import UNITS

TWO, THREE = ("cycles", "energy"), ("energy", "buffer", "cycles")


def cloud(members: int, columns: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.sort(10 ** rng.uniform(4, 4 + spread, (members, columns)), axis=0)


@pytest.mark.parametrize("figures", [TWO, THREE])
@pytest.mark.parametrize(("members", "spread"), [(1, 0.0), (4, 0.2), (20, 1.0), (200, 5.0)])
def test_everything_lies_within_the_picture(figures: tuple[str, ...], members: int, spread: float) -> None:
    figure = front_figure(cloud(members, len(figures), spread), figures, UNITS, "a layer")
    save_figure(figure, io.BytesIO())
    drawn = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height


@pytest.mark.parametrize("spread", [0.2, 0.9, 2.0, 4.0])
def test_labels_of_the_axes_do_not_overlap(spread: float) -> None:
    figure = front_figure(cloud(30, 2, spread), TWO, UNITS, "a layer")
    save_figure(figure, io.BytesIO())
    renderer = figure.canvas.get_renderer()
    low, high = figure.axes[0].get_xlim()
    boxes = [
        label.get_window_extent(renderer)
        for tick, label in zip(figure.axes[0].get_xticks(), figure.axes[0].get_xticklabels())
        if low <= tick <= high and label.get_text()
    ]
    assert len(boxes) >= 2
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_axes_name_figures_and_units_and_few_members_bear_their_numbers() -> None:
    axes = front_figure(cloud(3, 2, 1.0), TWO, UNITS, "a layer").axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("cycles", "energy [nJ]")
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]


def test_a_figure_of_zero_is_drawn() -> None:
    points = np.array([[1e5, 0.0, 100.0], [1e6, 40.0, 50.0]])
    figure = front_figure(points, THREE, UNITS, "a layer")
    save_figure(figure, io.BytesIO())
    assert len(figure.axes) == 3
    assert figure.axes[0].get_yscale() == "symlog"
