"""The team of agents in the report: what it noted down, drawn and listed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from machines import conv, three_level

import timeloop_marl as tm
from timeloop_marl.report.charts.agents import Dependencies, dependency_matrix, entropy_plot
from timeloop_marl.report.drawing import Rect, Text
from timeloop_marl.report.html.page import Fold, Table
from timeloop_marl.report.html.sections import agents_section
from timeloop_marl.run.folder import AGENTS

SPEC = three_level(conv(4, 8, 3, 16))


def test_a_search_by_agents_leaves_an_account(tmp_path: Path) -> None:
    tm.search(SPEC, samples=160, output=tmp_path)
    found = json.loads((tmp_path / AGENTS).read_text())
    axes = range(len(found["axes"]))
    assert [entry["samples"] for entry in found["groups"]] == sorted(e["samples"] for e in found["groups"])
    for entry in found["groups"]:
        assert sorted(axis for group in entry["groups"] for axis in group) == list(axes)
    assert found["history"][-1]["samples"] == 160 and len(found["history"]) <= 200
    for entry in found["history"]:
        assert len(entry["entropy"]) == len(entry["credit"]) and min(entry["entropy"]) >= 0
    strength = np.array(found["strength"])
    assert strength.shape == (len(axes), len(axes)) and (strength == strength.T).all()
    page = (tmp_path / "report.html").read_text()
    assert "The team of agents" in page and f"{len(axes)} choices make up a mapping" in page


def test_other_searchers_leave_none(tmp_path: Path) -> None:
    tm.search(SPEC, samples=60, searcher="random", output=tmp_path)
    assert (
        not (tmp_path / AGENTS).exists()
        and "The team of agents" not in (tmp_path / "report.html").read_text()
    )


def test_choices_of_one_agent_stand_together() -> None:
    strength = np.zeros((4, 4))
    strength[0, 3] = strength[3, 0] = 0.5
    drawing = dependency_matrix(
        Dependencies(["a", "b", "c", "d"], [[0, 3], [1, 2]], strength.tolist()), 334.0
    )
    names = [shape.text for shape in drawing.shapes if isinstance(shape, Text)]
    assert names == ["a", "d", "b", "c"]
    frames = [shape for shape in drawing.shapes if isinstance(shape, Rect) and shape.stroke == "ink"]
    cells = [shape for shape in drawing.shapes if isinstance(shape, Rect) and shape.fill == "series-0"]
    assert len(frames) == 2 and len(cells) == 2
    assert all(
        frames[0].x <= cell.x and cell.x + cell.width <= frames[0].x + frames[0].width for cell in cells
    )


def test_many_choices_with_long_names_fit_a_phone() -> None:
    names = [f"a_long_name_of_level:rank({i})" for i in range(90)]
    strength = np.random.default_rng(1).random((90, 90)).tolist()
    drawing = dependency_matrix(Dependencies(names, [list(range(45)), list(range(45, 90))], strength), 334.0)
    assert all(s.x + s.width <= 335 for s in drawing.shapes if isinstance(s, Rect))


def test_without_learning_there_is_no_entropy() -> None:
    history = [{"samples": 8, "entropy": [0.0], "credit": [0.0]}]
    texts = [shape.text for shape in entropy_plot(history, 334.0).shapes if isinstance(shape, Text)]
    assert texts == ["The agents did not learn in this search."]


@pytest.mark.parametrize("agents", [None, {}, {"groups": []}])
def test_nothing_is_shown_of_nothing(agents: dict[str, object] | None) -> None:
    assert agents_section(agents) == []


def test_the_table_sums_credit() -> None:
    agents = {
        "axes": ["a", "b"], "groups": [{"samples": 0, "groups": [[0], [1]]}], "strength": None,
        "history": [{"samples": n, "entropy": [1.0, 0.5], "credit": [3.0, 1.0]} for n in (8, 16)],
    }  # fmt: skip
    (section,) = agents_section(agents)
    fold = next(block for block in section.blocks if isinstance(block, Fold))
    assert not fold.is_open
    (table,) = fold.blocks
    assert isinstance(table, Table)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["agent 1", "a", "1", "75 %", "1.00"], ["agent 2", "b", "1", "25 %", "0.50"],
    ]  # fmt: skip
