"""What is minimised: one metric, or several in Timeloop's order of priority (spec: mapspace section 3)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..errors import UsageError
from .outcome import Failure, Outcome

METRICS = ("edp", "energy", "delay", "last_level_accesses")
TOLERANCE = 0.001  # relative difference below which Timeloop looks at the next metric
# Buckets that a metric of 1e-300 .. 1e300 can fall into; one metric's bucket never spills into the next one's.
_BUCKETS = 2_000_000.0
_OFFSET = 700.0


@dataclass(frozen=True)
class Objective:
    """Metrics to minimise, most important first; built by ``parse_objective``.

    Attributes:
        storage_levels: number of storage levels of the machine (for accesses metrics).
        function: a cost of one's own, one number per mapping; then ``metrics`` is only its name. Where it has an
            attribute ``needs_accesses`` that is true, it gets ``Outcome.accesses``.
    """

    metrics: tuple[str, ...]
    storage_levels: int
    function: Callable[[Outcome], Float64[ndarray, "m"]] | None = None

    @property
    def name(self) -> str:
        """The metrics as the user writes them."""
        return ",".join(self.metrics)

    @property
    def needs_accesses(self) -> bool:
        """Whether the evaluator must fill ``Outcome.accesses``."""
        if self.function is not None:
            return bool(getattr(self.function, "needs_accesses", False))
        return any("accesses" in metric for metric in self.metrics)

    def table(self, outcome: Outcome) -> Float64[ndarray, "m k"]:
        """Every metric of every mapping; +inf for invalid ones. Units: pJ, cycles, pJ·cycles, words."""
        valid = outcome.failure == Failure.OK
        columns = [np.where(valid, self._metric(metric, outcome), np.inf) for metric in self.metrics]
        return np.stack(columns, axis=1)

    def costs(self, outcome: Outcome) -> Float64[ndarray, "m"]:
        """One number per mapping, lower is better, +inf for invalid ones.

        The metric itself if there is one. For several: a number of the first one's size whose order is lexicographic,
        with metrics compared in steps of Timeloop's tolerance, so that searchers need not know about priorities.
        """
        table = self.table(outcome)
        if len(self.metrics) == 1:
            return table[:, 0]
        fraction = np.zeros(len(table))
        for column in range(table.shape[1] - 1, 0, -1):
            fraction = (_steps(table[:, column]) + fraction) / _BUCKETS
        with np.errstate(over="ignore"):
            costs = np.exp((_steps(table[:, 0]) + fraction) * TOLERANCE - _OFFSET)
        return np.where(np.isfinite(table[:, 0]), costs, np.inf)

    def better(self, candidate: Sequence[float], incumbent: Sequence[float]) -> bool:
        """Timeloop's rule for replacing an incumbent. Its tolerance is not transitive: the order matters."""
        return _verdict(candidate, incumbent) >= 1

    def _metric(self, metric: str, outcome: Outcome) -> Float64[ndarray, "m"]:
        if self.function is not None:
            return _checked(self.function(outcome), len(outcome), metric)
        if metric == "edp":
            return outcome.energy_pj * outcome.cycles
        if metric == "energy":
            return outcome.energy_pj
        if metric == "delay":
            return outcome.cycles.astype(np.float64)
        if outcome.accesses is None:
            raise UsageError(
                f"the evaluator returned no accesses, the objective {self.name} needs them",
            )
        level = self.storage_levels - 1 if metric == "last_level_accesses" else int(metric.split("-")[1])
        return outcome.accesses[:, level].astype(np.float64)


def _steps(values: Float64[ndarray, "m"]) -> Float64[ndarray, "m"]:
    finite = np.where(np.isfinite(values), np.maximum(values, 1e-300), 1.0)
    return np.floor((np.log(finite) + _OFFSET) / TOLERANCE)


def _verdict(candidate: Sequence[float], incumbent: Sequence[float]) -> int:
    """2 better, 1 slightly better, 0 not better, -1 clearly worse."""
    new, old = candidate[0], incumbent[0]
    if old == 0:
        change = 0.0 if new == 0 else -np.inf
    elif np.isinf(old):
        change = 0.0 if np.isinf(new) else 1.0
    else:
        change = (old - new) / old
    if abs(change) > TOLERANCE:
        return 2 if change > 0 else -1
    if len(candidate) > 1:
        rest = _verdict(candidate[1:], incumbent[1:])
        if rest in (2, -1):
            return rest
    elif change > 0:
        return 2 if len(candidate) == 1 else 1
    return 1 if change > 0 else 0


def _checked(costs: object, rows: int, name: str) -> Float64[ndarray, "m"]:
    found = np.asarray(costs, np.float64)
    if found.shape != (rows,):
        raise UsageError(
            f"objective {name}: expected one cost per mapping, shape ({rows},), got {found.shape}"
        )
    return found


def parse_objective(text: str | Sequence[str], storage_levels: int) -> Objective:
    """Objective from ``edp``, ``delay,energy``, ``accesses-1`` … or a list of such names.

    ``ordered_accesses`` stands for the accesses of all storage levels, outermost first. Raises ``UsageError`` with the
    nearest known name.
    """
    names = [part.strip() for part in text.split(",")] if isinstance(text, str) else list(text)
    metrics: list[str] = []
    for name in names:
        if name == "ordered_accesses":
            metrics += [f"accesses-{level}" for level in range(storage_levels - 1, -1, -1)]
        else:
            metrics.append(_known(name, storage_levels))
    if not metrics:
        raise UsageError("the objective names no metric; one of: " + ", ".join(METRICS))
    return Objective(tuple(metrics), storage_levels)


def _known(name: str, storage_levels: int) -> str:
    known = [*METRICS, "ordered_accesses", *(f"accesses-{level}" for level in range(storage_levels))]
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(
        f"unknown objective {name!r}; {hint}known: {', '.join(METRICS)}, ordered_accesses, "
        f"accesses-0 .. accesses-{storage_levels - 1}"
    )
