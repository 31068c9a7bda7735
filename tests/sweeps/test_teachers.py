"""Points of a sweep that learn from each other: who teaches whom, the same whatever runs them, and switched off."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from shell import FC, TOY, Shell

import timeloop_marl as tm
from timeloop_marl.errors import UsageError
from timeloop_marl.networks.sweep import TAUGHT
from timeloop_marl.networks.sweep_result import SweepResult, read_sweep
from timeloop_marl.networks.transfer import (
    TEACHERS,
    Machines,
    choose_teachers,
    growing_waves,
    machine_features,
    taught_by,
    teaching_order,
)

DEPTHS = {"BUF.attributes.depth": "16,32,64,128"}
TAKEN = ["--set", "BUF.attributes.depth=16,32,64,128", "--samples", "48", "--quiet"]


def line(*sizes: float) -> dict[str, dict[str, float]]:
    return {f"p{i}": {"BUF size": size} for i, size in enumerate(sizes)}


def found(result: SweepResult) -> list[tuple[object, ...]]:
    return [(p.name, p.status, p.cycles, p.energy_pj, p.samples, p.front, p.best) for p in result.points]


def test_waves_go_on_from_what_is_known() -> None:
    places = np.array([0.0, 1.0, 2.0, 3.0, 10.0])

    def apart(i: int) -> np.ndarray:
        return np.abs(places - places[i])

    assert growing_waves(np.abs(places - 2.0), apart) == ((2,), (1, 3), (0, 4))
    assert growing_waves(np.abs(places - 2.0), apart, known=[4]) == ((3,), (2, 1), (0,))
    assert growing_waves(np.zeros(0), apart) == ()


def test_features_are_of_the_machine() -> None:
    def features(depth: int) -> dict[str, float]:
        return machine_features(tm.load([TOY, FC], values={"BUF.attributes.depth": str(depth)}))

    small, large = features(16), features(64)
    assert {name for name in small if small[name] != large[name]} == {"BUF size"}
    assert large["BUF size"] - small["BUF size"] == 2.0
    machines = Machines([small, large, {**small, "L2 size": 9.0}])
    assert machines.apart(0).tolist() == [0.0, 2.0, 2.0] and machines.apart(2).tolist() == [2.0, 4.0, 0.0]


def test_the_nearest_of_earlier_waves_teach() -> None:
    chosen = choose_teachers(line(1, 2, 3, 4, 9), {})
    assert chosen["p2"] == () and chosen["p1"] == chosen["p3"] == ("p2",)
    assert chosen["p4"] == ("p3", "p2") and chosen["p0"] == ("p1", "p2")
    assert all(len(teachers) <= TEACHERS for teachers in chosen.values())
    assert teaching_order(chosen) == [["p2"], ["p1", "p3"], ["p0", "p4"]]


def test_what_is_added_learns_from_what_was_there_and_changes_nothing() -> None:
    before = choose_teachers(line(1, 2, 3), {})
    after = choose_teachers(line(1, 2, 3, 4), before)
    assert {name: after[name] for name in before} == before and after["p3"] == ("p2", "p1")
    assert teaching_order({"a": ("gone",), "b": ("a",)}) == [["a"], ["b"]]
    assert choose_teachers({}, {}) == {} and teaching_order({}) == []


def test_points_begin_with_what_others_have_learnt(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell("sweep", TOY, FC, "-o", run, *TAKEN) == 0
    teachers = json.loads((run / "run.json").read_text())["teachers"]
    assert sorted(map(len, teachers.values())) == [0, 1, 1, 2]
    for name, names in teachers.items():
        file = run / "points" / name / TAUGHT
        assert file.exists() == bool(names)
        if names:
            taught = taught_by([run / "points" / other for other in names])
            assert len(taught.layers) == len(names)
            (layer,) = json.loads((file.parent / "network.json").read_text())["layers"]
            assert layer["name"] == "fc"
            manifest = json.loads((file.parent / "run.json").read_text())
            assert manifest["arguments"]["knowledge"] == str(file)
    whole = found(read_sweep(run))
    assert shell("sweep", "--resume", "-o", run) == 0 and found(read_sweep(run)) == whole


def test_alone(shell: Shell, tmp_path: Path) -> None:
    assert shell("sweep", TOY, FC, "-o", tmp_path / "run", "--alone", *TAKEN) == 0
    assert not list((tmp_path / "run").rglob(TAUGHT))
    alone = tm.network([TOY, FC], output=tmp_path / "b", values={"BUF.attributes.depth": "16"}, samples=48)
    point = read_sweep(tmp_path / "run").points[0]
    assert alone.totals is not None
    assert (point.cycles, point.energy_pj) == (alone.totals.cycles, alone.totals.energy_pj)


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_who_teaches_does_not_depend_on_workers(tmp_path: Path, backend: str) -> None:
    if backend == "dask":
        pytest.importorskip("distributed")
    here = tm.sweep([TOY, FC], output=tmp_path / "here", values=DEPTHS, samples=48)
    there = tm.sweep([TOY, FC], output=tmp_path / "there", values=DEPTHS, samples=48, jobs=2, backend=backend)
    assert found(here) == found(there)


def test_an_interrupted_sweep_goes_on_with_the_same_teachers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tm.sweep([TOY, FC], output=tmp_path / "whole", values=DEPTHS, samples=48)

    def full(progress: object) -> None:
        raise UsageError("disk full")

    with pytest.raises(UsageError, match="disk full"):
        tm.sweep([TOY, FC], output=tmp_path / "cut", values=DEPTHS, samples=48, on_progress=full)
    resumed = tm.sweep([TOY, FC], output=tmp_path / "cut", values=DEPTHS, samples=48, resume=True)
    assert found(resumed) == found(whole)
