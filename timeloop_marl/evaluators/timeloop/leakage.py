"""Leakage in full: timeloop-model prints it with two decimals only, and it enters the total (cost-model section 13)."""

from __future__ import annotations

from collections.abc import Sequence

from ...specs.spec import Spec


def exact_leakage(spec: Spec, instances: Sequence[Sequence[float]], cycles: int) -> list[float]:
    """PJ of every storage level over ``cycles``, from the tables.

    Args:
        spec: with the leakage per instance and cycle.
        instances: utilised instances by storage level and data space.
        cycles: cycles of the slowest level, without network latencies.
    """
    used = [max([1.0, *row]) for row in instances]
    leaks = []
    for s, level in enumerate(spec.architecture.storage):
        gate = spec.architecture.level_index(level.power_gated_at) if level.power_gated_at else s
        share = float(level.instances) / float(spec.architecture.storage[gate].instances)
        leaking = share * used[gate] if share > 1.0 else used[s]
        leaks.append((spec.energies.storage[s].leak * float(cycles)) * leaking)
    return leaks
