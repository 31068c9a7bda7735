"""With the real programs on the path: figures, inputs, logs and output files of Timeloop itself, nothing recorded."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import timeloop_marl as tm
from timeloop_marl.cli.dropin import run_mapper
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.evaluators.choice import EvaluatorChoice, predictor
from timeloop_marl.evaluators.timeloop import MODEL, TimeloopEvaluator, find_program
from timeloop_marl.evaluators.timeloop.program import MAPPER, timeloop_environment
from timeloop_marl.evaluators.wrappers import AheadEvaluator
from timeloop_marl.run.loop import Budget, search
from timeloop_marl.run.trace import read_trace
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.specs.spec import Spec
from timeloop_marl.validation.comparison.runs import Limit, run_mapper_program, run_timeloop
from timeloop_marl.validation.verification import drawn, recognise_rules, verify_mappings, with_rules

pytestmark = pytest.mark.timeloop
needs_model = pytest.mark.skipif(shutil.which(MODEL) is None, reason=f"{MODEL} is not on the path")
needs_mapper = pytest.mark.skipif(shutil.which(MAPPER) is None, reason=f"{MAPPER} is not on the path")

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
MACHINES = ("small_toy", "eyeriss_like", "simba_like")
EDP = parse_objective("edp", 4)


@pytest.fixture(scope="module")
def rules() -> str:
    """The rule set of the installed program."""
    found = recognise_rules(TimeloopEvaluator)
    assert found.rules is not None, found
    return found.rules


def spec_of(machine: str, rules: str = "2025") -> Spec:
    layer = ROOT / "problems" / "resnet18" / "conv4_3x3.yaml"
    return with_rules(tm.load([ROOT / "arch" / machine, layer]), rules)


@needs_model
@pytest.mark.parametrize("machine", MACHINES)
def test_every_figure_of_random_mappings_agrees(machine: str, rules: str) -> None:
    spec = spec_of(machine, rules)
    found = verify_mappings(spec, drawn(spec, "mixed", 24, 1), TimeloopEvaluator(spec), jobs=2)
    assert found.agree, found.as_dict()["differences"][:5]
    valid = [check for check in found.checks if check.valid]
    assert len(valid) >= 12 and all(check.full for check in valid)
    assert any(not check.valid for check in found.checks)


@needs_model
@pytest.mark.parametrize("machine", MACHINES)
def test_the_model_accepts_what_a_search_writes(machine: str, rules: str, tmp_path: Path) -> None:
    """One command, no other file; its statistics are those that the search wrote, byte for byte."""
    tm.search(spec_of(machine, rules), samples=60, output=tmp_path / "out")
    document = tmp_path / "out" / "timeloop-marl.model.yaml"
    environment = timeloop_environment(os.environ, link_transfers=True, first_read_elision=True)
    del environment["TIMELOOP_HIDE_INCONSEQUENTIAL_STATS"]
    done = subprocess.run(
        [MODEL, document], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for kind in ("stats.txt", "map.txt"):
        written = (tmp_path / "out" / f"timeloop-marl.{kind}").read_text()
        assert (tmp_path / f"{MODEL}.{kind}").read_text() == written, kind


@needs_model
def test_jobs_change_nothing(rules: str, tmp_path: Path) -> None:
    traces = []
    for jobs in (1, 2):
        choice = EvaluatorChoice("timeloop", jobs=jobs)
        tm.search(spec_of("small_toy", rules), samples=40, evaluator=choice, output=tmp_path / f"out{jobs}")
        batch = read_trace(tmp_path / f"out{jobs}" / "trace.bin")
        header = batch.header
        traces.append((header, batch.candidates.tolist(), batch.outcome.energy_pj.tolist()))
    assert traces[0] == traces[1]


@needs_model
@pytest.mark.parametrize("machine", ["small_toy", "eyeriss_like"])
def test_jobs_work_ahead_and_nothing_is_evaluated_in_vain(machine: str, rules: str) -> None:
    """Every outcome of the program is what the native model has said before, to the last bit."""
    spec = spec_of(machine, rules)
    searcher = make_searcher("marl", spec, 1, EDP)
    with AheadEvaluator(TimeloopEvaluator(spec), 2) as evaluator:
        search(searcher.space, searcher, evaluator, EDP, Budget(samples=44), predictor=predictor(spec))
    assert evaluator.ahead > 0 and evaluator.wasted == 0


@needs_mapper
@pytest.mark.parametrize("algorithm", ["random", "linear_pruned"])
def test_the_log_of_the_mapper_is_the_course_of_our_reproduction(algorithm: str) -> None:
    spec = spec_of("small_toy")
    logged, _ = run_mapper_program(find_program(MAPPER), spec, algorithm, EDP, 5.0)
    assert logged.samples > 100 and logged.points
    native = run_timeloop(spec, algorithm, EDP, Limit(samples=logged.points[-1].samples))
    assert [p.samples for p in native.points] == [p.samples for p in logged.points]
    for mine, real in zip(native.points, logged.points, strict=True):
        assert mine.cost == pytest.approx(
            real.cost, rel=1e-3
        )  # the log has pJ per compute with three decimals


@needs_mapper
@pytest.mark.parametrize("machine", MACHINES)
def test_our_mapper_writes_what_the_mapper_writes(machine: str, tmp_path: Path) -> None:
    inputs = GOLDEN / "inputs"
    files = [inputs / "arch" / machine / f"{n}.yaml" for n in ("arch_v03", "ERT", "ART", "constraints_v03")]
    options = tmp_path / "mapper.yaml"
    options.write_text(
        "mapper: {algorithm: random_pruned, num_threads: 1, search_size: 30, timeout: 1000000, "
        "victory_condition: 0, live_status: false, diagnostics: false}\n"
    )
    words = [str(f) for f in files if f.exists()]
    words += [str(inputs / "problems" / "toy_conv.yaml"), str(options)]
    outputs = []
    for kind in ("real", "ours"):
        folder = tmp_path / kind
        folder.mkdir()
        if kind == "real":
            done = subprocess.run(
                [MAPPER, *words], cwd=folder, env=clean(), capture_output=True, text=True, check=False
            )
            screens = [done.stdout, done.stderr]
        else:
            streams = [io.StringIO(), io.StringIO()]
            run_mapper(words, environ=clean(), stdout=streams[0], stderr=streams[1], cwd=folder)
            screens = [stream.getvalue() for stream in streams]
        texts = {file.name: file.read_text() for file in folder.iterdir() if file.suffix != ".xml"}
        outputs.append((texts, screens))
    assert outputs[0] == outputs[1]


def clean() -> dict[str, str]:
    """Without variables that change what Timeloop does."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TIMELOOP_")}
