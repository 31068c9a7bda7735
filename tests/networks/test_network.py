"""Whole networks: totals, one result for any number of workers, interruption, kill -9."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from shell import ROOT, TOY, Shell

import timeloop_marl as tm
from timeloop_marl.evaluators.choice import EvaluatorChoice
from timeloop_marl.networks.layers import TURN, read_layers, sort_sources
from timeloop_marl.networks.result import NetworkResult, read_network
from timeloop_marl.networks.task import LayerTask, run_layer
from timeloop_marl.run.options import Settings
from timeloop_marl.run.result import StopReason
from timeloop_marl.run.trace import read_trace
from timeloop_marl.specs.spec import ModelOptions

RESNET = ROOT / "problems" / "resnet18"
SMALL = [TOY, *(RESNET / f"{name}.yaml" for name in ("fc", "conv5_proj", "conv4_proj"))]
TIMES = ("seconds", "search_seconds")


def plain(folder: Path) -> dict[str, Any]:
    """``network.json`` without what the clock says."""
    data = json.loads((folder / "network.json").read_text())
    for name in TIMES:
        del data[name]
    for layer in data["layers"]:
        del layer["seconds"]
    return data


def search(output: Path, **choices: Any) -> NetworkResult:
    return tm.network(SMALL, output=output, **{"samples": 400, "searcher": "genetic", **choices})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    search(folder)
    return folder


def test_the_whole_budget_is_spent_and_every_layer_has_figures(whole: Path) -> None:
    result = read_network(whole)
    assert result.samples == sum(layer.samples for layer in result.layers) == 400
    assert all(layer.samples >= 64 and layer.found for layer in result.layers)
    assert result.rounds[-1] == {layer.name: layer.samples for layer in result.layers}


def test_totals_are_the_sums_of_what_evaluate_says(whole: Path, tmp_path: Path) -> None:
    result = read_network(whole)
    assert result.totals is not None
    energy = cycles = 0.0
    for layer in result.layers:
        folder = whole / layer.folder
        spec = tm.load(folder / "inputs.yaml")
        trace = read_trace(folder / "trace.bin")
        row = trace.candidates[layer.sample - 1 : layer.sample]
        figures = tm.evaluate(spec, tm.LearnersMapspace(spec).decode(row)[0])
        assert (figures.cycles, figures.energy_pj) == (layer.cycles, layer.energy_pj)
        parts = sum(sum(energies.values()) for energies in layer.energy.values())
        assert parts == pytest.approx(layer.energy_pj, rel=1e-9)
        energy += layer.count * figures.energy_pj
        cycles += layer.count * figures.cycles
    assert result.totals.cycles == cycles
    assert result.totals.energy_pj == pytest.approx(energy, rel=1e-12)
    assert result.totals.edp == pytest.approx(energy * cycles, rel=1e-12)
    assert sum(sum(e.values()) for e in result.totals.energy.values()) == pytest.approx(energy, rel=1e-9)


def test_the_total_is_not_above_that_of_the_layers_own_best(whole: Path) -> None:
    result = read_network(whole)
    best = [(layer.count, layer.best) for layer in result.layers if layer.best]
    energy, cycles = (sum(n * getattr(b, name) for n, b in best) for name in ("energy_pj", "cycles"))
    assert result.totals is not None and result.totals.edp <= energy * cycles


def test_counts_weigh_the_totals(tmp_path: Path) -> None:
    result = tm.network([TOY, RESNET / "fc.yaml", RESNET / "fc.yaml"], output=tmp_path / "a", samples=64)
    single = tm.network([TOY, RESNET / "fc.yaml"], output=tmp_path / "b", samples=64)
    assert result.layers[0].count == 2 and result.totals and single.totals
    assert result.totals.cycles == 2 * single.totals.cycles
    assert result.totals.energy_pj == 2 * single.totals.energy_pj
    assert result.totals.utilization == pytest.approx(single.totals.utilization)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_the_result_does_not_depend_on_the_workers(whole: Path, tmp_path: Path, backend: str) -> None:
    search(tmp_path / "run", jobs=2, backend=backend)
    assert plain(tmp_path / "run") == plain(whole)


def test_marl_goes_on_from_round_to_round_as_if_never_put_aside(tmp_path: Path) -> None:
    """Rounds put the searcher aside; its trace has to be that of one search of the same length."""
    replayed: list[int] = []
    result = search(
        tmp_path / "run", searcher="marl", samples=500, transfer=False,
        on_progress=lambda progress: replayed.append(progress.replayed),
    )  # fmt: skip
    assert len(replayed) > 6 and not any(replayed), "put aside, not replayed"
    layer = max(result.layers, key=lambda entry: entry.samples)
    ends = [r[layer.name] for r in result.rounds]
    assert len(set(ends)) > 2 and all(end % 8 == 0 for end in ends[:-1])
    spec = tm.load(tmp_path / "run" / layer.folder / "inputs.yaml")
    tm.search(spec, samples=layer.samples, output=tmp_path / "single")
    rounds = read_trace(tmp_path / "run" / layer.folder / "trace.bin")
    single = read_trace(tmp_path / "single" / "trace.bin")
    assert (rounds.candidates == single.candidates).all()
    assert layer.best is not None and single.outcome.energy_pj[layer.best.sample - 1] == layer.best.energy_pj


def test_files_of_the_folder(whole: Path) -> None:
    result = read_network(whole)
    with (whole / "layers.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["layer"] for row in rows] == [layer.name for layer in result.layers]
    assert [int(row["cycles"]) for row in rows] == [layer.cycles for layer in result.layers]
    for layer in result.layers:
        summary = json.loads((whole / layer.folder / "summary.json").read_text())
        assert summary["chosen"]["sample"] == layer.sample
        assert (whole / layer.folder / "timeloop-marl.stats.txt").exists()


@pytest.mark.parametrize("objective", ["energy", "delay", "delay,energy", "last_level_accesses"])
def test_other_objectives(tmp_path: Path, objective: str) -> None:
    result = search(tmp_path / "run", objective=objective, samples=250)
    assert result.found
    if objective in ("energy", "delay"):
        for layer in result.layers:
            assert layer.best is not None
            name = "energy_pj" if objective == "energy" else "cycles"
            assert getattr(layer, name) == getattr(layer.best, name)


def test_a_small_layer_is_exhausted(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(
        (RESNET / "fc.yaml").read_text().replace("C: 512, M: 1000", "C: 2, M: 2")
    )
    result = tm.network(
        [TOY, tmp_path / "tiny.yaml"], output=tmp_path / "run", samples=5_000_000, searcher="random"
    )
    assert result.stopped == "searcher exhausted" and result.samples < 5_000_000


# Interruption


def begin(run: Path, *flags: str, samples: int = 3000) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "timeloop_marl", "network", *map(str, SMALL), "-o", str(run), "--resume",
        "--samples", str(samples), "--quiet", *flags,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def recorded(run: Path) -> int:
    return sum(path.stat().st_size for path in run.glob("layers/*/trace.bin"))


def wait_for(run: Path, size: int, running: subprocess.Popen[bytes]) -> None:
    """Until the traces have grown to ``size`` bytes together."""
    end = time.monotonic() + 240
    while recorded(run) < size:
        assert running.poll() is None and time.monotonic() < end, "the search does not get that far"
        time.sleep(0.002)


@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_killed_and_resumed_is_as_never_killed(shell: Shell, tmp_path: Path, jobs: str) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for size in (10_000, 60_000):
        with begin(killed, "--jobs", jobs) as running:
            wait_for(killed, size, running)
            running.kill()
        assert not (killed / "network.json").exists(), "killed too late to be a test"
    before = {path: path.read_bytes() for path in killed.glob("layers/*/trace.bin")}
    assert shell("network", "--resume", "-o", killed, "--quiet") == 0
    assert shell("network", *SMALL, "-o", whole, "--samples", 3000, "--quiet") == 0
    assert plain(killed) == plain(whole)
    for path, start in before.items():
        # A half-written block at the end may have been dropped; no whole one.
        assert path.read_bytes()[: len(start) - 2000] == start[: len(start) - 2000]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_an_interrupted_network_ends_with_its_results(
    shell: Shell, tmp_path: Path, number: int, status: int
) -> None:
    run = tmp_path / "my run"
    with begin(run, "--jobs", "2", samples=10_000_000) as running:
        wait_for(run, 40_000, running)
        running.send_signal(number)
        out, err = running.communicate(timeout=120)
    assert running.returncode == status, err.decode()
    assert f"timeloop-marl network --resume -o '{run}'" in err.decode()
    done = read_network(run)
    assert done.stopped == "interrupted" and done.found and b"interrupted" in out
    sizes = recorded(run)
    assert shell("network", "--resume", "-o", run, "--quiet", "--samples", done.samples + 100) == 0
    assert read_network(run).samples >= done.samples + 100 and recorded(run) > sizes


def test_seconds_end_a_network(tmp_path: Path) -> None:
    result = search(tmp_path / "run", samples=None, seconds=1.5)
    assert result.stopped == "time is up" and result.found
    more = search(tmp_path / "run", samples=None, seconds=1.0, resume=True)
    assert more.samples > result.samples and more.seconds > result.seconds


def test_another_network_in_the_folder(shell: Shell, whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    assert shell("network", *SMALL, "-o", copy) == 2
    assert "holds a run already" in shell.err
    assert shell("network", *SMALL[:2], "-o", copy, "--resume") == 2
    assert "is not what it was when the run began" in shell.err
    assert shell("network", *SMALL, "-o", copy, "--resume", "--seed", 9, "--samples", 900) == 2
    assert "cannot resume: seed" in shell.err


def test_wrong_calls(shell: Shell, tmp_path: Path) -> None:
    assert shell("network", *SMALL, "-o", tmp_path / "a", "--samples", 2) == 2
    assert "2 samples for 3 distinct layers" in shell.err
    assert shell("network", "-o", tmp_path / "a") == 2
    assert "no input files" in shell.err
    assert shell("network", TOY, tmp_path / "nothing*.yaml", "-o", tmp_path / "a") == 2
    assert "no such file or folder" in shell.err
    assert shell("network", *SMALL, "-o", tmp_path / "a", "--searcher", "nobody") == 2
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema": "timeloop-marl/network", "version": 99}'])
def test_damaged_results_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "network.json").write_text(text)
    with pytest.raises(tm.TimeloopMarlError, match=r"network\.json"):
        read_network(tmp_path)


def test_the_screen(shell: Shell, tmp_path: Path) -> None:
    assert shell("network", *SMALL, "-o", tmp_path / "run", "--samples", 300, "--searcher", "genetic") == 0
    for text in ("300 samples of 3 distinct layers", "conv5_proj", "utilised", "EDP", "3 layers, 3 distinct"):
        assert text in shell.out


# Transfer


def test_layers_learn_from_those_before_them(tmp_path: Path) -> None:
    result = search(tmp_path / "run", searcher="marl")
    teachers = {layer.name: layer.knowledge for layer in result.layers}
    assert sorted(teachers.values())[0] == "" and set(teachers.values()) - {""} <= set(teachers)
    assert sum(1 for teacher in teachers.values() if teacher) == 2
    alone = search(tmp_path / "alone", searcher="marl", transfer=False)
    assert all(not layer.knowledge for layer in alone.layers)
    assert not (tmp_path / "alone" / "knowledge.npz").exists()


def test_marl_with_transfer_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    search(tmp_path / "one", searcher="marl")
    search(tmp_path / "two", searcher="marl", jobs=2, backend="threading")
    assert plain(tmp_path / "one") == plain(tmp_path / "two")
    assert (tmp_path / "one" / "knowledge.npz").read_bytes() == (
        tmp_path / "two" / "knowledge.npz"
    ).read_bytes()


def test_knowledge_goes_from_network_to_network(shell: Shell, tmp_path: Path) -> None:
    flags = ("--samples", 200, "--quiet")
    first, saved = tmp_path / "first", tmp_path / "k.npz"
    assert shell("network", *SMALL, "-o", first, *flags, "--save-knowledge", saved) == 0
    assert saved.read_bytes() == (first / "knowledge.npz").read_bytes()
    more = [TOY, RESNET / "conv3_proj.yaml"]
    for number, source in enumerate((saved, first)):
        assert shell("network", *more, "-o", tmp_path / f"{number}", *flags, "--knowledge", source) == 0
    assert plain(tmp_path / "0") == plain(tmp_path / "1")
    assert read_network(tmp_path / "0").layers[0].knowledge in {
        layer.name for layer in read_network(first).layers
    }
    assert shell("network", *more, "-o", tmp_path / "x", *flags, "--knowledge", TOY) == 2
    assert shell("network", *more, "-o", tmp_path / "x", "--searcher", "random", "--knowledge", saved) == 2
    assert "goes with searcher marl" in shell.err


def test_a_task_of_a_run_that_is_over_ends_at_once(tmp_path: Path) -> None:
    """Another run has taken the folder over: what a killed one left running somewhere must not go on."""
    layer = read_layers(sort_sources(SMALL[:2]), options=ModelOptions())[0]
    task = LayerTask(
        layer.spec,
        Settings(searcher="genetic"),
        EvaluatorChoice(),
        tmp_path / "layers" / "fc",
        200,
        turn="mine",
    )
    (tmp_path / TURN).write_text("another's")
    done = run_layer(task)
    assert done.reason is StopReason.INTERRUPTED and done.course.samples == 0
    (tmp_path / TURN).write_text("mine")
    assert run_layer(task).course.samples == 200
