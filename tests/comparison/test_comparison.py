"""The comparison: budgets counted as Timeloop counts, the program's log, tables, words, picture."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from machines import gemm, three_level
from programs import drop_in, script

from timeloop_marl.api.inputs import load
from timeloop_marl.cli import main
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.cost.outcome import Statistics
from timeloop_marl.errors import BackendError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.evaluators.timeloop import Program, find_program
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.validation.comparison import Course, Point, compare_searchers
from timeloop_marl.validation.comparison.compare import differences_in_words, quartile
from timeloop_marl.validation.comparison.runs import (
    OURS,
    PROGRAM,
    REPRODUCED,
    Limit,
    falling,
    read_log,
    run_mapper_program,
    run_ours,
    run_timeloop,
    unbounded,
)
from timeloop_marl.validation.verification import draw_mappings

ARCH = Path(__file__).resolve().parents[2] / "arch"
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SPEC = three_level(gemm(16, 24, 40))
EDP = parse_objective("edp", 3)


def test_timeloop_samples_count_construction_failures_too() -> None:
    """Sample budget and points against a plain walk of the same mapper to the same number."""
    course = run_timeloop(SPEC, "random", EDP, Limit(samples=700))
    longer = run_timeloop(SPEC, "random", EDP, Limit(samples=5000))
    assert (course.kind, course.seed, course.samples, longer.samples) == (REPRODUCED, None, 700, 5000)
    assert [p.samples for p in course.points] == [p.samples for p in longer.points if p.samples <= 700]
    assert 0 < course.valid < longer.valid < 5000
    assert course.mapping is not None
    cost = EDP.costs(NativeEvaluator(SPEC)(MappingBatch.of([course.mapping])))[0]
    assert cost == course.cost


def test_ours_keeps_to_its_budget() -> None:
    course = run_ours(SPEC, "random", 3, EDP, Limit(samples=150))
    assert (course.samples, course.kind, course.seed) == (150, OURS, 3)
    costs = [p.cost for p in course.points]
    assert costs == sorted(costs, reverse=True) and course.cost == costs[-1]
    again = run_ours(SPEC, "random", 3, EDP, Limit(samples=150))
    assert [(p.samples, p.cost) for p in again.points] == [(p.samples, p.cost) for p in course.points]


def test_the_recorded_log_of_the_real_mapper() -> None:
    text = (GOLDEN / "outputs" / "mapper_log_stats" / "stderr.txt").read_text()
    lines = [(float(i), line) for i, line in enumerate(text.splitlines())]
    points, total, valid = read_log(lines, parse_objective("edp", 4), computes=36)
    assert (total, valid) == (141, 40)
    assert points[0] == Point(1, 1 + 1.0, pytest.approx(46.201 * 36 * 36))
    assert points[-1].cost == pytest.approx(15.924 * 36 * 12)
    assert [p.cost for p in points] == sorted((p.cost for p in points), reverse=True)


def test_the_log_as_compare_asks_for_it() -> None:
    """Recorded with the options of ``compare``: numbers come before costs, the other way round than above."""
    text = (Path(__file__).resolve().parent / "recorded" / "mapper_log.txt").read_text()
    spec = load([ARCH / "small_toy", ARCH.parent / "problems" / "resnet18" / "conv4_3x3.yaml"])
    lines = [(float(i), line) for i, line in enumerate(text.splitlines())]
    points, total, valid = read_log(lines, EDP, spec.problem.operations)
    native = run_timeloop(spec, "linear_pruned", EDP, Limit(samples=total))
    assert (native.samples, native.valid) == (total, valid)
    assert [p.samples for p in points] == [p.samples for p in native.points] and len(points) >= 3
    for real, mine in zip(points, native.points, strict=True):
        assert real.cost == pytest.approx(mine.cost, rel=1e-4)


def test_the_program_gives_the_samples_of_the_reproduction(tmp_path: Path) -> None:
    """The drop-in as the program: its log against our own run of the same mapper, sample by sample."""
    # Ends by itself: a space of some thousand mappings.
    spec = dataclasses.replace(three_level(gemm(2, 2, 2)))
    native = run_timeloop(spec, "linear_pruned", EDP, Limit(seconds=20.0))
    program = find_program(drop_in(tmp_path, "mapper"))
    logged, nothing = run_mapper_program(program, spec, "linear_pruned", EDP, 60.0, 10**9)
    assert (logged.kind, nothing) == (PROGRAM, None)
    got = [(p.samples, round(p.cost, 0)) for p in logged.points]
    improved = [(p.samples, round(p.cost, 0)) for p in native.points]
    assert got and got == improved[: len(got)]
    assert logged.ended == native.ended
    samples = logged.points[1].samples  # as many as it takes to the second improvement
    again, first = run_mapper_program(program, spec, "linear_pruned", EDP, 60.0, samples)
    short = run_timeloop(spec, "linear_pruned", EDP, Limit(samples=samples))
    assert first is not None and [p.samples for p in again.points] == [p.samples for p in logged.points]
    assert [p.samples for p in first.points] == [p.samples for p in short.points]
    assert (first.samples, first.valid) == (samples, short.valid) and first.valid < again.valid


def test_a_mapper_that_crashes_is_one_error_with_its_folder_kept(tmp_path: Path) -> None:
    program = find_program(script(tmp_path, "import os\nos.kill(os.getpid(), 11)", "timeloop-mapper"))
    with pytest.raises(BackendError, match=r"run it again by hand: cd .* && .*timeloop-mapper input.yaml"):
        run_mapper_program(program, SPEC, "random", EDP, 10.0)


def test_a_mapper_that_goes_on_is_ended(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "print('[  0] Utilization = 0.50 | pJ/Compute =    2.000 | nest | Cycles = 10', file=sys.stderr, flush=True)\n"
        "print('[0] UPDATE 7 1 0 0.000', file=sys.stderr, flush=True)\ntime.sleep(600)"
    )
    program = find_program(script(tmp_path, code, "timeloop-mapper"))
    course, _ = run_mapper_program(program, SPEC, "random", EDP, 2.0)
    computes = SPEC.problem.operations
    assert [(p.samples, p.cost) for p in course.points] == [(7, 2.0 * computes * 10)]
    assert course.seconds <= 2.0


def test_options_of_timeloop_are_freed_of_early_ends() -> None:
    options = unbounded(SPEC.mapper, "hybrid", EDP)
    assert (options.algorithm, options.victory_condition, options.search_size) == ("hybrid", 0, 0)
    assert options.timeout >= 1_000_000 and options.optimization_metrics == ("edp",)


@pytest.mark.parametrize(
    ("values", "expected"), [([3, 1, 2], (1, 2, 3)), ([5], (5, 5, 5)), ([1, np.inf], (1, 1, np.inf))]
)
def test_quartiles_are_values_that_occurred(values: list[float], expected: tuple[float, ...]) -> None:
    assert tuple(quartile(values, q) for q in (0.25, 0.5, 0.75)) == expected


def test_points_fall() -> None:
    points = [Point(1, 0, 5.0), Point(2, 0, 6.0), Point(3, 0, 4.0), Point(4, 0, 4.0)]
    assert [p.samples for p in falling(iter(points))] == [1, 3]


def test_words_name_what_is_saved_where() -> None:
    native = NativeEvaluator(SPEC)
    drawn = draw_mappings(SPEC, 200, 1)
    found = [s for s in map(native.statistics, drawn) if isinstance(s, Statistics)]
    best, worst = min(found, key=lambda s: s.energy_pj), max(found, key=lambda s: s.energy_pj)
    text = differences_in_words(SPEC, best, worst, "the other")
    assert text and "saves" in text[0] and any(name in text[0] for name in ("RF", "BUF", "DRAM"))
    assert any("cycles" in line for line in text) == (best.cycles != worst.cycles)
    assert differences_in_words(SPEC, best, best) == []


def test_nobody_finds_anything() -> None:
    comparison = compare_searchers(SPEC, ["random"], EDP, samples=60, seconds=0.2, seeds=2)
    assert len(comparison.by_samples) == len(comparison.by_seconds) == 2 + 5
    empty = Course("random", OURS, 1, (), 60, 0, 0.1, "")
    nothing = dataclasses.replace(comparison, by_samples=(empty,), by_seconds=(empty,))
    assert nothing.winner(ours=True) is None and nothing.words() == []
    assert nothing.table(nothing.by_samples)[0].quartiles[1] == float("inf")


def test_the_program_is_in_both_comparisons_where_it_came_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    def ran(
        program: object, spec: object, algorithm: str, objective: object, seconds: float, samples: int
    ) -> tuple[Course, Course | None]:
        whole = Course(
            algorithm, PROGRAM, None, (Point(3, 0.1, 9.0), Point(50, 0.2, 8.0)), 70, 5, seconds, ""
        )
        first = dataclasses.replace(whole, points=whole.points[:1], samples=samples)
        return whole, first if algorithm == "random" else None

    monkeypatch.setattr("timeloop_marl.validation.comparison.compare.run_mapper_program", ran)
    program = Program(Path("timeloop-mapper"), "")
    found = compare_searchers(SPEC, ["random"], EDP, samples=40, seconds=0.1, seeds=1, mapper=program)
    real = [course for course in found.by_samples if course.kind == PROGRAM]
    assert [(course.searcher, course.samples, course.cost) for course in real] == [("random", 40, 9.0)]
    assert sum(course.kind == PROGRAM for course in found.by_seconds) == 5
    assert len(found.notices) == 4
    assert "linear_pruned has logged 70 samples in 0.1 s, not 40" in "".join(found.notices)
    assert ("random", PROGRAM) in [(row.searcher, row.kind) for row in found.table(found.by_samples)]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine = GOLDEN / "inputs" / "arch" / "small_toy"
    files = [str(machine / f"{name}.yaml") for name in ("arch_v03", "ERT", "ART")]
    files.append(str(GOLDEN / "inputs" / "problems" / "toy_conv.yaml"))
    out = tmp_path / "out"
    budget = ["--samples", "300", "--seconds", "0.3", "--seeds", "2"]
    code = main(["compare", *files, *budget, "--searchers", "genetic,random", "-o", str(out)])
    shown = capsys.readouterr()
    assert code == 0, shown
    for word in ("genetic", "linear_pruned", "equal samples: 300", "equal time", "reproduced"):
        assert word in shown.out
    report = json.loads((out / "compare.json").read_text())
    assert len(report["equal_samples"]["runs"]) == 2 * 2 + 5
    assert all(run["samples"] <= 300 for run in report["equal_samples"]["runs"])
    assert (out / "compare.png").stat().st_size > 20_000
    nests = (out / "nests.txt").read_text()
    assert "ours: " in nests and "timeloop: " in nests and "<< Compute >>" in nests
    page = (out / "report.html").read_text()
    assert "Timeloop linear_pruned" in page and "arch_v03" not in page and "ours against" in page
    assert (out / "ours.model.yaml").exists() and (out / "timeloop.stats.txt").exists()


def test_unknown_searchers_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine = GOLDEN / "inputs" / "arch" / "small_toy"
    files = [str(machine / "arch_v03.yaml"), str(machine / "ERT.yaml")]
    files.append(str(GOLDEN / "inputs" / "problems" / "toy_conv.yaml"))
    for name in ("nonsense", "timeloop-random", ","):
        assert main(["compare", *files, "--searchers", name, "-o", str(tmp_path / "out")]) == 2
    assert "unknown searcher 'timeloop-random'" in capsys.readouterr().err
