"""The benchmark's own arithmetic and bookkeeping: a wrong number here would be a wrong claim in docs/results.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import document
import measures
import pairs
import running
import tuning
from running import Task

PAIR = "simba_like/resnet18/conv2_3x3"
OTHER = "eyeriss_like/resnet18/conv2_3x3"


def entry(steps: list[tuple[int, float]], budget: int = 100) -> running.Run:
    return {
        "budget": budget, "samples": budget, "valid": budget, "repeated": 0, "seconds": 1.0,
        "searcher_seconds": 0.5, "wall_seconds": 1.0, "trajectory": steps,
    }  # fmt: skip


def results(ours: list[running.Run], theirs: list[running.Run], best: float = 1.0) -> measures.Results:
    tasks = [Task(PAIR, n, s, 100) for n, runs in (("a", ours), ("b", theirs)) for s in range(len(runs))]
    return measures.Results.of("edp", tasks, [*ours, *theirs], {PAIR: best})


def test_unsolved_runs_count_against_us() -> None:
    never, soon = entry([(1, 5.0)]), entry([(1, 5.0), (10, 1.05)])
    found = results([soon, soon], [never, never])
    assert measures.sample_ratio(found, "a", "b", 1.1).by_pair[PAIR] == pytest.approx(10.0)
    # The other way round: never reached counts as twice the budget when it is ours.
    assert measures.sample_ratio(found, "b", "a", 1.1).by_pair[PAIR] == pytest.approx(10 / 200)
    assert np.isinf(found.samples_to(PAIR, "b", 1.1)).all()


def test_a_pair_that_nobody_solves_says_nothing() -> None:
    never = entry([(1, 5.0)])
    solved = Task(OTHER, "a", 0, 100), Task(OTHER, "b", 0, 100)
    tasks = [Task(PAIR, "a", 0, 100), Task(PAIR, "b", 0, 100), *solved]
    runs = [never, never, entry([(3, 1.0)]), entry([(6, 1.0)])]
    found = measures.Results.of("edp", tasks, runs, {PAIR: 1.0, OTHER: 1.0})
    assert measures.sample_ratio(found, "a", "b", 1.1).by_pair == {OTHER: pytest.approx(2.0)}


def test_the_best_known_is_the_lowest_of_all() -> None:
    assert results([entry([(1, 0.5)])], [entry([(1, 2.0)])]).best[PAIR] == 0.5
    assert results([entry([(1, 3.0)])], [entry([(1, 2.0)])]).best[PAIR] == 1.0


def test_an_interval_holds_the_ratio() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.integers(10, 20, 10).astype(float), rng.integers(30, 90, 10).astype(float)
    found = measures.ratio_of([PAIR], lambda _: ours, lambda _: theirs)
    assert found.mean[1] <= found.mean[0] <= found.mean[2]
    assert found.by_pair[PAIR] == pytest.approx(np.median(theirs) / np.median(ours))


def test_a_longer_run_serves_a_shorter_budget() -> None:
    cut = measures.shortened(entry([(1, 5.0), (40, 2.0), (90, 1.0)]), 50)
    assert cut["trajectory"] == [(1, 5.0), (40, 2.0)]
    assert cut["samples"] == 50 and cut["seconds"] == 0.5


def test_best_known_costs_only_fall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "best.json"
    path.write_text(json.dumps({"edp": {PAIR: 2.0, OTHER: 2.0}, "energy": {PAIR: 9.0}}))
    monkeypatch.setattr(pairs, "BEST_KNOWN", path)
    monkeypatch.setattr(pairs, "OPTIMA", tmp_path)
    assert pairs.lower_best_known("edp", {PAIR: 1.0, OTHER: 3.0}) == [PAIR]
    assert json.loads(path.read_text()) == {"edp": {PAIR: 1.0, OTHER: 2.0}, "energy": {PAIR: 9.0}}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(running, "RECORDED", tmp_path / "none.jsonl.gz")
    return tmp_path / "runs.jsonl"


def test_nothing_is_run_twice(store: Path) -> None:
    task = Task(PAIR, "random", 3, 64)
    kept = running.Records(store)
    assert kept.missing([task, task]) == [task]
    kept.add(running.run(task))
    again = running.Records(store)
    assert again.missing([task, Task(PAIR, "random", 3, 32)]) == []
    assert again.missing([Task(PAIR, "random", 3, 65), Task(PAIR, "random", 4, 64)]) != []


def test_a_shorter_run_is_the_beginning_of_a_longer_one() -> None:
    short, long = (running.run(Task(PAIR, "genetic", 0, n)) for n in (96, 192))
    assert short["trajectory"] == [step for step in long["trajectory"] if step[0] <= 96]


def test_a_half_written_line_is_no_run(store: Path) -> None:
    task = Task(PAIR, "random", 0, 64)
    running.Records(store).add(running.run(task))
    with store.open("a") as file:
        file.write('{"identity": "cut o')
    assert running.Records(store).missing([task]) == []


def test_runs_of_other_code_are_not_used_unseen(store: Path) -> None:
    task = Task(PAIR, "random", 0, 64)
    found = {**running.run(task), "code": "older"}
    running.Records(store).add(found)
    kept = running.Records(store)
    assert kept.missing([task]) == [task]
    kept.verify([task])  # the same trajectory: adopted
    assert kept.missing([task]) == []
    running.Records(store).add({**found, "code": "older", "trajectory": [(1, 1.0)]})
    assert running.Records(store, any_code=True).find(task) is not None


def test_seeds_of_deterministic_mappers_are_one_run(store: Path) -> None:
    tasks = [Task(PAIR, "timeloop-random", seed, 64) for seed in range(3)]
    assert len(running.Records(store).missing(tasks)) == 1


def test_repeated_and_invalid_mappings_are_counted() -> None:
    found = running.run(Task(PAIR, "single-agent:form=penalised,rate=5.0,explore=0", 0, 3000))
    assert found["samples"] == 3000
    assert found["valid"] < 3000 and found["repeated"] > 0


def test_every_searcher_is_tuned_alike() -> None:
    assert {len(tuning.configurations(name)) for name in tuning.SPACES} == {tuning.CONFIGURATIONS}
    assert all(tuning.configurations(name)[0] == {} for name in tuning.SPACES)
    assert set(tuning.PAIRS) <= set(pairs.SETS["tuning"])
    assert not set(pairs.SETS["tuning"]) & set(pairs.SETS["reported"])


def test_parts_of_a_document_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("before\n<!-- x -->\nold\n<!-- end of x -->\nafter\n")
    document.replace_part(path, "x", ["new"])
    document.replace_part(path, "x", ["newer"])
    assert path.read_text() == "before\n<!-- x -->\n\nnewer\n\n<!-- end of x -->\nafter\n"
    with pytest.raises(SystemExit, match="no <!-- y -->"):
        document.replace_part(path, "y", [])
