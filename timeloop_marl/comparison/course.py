"""What one run of one searcher did: every improvement, with samples and seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..mapping import Mapping
from ..report.charts.courses import OURS, PROGRAM

__all__ = ["OURS", "PROGRAM", "REPRODUCED", "Course", "Point", "falling"]

REPRODUCED = "Timeloop's mapper, reproduced sample for sample on the native model"


@dataclass(frozen=True)
class Point:
    """The cost after an improvement. ``samples`` counts every mapping drawn, those that fail in any way included."""

    samples: int
    seconds: float
    cost: float
    mapping: Mapping | None = (
        None  # the real program's log does not give it in a form that could be read back
    )


@dataclass(frozen=True)
class Course:
    """One run. ``kind``: one of OURS, REPRODUCED and PROGRAM. ``cost`` falls from point to point."""

    searcher: str
    kind: str
    seed: int | None  # Timeloop's mappers have none
    points: tuple[Point, ...]
    samples: int
    valid: int
    seconds: float
    ended: str

    @property
    def cost(self) -> float:
        """Of the best mapping; infinite if nothing valid was found."""
        return self.points[-1].cost if self.points else float("inf")

    @property
    def mapping(self) -> Mapping | None:
        """The best mapping."""
        return self.points[-1].mapping if self.points else None

    @property
    def rate(self) -> float:
        """Samples per second."""
        return self.samples / self.seconds if self.seconds > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "searcher": self.searcher,
            "kind": self.kind,
            "seed": self.seed,
            "cost": None if not self.points else self.cost,
            "samples": self.samples,
            "valid": self.valid,
            "seconds": self.seconds,
            "ended": self.ended,
            "trajectory": [{"samples": p.samples, "seconds": p.seconds, "cost": p.cost} for p in self.points],
        }


def falling(points: Iterator[Point]) -> tuple[Point, ...]:
    """Only the points below all before them: several metrics may let the first one rise a little."""
    kept: list[Point] = []
    for point in points:
        if not kept or point.cost < kept[-1].cost:
            kept.append(point)
    return tuple(kept)
