"""timeloop-model as an Evaluator, the drop-in standing in for it: figures, failures, crashes, hangs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from machines import gemm, three_level
from programs import drop_in, quick_drop_in, script

from timeloop_marl.cost.outcome import Failure
from timeloop_marl.errors import BackendError, UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.evaluators.timeloop import OnCrash, TimeloopEvaluator, find_program
from timeloop_marl.evaluators.timeloop.figures import Measured
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import Spec
from timeloop_marl.validation.rows.figures import disagreements

SPEC = three_level(gemm(16, 24, 40))


def some(m: int, spec: Spec = SPEC, seed: int = 1) -> MappingBatch:
    space = LearnersMapspace(spec)
    return space.decode(space.sample(m, np.random.Generator(np.random.PCG64(seed))))


def evaluator(program: Path, scratch: Path, **choices: object) -> TimeloopEvaluator:
    folder = scratch / "calls"
    folder.mkdir(exist_ok=True)
    return TimeloopEvaluator(SPEC, program=program, scratch=folder, **choices)


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[Path]:
    """The folder of the temporary folders; nothing may stay in it unless a test takes it away."""
    yield tmp_path / "calls"
    left = list((tmp_path / "calls").iterdir()) if (tmp_path / "calls").exists() else []
    assert not left, left


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Path]:
    with quick_drop_in(tmp_path / "bin") as path:
        yield path


def test_outcomes_equal_the_native_model(tmp_path: Path, calls: Path) -> None:
    batch = some(4)
    real = evaluator(drop_in(tmp_path), tmp_path, accesses=True)
    native = NativeEvaluator(SPEC, accesses=True)
    got, expected = real(batch), native(batch)
    np.testing.assert_array_equal(got.cycles, expected.cycles)
    np.testing.assert_array_equal(got.failure, expected.failure)
    np.testing.assert_array_equal(got.failed_level, expected.failed_level)
    np.testing.assert_array_equal(got.accesses, expected.accesses)
    np.testing.assert_allclose(got.energy_pj, expected.energy_pj, rtol=0, atol=0.2)  # sums of two decimals
    np.testing.assert_array_equal(got.utilization, expected.utilization)
    assert real.name.startswith("timeloop-model (sha256 ")


def test_every_figure_agrees_as_printed(tmp_path: Path, calls: Path, model: Path) -> None:
    real, native = evaluator(model, tmp_path), NativeEvaluator(SPEC)
    batch = some(2)
    for i in range(2):
        found = real.measure(batch[i])
        assert isinstance(found, Measured) and not found.full
        assert disagreements(native.statistics(batch[i]), found, SPEC) == []
        # The other mapping's figures are noticed.
        assert disagreements(native.statistics(batch[1 - i]), found, SPEC)


def test_invalid_mappings_are_outcomes(tmp_path: Path, calls: Path, model: Path) -> None:
    batch = some(1)
    for keep, factor, failure in ((False, 1, Failure.BYPASS), (True, 16, Failure.CAPACITY)):
        wrong = batch.take(np.array([0]))
        wrong.keep[:] = keep
        if factor > 1:  # everything in the innermost level
            wrong.factors[:] = 1
            wrong.residuals[:] = 1
            wrong.factors[0, 0 if not SPEC.architecture.tiling_levels[0].spatial else 1] = SPEC.problem.bounds
            wrong.residuals[:] = wrong.factors
        got, expected = evaluator(model, tmp_path)(wrong), NativeEvaluator(SPEC)(wrong)
        assert got.failure[0] == expected.failure[0] == failure
        assert got.failed_level[0] == expected.failed_level[0]
        result = evaluator(model, tmp_path).measure(wrong[0])
        assert disagreements(NativeEvaluator(SPEC).statistics(wrong[0]), result, SPEC) == []


CRASHES = {
    "signal": ("import os\nos.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
    "status": ("import sys\nprint('Bus error', file=sys.stderr)\nsys.exit(7)", "exit status 7"),
    "nothing": ("", "ended without writing timeloop-model.stats.txt"),
    "cut": (
        "open('timeloop-model.stats.txt', 'w').write('Buffer and Arithmetic Levels\\n')",
        "is the disk full",
    ),
    "refused": (
        "import sys\nprint('ERROR: mapping violates architecture constraints.', file=sys.stderr)\nsys.exit(1)",
        "mapping violates architecture constraints",
    ),
}


@pytest.mark.parametrize("kind", CRASHES)
def test_a_crash_says_how_to_repeat_it(kind: str, tmp_path: Path) -> None:
    code, words = CRASHES[kind]
    with pytest.raises(
        BackendError, match=r"run it again by hand: cd .* && .*timeloop-model input.yaml"
    ) as caught:
        evaluator(script(tmp_path, code), tmp_path)(some(1))
    assert words in str(caught.value)
    (kept,) = (tmp_path / "calls").iterdir()
    assert (kept / "input.yaml").stat().st_size > 0


def test_crashes_can_be_skipped_and_few_folders_stay(tmp_path: Path) -> None:
    skipping = evaluator(script(tmp_path, CRASHES["signal"][0]), tmp_path, on_crash=OnCrash.SKIP)
    outcome = skipping(some(12))
    assert (outcome.failure == Failure.OTHER).all()
    assert len(skipping.crashes) == 12
    assert len(list((tmp_path / "calls").iterdir())) == 10


def test_a_hanging_program_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, pathlib, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\ntime.sleep(60)"
    )
    begun = time.monotonic()
    with pytest.raises(BackendError, match="did not end within its time limit"):
        evaluator(script(tmp_path, code), tmp_path, seconds=2.0)(some(1))
    assert time.monotonic() - begun < 20
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        status = Path(f"/proc/{child}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail("the child of the program lives on")


def test_a_failed_assertion_is_a_verdict(tmp_path: Path, calls: Path) -> None:
    code = (
        "import os, sys\n"
        "print('timeloop-model: src/x.cpp:1: void f(): Assertion `a >= b\\' failed.', file=sys.stderr)\n"
        "sys.stderr.flush()\nos.abort()"
    )
    result = evaluator(script(tmp_path, code), tmp_path)(some(1))
    assert result.failure[0] == Failure.OTHER


def test_a_missing_program_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not found on the path"):
        TimeloopEvaluator(SPEC, program=tmp_path / "timeloop-model")
    (tmp_path / "timeloop-model").write_text("not executable")
    with pytest.raises(UsageError, match="not executable"):
        TimeloopEvaluator(SPEC, program=tmp_path / "timeloop-model")
    (tmp_path / "timeloop-model").chmod(0o755)
    with pytest.raises(BackendError, match="cannot be started"):
        TimeloopEvaluator(SPEC, program=tmp_path / "timeloop-model")(some(1))


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    one, two = drop_in(tmp_path / "a"), drop_in(tmp_path / "b")
    assert find_program(one).fingerprint == find_program(two).fingerprint
    before = find_program(two).fingerprint
    (two.parent / "libtimeloop-model.so").write_bytes(b"another")
    assert find_program(two).fingerprint != before


def test_timeloop_variables_do_not_leak_into_the_call(
    tmp_path: Path, calls: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMELOOP_OUTPUT_STAT_SCIENTIFIC", "1")
    monkeypatch.setenv("TIMELOOP_DISABLE_LINK_TRANSFERS", "1")
    batch = some(1)
    found = evaluator(model, tmp_path).measure(batch[0])
    assert disagreements(NativeEvaluator(SPEC).statistics(batch[0]), found, SPEC) == []
    assert os.environ["TIMELOOP_DISABLE_LINK_TRANSFERS"] == "1"


@pytest.mark.timeloop
@pytest.mark.skipif(shutil.which("timeloop-model") is None, reason="timeloop-model is not on the path")
def test_the_real_program_agrees() -> None:
    real, native, batch = TimeloopEvaluator(SPEC), NativeEvaluator(SPEC), some(20)
    for i in range(len(batch)):
        assert disagreements(native.statistics(batch[i]), real.measure(batch[i]), SPEC) == []
