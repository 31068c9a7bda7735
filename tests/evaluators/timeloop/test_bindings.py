"""The route through pytimeloop, with a module of that name that does what the bindings do (the drop-in inside)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from machines import gemm, three_level

from timeloop_marl.cost.outcome import Failure
from timeloop_marl.errors import BackendError, UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.evaluators.timeloop import TimeloopEvaluator
from timeloop_marl.evaluators.timeloop.bindings import Bindings
from timeloop_marl.evaluators.wrappers import ParallelEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.parallel.workers import Workers
from timeloop_marl.specs.mapping import MappingBatch

SPEC = three_level(gemm(16, 24, 40))

CONFIG = "class Config:\n    def __init__(self, text, kind):\n        assert kind == 'yaml'\n        self.text = text\n"
# A bad mapping ends the process, as in the real bindings.
APP = """\
import io, os, sys
from bindings import extension  # a top-level module of its own, as the real one's
from pathlib import Path
from timeloop_marl.cli.dropin import run_model

class ModelApp:
    def __init__(self, config, folder, name):
        self.config, self.folder = config, folder
        assert name == "timeloop-model"

    def run(self):
        {before}
        out = io.StringIO()
        code = run_model(["input.yaml"], environ=os.environ, stdout=out, stderr=sys.stderr, cwd=Path.cwd())
        print("noise on standard output")
        if code:
            sys.stderr.flush()
            os._exit(code)
        result = type("ModelResult", (), {{}})()
        result.stats_string = Path("timeloop-model.stats.txt").read_text()
        result.cycles, result.energy = 1, {energy}
        return result
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, before: str = "pass", energy: str = "1.5") -> None:
    package = folder / "site" / "pytimeloop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (folder / "site" / "bindings.py").write_text("extension = True\n")
    (package / "config.py").write_text(CONFIG)
    (package / "app.py").write_text(APP.format(before=before, energy=energy))
    monkeypatch.syspath_prepend(folder / "site")
    monkeypatch.setenv("PYTHONPATH", str(folder / "site"))
    monkeypatch.setenv("PATH", os.defpath)


def some(m: int) -> MappingBatch:
    space = LearnersMapspace(SPEC)
    return space.decode(space.sample(m, np.random.Generator(np.random.PCG64(1))))


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TimeloopEvaluator]:
    install(tmp_path, monkeypatch)
    evaluator = TimeloopEvaluator(SPEC)
    yield evaluator
    assert isinstance(evaluator.program, Bindings)
    evaluator.program.close()


def test_outcomes_and_the_total_in_full(real: TimeloopEvaluator) -> None:
    batch = some(3)
    assert real.name.startswith("pytimeloop (sha256 ")
    got, native = real(batch), NativeEvaluator(SPEC)(batch)
    np.testing.assert_array_equal(got.cycles, native.cycles)
    assert got.energy_pj.tolist() == [1.5, 1.5, 1.5]  # what the bindings say, not the sum of printed parts


def test_a_bad_mapping_ends_a_child_only(real: TimeloopEvaluator) -> None:
    wrong = some(2)
    wrong.keep[:] = False
    assert real(wrong).failure.tolist() == [Failure.BYPASS, Failure.BYPASS]
    assert real(some(1)).failure.tolist() == [Failure.OK]


def test_several_at_the_same_time(real: TimeloopEvaluator) -> None:
    got = ParallelEvaluator(real, Workers(2, "threading"))(some(6))
    np.testing.assert_array_equal(got.cycles, NativeEvaluator(SPEC)(some(6)).cycles)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
        ("raise ValueError('no such thing')", "no such thing"),
        ("import time; time.sleep(60)", "did not end within its time limit"),
    ],
)
def test_crashes(before: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, before)
    monkeypatch.setattr("timeloop_marl.evaluators.timeloop.bindings._START_SECONDS", 5.0)
    scratch = tmp_path / "calls"
    scratch.mkdir()
    evaluator = TimeloopEvaluator(SPEC, seconds=1.0, scratch=scratch)
    begun = time.monotonic()
    with pytest.raises(BackendError, match=words):
        evaluator(some(1))
    assert time.monotonic() - begun < 40
    assert isinstance(evaluator.program, Bindings)
    evaluator.program.close()


def test_bindings_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch)
    (tmp_path / "site" / "pytimeloop" / "app.py").write_text("raise ImportError('libtimeloop.so is missing')")
    with pytest.raises(BackendError, match="pytimeloop cannot be loaded"):
        TimeloopEvaluator(SPEC)(some(1))


def test_neither_program_nor_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    with pytest.raises(UsageError, match="timeloop-model: not found on the path"):
        TimeloopEvaluator(SPEC)
    with pytest.raises(UsageError, match="pytimeloop is not installed"):
        Bindings()
