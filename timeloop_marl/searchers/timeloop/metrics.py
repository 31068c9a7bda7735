"""Optimisation metrics of the mapper section, as costs per mapping (mapspace section 3, Comparison)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ...cost.outcome import Outcome
from ...errors import SpecError

PLAIN = ("delay", "energy", "edp", "last_level_accesses")


def expand_metrics(names: tuple[str, ...], storage_levels: int) -> tuple[str, ...]:
    """The metrics with ``ordered_accesses`` and ``last_level_accesses`` spelt out as ``accesses-k``.

    Raises ``SpecError`` for a name that Timeloop does not know, or a level that does not exist.
    """
    expanded: list[str] = []
    for name in names:
        if name == "ordered_accesses":
            expanded += [f"accesses-{level}" for level in range(storage_levels - 1, -1, -1)]
        elif name == "last_level_accesses":
            expanded.append(f"accesses-{storage_levels - 1}")
        elif name in PLAIN or _is_accesses(name, storage_levels):
            expanded.append(name)
        else:
            raise SpecError(
                "unknown optimization metric",
                path="mapper.optimization_metrics",
                value=name,
                expected=f"{', '.join(PLAIN)}, ordered_accesses or accesses-k with k = 0..{storage_levels - 1}",
            )
    return tuple(expanded)


def _is_accesses(name: str, storage_levels: int) -> bool:
    number = name.removeprefix("accesses-")
    return name.startswith("accesses-") and number.isdecimal() and int(number) < storage_levels


def needs_accesses(metrics: tuple[str, ...]) -> bool:
    """Whether the evaluator has to report accesses."""
    return any(name.startswith("accesses-") for name in metrics)


def costs_of(outcome: Outcome, metrics: tuple[str, ...]) -> Float64[ndarray, "m K"]:
    """Cost of every mapping under every (expanded) metric; lower is better."""
    costs = np.empty((len(outcome), len(metrics)), np.float64)
    for k, name in enumerate(metrics):
        if name == "delay":
            costs[:, k] = outcome.cycles
        elif name == "energy":
            costs[:, k] = outcome.energy_pj
        elif name == "edp":
            costs[:, k] = outcome.energy_pj * outcome.cycles
        elif outcome.accesses is None:
            raise ValueError(
                f"metric {name} needs the accesses of every level, which the evaluator did not report"
            )
        else:
            costs[:, k] = outcome.accesses[:, int(name.removeprefix("accesses-"))]
    return costs
