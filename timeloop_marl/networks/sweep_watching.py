"""A sweep at one moment, and its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..report.units import edp_text, energy_text
from ..run.log import EventLog
from ..run.snapshot import Row, Snapshot, duration
from .sweep_result import DONE, FAILED, PENDING, SweepPoint, SweepResult

_COLUMNS = ("point", "area [mm²]", "samples", "cycles", "energy", "EDP [J·cycle]", "")


@dataclass(frozen=True)
class Within:
    """How far point number ``point`` is that is searched in this process: samples, and its budget if it has one."""

    point: int
    samples: int
    budget: int | None

    @property
    def share(self) -> float:
        """Of its budget, 0 to 1."""
        return min(1.0, self.samples / self.budget) if self.budget else 0.0


@dataclass(frozen=True)
class SweepProgress:
    """A snapshot: ``point`` is the one that has just come back, or in which something has moved (``within``)."""

    point: SweepPoint
    points: tuple[SweepPoint, ...]
    seconds: float
    within: Within | None = None

    @property
    def done(self) -> int:
        """Points that are finished, failed ones included."""
        return sum(point.status in (DONE, FAILED) for point in self.points)

    @property
    def total(self) -> int:
        """All points."""
        return len(self.points)


def sweep_snapshot(progress: SweepProgress) -> Snapshot:
    """All points with their figures; points done, the best so far, time left and samples/s on top."""
    within = progress.within
    share = (progress.done + (within.share if within else 0.0)) / max(1, progress.total)
    samples = sum(point.samples for point in progress.points) + (within.samples if within else 0)
    best = next((point for point in progress.points if point.best and point.edp is not None), None)
    facts = [f"{progress.done} of {progress.total} points", f"{samples:,} samples"]
    if best is not None and best.edp is not None:
        facts.append(f"best {best.name}: EDP {edp_text(best.edp)} J·cycle")
    if 0 < share < 1:
        facts.append(f"{duration(progress.seconds * (1 - share) / share)} left")
    if progress.seconds > 0:
        facts.append(f"{samples / progress.seconds:,.0f}/s")
    rows = tuple(_row(progress, point, i) for i, point in enumerate(progress.points))
    return Snapshot("sweep", share, tuple(facts), _COLUMNS, rows)


def _row(progress: SweepProgress, point: SweepPoint, index: int) -> Row:
    within = progress.within if progress.within and progress.within.point == index else None
    samples = within.samples if within else point.samples
    known = point.status == DONE
    cells = (
        point.name,
        f"{point.area_um2 * 1e-6:.4g}" if point.area_um2 is not None else "",
        f"{samples:,}" if samples else "",
        f"{point.cycles:,}" if known and point.cycles is not None else "",
        energy_text(point.energy_pj) if known and point.energy_pj is not None else "",
        edp_text(point.edp) if known and point.edp is not None else "",
        _said(point),
    )
    share = within.share if within else float(point.status in (DONE, FAILED))
    return Row(cells, share, within is not None or point.name == progress.point.name)


def _said(point: SweepPoint) -> str:
    if point.status == DONE:
        return "best" if point.best else "front" if point.front else ""
    return "" if point.status == PENDING else point.status


class SweepLog:
    """The entries of a sweep: start, point (whenever one is done), end or interruption."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def start(self, figures: Mapping[str, Any]) -> None:
        """What is searched."""
        self._log.write("start", **figures)

    def update(self, progress: SweepProgress) -> None:
        """A point came back."""
        point = progress.point
        self._log.write(
            "point",
            point=point.name,
            status=point.status,
            samples=point.samples,
            cycles=point.cycles,
            energy_pj=point.energy_pj,
            edp=point.edp,
            area_um2=point.area_um2,
            done=progress.done,
            total=progress.total,
        )

    def end(self, result: SweepResult) -> None:
        """How many points were searched."""
        failed = sum(point.status == FAILED for point in result.points)
        self._log.write(
            "end" if result.complete else "interruption",
            points=len(result.points),
            done=len(result.done),
            failed=failed,
            samples=sum(point.samples for point in result.points),
        )
        self._log.close()
