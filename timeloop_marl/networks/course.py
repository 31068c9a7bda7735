"""How the search of a layer has gone so far: all that the distribution of samples looks at."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..objective import Objective
from ..run.result import SearchResult
from ..run.trace import TraceReader


@dataclass(frozen=True)
class Step:
    """An improvement at the ``samples``-th sample: cost (what the objective minimises), cycles, energy in pJ."""

    samples: int
    cost: float
    cycles: int
    energy_pj: float


@dataclass(frozen=True)
class Course:
    """The best-so-far curve of one layer after ``samples`` samples, ``valid`` of them valid."""

    samples: int = 0
    valid: int = 0
    steps: tuple[Step, ...] = ()

    @property
    def best(self) -> Step | None:
        """The last improvement; ``None`` if nothing valid was found."""
        return self.steps[-1] if self.steps else None

    def at(self, samples: int) -> Step | None:
        """The best after the first ``samples`` samples."""
        index = bisect_right([step.samples for step in self.steps], samples)
        return self.steps[index - 1] if index else None


def course_of(found: SearchResult) -> Course:
    """The course of a search."""
    steps = (Step(s.samples, s.cost, s.cycles, s.energy_pj) for s in found.trajectory)
    return Course(found.samples, found.valid, tuple(steps))


def recorded_course(path: Path, objective: Objective, samples: int) -> Course | None:
    """The course of the first ``samples`` samples of a trace; ``None`` if it has fewer or cannot be read so far.

    Only for a single metric, whose best-so-far needs nothing but the samples in order.
    """
    if not path.exists() or len(objective.metrics) > 1:
        return None
    total, valid, best = 0, 0, np.inf
    steps: list[Step] = []
    for batch in TraceReader(path).batches():
        if total >= samples:
            break
        costs = objective.costs(batch.outcome)
        before = np.minimum.accumulate(np.concatenate([[best], costs[:-1]]))
        for i in np.flatnonzero(costs < before).tolist():
            best = float(costs[i])
            steps.append(
                Step(total + i + 1, best, int(batch.outcome.cycles[i]), float(batch.outcome.energy_pj[i]))
            )
        total += len(costs)
        valid += int(np.isfinite(costs).sum())
    return Course(total, valid, tuple(steps)) if total == samples else None
