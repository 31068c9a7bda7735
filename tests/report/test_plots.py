"""The pictures: what is drawn, that nothing is cut off, and that odd inputs do not break them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from golden_cases import CASES
from machines import level, spec

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapping import Mapping, TilingLoops
from timeloop_marl.report.energy_shares import component_energies
from timeloop_marl.report.map_reader import read_map_text
from timeloop_marl.report.palette import tensor_styles, text_colour
from timeloop_marl.report.plots import save_figure, summary_figure
from timeloop_marl.report.trajectory import Trajectory
from timeloop_marl.report.units import energy_text, share_text, short_count
from timeloop_marl.report.view import level_views
from timeloop_marl.specs.problem import DataSpace, Problem, Term

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


def course(invalid=0.5):
    generator = np.random.default_rng(7)
    costs = 1e-3 * (1 + generator.pareto(1, 3000))
    costs[generator.random(3000) < invalid] = math.inf
    return Trajectory.of_costs(costs, "EDP", "J·cycle", "genetic")


def texts(figure):
    return [
        text for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text")) if text.get_text()
    ]


@pytest.mark.parametrize("name", MACHINES)
def test_everything_lies_within_the_picture(name, tmp_path):
    figure = summary_figure(*evaluated(name), course(), title=name)
    save_figure(figure, tmp_path / "summary.png")
    drawn = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height
    # and it fills the page: nothing was squeezed into a corner
    assert drawn.width > 0.95 * width and drawn.height > 0.9 * height


def extreme(levels):
    """Many levels with long names, six tensors, a fan-out over which all seven dims are spread."""
    meshes = [(1, 1)] * 2 + [(16, 8)] * (levels - 2)
    storage = [
        level(f"LongLevelName{i}" if i else "DRAM", 10**9 if i else None, *meshes[i]) for i in range(levels)
    ]
    names = ("Weights_of_the_layer", "InputActivations", "B", "C", "D", "PartialSums")
    spaces = tuple(
        DataSpace(name, ((Term(i, 1),), (Term((i + 3) % 7, 1),)), i == 5) for i, name in enumerate(names)
    )
    machine = spec(Problem("extreme", tuple("RSPQCKN"), (1,) * 7, spaces), storage[::-1], meshes[-1])
    loops = []
    for tiling in machine.architecture.tiling_levels:
        factors = (2,) * 7 if tiling.spatial else (2, 1, 1, 1, 2, 1, 1)
        loops.append(TilingLoops(factors, factors, tuple(range(7)), 4))
    bounds = tuple(math.prod(column) for column in zip(*(loop.factors for loop in loops), strict=True))
    machine = replace(machine, problem=replace(machine.problem, bounds=bounds))
    mapping = Mapping(tuple(loops), ((True,) * 6,) * levels)
    return machine, mapping, NativeEvaluator(machine, compiled=False).statistics(mapping)


@pytest.mark.parametrize("levels", [2, 10])
def test_few_and_many_levels_fit(levels):
    figure = summary_figure(*extreme(levels), course(), title="extreme")
    drawn = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height
    if levels == 10:
        assert "         P in [0:2) →X   S in [0:2) →X" in {text.get_text() for text in texts(figure)}


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_formats(ending, tmp_path):
    file = tmp_path / f"summary.{ending}"
    save_figure(summary_figure(*evaluated("model_small_toy_scientific")), file)
    assert file.stat().st_size > 5000


def test_one_picture_names_levels_loops_and_figures():
    shown = {
        text.get_text() for text in texts(summary_figure(*evaluated("model_imperfect_spatial"), course()))
    }
    assert {"DRAM", "GLB", "ispad  ×168", "mac", "Loop nest (outermost first) and data held"} <= shown
    assert "parallel R in [0:2,1) →Y" in shown
    assert "2 of 12 pe" in shown
    assert "Convergence" in shown
    assert not any("inter_pe" in text for text in shown)


def test_no_valid_mapping_and_several_courses_are_drawn(tmp_path):
    none = Trajectory.of_costs([math.inf] * 20, "energy", "pJ", "random")
    figure = summary_figure(*evaluated("model_small_toy_scientific"), [none, none])
    save_figure(figure, tmp_path / "none.png")
    assert "no valid mapping" in {text.get_text() for text in texts(figure)}
    figure = summary_figure(*evaluated("model_small_toy_scientific"), [course(), none, course(0.0)])
    save_figure(figure, tmp_path / "three.png")
    assert "random: nothing valid" in {text.get_text() for text in texts(figure)}


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
    whole = Trajectory.of_costs(costs)
    thin = whole.thinned(500)
    assert len(thin.samples) <= 600
    assert (thin.samples[0], thin.samples[-1]) == (1, 50_000)
    assert {11, 401, 49_001} <= set(thin.samples.tolist())
    assert thin.best.min() == 1.0


def test_colours():
    styles = tensor_styles([f"T{i}" for i in range(9)])
    assert len(set(styles.values())) == 9
    assert text_colour("#000000") == "#FFFFFF"
    assert text_colour("#F0E442") == "#000000"


def test_quantities():
    assert (short_count(999), short_count(4608), short_count(1.5e9)) == ("999", "4.61k", "1.5G")
    assert (energy_text(0.5), energy_text(4.19e8)) == ("0.5 pJ", "419 µJ")
    assert (share_text(1, 3), share_text(1, 30), share_text(1e-9, 1), share_text(0, 0)) == (
        "33 %",
        "3.3 %",
        "<0.1 %",
        "0 %",
    )
