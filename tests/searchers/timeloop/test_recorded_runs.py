"""The recorded runs of the real mapper: sizes, counters of every thread, trajectory, best mapping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.searchers.timeloop import TimeloopSearcher, ValidMapping
from timeloop_marl.specs.reading import load

from .runs import GOLDEN, Run, run

CASES = [
    pytest.param(folder, entry, id=f"{folder.name}-{index}-{entry['config']['algorithm']}")
    for folder in sorted((GOLDEN / "mapper").iterdir())
    for index, entry in enumerate(json.loads((folder / "runs.json").read_text()))
]


def files_of(folder: Path, entry: dict[str, Any], tmp_path: Path) -> list[Path]:
    mapper = tmp_path / "mapper.yaml"
    options = "".join(f"  {key}: {value}\n" for key, value in entry["config"].items())
    mapper.write_text(f"mapper:\n{options}")
    machine = GOLDEN / "inputs" / "arch" / entry["arch"]
    tables = [machine / name for name in ("arch_v03.yaml", "ERT.yaml", "ART.yaml")]
    problem = GOLDEN / "inputs" / "problems" / f"{entry['problem']}.yaml"
    return [*tables, folder / "constraints.yaml", problem, mapper]


def trajectory(events: list[ValidMapping]) -> list[tuple[float, ...]]:
    return sorted((e.thread, e.total, e.valid, e.energy_pj, e.cycles, e.utilization) for e in events)


@pytest.mark.parametrize(("folder", "entry"), CASES)
def test_equals_the_recorded_run(folder: Path, entry: dict[str, Any], tmp_path: Path) -> None:
    files = files_of(folder, entry, tmp_path)
    result = entry["result"]
    if result["stop"] != "natural":
        compare_prefix(files, result)
        return
    found = run(files)
    assert found.sizes == tuple(result["mapspace"].values())
    compare_counters(found, result)
    assert trajectory(found.valid) == sorted(tuple(step[:6]) for step in result["trajectory"])
    assert sorted(text for end in found.ends for text in end.statements) == sorted(result["statements"])
    if found.best is None:
        assert not result["trajectory"]
    else:
        best = result["best"]
        got = (found.best.energy_pj, found.best.cycles, found.best.utilization)
        assert got == (best["energy"], best["cycles"], best["util"])


def compare_counters(found: Run, result: dict[str, Any]) -> None:
    got = [(c.total, c.valid, c.invalid_fanout, c.invalid_capacity) for c in found.searcher.counters]
    names = ("evaluated", "valid", "invalid_construction", "invalid_evaluation")
    assert got == [tuple(thread[name] for name in names) for thread in result["threads"]]


def compare_prefix(files: list[Path], result: dict[str, Any]) -> None:
    """A run that was stopped from outside: its trajectory up to the recorded number of mappings."""
    spec = load(files)
    space = TimeloopMapspace(spec)
    searcher = TimeloopSearcher(space)
    evaluator = NativeEvaluator(spec, precheck=True)
    drawn = [thread["evaluated"] for thread in result["threads"]]
    events = []
    while any(c.total < n for c, n in zip(searcher.counters, drawn)):
        rows = searcher.ask(64)
        if not len(rows):
            break
        searcher.tell(rows, evaluator(space.decode(rows)))
        events += searcher.drain_events()
    improvements = [e for e in events if isinstance(e, ValidMapping) and e.total <= drawn[e.thread]]
    assert trajectory(improvements) == sorted(tuple(step[:6]) for step in result["trajectory"])


def test_exhaustive_search_of_small_toy_finds_the_optimum(tmp_path: Path) -> None:
    folder = GOLDEN / "mapper" / "small_toy__toy_conv1d"
    entry = json.loads((folder / "runs.json").read_text())[0]
    assert entry["config"]["algorithm"] == "exhaustive"
    found = run(files_of(folder, entry, tmp_path))
    assert found.best is not None
    assert found.best.energy_pj * found.best.cycles == entry["result"]["best"]["edp"]
