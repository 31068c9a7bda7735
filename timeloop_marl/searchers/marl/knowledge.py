"""What a team has learnt on a layer, by name of dimension, level and tensor, so that it means something on another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.tables import Axis, AxisKind
from ...specs.spec import Spec
from .nests import Nest, level_names

Choice = tuple[str, ...]
"""What an axis decides: ("factor", dim), ("order", level, side, dim) or ("bypass", level, tensor)."""

_OTHER_ACCESS = (
    2.0  # distance of layers whose tensors are indexed differently (a stride, a dilation), in doublings
)


@dataclass(frozen=True)
class LayerKnowledge:
    """What was learnt on one layer of one machine.

    Attributes:
        name: of the layer, for people.
        machine: fingerprint of levels, sizes, arrays and energies.
        levels: storage levels, innermost first.
        tensors: names of the data spaces.
        bounds: dimension to size.
        access: how the tensors are indexed, as text.
        elites: the best loop nests found, best first.
        words: the critic's samples: words moved per computation; ``parts_of`` says what the columns are.
        energy: of these samples, pJ per computation.
        preferences: what the agents prefer, as logits: per choice, of each value by name.
        clusters: which choices one agent decides together.
    """

    name: str
    machine: str
    levels: tuple[str, ...]
    tensors: tuple[str, ...]
    bounds: Mapping[str, int]
    access: str
    elites: tuple[Nest, ...]
    words: Float64[ndarray, "n parts"]
    energy: Float64[ndarray, "n"]
    preferences: Mapping[Choice, Mapping[str, float]]
    clusters: tuple[frozenset[Choice], ...]


@dataclass(frozen=True)
class Knowledge:
    """What was learnt on any number of layers."""

    layers: tuple[LayerKnowledge, ...] = ()

    def __add__(self, other: Knowledge) -> Knowledge:
        return Knowledge((*self.layers, *other.layers))

    def nearest(self, spec: Spec, number: int) -> tuple[LayerKnowledge, ...]:
        """The layers most like that of ``spec``, the nearest first; of equal ones the one learnt first."""
        here = bounds_of(spec), access_of(spec)
        order = sorted(
            range(len(self.layers)),
            key=lambda i: distance((self.layers[i].bounds, self.layers[i].access), here),
        )
        return tuple(self.layers[i] for i in order[:number])


def parts_of(levels: Sequence[str], tensors: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What the columns of ``words`` are, in the order of ``features.describe``."""
    pairs = [(level, tensor) for level in levels for tensor in tensors]
    shared = (
        *(("read", level) for level in levels),
        *(("write", level) for level in levels),
        ("computation",),
    )
    networks = ((what, level) for what in ("hop", "router") for level in levels)
    return (*shared, *(("fill", *pair) for pair in pairs), *(("read", *pair) for pair in pairs), *networks)


def machine_of(spec: Spec) -> str:
    """Fingerprint of what the price of a word depends on."""
    storage = [
        (level.name, level.size, level.instances, level.mesh_x, level.mesh_y, repr(level.network))
        for level in spec.architecture.storage
    ]
    text = json.dumps([storage, repr(spec.energies.storage), repr(spec.energies.compute)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def bounds_of(spec: Spec) -> dict[str, int]:
    """Dimension to size."""
    return dict(zip(spec.problem.dims, spec.problem.bounds, strict=True))


def access_of(spec: Spec) -> str:
    """How the tensors are indexed, by name."""
    dims = spec.problem.dims
    spaces = [
        f"{space.name}[{', '.join('+'.join(f'{t.coefficient}{dims[t.dim]}' for t in rank) for rank in space.ranks)}]"
        for space in spec.problem.data_spaces
    ]
    return " ".join(spaces)


def distance(one: tuple[Mapping[str, int], str], other: tuple[Mapping[str, int], str]) -> float:
    """How unlike two layers are: doublings between their sizes, dimension by dimension; 0 = the same."""
    (a, access_a), (b, access_b) = one, other
    sizes = sum(abs(float(np.log2(a.get(dim, 1) / b.get(dim, 1)))) for dim in sorted({*a, *b}))
    return sizes + (0.0 if access_a == access_b else _OTHER_ACCESS)


def choice_of(space: LearnersMapspace, axis: Axis) -> Choice:
    """What an axis decides, by name."""
    problem, levels = space.spec.problem, level_names(space)
    if axis.kind is AxisKind.FACTOR and axis.dim is not None:
        return ("factor", problem.dims[axis.dim])
    if axis.kind is AxisKind.ORDER and axis.tiling is not None and axis.dim is not None:
        tiling = space.spec.architecture.tiling_levels[axis.tiling]
        return (
            "order",
            levels[tiling.storage],
            "array" if tiling.spatial else "time",
            problem.dims[axis.dim],
        )
    if axis.storage is not None and axis.data_space is not None:
        return ("bypass", levels[axis.storage], problem.data_spaces[axis.data_space].name)
    return ("other", axis.name)
