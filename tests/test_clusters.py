"""Groups of choices: analysis, JSON, picture, command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from machines import gemm, level, spec, three_level

from timeloop_marl.api.clusters import find_clusters
from timeloop_marl.cli import main
from timeloop_marl.errors import UsageError
from timeloop_marl.report.charts.agents import Dependencies, cluster_tree
from timeloop_marl.report.drawing import Line, Rect, Text
from timeloop_marl.searchers.marl.clustering import clusters, distances, linkage

ROOT = Path(__file__).parent.parent
INPUTS = [str(ROOT / "arch" / "three_level"), str(ROOT / "problems" / "resnet18" / "conv5_proj.yaml")]


@pytest.mark.parametrize("signal", ["interaction", "pearson", "spearman", "mutual"])
def test_every_choice_is_in_one_group(signal: str) -> None:
    found = find_clusters(three_level(gemm(8, 12, 16)), signal=signal, samples=300)
    assert sorted(axis for group in found.groups for axis in group) == list(range(len(found.names)))
    np.testing.assert_array_equal(found.strength, found.strength.T)
    assert (found.strength >= 0).all() and found.valid == found.samples == 300


def test_the_number_of_groups_can_be_given_and_seeds_repeat() -> None:
    machine = three_level(gemm(8, 12, 16))
    one, same, other = (find_clusters(machine, agents=5, samples=200, seed=seed) for seed in (1, 1, 2))
    assert len(one.groups) == 5
    assert one.as_json() == same.as_json()
    assert one.as_json()["strength"] != other.as_json()["strength"]


def test_what_leaves_no_choice_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to group"):
        find_clusters(spec(gemm(1, 1, 1), [level("DRAM", None)]))


def test_the_tree_joins_the_nearest_first() -> None:
    strength = np.zeros((5, 5))
    strength[0, 3] = strength[3, 0] = 4.0
    strength[1, 4] = strength[4, 1] = 1.0
    merges = linkage(distances(strength), 12)
    assert [tuple(merge) for merge in merges[:2]] == [(0, 3, 0.0), (1, 4, 0.5)]
    assert [merge.height for merge in merges] == sorted(merge.height for merge in merges)
    assert clusters(strength, 3) == ((0, 3), (1, 4), (2,))
    assert len(linkage(distances(strength), 2)) == 2  # no cluster of more than two


def test_the_picture_has_a_frame_for_every_group_and_a_fork_for_every_merge() -> None:
    found = find_clusters(three_level(gemm(8, 12, 16)), samples=200)
    data = Dependencies(found.names, found.groups, found.strength.tolist())
    drawing = cluster_tree(data, found.merges, "interaction", 900.0)
    frames = [shape for shape in drawing.shapes if isinstance(shape, Rect) and shape.stroke == "ink"]
    assert len(frames) == len(found.groups)
    assert sum(isinstance(shape, Line) for shape in drawing.shapes) == len(found.merges)
    assert {shape.tip for shape in drawing.shapes if isinstance(shape, Text) and shape.tip} == set(
        found.names
    )


def test_the_command_writes_what_the_searcher_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", *INPUTS, "--samples", "200", "--agents", "6", "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    data = json.loads((tmp_path / "out" / "cluster.json").read_text())
    assert (tmp_path / "out" / "cluster.png").read_bytes().startswith(b"\x89PNG")
    assert "6 groups" in said and all(name in said for name in data["axes"])
    given = ["--option", "clusters=given", "--option", f"groups={data['option']}"]
    search = ["search", *INPUTS, "-o", str(tmp_path / "run"), "--samples", "24", "--quiet", *given]
    assert main(search) == 0
    agents = json.loads((tmp_path / "run" / "agents.json").read_text())
    grouped = {frozenset(agents["axes"][a] for a in group) for group in agents["groups"][-1]["groups"]}
    assert grouped == {frozenset(group) for group in data["groups"]}
