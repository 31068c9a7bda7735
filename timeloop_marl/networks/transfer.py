"""What a layer's search learns from the layers before it: kept in the layers' folders, to survive everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..run.knowledge import BEFORE, load_knowledge, save_knowledge
from ..searchers.knowledge import Knowledge, LayerKnowledge, access_of, bounds_of, distance
from ..specs.spec import Spec
from .layers import LAYERS, Layer


def waves(specs: Sequence[Spec]) -> tuple[tuple[int, ...], ...]:
    """Indices of the layers, wave by wave: 1, 2, 4, 8, … layers, each wave searched at the same time.

    The first is the layer nearest to all others; then those nearest to what has been searched.
    """
    shapes = [(bounds_of(spec), access_of(spec)) for spec in specs]
    apart = np.array([[distance(a, b) for b in shapes] for a in shapes], np.float64)
    return growing_waves(apart.sum(axis=1), lambda i: apart[i])


def growing_waves(
    first: Float64[ndarray, "n"],
    apart: Callable[[int], Float64[ndarray, "n"]],
    known: Iterable[int] = (),
) -> tuple[tuple[int, ...], ...]:
    """Indices wave by wave: each at least as many as all before it, so that many workers have work.

    Always those nearest to what is known, so that knowledge travels over short distances; of equally near ones the
    first. Nothing depends on how many workers there are.

    Args:
        first: what is least of the one to begin with, where nothing is known.
        apart: distances of one to all.
        known: what has been searched before; in no wave.
    """
    begun = sorted(set(known))
    nearest = np.array(first, np.float64)
    if begun:
        nearest = np.min([apart(i) for i in begun], axis=0)
    left = [i for i in range(len(nearest)) if i not in set(begun)]
    found: list[tuple[int, ...]] = []
    size = max(1, len(begun))
    while left:
        wave = sorted(left, key=lambda i: (nearest[i], i))[:size]
        taken = set(wave)
        left = [i for i in left if i not in taken]
        rows = np.min([apart(i) for i in wave], axis=0)
        nearest = np.minimum(nearest, rows) if found or begun else rows
        found.append(tuple(wave))
        size *= 2
    return tuple(found)


LEARNT = "learnt.npz"
"""In a layer's folder: what its search has learnt so far."""

_TAUGHT = 8  # layers whose knowledge one search begins with


class Transfer:
    """Who teaches whom in one network.

    Args:
        given: knowledge from elsewhere.
    """

    def __init__(
        self, layers: Sequence[Layer], folders: Sequence[Path], network: str, given: Knowledge
    ) -> None:
        self._layers, self._folders, self._network, self._given = layers, folders, network, given
        self._learnt: dict[int, LayerKnowledge] = {}

    def prepare(self, i: int, known: Iterable[int]) -> None:
        """Write down what layer i begins with, unless an interrupted run has done so already."""
        if (self._folders[i] / BEFORE).exists():
            return
        found = Knowledge(tuple(self._learnt[k] for k in sorted(known) if k in self._learnt)) + self._given
        taught = Knowledge(found.nearest(self._layers[i].spec, _TAUGHT))
        save_knowledge(taught, self._folders[i] / BEFORE)

    def warm(self, i: int) -> bool:
        """Whether layer i begins with any knowledge."""
        return bool(load_knowledge(self._folders[i] / BEFORE).layers)

    def take(self, i: int, learnt: LayerKnowledge | None) -> None:
        """What layer i has learnt so far."""
        if learnt is not None:
            self._learnt[i] = learnt

    def recall(self, i: int) -> bool:
        """Take what layer i has learnt in an interrupted run; false if that is not on record."""
        if i not in self._learnt and (self._folders[i] / LEARNT).exists():
            layers = load_knowledge(self._folders[i] / LEARNT).layers
            self.take(i, layers[0] if layers else None)
        return i in self._learnt

    def teacher(self, i: int) -> str:
        """Name of the layer that taught layer i the most; empty if none did."""
        file = self._folders[i] / BEFORE
        layers = load_knowledge(file).layers if file.exists() else ()
        return layers[0].name if layers else ""

    def all_learnt(self) -> Knowledge:
        """Of all layers, and what was given."""
        for i in range(len(self._folders)):
            self.recall(i)
        return Knowledge(tuple(self._learnt[i] for i in sorted(self._learnt))) + self._given


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
