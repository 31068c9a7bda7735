"""What is seen of a run while it goes on: snapshots, their displays, the log, TensorBoard."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from machines import gemm, three_level
from rich.console import Console

import timeloop_marl as tm
from timeloop_marl.errors import UsageError
from timeloop_marl.networks.budget import Course, Step
from timeloop_marl.networks.rounds import NetworkProgress
from timeloop_marl.networks.watching import NetworkLog, network_snapshot
from timeloop_marl.run import view
from timeloop_marl.run.log import LOG, EventLog, TensorBoard
from timeloop_marl.run.options import Settings
from timeloop_marl.run.result import Progress
from timeloop_marl.run.units import plain_number
from timeloop_marl.run.view import (
    Row,
    Snapshot,
    TerminalView,
    chosen_rows,
    duration,
    search_snapshot,
    snapshot_view,
)

SPEC = three_level(gemm(16, 24, 40))
HOSTILE = "<script>alert(1)</script>[bold]"


def progress(samples: int, valid: int = 1, **changes: Any) -> Progress:
    figures: dict[str, Any] = {
        "samples": samples, "valid": valid, "seconds": 2.0, "cost": 5e9 if valid else float("inf"), "cycles": 10,
        "energy_pj": 5.0, "improved": False, "replayed": False,
    }  # fmt: skip
    return Progress(**{**figures, **changes})


def network(layers: int, active: int = 0) -> NetworkProgress:
    """Every third layer has nothing valid, every fifth was not begun."""
    courses = []
    for i in range(layers):
        steps = (Step(5, 8e9, 10, 8.0), Step(9, 4e9, 10, 4.0)) if i % 3 else ()
        courses.append(Course(0 if i % 5 == 4 else 64, 40 if i % 3 else 0, steps))
    names = tuple(f"{HOSTILE}{i}" for i in range(layers))
    return NetworkProgress(active, names, tuple(courses), (128,) * layers, 3, 128 * layers, 10.0, 0)


def shown(item: Any, width: int = 110) -> str:
    console = Console(width=width, file=io.StringIO(), markup=False)
    console.print(item)
    text = console.file.getvalue()
    assert isinstance(text, str)
    return text


def test_a_search_in_one_line() -> None:
    snapshot = search_snapshot(progress(500), Settings(samples=2000))
    assert snapshot.share == 0.25
    assert snapshot.line == "500 samples · best EDP 0.005 J·cycle · 6 s left · 250/s · 0% valid"
    assert snapshot.fitting(60) == "500 samples · best EDP 0.005 J·cycle · 6 s left · 250/s"
    assert snapshot.fitting(5) == "500 samples"
    assert "nothing valid yet" in search_snapshot(progress(10, 0), Settings()).line
    assert "replaying" in search_snapshot(progress(10, replayed=True), Settings()).line
    assert search_snapshot(progress(2000), Settings(samples=2000)).facts[-1] == "writing the results"
    assert search_snapshot(progress(9), Settings(samples=None, target=3.0)).share == 0.0


def test_durations() -> None:
    assert [duration(s) for s in (8, 600, 7200, 400_000)] == ["8 s", "10 min", "2.0 h", "4.6 days"]


def test_a_network_shows_every_layer() -> None:
    snapshot = network_snapshot(network(7, active=1), (1, 4, 1, 1, 1, 1, 1), "edp")
    assert snapshot.share is not None and 0 < snapshot.share < 1
    assert "3 of 7 layers without a mapping yet" in snapshot.line and snapshot.line.endswith("left")
    assert [row.active for row in snapshot.rows] == [False, True] + [False] * 5
    assert snapshot.rows[1].cells[1:] == ("4", "64", "128", "62%", "0.004", "2×")
    assert snapshot.rows[0].cells[5] == "none yet" and snapshot.rows[4].cells[5] != ""
    text = shown(snapshot_view(snapshot, 40, 120))
    assert all(f"{HOSTILE}{i}"[:28] in text for i in range(7)) and "more" not in text


def test_totals_of_a_network() -> None:
    found = network(3)
    found = NetworkProgress(**{**vars(found), "courses": (found.courses[1],) * 3})
    energy, cycles = 3 * 4.0, 30
    for objective, text in (
        ("edp", f"total EDP {plain_number(energy * cycles * 1e-12)} J·cycle"),
        ("energy", f"total energy {plain_number(energy * 1e-6)} µJ"),
        ("delay", "total cycles 30"),
    ):
        assert text in network_snapshot(found, (1, 1, 1), objective).line


@pytest.mark.parametrize("active", [0, 199, 399])
def test_of_many_layers_those_around_the_active_one(active: int) -> None:
    snapshot = network_snapshot(network(400, active), (1,) * 400, "edp")
    rows = chosen_rows(snapshot.rows, 20)
    assert len(rows) == 19 and any(row.active for row in rows)
    text = shown(snapshot_view(snapshot, 24, 120))
    assert "and 382 more" in text and len(text.splitlines()) <= 24


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for snapshot in (
        network_snapshot(network(9), (1,) * 9, "edp"),
        search_snapshot(progress(500), Settings()),
    ):
        assert all(
            len(line) <= width for line in shown(snapshot_view(snapshot, 30, width), width).splitlines()
        )


def test_a_terminal_is_cleared_in_the_end() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with TerminalView(console) as terminal:
        terminal.announce("compiling")
        terminal.show(search_snapshot(progress(500), Settings()))
    written = console.file.getvalue()
    assert "500 samples" in written and written.rstrip().endswith("\x1b[2K")


def test_html_escapes_names() -> None:
    text = view.snapshot_html(network_snapshot(network(40), (1,) * 40, "edp"))
    assert "<script" not in text and "&lt;script&gt;" in text and "and 17 more" in text


def test_a_notebook_is_updated_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the interface of IPython: one display, then updates of it; the last snapshot is never lost."""
    shown: list[tuple[str, str]] = []

    class Handle:
        def update(self, content: str) -> None:
            shown.append(("update", content))

    def display(content: str, display_id: bool) -> Handle:
        assert display_id is True
        shown.append(("display", content))
        return Handle()

    tools = SimpleNamespace(HTML=str, display=display)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=tools))
    monkeypatch.setitem(sys.modules, "IPython.display", tools)
    assert view.in_notebook()
    with view.live_view() as live:
        for samples in range(100):
            live.show(search_snapshot(progress(samples), Settings()))
    assert [kind for kind, _ in shown][:2] == ["display", "update"] and len(shown) < 50
    assert "99 samples" in shown[-1][1]
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not view.in_notebook()


