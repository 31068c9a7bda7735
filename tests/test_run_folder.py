"""The run folder: whole files or none, clear errors, one writer."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from machines import gemm, three_level

from timeloop_marl.errors import UsageError
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.run.folder import RunFolder
from timeloop_marl.run.options import RunOptions
from timeloop_marl.run.result import StopReason
from timeloop_marl.run.run import Run
from timeloop_marl.run.trace import TraceBatch, TraceWriter
from timeloop_marl.testing import FakeEvaluator

SPEC = three_level(gemm(16, 24, 40))
ROWS = LearnersMapspace(SPEC).sample(4, np.random.default_rng(1))


def test_write_replaces_whole_files(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a" / "b")
    folder.create()
    folder.write("x.txt", "one")
    folder.write("x.txt", "two")
    assert (folder.path / "x.txt").read_text() == "two"
    assert [file.name for file in folder.path.iterdir()] == ["x.txt"], "no temporary file is left"


def test_manifest_round_trip_and_errors(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(UsageError, match="no run in this folder"):
        folder.read_manifest()
    folder.write_manifest({"seed": 3})
    assert folder.read_manifest()["seed"] == 3
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UsageError, match="not a readable JSON file"):
        folder.read_manifest()
    (tmp_path / "run.json").write_text('{"manifest_version": 999}')
    with pytest.raises(UsageError, match="not a manifest of this version"):
        folder.read_manifest()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot make the output folder"):
        RunFolder(tmp_path / "file" / "sub").create()


def test_write_error_names_the_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "missing")
    with pytest.raises(UsageError, match=r"x\.txt: cannot write"):
        folder.write("x.txt", "content")


def test_second_writer_is_refused(tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path).locked(),
        pytest.raises(UsageError, match="another run is writing"),
        RunFolder(tmp_path).locked(),
    ):
        pass


def test_a_run_holds_its_folder_and_logs_from_start_to_end(tmp_path: Path) -> None:
    told: list[str] = []
    options = RunOptions(tmp_path, on_compile=told.append, arguments={"files": ["a.yaml"]})
    with Run("search", options) as run:
        run.describe({"files": ["b.yaml"], "seed": 3}, layers={"fc": "1"})
        run.announce("compiling")
        run.start(seed=3)
        with (
            pytest.raises(UsageError, match="another run is writing here"),
            Run("search", options, mark=None),
        ):
            pass
        run.end(StopReason.INTERRUPTED.value, samples=7)
    assert told == ["compiling"]
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["event"] for entry in entries] == ["start", "compile", "interruption"]
    assert entries[0]["seed"] == 3 and entries[2]["samples"] == 7
    manifest = RunFolder(tmp_path).read_manifest()
    assert manifest["arguments"] == {"files": ["a.yaml"], "seed": 3} and manifest["layers"] == {"fc": "1"}
    with pytest.raises(UsageError, match="holds a run already"):
        Run("search", options)
    with Run("search", RunOptions(tmp_path, resume=True)) as again:
        assert again.resumed


def test_a_run_without_a_folder_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Run("search", RunOptions()) as run:
        run.describe({"seed": 1})
        run.start()
        run.end("done")
    assert list(tmp_path.iterdir()) == []


def test_locks_and_temporary_files_follow_no_links(tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", RunFolder(tmp_path / "run")
    victim.write_text("precious")
    folder.create()
    (folder.path / ".lock").symlink_to(victim)
    with pytest.raises(UsageError, match="cannot write into this folder"), folder.locked():
        pass
    (folder.path / f".trace.bin.{os.getpid()}").symlink_to(victim)
    TraceWriter.create(folder.trace, {"axes": 1, "accesses": 0}).close()
    (folder.path / "x.txt").symlink_to(victim)
    folder.write("x.txt", "new")
    assert victim.read_text() == "precious" and (folder.path / "x.txt").read_text() == "new"


def test_a_folder_that_is_deleted_is_noticed_at_the_next_batch(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create()
    outcome = FakeEvaluator()(LearnersMapspace(SPEC).decode(ROWS))
    with TraceWriter.create(folder.trace, {"axes": ROWS.shape[1], "accesses": 0}) as writer:
        writer.append(TraceBatch(ROWS, outcome, 4, 0.1))
        folder.trace.unlink()
        with pytest.raises(UsageError, match="deleted or replaced while the search was running"):
            writer.append(TraceBatch(ROWS, outcome, 4, 0.2))
