"""The commands with the real program in the loop or as the judge; drop-ins and scripted programs stand in for it."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from programs import drop_in, quick_drop_in, script

from timeloop_marl.api.search import search
from timeloop_marl.cli import main
from timeloop_marl.cli.dropin.model import run_model
from timeloop_marl.cost.outcome import Statistics
from timeloop_marl.errors import BackendError, UsageError
from timeloop_marl.evaluators.cache import OutcomeCache
from timeloop_marl.evaluators.choice import EvaluatorChoice, default_cache, make_evaluator, timeloop_identity
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.evaluators.timeloop import OnCrash, TimeloopEvaluator
from timeloop_marl.run.trace import read_trace
from timeloop_marl.specs import load
from timeloop_marl.specs.spec import Spec
from timeloop_marl.validation.verification import (
    Check,
    Verification,
    draw_mappings,
    probe_spec,
    probes,
    recognise_rules,
    verify_mappings,
    with_rules,
)

INPUTS = Path(__file__).resolve().parent / "golden" / "inputs"
FILES = [INPUTS / "arch" / "small_toy" / f"{name}.yaml" for name in ("arch_v03", "ERT", "ART")]
FILES.append(INPUTS / "problems" / "toy_conv.yaml")
WORDS = [str(file) for file in FILES]


@pytest.fixture
def spec() -> Spec:
    return load(WORDS)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[str]:
    """A stand-in for timeloop-model that answers at once."""
    with quick_drop_in(tmp_path / "bin") as path:
        yield str(path)


def test_jobs_change_nothing(tmp_path: Path, spec: Spec, program: str) -> None:
    results = []
    for jobs in (1, 3):
        choice = EvaluatorChoice("timeloop", jobs=jobs, program=program)
        search(spec, output=tmp_path / f"out{jobs}", samples=20, evaluator=choice)
        batch = read_trace(tmp_path / f"out{jobs}" / "trace.bin")
        header = batch.header
        outcome = batch.outcome
        results.append(
            (header, batch.candidates.tolist(), outcome.energy_pj.tolist(), outcome.failure.tolist())
        )
    assert results[0] == results[1]


def test_a_search_with_the_program_finds_what_the_native_one_finds(spec: Spec, program: str) -> None:
    choice = EvaluatorChoice("timeloop", program=program)
    real, native = search(spec, samples=20, evaluator=choice), search(spec, samples=20)
    assert real.mapping == native.mapping
    assert real.best.cycles == native.best.cycles
    assert abs(real.best.energy_pj - native.best.energy_pj) < 0.1
    assert "timeloop-model (sha256" in real.evaluator and "two decimals" in real.evaluator


def test_nothing_is_evaluated_twice_across_runs(
    tmp_path: Path, spec: Spec, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("CALL_LOG", str(log))
    choice = EvaluatorChoice("timeloop", jobs=2, program=program, cache=tmp_path / "cache.sqlite")
    first = search(spec, samples=20, evaluator=choice)
    calls = len(log.read_text().splitlines())
    again = search(spec, samples=20, evaluator=choice)
    assert again.search.best == first.search.best
    # Only the winner's full statistics are asked for anew: the cache holds outcomes.
    assert len(log.read_text().splitlines()) == calls + 1
    assert calls == len(OutcomeCache(tmp_path / "cache.sqlite")) + 1


def test_the_cache_tells_inputs_apart(spec: Spec, tmp_path: Path) -> None:
    real = TimeloopEvaluator(spec, program=drop_in(tmp_path))
    base = timeloop_identity(spec, "x", real)
    energies = dataclasses.replace(spec.energies, compute=spec.energies.compute + 1)
    options = dataclasses.replace(spec.options, link_transfers=False)
    switches = dataclasses.replace(spec.constraints.switches, no_link_transfer={(0, 0)})
    for other in (
        dataclasses.replace(spec, energies=energies),
        dataclasses.replace(spec, options=options),
        dataclasses.replace(spec, constraints=dataclasses.replace(spec.constraints, switches=switches)),
    ):
        assert timeloop_identity(other, "x", real) != base
    mapper = dataclasses.replace(spec.mapper, victory_condition=1)
    assert timeloop_identity(dataclasses.replace(spec, mapper=mapper), "x", real) == base


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIMELOOP_MARL_CACHE", str(tmp_path / "c"))
    assert default_cache() == tmp_path / "c"
    monkeypatch.delenv("TIMELOOP_MARL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "timeloop-marl" / "outcomes.sqlite"


def test_choices_are_checked(spec: Spec) -> None:
    for wrong in ({"kind": "maestro"}, {"on_crash": "ignore"}, {"jobs": 0}):
        with pytest.raises(UsageError):
            EvaluatorChoice(**wrong)
    with pytest.raises(UsageError, match="not found on the path"):
        make_evaluator(spec, EvaluatorChoice("timeloop", program="no-such-timeloop-model"))


def test_a_crash_stops_with_everything_kept_and_resume_goes_on(tmp_path: Path, spec: Spec) -> None:
    count = tmp_path / "count"
    count.write_text("0")
    before = (
        f"n = int(open({str(count)!r}).read()) + 1\nopen({str(count)!r}, 'w').write(str(n))\n"
        "if n == 8:\n    os.kill(os.getpid(), 11)"
    )
    with quick_drop_in(tmp_path / "bin", before) as program:
        crash_and_resume(tmp_path, spec, program, count)


def crash_and_resume(tmp_path: Path, spec: Spec, program: Path, count: Path) -> None:
    choice = EvaluatorChoice("timeloop", program=str(program), cache=tmp_path / "cache.sqlite")
    out = tmp_path / "out"
    with pytest.raises(BackendError, match="SIGSEGV"):
        search(spec, samples=20, output=out, evaluator=choice)
    assert len(OutcomeCache(tmp_path / "cache.sqlite")) == 7
    result = search(spec, samples=20, output=out, evaluator=choice, resume=True)
    # 7, the crash, 13 that were missing, the winner's statistics
    assert (result.search.samples, int(count.read_text())) == (20, 22)
    assert result.mapping == search(spec, samples=20).mapping


def test_skipped_crashes_are_samples(tmp_path: Path, spec: Spec) -> None:
    program = script(tmp_path, "import os\nos.kill(os.getpid(), 9)")
    choice = EvaluatorChoice("timeloop", program=str(program), on_crash="skip")
    result = search(spec, samples=5, evaluator=choice)
    assert (result.found, result.search.samples, result.search.valid) == (False, 5, 0)


def test_search_and_verify_commands(tmp_path: Path, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    real = ["--timeloop-model", program, "--jobs", "2"]
    assert main(["search", *WORDS, "--samples", "40", "--verify", "2", *real, "-o", str(out), "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "verified: 2 mappings (2 valid)" in shown and ": 0 differ" in shown
    report = json.loads((out / "verify.json").read_text())
    assert (report["mappings"], report["differences"]) == (2, []) and report["figures"] > 200
    assert main(["verify", *WORDS, "--samples", "10", *real, "-o", str(tmp_path / "v")]) == 0
    shown = capsys.readouterr().out
    assert "follows the rules of 2025" in shown and "verified: 10 mappings" in shown
    looped = ["--evaluator", "timeloop", "--cache", "none", *real, "-o", str(tmp_path / "loop")]
    assert main(["search", *WORDS, "--samples", "10", *looped]) == 0
    assert "timeloop-model (sha256" in capsys.readouterr().out
    assert json.loads((tmp_path / "loop" / "summary.json").read_text())["evaluator"].startswith(
        "timeloop-model"
    )


def test_a_differing_figure_is_reported_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def one_more_read(words: list[str], *, cwd: Path, **streams: Any) -> int:
        """Of the innermost level."""
        code = run_model(words, cwd=cwd, **streams)
        name = cwd / "timeloop-model.stats.txt"
        pattern = r"(Scalar reads .per-instance. *: )(\d+)"
        name.write_text(re.sub(pattern, lambda m: m[1] + str(int(m[2]) + 1), name.read_text(), count=1))
        return code

    with quick_drop_in(tmp_path, answer=one_more_read) as program:
        code = main(["verify", *WORDS, "--samples", "2", "--timeloop-model", str(program)])
    shown = capsys.readouterr().out
    assert code == 1
    assert "follows neither rule set; with those of 2025 it differs first in levels.RF.ds." in shown
    assert "REG: 2 figures differ" in shown and ".reads: real" in shown


def test_a_missing_program_is_exit_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert main(["verify", *WORDS, "--timeloop-model", gone]) == 2
    assert "not found on the path" in capsys.readouterr().err


class NativeInstead:
    """A program that follows a rule set, without the program."""

    def __init__(self, spec: Spec, rules: str) -> None:
        self.name = "timeloop-model"
        self.native = NativeEvaluator(with_rules(spec, rules), compiled=False)

    def measure(self, mapping: object) -> object:
        from timeloop_marl.evaluators.timeloop.figures import Measured

        result = self.native.statistics(mapping)
        return Measured(result, True) if isinstance(result, Statistics) else result


@pytest.mark.parametrize("rules", ["2025", "2022"])
def test_rule_sets_are_recognised(rules: str) -> None:
    found = recognise_rules(lambda spec: NativeInstead(spec, rules))
    assert (found.rules, found.first) == (rules, None)


def test_probes_tell_the_rule_sets_apart() -> None:
    assert len(probes()) == 4
    for mapping in probes():
        new, old = (
            NativeEvaluator(with_rules(probe_spec(), rules), compiled=False) for rules in ("2025", "2022")
        )
        assert new.statistics(mapping) != old.statistics(mapping)


def test_verification_counts_by_place(spec: Spec) -> None:
    mapping = draw_mappings(spec, 1, 1)[0]
    verification = verify_mappings(spec, [mapping], NativeInstead(spec, "2025"))
    assert verification.agree and verification.figures > 100
    from timeloop_marl.validation.rows.figures import Difference

    differences = tuple(
        Difference(path, 1, 2)
        for path in ("cycles", "levels.BUF.ds.Inputs.reads", "levels.BUF.cycles", "nets.a <==> b.X.hops")
    )
    other = Verification("p", "n", (Check(mapping, True, 10, True, differences),))
    assert other.places() == {"total": 1, "BUF": 2, "a <==> b": 1}


def test_a_hang_costs_one_mapping_of_a_verification(tmp_path: Path, spec: Spec) -> None:
    before = (
        f"with open({str(tmp_path / 'n')!r}, 'a') as stream:\n    stream.write('x')\n"
        f"if os.path.getsize({str(tmp_path / 'n')!r}) == 2:\n    os.kill(os.getpid(), 9)"
    )
    mappings = draw_mappings(spec, 4, 1)
    with quick_drop_in(tmp_path / "bin", before) as program:
        skipping = TimeloopEvaluator(spec, program=program, on_crash=OnCrash.SKIP, scratch=tmp_path)
        found = verify_mappings(spec, mappings, skipping)
    assert (len(found.checks), len(found.unanswered)) == (3, 1)
    assert found.agree and "1 mappings without an answer" in found.summary()
    with quick_drop_in(tmp_path / "again", "os.kill(os.getpid(), 9)") as program:
        stopping = TimeloopEvaluator(spec, program=program, scratch=tmp_path)
        with pytest.raises(BackendError, match="SIGKILL"):
            verify_mappings(spec, mappings, stopping)


def test_draws_are_different_and_repeatable(spec: Spec) -> None:
    drawn = draw_mappings(spec, 50, 3)
    assert len(set(drawn)) == 50 and drawn == draw_mappings(spec, 50, 3) != draw_mappings(spec, 50, 4)


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    try:
        texts = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for text in texts for word in text.split()]


def kill_and_resume(folder: Path, program: str, kills: int, seed: int) -> None:
    """Kill the search, or the program it has called, at random moments; compare with a whole search."""
    rng = random.Random(seed)
    log, cache, out = folder / "log", folder / "cache.sqlite", folder / "out"
    samples = 60 + 4 * kills
    command = [sys.executable, "-m", "timeloop_marl", "search", *WORDS, "--samples", str(samples), "--quiet"]
    command += ["--evaluator", "timeloop", "--timeloop-model", program, "--jobs", "2"]
    command += ["--cache", str(cache), "-o", str(out), "--resume"]
    environment = {**os.environ, "CALL_LOG": str(log)}
    killed_calls = 0
    for _ in range(kills):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            process.wait(rng.uniform(1.0, 6.0))
        except subprocess.TimeoutExpired:
            calls = children(process.pid)
            victim = rng.choice(calls) if calls and rng.random() < 0.4 else process.pid
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            if victim != process.pid:
                killed_calls += 1
        _, said = process.communicate()
        # Undisturbed, killed, or stopped with one clear error because its timeloop-model was killed.
        assert process.returncode in (0, -9) or b"run it again by hand" in said, said
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    known = len(OutcomeCache(cache))
    calls = len(log.read_text().splitlines())
    # Each kill may cost the two calls under way; the rest are the samples and the winners' statistics.
    assert calls <= known + 3 * kills + 1
    trace = read_trace(out / "trace.bin")
    assert len(trace.candidates) == samples
    choice = EvaluatorChoice("timeloop", program=program, cache=cache)
    print(f"{kills} kills, {killed_calls} of them of the program; {calls} calls for {known} mappings")
    time.sleep(2.0)  # orphaned calls of the last kill note themselves down
    before = len(log.read_text().splitlines())
    os.environ["CALL_LOG"] = str(log)
    try:
        undisturbed = search(load(WORDS), samples=samples, evaluator=choice, output=folder / "again")
    finally:
        del os.environ["CALL_LOG"]
    assert len(log.read_text().splitlines()) == before + 1
    other = read_trace(folder / "again" / "trace.bin")
    assert trace.candidates.tolist() == other.candidates.tolist()
    assert trace.outcome.energy_pj.tolist() == other.outcome.energy_pj.tolist()
    assert undisturbed.found


# 100 kills: KILLS=100 pytest tests/test_backend.py -k random_moments -s
@pytest.mark.slow
def test_the_main_process_is_killed_at_random_moments(tmp_path: Path, program: str) -> None:
    kill_and_resume(tmp_path, program, kills=int(os.environ.get("KILLS", "8")), seed=1)