def test_ipython_has_what_is_used_of_it() -> None:
    display = pytest.importorskip("IPython.display", reason="IPython is not installed")
    assert callable(display.HTML) and "display_id" in display.display.__kwdefaults__
    assert hasattr(display.DisplayHandle, "update")


def entries(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_log_of_a_search(tmp_path: Path) -> None:
    result = tm.search(SPEC, samples=200, searcher="random", output=tmp_path)
    found = entries(tmp_path / LOG)
    events = [entry["event"] for entry in found]
    assert events[0] == "start" and events[-1] == "end" and "best" in events
    assert found[0]["searcher"] == "random" and found[0]["limits"] == {"samples": 200}
    assert found[-1]["samples"] == 200 and found[-1]["cost"] == result.search.best[0].cost
    costs = [entry["cost"] for entry in found if entry["event"] == "best"]
    assert costs == sorted(costs, reverse=True) and all("time" in entry for entry in found)
    tm.search(SPEC, samples=260, searcher="random", output=tmp_path, resume=True)
    again = entries(tmp_path / LOG)[len(found) :]
    assert [entry["event"] for entry in again][:2] == ["start", "resumed"] and again[-1]["samples"] == 260


def test_the_log_of_a_network(tmp_path: Path) -> None:
    log = NetworkLog(EventLog(tmp_path / LOG))
    for active in (1, 1, 0):
        log.update(network(3, active))
    found = entries(tmp_path / LOG)
    assert [entry["event"] for entry in found] == ["best", "layer", "layer"]
    assert found[0]["cost"] == 4e9 and found[2]["cost"] is None and found[0]["total_samples"] == 192


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "no such folder" / LOG)
    log.write("start")
    full = EventLog("/dev/full") if Path("/dev/full").exists() else log
    full.write("start")
    full.write("end")


def test_tensorboard_gets_scalars(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    with TensorBoard(tmp_path / "board") as board:
        tm.search(SPEC, samples=300, searcher="random", on_progress=board.update)
    data = b"".join(path.read_bytes() for path in (tmp_path / "board").iterdir())
    for name in (b"best/cost", b"best/cycles", b"search/valid_share", b"search/samples_per_second"):
        assert name in data


def test_without_tensorboard_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UsageError, match="pip install"):
        TensorBoard(tmp_path)


def test_rows_keep_their_order() -> None:
    rows = tuple(Row((str(i),), 0.0, False) for i in range(5))
    assert chosen_rows(rows, 9) == list(rows) and chosen_rows(rows, 3) == list(rows[:2])
    assert Snapshot("x", None, ("a", "b")).line == "a · b"
