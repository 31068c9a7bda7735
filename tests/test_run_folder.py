"""The run folder: whole files or none, clear errors, one writer."""

from pathlib import Path

import pytest

from timeloop_marl.errors import UsageError
from timeloop_marl.run.folder import RunFolder


def test_write_replaces_whole_files(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a" / "b")
    folder.create()
    folder.write("x.txt", "one")
    folder.write("x.txt", "two")
    assert (folder.path / "x.txt").read_text() == "two"
    assert [file.name for file in folder.path.iterdir()] == ["x.txt"], "no temporary file is left"


def test_manifest_round_trip_and_errors(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(UsageError, match="no run to resume"):
        folder.read_manifest()
    folder.write_manifest({"seed": 3})
    assert folder.read_manifest()["seed"] == 3
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UsageError, match="not a readable run manifest"):
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
