"""A sweep while it goes on: the table of its points, and its log."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from shell import FC, TOY

import timeloop_marl as tm
from timeloop_marl.networks.sweep_result import DONE, FAILED, SweepPoint
from timeloop_marl.networks.watching import SweepProgress, Within, sweep_snapshot
from timeloop_marl.run import view
from timeloop_marl.run.log import LOG
from timeloop_marl.run.view import Snapshot, snapshot_view

BLANK = SweepPoint("GLB.depth=16", "eyeriss", {}, "points/a")
FULL = replace(BLANK, name="GLB.depth=32", status=DONE, cycles=1200, energy_pj=5e6, edp=6e9, area_um2=2.5e6,
               samples=500, best=True, front=True)  # fmt: skip
WRONG = replace(BLANK, name="GLB.depth=-1", status=FAILED, message="no")


def test_what_a_sweep_shows() -> None:
    within = Within(0, 250, 500)
    snapshot = sweep_snapshot(SweepProgress(BLANK, (BLANK, FULL, WRONG), 10.0, within))
    assert snapshot.share == 2.5 / 3
    assert snapshot.facts[:2] == ("2 of 3 points", "750 samples")
    assert "2 s left" in snapshot.facts and "75/s" in snapshot.facts
    assert [row.share for row in snapshot.rows] == [0.5, 1.0, 1.0]
    assert [row.active for row in snapshot.rows] == [True, False, False]
    assert [row.cells[-1] for row in snapshot.rows] == ["", "best", "failed"]
    console = Console(width=100, file=io.StringIO(), markup=False)
    console.print(snapshot_view(snapshot, 30, 100))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(word in text for word in ("GLB.depth=32", "1,200", "2.5", "failed", "750 samples"))


def test_nothing_done_and_no_budget() -> None:
    snapshot = sweep_snapshot(SweepProgress(BLANK, (BLANK,), 0.0))
    assert snapshot.share == 0.0 and snapshot.facts == ("0 of 1 points", "0 samples")
    assert Within(0, 10, None).share == 0.0


def test_a_sweep_is_shown_and_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Snapshot] = []
    monkeypatch.setattr(view.Nowhere, "show", lambda self, snapshot: shown.append(snapshot))
    given = {"values": {"BUF.attributes.depth": "16,64"}, "samples": 40, "searcher": "genetic"}
    tm.sweep([TOY, FC], output=tmp_path, live=True, **given)
    sweeps = [snapshot for snapshot in shown if snapshot.title == "sweep"]
    assert len(sweeps) > 2 and sweeps[-1].share == 1.0  # also while a point goes on
    entries = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [entry["event"] for entry in entries] == ["start", "point", "point", "end"]
    assert entries[1]["edp"] and entries[-1] | {"done": 2, "samples": 80} == entries[-1]
