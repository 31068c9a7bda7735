"""Designs outside the native model: evaluated by the real program, here a stand-in that insists on their sections."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import quick_drop_in

import timeloop_marl as tm
from timeloop_marl.api.front import search_front
from timeloop_marl.cli import main
from timeloop_marl.cli.dropin.model import run_model
from timeloop_marl.errors import UnsupportedFeatureError
from timeloop_marl.evaluators.choice import EvaluatorChoice, fitting_choice
from timeloop_marl.run.options import Settings
from timeloop_marl.specs import read_spec
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.fingerprint import spec_fingerprint
from timeloop_marl.specs.mapping_yaml import model_document
from timeloop_marl.specs.writing import document

INPUTS = Path(__file__).resolve().parent / "golden" / "inputs"
FILES = [str(INPUTS / "arch" / "small_toy" / f"{name}.yaml") for name in ("arch_v03", "ERT", "ART")]
FILES.append(str(INPUTS / "problems" / "toy_conv.yaml"))
SPARSE = {
    "targets": [
        {
            "name": "BUF",
            "action_optimization": [{"type": "gating", "target": "Weights", "condition_on": ["Inputs"]}],
        }
    ]
}
LAYOUT = [{"target": "BUF", "type": "interline", "factors": "C=1", "permutation": "C"}]


def stand_in(words: list[str], *, environ: dict[str, str], cwd: Path, **streams: Any) -> int:
    """Takes the sections out that the drop-in does not know, notes them, and hands on the rest: a dense design."""
    data = yaml.safe_load((cwd / words[0]).read_text())
    seen = {key: data.pop(key) for key in ("sparse_optimizations", "layout") if key in data}
    skews = [entry for entry in data["mapping"] if entry["type"] == "skew"]
    data["mapping"] = [entry for entry in data["mapping"] if entry["type"] != "skew"]
    with Path(environ["SEEN"]).open("a") as stream:
        stream.write(json.dumps({**seen, "skews": skews, "sections": sorted(data)}) + "\n")
    (cwd / "dense.yaml").write_text(yaml.safe_dump(data))
    code = run_model(["dense.yaml"], environ=environ, cwd=cwd, **streams)
    stats = cwd / "timeloop-model.stats.txt"
    if stats.exists():
        text = stats.read_text().replace("Computes = ", "Actual Computes = ")
        stats.write_text(text + "by the stand-in\n")
    return code


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A ``timeloop-model`` on the path; what it saw beyond the dense design is in ``$SEEN``, a line per call."""
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    monkeypatch.setenv("TIMELOOP_MARL_CACHE", str(tmp_path / "cache.sqlite"))
    with quick_drop_in(tmp_path / "bin", answer=stand_in) as path:
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
        yield str(path)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def seen(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "seen").read_text().splitlines()]


def extra(folder: Path, **sections: Any) -> str:
    file = folder / "more.yaml"
    file.write_text(yaml.safe_dump(sections))
    return str(file)


