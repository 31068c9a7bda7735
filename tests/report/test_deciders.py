"""Who decides what in the winning nest: from the agents' last groups to numbered badges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from machines import conv, three_level

import timeloop_marl as tm
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.mapspace.learners.tables import AxisKind
from timeloop_marl.report.charts.agents import DecidedLevel, DecidedLoop, Decisions, decider_nest, decisions
from timeloop_marl.report.drawing import Rect, Text
from timeloop_marl.report.maps import loop_nest
from timeloop_marl.run.folder import AGENTS

SPEC = three_level(conv(4, 8, 3, 16))
SPACE = LearnersMapspace(SPEC)
NAMES = [axis.name for axis in SPACE.columns]
MAPPING = tm.search(SPEC, samples=60, searcher="random").mapping


def team(groups: list[list[int]]) -> dict[str, Any]:
    return {"axes": NAMES, "groups": [{"samples": 0, "groups": [[0]]}, {"samples": 64, "groups": groups}]}


def texts(view: Decisions, width: float = 400.0) -> list[str]:
    return [shape.text for shape in decider_nest(view, width).shapes if isinstance(shape, Text)]


def test_an_agent_for_every_kind_of_choice() -> None:
    kinds = [AxisKind.FACTOR, AxisKind.ORDER, AxisKind.BYPASS]
    groups = [[i for i, axis in enumerate(SPACE.columns) if axis.kind is kind] for kind in kinds]
    view = decisions(SPEC, MAPPING, team(groups))
    assert view is not None and view.agents == 3
    nests = {
        SPEC.architecture.storage[nest.level].name: nest for nest in loop_nest(MAPPING, SPEC.architecture)
    }
    for level in view.levels:
        assert len(level.loops) == len(nests[level.name].loops)
        assert all(agent == 3 for _, _, agent in level.kept)
        for loop in level.loops:
            assert loop.size == (1,) and loop.place in (2, None)
    assert any(loop.place == 2 for level in view.levels for loop in level.loops)
    bypasses = [axis for axis in SPACE.columns if axis.kind is AxisKind.BYPASS]
    assert sum(len(level.kept) for level in view.levels) == len(bypasses)
    assert set(view.named) == {1, 2} | ({3} if bypasses else set())


def test_a_loop_of_several_factors_has_the_agents_of_all_of_them() -> None:
    view = decisions(SPEC, MAPPING, team([[i] for i in range(len(NAMES))]))
    assert view is not None
    row = SPACE.encode(MAPPING)
    held: dict[tuple[str, str], int] = {}
    for i, axis in enumerate(SPACE.columns):
        if axis.kind is AxisKind.FACTOR and axis.dim is not None:
            key = axis.labels[row[i]].split(".")[0], SPEC.problem.dims[axis.dim]
            held[key] = held.get(key, 0) + 1
    found: dict[tuple[str, str], set[int]] = {}
    for level in view.levels:
        for loop in level.loops:
            dim = loop.text.removeprefix("for ").split()[0]
            found.setdefault((level.name, dim), set()).update(loop.size)
    assert {key: len(agents) for key, agents in found.items() if agents} == held


@pytest.mark.parametrize(
    "agents", [None, {}, {"groups": []}, {"axes": ["x"], "groups": [{"samples": 0, "groups": [[0]]}]}]
)
def test_nothing_without_agents_of_this_mapspace(agents: dict[str, Any] | None) -> None:
    assert decisions(SPEC, MAPPING, agents) is None


def test_numbers_tell_agents_apart_where_colours_do_not() -> None:
    loops = (DecidedLoop("for C in 0:64", (1, 8, 9, 10, 15), 8), DecidedLoop("M in 0:2 →X", (), None))
    kept = (("Weights", True, 1), ("Inputs", False, 15))
    view = Decisions(
        (DecidedLevel("GLB", kept, loops), DecidedLevel("a_long_name_of_a_level" * 4, (), ())), 15
    )
    shown = texts(view, 334.0)
    assert "fixed" in shown and "+2" in shown and "keeps Weights" in shown and "bypasses Inputs" in shown
    assert view.named == (1, 8, 9, 10, 15)
    drawing = decider_nest(view, 334.0)
    frames = [shape for shape in drawing.shapes if isinstance(shape, Rect) and shape.tip.startswith("agent")]
    assert len(frames) == 6 and frames[0].stroke == "series-0" and {f.fill for f in frames} == {"surface"}
    assert all(s.x >= 0 and s.x + s.width <= 334 for s in drawing.shapes if isinstance(s, Rect))
    assert "size by constraint" in drawing.description and "agent 15 bypasses Inputs" in drawing.description


def test_on_the_page_of_a_search(tmp_path: Path) -> None:
    tm.search(SPEC, samples=160, output=tmp_path)
    assert "Where each agent acts" in (tmp_path / "report.html").read_text()
    agents = json.loads((tmp_path / AGENTS).read_text())
    agents["axes"] = agents["axes"][::-1]
    (tmp_path / AGENTS).write_text(json.dumps(agents))
    assert decisions(SPEC, MAPPING, agents) is None
