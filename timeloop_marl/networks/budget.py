"""Which layers get the next samples: those whose expected improvement lowers the network's total most.

What a layer's best cost has lost over its last two doublings of samples says little about the next: searches stand
still for long and then fall. What a doubling has brought all layers, on average, says more (at equal numbers of
samples: what doublings bring falls with the number of samples that a layer has had); a layer's own past counts one part
in four. An improvement counts by the layer's share of the total: of energy times delay by the mean of its shares of
both.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..cost.objective import Objective, powers
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


FIRST = 64
"""Samples of a layer to begin with."""

WARM = 32
"""The same of a layer that begins with the knowledge of others."""

CHUNK = 32
"""Samples handed out at a time."""

_DECAY = 0.5  # what a doubling of samples brings, relative to the doubling before
_OTHERS = (
    3.0  # weight of all layers against a layer's own past (benchmarks/budget.py: anything from 1 on does)
)
_LEAST = 0.004  # log cost that one more doubling brings at least: late discoveries happen
_UNKNOWN = 1.0  # log cost, where there is nothing to extrapolate from
_GROWTH = 0.25  # samples of a round, relative to all samples before


@dataclass(frozen=True)
class Standing:
    """What is known of a layer. ``exhausted``: its mapspace has no more candidates."""

    count: int
    course: Course
    exhausted: bool = False


def first_samples(layers: int, budget: int | None, *, warm: bool) -> int:
    """Samples of a layer in its first round; less where the budget is small, so that all layers get some."""
    wanted = WARM if warm else FIRST
    return wanted if budget is None else min(wanted, budget // layers)


def next_targets(standings: Sequence[Standing], objective: str, budget: int | None) -> list[int]:
    """Samples that each layer should have after the next round; the same as now for all = nothing left to do.

    Args:
        standings: one per layer.
        objective: a product of powers of energy and delay, or another cost that is summed.
        budget: samples of all layers together, ``None`` = no limit.
    """
    targets = [standing.course.samples for standing in standings]
    spent = sum(targets)
    quantum = CHUNK * max(1, round(_GROWTH * spent / CHUNK))
    if budget is not None:
        quantum = min(quantum, budget - spent)
    gains = [w * d for w, d in zip(weights(standings, objective), expected_drops(standings))]
    rates = [_Rate(gain, n) for gain, n in zip(gains, targets)]
    queue = [(-rates[i].after(n), i) for i, n in enumerate(targets) if not standings[i].exhausted]
    heapq.heapify(queue)
    limits = [2 * max(n, FIRST) for n in targets]
    while quantum > 0 and queue:
        _, i = heapq.heappop(queue)
        chunk = min(CHUNK, quantum)
        targets[i] += chunk
        quantum -= chunk
        if targets[i] < limits[i]:
            heapq.heappush(queue, (-rates[i].after(targets[i]), i))
    return targets


def expected_drops(standings: Sequence[Standing]) -> list[float]:
    """Natural logarithm by which the cost of each layer is expected to fall while its samples double; never nothing."""
    own = [past_drop(standing.course) for standing in standings]
    samples = [max(standing.course.samples, 1) for standing in standings]
    common = [drop * n for drop, n in zip(own, samples) if drop is not None]
    typical = sum(common) / len(common) if common else 0.0
    found = []
    for drop, n in zip(own, samples):
        if drop is None:
            found.append(max(_UNKNOWN, _DECAY * typical / n))
        else:
            found.append(max(_LEAST, _DECAY * (drop + _OTHERS * typical / n) / (1 + _OTHERS)))
    return found


def past_drop(course: Course) -> float | None:
    """What a doubling of the samples has brought lately: the mean of the last two, the last one counting most.

    A logarithm; ``None`` where there is nothing to compare with.
    """
    n = course.samples
    now, half, quarter = course.best, course.at(n // 2), course.at(n // 4)
    if now is None or half is None or now.cost <= 0:
        return None
    last = math.log(half.cost / now.cost)
    before = math.log(quarter.cost / half.cost) if quarter is not None else last
    return (2 * last + _DECAY * before) / 3


def weights(standings: Sequence[Standing], objective: str) -> list[float]:
    """What a layer's relative improvement is worth to the total, relatively; layers without a mapping count most."""
    best = [standing.course.best for standing in standings]
    energy = sum(s.count * b.energy_pj for s, b in zip(standings, best) if b)
    cycles = sum(s.count * b.cycles for s, b in zip(standings, best) if b)
    cost = sum(s.count * b.cost for s, b in zip(standings, best) if b)
    known = powers(objective)
    found = []
    for standing, step in zip(standings, best):
        if step is None:
            found.append(1.0)
            continue
        by_energy, by_cycles = step.energy_pj / max(energy, 1e-300), step.cycles / max(cycles, 1)
        if known is None:
            share = step.cost / max(cost, 1e-300)
        else:
            share = (known[0] * by_energy + known[1] * by_cycles) / sum(known)
        found.append(standing.count * share)
    return found


@dataclass(frozen=True)
class _Rate:
    """Expected gain per sample: ``gain`` is what doubling the ``samples`` that a layer has had is expected to bring."""

    gain: float
    samples: int

    def after(self, samples: int) -> float:
        """Of the next chunk, when the layer has so many."""
        n = max(samples, 1)
        return self.gain * max(self.samples, 1) / n * math.log2(1 + CHUNK / n) / CHUNK
