"""Which points of a sweep begin with what others have learnt: the nearest machines that are searched before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..knowledge_file import load_knowledge
from ..networks.folders import LAYERS
from ..networks.transfer import LEARNT
from ..networks.waves import growing_waves
from ..searchers.knowledge import Knowledge
from ..specs.spec import Spec

TEACHERS = 2
"""Machines that a point learns from, at most: of the same layer the nearest teaches the most."""
_MISSING = 2.0  # doublings that count for a level which only one of two machines has


def machine_features(spec: Spec) -> dict[str, float]:
    """Sizes, instances, arrays and prices of a machine as powers of two, by name."""
    found: dict[str, float] = {
        "compute instances": spec.architecture.compute.instances,
        "compute": spec.energies.compute,
    }
    for level, prices in zip(spec.architecture.storage, spec.energies.storage):
        figures = {
            "size": level.size,
            "instances": level.instances,
            "meshX": level.mesh_x,
            "meshY": level.mesh_y,
            "read": prices.read,
            "fill": prices.fill,
        }
        found |= {f"{level.name} {key}": value for key, value in figures.items() if value is not None}
    return {name: float(np.log2(value)) for name, value in found.items() if value > 0}


class Machines:
    """Distances between machines: doublings between their figures, added up.

    Args:
        features: of each; see ``machine_features``.
    """

    def __init__(self, features: Sequence[Mapping[str, float]]) -> None:
        names = sorted({name for each in features for name in each})
        table = [[each.get(name, np.nan) for name in names] for each in features]
        self._table = np.array(table, np.float64).reshape(len(features), len(names))

    def apart(self, i: int) -> Float64[ndarray, "n"]:
        """Of machine i from all."""
        return self._from(self._table[i])

    def from_middle(self) -> Float64[ndarray, "n"]:
        """Of all from a machine with the middle figures: the least of them is where to begin."""
        known = ~np.isnan(self._table).all(axis=0)
        middle = np.full(self._table.shape[1], np.nan)
        middle[known] = np.nanmedian(self._table[:, known], axis=0)
        return self._from(middle)

    def _from(self, one: Float64[ndarray, "m"]) -> Float64[ndarray, "n"]:
        lacking = np.isnan(self._table) != np.isnan(one)
        return np.nansum(np.abs(self._table - one), axis=1) + _MISSING * lacking.sum(axis=1)


def choose_teachers(
    features: Mapping[str, Mapping[str, float]], recorded: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Name of every point -> names of those it learns from, the nearest first.

    Points begin in waves, nearest machines first; a point learns from the nearest of the waves before its own. It
    depends on the points alone, not on workers or time.

    Args:
        features: of all points that can be searched.
        recorded: what was chosen when the sweep began: kept, and what is added now learns from these points, too.
    """
    names = list(features)
    machines = Machines(list(features.values()))
    chosen = {name: tuple(recorded[name]) for name in names if name in recorded}
    known = [i for i, name in enumerate(names) if name in chosen]
    for wave in growing_waves(machines.from_middle(), machines.apart, known) if names else ():
        for i in wave:
            apart = machines.apart(i)
            nearest = sorted(known, key=lambda k: (apart[k], k))[:TEACHERS]
            chosen[names[i]] = tuple(names[k] for k in nearest)
        known += wave
    return chosen


def teaching_order(teachers: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Names of the points in groups: who teaches comes in an earlier group. Names outside the sweep do not count."""
    rank: dict[str, int] = {}
    left = list(teachers)
    while left:
        ready = [name for name in left if all(t in rank or t not in teachers for t in teachers[name])]
        for name in ready:
            rank[name] = 1 + max((rank[t] for t in teachers[name] if t in teachers), default=-1)
        left = [name for name in left if name not in rank]
    groups: list[list[str]] = [[] for _ in range(1 + max(rank.values(), default=-1))]
    for name in teachers:
        groups[rank[name]].append(name)
    return groups


def taught_by(folders: Sequence[Path]) -> Knowledge:
    """What the layers of these points have learnt; their own, not what they were taught."""
    files = [file for folder in folders for file in sorted((folder / LAYERS).glob(f"*/{LEARNT}"))]
    return Knowledge(tuple(layer for file in files for layer in load_knowledge(file).layers))
