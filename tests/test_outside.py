"""Nothing is written outside the run folder, but matplotlib's list of fonts in the user's cache folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from shell import FC, TOY, process

SMALL = ["--samples", "48", "--searcher", "genetic", "--quiet"]


@pytest.mark.parametrize(
    "words",
    [
        ["search", TOY, FC, *SMALL],
        ["network", TOY, FC, *SMALL, "--jobs", "2"],
        ["sweep", TOY, FC, *SMALL, "--set", "REG.attributes.depth=3,6", "--jobs", "2"],
        ["sweep", TOY, FC, *SMALL, "--set", "REG.attributes.depth=3,6", "--backend", "dask", "--jobs", "2"],
    ],
    ids=["search", "network", "sweep", "sweep on Dask"],
)
def test_where_commands_write(tmp_path: Path, words: list[str]) -> None:
    if "dask" in words:
        pytest.importorskip("distributed")
    places = {name: tmp_path / name for name in ("home", "temporary", "here")}
    for place in places.values():
        place.mkdir()
    environment = {"HOME": str(places["home"]), "TMPDIR": str(places["temporary"])}
    environment |= {
        "XDG_CACHE_HOME": "",
        "XDG_CONFIG_HOME": "",
        "MPLCONFIGDIR": "",
        "PATH": str(Path(sys.executable).parent),
    }
    done = process(*words, "-o", tmp_path / "run", env=environment, cwd=places["here"])
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "run" / "run.json").exists()
    strays = [path for place in places.values() for path in place.rglob("*") if path.is_file()]
    assert [path for path in strays if "matplotlib" not in path.parts] == []
