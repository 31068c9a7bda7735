"""What Python gets back: in a line, as a table in a notebook, as a frame, as pictures; and runs that are done again."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from machines import gemm, three_level

import timeloop_marl as tm
from timeloop_marl.errors import UsageError
from timeloop_marl.run.tables import Tabular

SPEC = three_level(gemm(16, 24, 40))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tm.Result:
    return tm.search(
        SPEC, searcher="random", samples=64, seed=1, output=tmp_path_factory.mktemp("runs") / "search"
    )


def check(result: Tabular, rows: int) -> pd.DataFrame:
    frame = result.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) == rows
    assert len(repr(result)) < 200
    page = result._repr_html_()
    tree = ElementTree.fromstring(page)
    assert [cell.text for cell in tree.iter("th")] == list(frame.columns)
    assert sum(1 for _ in tree.iter("tr")) == 1 + min(rows, 20)
    return frame


def test_a_search(found: tm.Result) -> None:
    frame = check(found, rows=sum(tensor.kept for level in found.best.levels for tensor in level.tensors))
    assert f"{found.best.cycles:,} cycles" in repr(found)
    stored = sum(tensor.energy_total for level in found.best.levels for tensor in level.tensors)
    assert frame["energy_pj"].sum() == pytest.approx(stored)
    # The outermost level keeps all; every read there is one of the words that the level below is filled with.
    assert frame["level"].iloc[0] == found.best.levels[-1].name


def test_its_course(found: tm.Result) -> None:
    frame = check(found.search, rows=len(found.search.trajectory))
    assert frame["cost"].iloc[-1] == found.search.best[0].cost
    assert frame["cost"].is_monotonic_decreasing


def test_its_trace(found: tm.Result, tmp_path: Path) -> None:
    assert tm.search(SPEC, searcher="random", samples=64, seed=1, output=tmp_path).best == found.best
    frame = check(tm.read_trace(tmp_path), rows=64)
    best = frame[frame["valid"]].sort_values("edp").iloc[0]
    assert best["edp"] == found.search.best[0].edp
    assert int(best["sample"]) == found.search.best[0].sample


def test_nothing_found() -> None:
    spec = three_level(gemm(16, 24, 40))
    nothing = tm.search(spec, searcher="timeloop-random", samples=1, seed=1)
    if not nothing.found:
        assert "nothing valid in 1 samples" in repr(nothing)
        check(nothing, rows=0)


def test_a_front() -> None:
    front = tm.search_front(SPEC, searcher="nsga2", samples=100, seed=1)
    assert front.search.samples == 100
    frame = check(front, rows=len(front.members))
    assert list(frame["cycles"]) == [member.found.cycles for member in front.members]


def test_pictures(found: tm.Result, tmp_path: Path) -> None:
    for name in ("convergence", "nest", "energy", "roofline"):
        picture = tm.plot(found, name, width=500.0)
        root = ElementTree.fromstring(picture._repr_svg_())
        assert root.get("width") == "500"
    assert tm.plot(found).save(tmp_path / "a.svg").read_text().startswith("<?xml")
    assert tm.plot(found).save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="did you mean 'roofline'"):
        tm.plot(found, "rofline")
    with pytest.raises(UsageError, match=r"\.svg or \.png"):
        tm.plot(found).save(tmp_path / "a.jpeg")


def test_a_run_is_done_again(tmp_path: Path) -> None:
    def run(samples: int, **how: bool) -> tm.Result:
        return tm.search(
            SPEC, searcher="random", samples=samples, seed=1, top=2, output=tmp_path / "a", **how
        )

    first = run(50)
    (tmp_path / "a/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="--overwrite"):
        run(50)
    with pytest.raises(UsageError, match="give one of them"):
        run(50, overwrite=True, resume=True)
    again = run(40, overwrite=True)
    assert len(tm.read_trace(tmp_path / "a")) == 40 == again.search.samples
    assert first.search.samples == 50
    assert (tmp_path / "a/notes.txt").read_text() == "mine"


def test_the_version() -> None:
    assert tm.__version__ == version("timeloop-marl")
