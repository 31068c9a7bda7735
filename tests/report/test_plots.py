"""The pictures: what is drawn, that nothing is cut off, and that odd inputs do not break them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import page_cases
import pytest
from golden_cases import CASES

from timeloop_marl.cost.components import component_energies
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.report.charts.courses import GapCourse, Trajectory, gap_plot
from timeloop_marl.report.charts.scatter import ScatterLabels, ScatterPoint, scatter_plot
from timeloop_marl.report.drawing import Line, Text, png
from timeloop_marl.report.drawing.palette import tensor_roles
from timeloop_marl.report.html import all_pictures, pictures_png
from timeloop_marl.report.maps import read_map_text
from timeloop_marl.report.results import summary_picture
from timeloop_marl.report.views import level_views
from timeloop_marl.run.units import energy_text, share_text, short_count

MACHINES = (
    "model_eyeriss_like_resnet18_layer3",
    "model_simba_like_mttkrp",
    "model_small_toy_scientific",
    "model_deep_hierarchy_resnext",
    "model_imperfect_spatial",
    "model_user_networks",
)


def evaluated(name):
    case = next(case for case in CASES if case.name == name)
    spec = case.spec()
    mapping = read_map_text(case.output("map.txt"), spec)
    return spec, mapping, NativeEvaluator(spec, compiled=False).statistics(mapping)


def trajectory(costs, objective="EDP", unit="", label=""):
    """From the cost of every sample in order, ``inf`` where invalid."""
    values = np.asarray(costs, np.float64)
    invalid = np.cumsum(~np.isfinite(values), dtype=np.int64)
    samples = np.arange(1, len(values) + 1, dtype=np.int64)
    return Trajectory(samples, np.minimum.accumulate(values), invalid, objective, unit, label)


def course(invalid=0.5):
    generator = np.random.default_rng(7)
    costs = 1e-3 * (1 + generator.pareto(1, 3000))
    costs[generator.random(3000) < invalid] = math.inf
    return trajectory(costs, "EDP", "J·cycle", "genetic")


def texts(drawing):
    return {shape.text for shape in drawing.shapes if isinstance(shape, Text)}


@pytest.mark.parametrize("name", MACHINES)
def test_a_picture_of_every_machine(name):
    drawing = summary_picture(*evaluated(name), [course()], title=name)
    data = png(drawing)
    assert data.startswith(b"\x89PNG") and len(data) > 20_000
    assert int.from_bytes(data[16:20], "big") == round(2 * drawing.width)


def test_one_picture_names_levels_loops_and_figures():
    shown = texts(summary_picture(*evaluated("model_imperfect_spatial"), [course()]))
    assert {"DRAM", "GLB", "ispad ×168", "mac", "Convergence", "Energy by level and data space"} <= shown
    assert "R in 0:2 (last 1) →Y" in shown
    assert "2 of 12 pe in parallel" in shown
    assert not any("inter_pe" in text for text in shown)


def test_no_valid_mapping_and_several_courses_are_drawn():
    none = trajectory([math.inf] * 20, "energy", "pJ", "random")
    shown = texts(summary_picture(*evaluated("model_small_toy_scientific"), [none, none]))
    assert "No valid mapping was found." in shown
    shown = texts(summary_picture(*evaluated("model_small_toy_scientific"), [course(), none, course(0.0)]))
    assert "random: nothing valid" in shown


def test_a_dummy_level_with_loops_of_its_own_stays_a_level():
    spec, mapping, statistics = evaluated("model_imperfect_spatial")
    names = [view.name for view in level_views(spec, mapping, statistics)]
    assert names == ["DRAM", "GLB", "inter_column_spatial", "ispad", "wspad", "pspad"]
    spec, mapping, statistics = evaluated("model_eyeriss_like_resnet18_layer3")
    views = level_views(spec, mapping, statistics)
    assert [view.name for view in views] == ["DRAM", "GLB", "ispad", "wspad", "pspad"]
    assert [(fanout.name, fanout.used) for fanout in views[1].fanouts] == [("column", 8), ("pe", 12)]


@pytest.mark.parametrize("name", MACHINES)
def test_components_sum_to_the_energy(name):
    spec, _, statistics = evaluated(name)
    total = sum(component.total for component in component_energies(spec, statistics))
    assert total == pytest.approx(statistics.energy_pj, rel=1e-9)


def test_components_without_energy_are_left_out():
    spec, _, statistics = evaluated("model_small_toy_scientific")
    silent = replace(statistics, compute=replace(statistics.compute, energy=0.0))
    names = [component.name for component in component_energies(spec, silent)]
    assert names == ["MEM", "BUF", "REG"]


def test_thinning_keeps_ends_and_improvements():
    costs = np.full(50_000, 5.0)
    costs[[10, 400, 49_000]] = [4.0, 3.0, 1.0]
    whole = trajectory(costs)
    thin = whole.thinned(500)
    assert len(thin.samples) <= 600
    assert (thin.samples[0], thin.samples[-1]) == (1, 50_000)
    assert {11, 401, 49_001} <= set(thin.samples.tolist())
    assert thin.best.min() == 1.0


def test_colours():
    roles = tensor_roles([f"T{i}" for i in range(9)])
    assert len(set(roles.values())) == 9 and roles["T7"] == ("tensor-0", 1)


def test_quantities():
    assert (short_count(999), short_count(4608), short_count(1.5e9)) == ("999", "4.61k", "1.5G")
    assert (short_count(999.7), short_count(999_600)) == ("1k", "1M")
    assert (energy_text(0.5), energy_text(4.19e8)) == ("0.5 pJ", "419 µJ")
    assert (share_text(1, 3), share_text(1, 30), share_text(1e-9, 1), share_text(0, 0)) == (
        "33 %",
        "3.3 %",
        "<0.1 %",
        "0 %",
    )


PROOF = GapCourse([0.1, 0.5, 2.0], [math.inf, 4e12, 3e12], [0.0, 1e12, 3e12])


def test_the_gap_of_a_proof_is_drawn_from_its_first_mapping_on():
    drawing = gap_plot(PROOF, "edp", True, 620.0)
    shown = texts(drawing)
    assert {"seconds", "EDP [J·cycle]", "best mapping", "no mapping costs less than this"} <= shown
    areas = [shape for shape in drawing.shapes if isinstance(shape, Line) and shape.fill != "none"]
    assert drawing.title == "Optimum proven" and len(areas) == 1
    assert png(drawing).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("course", "title"),
    [
        (
            GapCourse([0.1, 0.5], [math.inf, 4e12], [0.0, 1e12]),
            "Open: a mapping up to 75.00% better may exist",
        ),
        (GapCourse([0.1], [math.inf], [0.0]), "No valid mapping yet"),
        (GapCourse([], [], []), "No valid mapping yet"),
    ],
)
def test_an_open_proof_says_how_far_it_is(course, title):
    drawing = gap_plot(course, "edp", False, 334.0)
    assert drawing.title == title and png(drawing).startswith(b"\x89PNG")


@pytest.mark.parametrize("count", [1, 4, 200])
def test_a_front_as_a_file_has_all_its_pictures_and_figures_of_zero(count):
    figures = ("energy", "buffer", "cycles")
    page = page_cases.front(count, *figures)
    assert pictures_png(page, "front-").startswith(b"\x89PNG")
    names = [picture.name for picture in all_pictures(page) if picture.name.startswith("front-")]
    assert names == ["front-energy-buffer", "front-energy-cycles", "front-buffer-cycles"]
    points = [ScatterPoint(1, "a", 0.0, 5.0, True), ScatterPoint(2, "b", 3.0, 1.0, True)]
    drawing = scatter_plot(points, ScatterLabels("t", "buffer", "energy", str, str), 334.0)
    assert {"1", "2", "buffer", "energy"} <= texts(drawing)
