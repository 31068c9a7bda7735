"""What a sweep found, as plain data: ``sweep.json`` both ways, ``sweep.csv``."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..run.folder import read_result
from ..run.tables import Tabular

SCHEMA = "timeloop-marl/sweep"
VERSION = 1
FILE = "sweep.json"
CSV = "sweep.csv"
DONE, PENDING, STOPPED, FAILED = "done", "pending", "interrupted", "failed"
FIGURES = ("cycles", "energy_pj", "area_um2")


@dataclass(frozen=True)
class SweepPoint:
    """One machine with one choice of settings, and what the network costs on it.

    Attributes:
        name: unique within the sweep, fit for a folder's name.
        machine: name of the architecture.
        values: what is set, by its path (or name of a template variable).
        folder: of its run, relative to the sweep's; a run folder of ``timeloop-marl network``.
        status: ``done``, ``pending``, ``interrupted`` or ``failed``.
        message: why it failed.
        cycles: latency of one inference; with the other figures ``None`` until the point is done.
        energy_pj: energy of one inference.
        edp: product of the two, pJ·cycles.
        utilization: share of the compute units in use, averaged over cycles.
        area_um2: of all instances on the chip; ``None`` where it is not known.
        area_note: why it is not known.
        energies: where the energies come from.
        samples: mappings evaluated.
        seconds: wall clock.
        front: whether no other point is at least as good in every figure known of all and better in one.
        best: whether it has the least of the objective.
    """

    name: str
    machine: str
    values: Mapping[str, str]
    folder: str
    status: str = PENDING
    message: str = ""
    cycles: int | None = None
    energy_pj: float | None = None
    edp: float | None = None
    utilization: float | None = None
    area_um2: float | None = None
    area_note: str = ""
    energies: str = ""
    samples: int = 0
    seconds: float = 0.0
    front: bool = False
    best: bool = False


@dataclass(frozen=True, repr=False)
class SweepResult(Tabular):
    """All points, in the order of the matrix.

    Attributes:
        network: name of the network or layer.
        axes: what is set, path -> values, in the order given; the machines are not among them.
        machines: names of the architectures.
        objective: what each point's search minimises.
        searcher: name of the searcher.
        seed: of all searches.
        samples: budget of each point; ``None`` = the network's default.
        figures: those that the front is taken of.
    """

    network: str
    axes: Mapping[str, Sequence[str]]
    machines: tuple[str, ...]
    objective: str
    searcher: str
    seed: int
    samples: int | None
    points: tuple[SweepPoint, ...]
    figures: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    def headline(self) -> str:
        """How far it is."""
        return f"{self.network}: {len(self.done)} of {len(self.points)} points done, {self.objective}, {self.searcher}"

    def columns(self) -> dict[str, list[Any]]:
        """A row for every point: what is set, and its figures; ``None`` where they are not known."""
        figures = [
            f.name for f in dataclasses.fields(SweepPoint) if f.name not in ("values", "name", "machine")
        ]
        names = list(dict.fromkeys(name for point in self.points for name in point.values))
        return {
            **{name: [getattr(point, name) for point in self.points] for name in ("name", "machine")},
            **{name: [point.values.get(name, "") for point in self.points] for name in names},
            **{name: [getattr(point, name) for point in self.points] for name in figures},
        }

    @property
    def done(self) -> tuple[SweepPoint, ...]:
        """The points that have figures."""
        return tuple(point for point in self.points if point.status == DONE)

    @property
    def complete(self) -> bool:
        """Whether no point is left to be searched."""
        return all(point.status in (DONE, FAILED) for point in self.points)


def as_json(result: SweepResult) -> str:
    """The text of ``sweep.json``."""
    return json.dumps({"schema": SCHEMA, "version": VERSION, **dataclasses.asdict(result)}, indent=1) + "\n"


def as_csv(result: SweepResult) -> str:
    """The points as a table for spreadsheets; unknown figures are empty."""
    columns = result.columns()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values()))
    return text.getvalue()


def read_sweep(path: str | Path) -> SweepResult:
    """Read ``sweep.json``, or that of a folder.

    Raises:
        UsageError: there is none, it is damaged, or of another version.
    """
    return read_result(path, FILE, "sweep", VERSION, SweepResult)
