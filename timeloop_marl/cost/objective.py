"""What is minimised: one metric, or several in Timeloop's order of priority (spec: mapspace section 3)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..errors import UsageError
from .outcome import Failure, Outcome

METRICS = ("edp", "energy", "delay", "last_level_accesses")
_POWERS = {
    "edp": (1.0, 1.0), "energy": (1.0, 0.0), "delay": (0.0, 1.0), "latency": (0.0, 1.0), "cycles": (0.0, 1.0),
    "ed2p": (1.0, 2.0),
}  # fmt: skip
_FACTOR = re.compile(r"([A-Za-z_]\w*)(?:\s*(?:\^|\*\*)\s*(\d+(?:\.\d+)?))?")
_PRODUCT = re.compile(rf"{_FACTOR.pattern}(?:\s*\*\s*{_FACTOR.pattern})*")
_LARGEST = 8.0  # power of either; beyond it costs leave the range of doubles
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
        if powers(metric) is not None:
            return cost_of(metric, outcome.energy_pj, outcome.cycles.astype(np.float64))
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


def powers(metric: str) -> tuple[float, float] | None:
    """Of energy and of delay in a metric that is their product; ``None`` for any other."""
    text = metric.strip()
    if not _PRODUCT.fullmatch(text):
        return None
    energy = delay = 0.0
    for name, power in _FACTOR.findall(text):
        if name not in _POWERS:
            return None
        energy += _POWERS[name][0] * float(power or 1)
        delay += _POWERS[name][1] * float(power or 1)
    return (energy, delay) if 0.0 < max(energy, delay) <= _LARGEST else None


def plain_name(text: str) -> str:
    """An objective with one name for each metric: ``delay`` for latency and cycles, ``energy*delay^2`` for ed2p."""
    return ",".join(_plain(part.strip()) for part in text.split(","))


def _plain(name: str) -> str:
    found = powers(name)
    if found is None:
        return name
    known = next((metric for metric in METRICS if _POWERS.get(metric) == found), None)
    parts = (
        f"{part}^{power:g}" if power != 1.0 else part
        for part, power in zip(("energy", "delay"), found)
        if power
    )
    return known or "*".join(parts)


def cost_of(objective: str, energy_pj: Any, cycles: Any) -> Any:
    """What energy and cycles (numbers or arrays) cost by the first metric; by EDP if that is no product of powers."""
    energy, delay = powers(objective.split(",")[0]) or (1.0, 1.0)
    if (energy, delay) == (1.0, 1.0):
        return energy_pj * cycles
    return 1.0 * cycles**delay if energy == 0.0 else energy_pj**energy * cycles**delay


def parse_objective(text: str | Sequence[str], storage_levels: int) -> Objective:
    """Objective from ``edp``, ``delay,energy``, ``energy*delay^2``, ``accesses-1`` … or a list of such names.

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
    plain = _plain(name)
    if plain in known or powers(plain) is not None:
        return plain
    factors = [factor for factor, _ in _FACTOR.findall(name)] if _PRODUCT.fullmatch(name) else [name]
    wrong = next((factor for factor in factors if factor not in _POWERS), name)
    near = difflib.get_close_matches(wrong, [*_POWERS, *known] if len(factors) == 1 else [*_POWERS], 1)
    hint = f"did you mean {name.replace(wrong, near[0])!r}? " if near and near[0] != wrong else ""
    raise UsageError(
        f"unknown objective {name!r}; {hint}known: {', '.join(METRICS)}, latency and cycles (= delay), "
        f"ed2p and other products of powers up to {_LARGEST:g} such as energy*delay^2, ordered_accesses, "
        f"accesses-0 .. accesses-{storage_levels - 1}"
    )