def test_a_sparse_search_runs_on_the_real_program_by_itself(
    tmp_path: Path, program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [*FILES, extra(tmp_path, sparse_optimizations=SPARSE, layout=LAYOUT)]
    out = tmp_path / "out"
    assert (
        main(["search", *files, "-o", str(out), "--samples", "6", "--verify", "1", "--searcher", "random"])
        == 0
    )
    text = capsys.readouterr()
    assert "data layouts" in text.err and "the real Timeloop evaluates this design" in text.err
    assert "nothing to verify" in text.err and "timeloop-model (sha256" in text.out
    assert all(call["sparse_optimizations"] == SPARSE and call["layout"] == LAYOUT for call in seen(tmp_path))
    assert all({"ERT", "ART", "architecture", "problem"} <= set(call["sections"]) for call in seen(tmp_path))
    # The files are the program's own, and the input for it is complete.
    assert (out / "timeloop-marl.stats.txt").read_text().endswith("by the stand-in\n")
    model = yaml.safe_load((out / "timeloop-marl.model.yaml").read_text())
    assert model["sparse_optimizations"] == SPARSE and model["layout"] == LAYOUT
    assert yaml.safe_load((out / "inputs.yaml").read_text())["layout"] == LAYOUT


def test_interrupted_and_resumed_nothing_is_evaluated_again(tmp_path: Path, program: str) -> None:
    files = [*FILES, extra(tmp_path, layout=LAYOUT)]
    out = str(tmp_path / "out")
    assert main(["search", *files, "-o", out, "--samples", "5", "--searcher", "random", "--quiet"]) == 0
    before = len(seen(tmp_path))
    assert main(["search", "--resume", "-o", out, "--samples", "9", "--quiet"]) == 0
    assert len(seen(tmp_path)) - before <= 5  # four new samples at most, and the figures of the winner


def test_a_front_of_such_a_design(tmp_path: Path, program: str) -> None:
    spec = tm.load([*FILES, extra(tmp_path, layout=LAYOUT)])
    front = search_front(spec, settings=Settings(searcher="nsga2", samples=8), output=tmp_path / "front")
    assert front.members and "timeloop-model" in front.evaluator
    assert next((tmp_path / "front" / "front").glob("*.stats.txt")).read_text().endswith("by the stand-in\n")


def test_without_the_program_one_error_says_what_and_how(
    tmp_path: Path, nowhere: None, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [*FILES, extra(tmp_path, layout=LAYOUT)]
    assert main(["search", *files, "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "layout: data layouts are outside the native model" in error
    assert "more.yaml" in error and "docker run" in error and "timeloop-model" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["verify", "compare"])
def test_what_needs_the_native_model_refuses(
    tmp_path: Path, program: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [*FILES, extra(tmp_path, layout=LAYOUT)]
    assert main([command, *files, "-o", str(tmp_path / "out")]) == 2
    assert "data layouts are not covered by the native model" in capsys.readouterr().err


def test_info_says_what_it_can(tmp_path: Path, nowhere: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", *FILES, extra(tmp_path, layout=LAYOUT)]) == 0
    text = capsys.readouterr()
    assert "learners' view" in text.out and "only the real Timeloop evaluates this design" in text.out
    assert "data layouts" in text.err


def test_skewed_loops_of_a_mapping_go_to_the_program(
    tmp_path: Path, program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tm.load(FILES)
    mapping = tm.search(spec, samples=5, searcher="random").mapping
    skew = {"target": "BUF", "type": "skew", "modulo": 4, "terms": [{"constant": 1}]}
    directives = [skew, *model_document(spec, mapping)["mapping"]]
    file = extra(tmp_path, mapping=directives)
    out = tmp_path / "out"
    assert main(["evaluate", *FILES, "--mapping", file, "-o", str(out)]) == 0
    assert seen(tmp_path)[-1]["skews"] == [skew]
    text = capsys.readouterr().err
    assert "skewed loops" in text and "evaluated by timeloop-model" in text
    assert yaml.safe_load((out / "timeloop-marl.model.yaml").read_text())["mapping"][-1] == skew


def test_evaluate_can_ask_the_real_program(tmp_path: Path, program: str) -> None:
    spec = tm.load(FILES)
    mapping = tm.search(spec, samples=5, searcher="random").mapping
    file = extra(tmp_path, mapping=model_document(spec, mapping)["mapping"])
    assert main(["evaluate", *FILES, "--mapping", file, "--evaluator", "timeloop"]) == 0
    assert len(seen(tmp_path)) == 1
    real = tm.evaluate(spec, mapping, evaluator=EvaluatorChoice("timeloop"))
    native = tm.evaluate(spec, mapping)
    assert (real.cycles, real.computes) == (native.cycles, native.computes)


def test_a_written_design_is_the_same_one_again(tmp_path: Path) -> None:
    spec = tm.load([*FILES, extra(tmp_path, sparse_optimizations=SPARSE, layout=LAYOUT)])
    again = read_spec(Document(document(spec)))
    assert again.beyond is not None and again.beyond.sections == spec.beyond.sections
    assert spec_fingerprint(again) == spec_fingerprint(spec)
    assert spec_fingerprint(spec) != spec_fingerprint(tm.load(FILES))
    other = tm.load([*FILES, extra(tmp_path, sparse_optimizations=SPARSE)])
    assert spec_fingerprint(other) != spec_fingerprint(spec)


def test_no_tables_keep_the_program_from_calling_accelergy(tmp_path: Path, nowhere: None) -> None:
    spec = tm.load([FILES[0], FILES[3], extra(tmp_path, layout=LAYOUT)])
    assert [table["name"] for table in spec.beyond.sections["ERT"]["tables"]] == ["system.nothing"]


def test_shapes_given_by_name_are_written_out(tmp_path: Path, nowhere: None) -> None:
    problem = tmp_path / "problem.yaml"
    problem.write_text("problem: {shape: cnn_layer, instance: {R: 3, S: 3, P: 4, Q: 4, C: 2, K: 2, N: 1}}\n")
    spec = tm.load([*FILES[:3], str(problem), extra(tmp_path, layout=LAYOUT)])
    assert "data_spaces" in spec.beyond.sections["problem"]["shape"]


def test_the_choice_of_the_user_stays_where_it_can(tmp_path: Path, program: str) -> None:
    dense, layout = tm.load(FILES), tm.load([*FILES, extra(tmp_path, layout=LAYOUT)])
    choice = EvaluatorChoice(jobs=3)
    assert fitting_choice(dense, choice) is choice
    assert fitting_choice(layout, choice) == EvaluatorChoice("timeloop", jobs=3)
    with pytest.raises(UnsupportedFeatureError):
        fitting_choice(layout, EvaluatorChoice(program="no-such-program"))
