"""Scalars and entries with the agents' entropy: of a search, a front and a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shell import FC, TOY, Shell

from timeloop_marl.run.log import LOG, mean_entropy


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def entries(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_entropy_is_that_of_the_agents_that_have_learnt() -> None:
    history = [{"entropy": [9.0, 9.0]}, {"entropy": [1.0, 0.0, 2.0]}]
    assert mean_entropy({"history": history}) == 1.5
    assert mean_entropy({"history": [{"entropy": [0.0]}]}) is None
    assert mean_entropy({"history": []}) is None and mean_entropy({}) is None and mean_entropy(None) is None


def test_a_search_with_agents(shell: Shell, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    words = ["--samples", "160", "--quiet", "--tensorboard", tmp_path / "board"]
    assert shell("search", TOY, FC, "-o", tmp_path / "run", *words) == 0
    assert b"agents/entropy" in written(tmp_path / "board")
    found = [entry["entropy"] for entry in entries(tmp_path / "run") if "entropy" in entry]
    assert found and all(isinstance(value, float) and value > 0 for value in found)


def test_a_search_without_agents(shell: Shell, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    words = ["--samples", "64", "--quiet", "--searcher", "random", "--tensorboard", tmp_path / "board"]
    assert shell("search", TOY, FC, "-o", tmp_path / "run", *words) == 0
    assert b"best/cost" in written(tmp_path / "board") and b"entropy" not in written(tmp_path / "board")
    assert not any("entropy" in entry for entry in entries(tmp_path / "run"))


def test_a_front(shell: Shell, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    words = ["--pareto", "--samples", "100", "--quiet", "--tensorboard", tmp_path / "board"]
    assert shell("search", TOY, FC, "-o", tmp_path / "run", *words) == 0
    assert b"best/energy_pj" in written(tmp_path / "board")
    assert [entries(tmp_path / "run")[i]["event"] for i in (0, -1)] == ["start", "end"]


def test_a_network(shell: Shell, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    other = Path(FC).with_name("conv4_3x3.yaml")
    words = ["--samples", "320", "--quiet", "--tensorboard", tmp_path / "board"]
    assert shell("network", TOY, FC, other, "-o", tmp_path / "run", *words) == 0
    data = written(tmp_path / "board")
    for name in (
        "network/edp",
        "network/samples_per_second",
        "fc/cost",
        "conv4_3x3/valid_share",
        "fc/entropy",
    ):
        assert name.encode() in data
    layers = [entry for entry in entries(tmp_path / "run") if entry["event"] in ("best", "layer")]
    assert any("entropy" in entry for entry in layers)
