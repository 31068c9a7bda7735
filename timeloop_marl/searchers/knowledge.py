"""What a searcher has learnt on a layer, by name of dimension, level and tensor, so that it means something on another.

As bytes: an npz archive of numbers with one JSON text in it; nothing in it is ever run (docs/networks.md). Entries:
``knowledge`` (the JSON text as bytes) and, for layer k, ``words_k`` and ``energy_k``.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..errors import UsageError
from ..mapspace.axes import LearnersMapspace
from ..mapspace.learners.tables import TEMPORAL, Axis, AxisKind, X, Y
from ..specs.spec import Spec

TIME = "time"
SIDES = {TEMPORAL: TIME, X: "X", Y: "Y"}


@dataclass(frozen=True)
class Loop:
    """One loop: ``side`` is ``time``, ``X`` or ``Y``."""

    level: str
    side: str
    dim: str
    factor: int


@dataclass(frozen=True)
class Nest:
    """Loops of more than one iteration, innermost first, and which level keeps which tensor."""

    loops: tuple[Loop, ...]
    kept: frozenset[tuple[str, str]]  # level, tensor

    def renamed(self, levels: Mapping[str, str]) -> Nest:
        """With other names of the levels; what has none is left out."""
        loops = (Loop(levels[x.level], x.side, x.dim, x.factor) for x in self.loops if x.level in levels)
        return Nest(tuple(loops), frozenset((levels[s], p) for s, p in self.kept if s in levels))


def level_names(space: LearnersMapspace) -> tuple[str, ...]:
    """Names of the storage levels, innermost first."""
    return tuple(level.name for level in space.spec.architecture.storage)


def nest_of(space: LearnersMapspace, row: Int64[ndarray, "axes"]) -> Nest:
    """The loop nest of a row."""
    mapping = space.decode(row[None])[0]
    levels, problem = level_names(space), space.spec.problem
    loops = []
    for tiling, level in zip(space.spec.architecture.tiling_levels, mapping.loops, strict=True):
        for position, d in enumerate(level.order):
            if level.factors[d] > 1:
                side = TIME if not tiling.spatial else "X" if position < level.split else "Y"
                loops.append(Loop(levels[tiling.storage], side, problem.dims[d], level.factors[d]))
    kept = frozenset(
        (levels[s], problem.data_spaces[p].name)
        for s, row_kept in enumerate(mapping.keep)
        for p, held in enumerate(row_kept)
        if held
    )
    return Nest(tuple(loops), kept)


Choice = tuple[str, ...]
"""What an axis decides: ("factor", dim), ("order", level, side, dim) or ("bypass", level, tensor)."""

_OTHER_ACCESS = (
    2.0  # distance of layers whose tensors are indexed differently (a stride, a dilation), in doublings
)


@dataclass(frozen=True)
class LayerKnowledge:
    """What was learnt on one layer of one machine.

    Attributes:
        name: of the layer, for population.
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
    """What the columns of ``words`` are, in the order of ``features``."""
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


SCHEMA = "timeloop-marl/knowledge"
VERSION = 4  # 2: words times hops; 3: words times routers; 4: words as the cost model counts them
_SIDES = (TIME, "X", "Y")
_LARGEST = 256 << 20  # bytes


def to_bytes(knowledge: Knowledge) -> bytes:
    """The archive; equal knowledge gives equal bytes."""
    text = {"schema": SCHEMA, "version": VERSION, "layers": [_plain(layer) for layer in knowledge.layers]}
    arrays: dict[str, ndarray] = {
        "knowledge": np.frombuffer(json.dumps(text, sort_keys=True).encode(), np.uint8)
    }
    for k, layer in enumerate(knowledge.layers):
        arrays[f"words_{k}"], arrays[f"energy_{k}"] = layer.words, layer.energy
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            # A fixed date: the same knowledge is the same file.
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            part = io.BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(entry, part.getvalue())
    return stream.getvalue()


def from_bytes(data: bytes, source: object) -> Knowledge:
    """What ``to_bytes`` made.

    Args:
        source: the file's name, for messages.

    Raises:
        UsageError: it is not a knowledge file, is damaged, or of another version.
    """
    if len(data) > _LARGEST:
        raise UsageError(f"{source}: too large for a knowledge file: {len(data):,} bytes")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            text = json.loads(archive["knowledge"].tobytes().decode())
            if not isinstance(text, dict) or text.get("schema") != SCHEMA:
                raise UsageError(f"{source}: not a knowledge file of timeloop-marl")
            if text.get("version") != VERSION:
                raise UsageError(
                    f"{source}: written in form {text.get('version')}, this version of timeloop-marl reads {VERSION}"
                )
            layers = [
                _layer(entry, archive[f"words_{k}"], archive[f"energy_{k}"])
                for k, entry in enumerate(text["layers"])
            ]
    except UsageError:
        raise
    except Exception as error:  # readers of zip, npy and JSON raise a dozen kinds on damaged bytes
        raise UsageError(f"{source}: not a knowledge file of timeloop-marl, or damaged: {error}") from None
    return Knowledge(tuple(layers))


def fingerprint(knowledge: Knowledge) -> str:
    """Equal for equal knowledge: part of what identifies a search that began with it."""
    return hashlib.sha256(to_bytes(knowledge)).hexdigest()[:16]


def _plain(layer: LayerKnowledge) -> dict[str, Any]:
    return {
        "name": layer.name,
        "machine": layer.machine,
        "levels": list(layer.levels),
        "tensors": list(layer.tensors),
        "bounds": dict(layer.bounds),
        "access": layer.access,
        "elites": [
            {
                "loops": [[x.level, x.side, x.dim, x.factor] for x in nest.loops],
                "kept": sorted(map(list, nest.kept)),
            }
            for nest in layer.elites
        ],
        "preferences": [[list(choice), dict(values)] for choice, values in layer.preferences.items()],
        "clusters": [sorted(map(list, cluster)) for cluster in layer.clusters],
    }


def _layer(data: dict[str, Any], words: ndarray, energy: ndarray) -> LayerKnowledge:
    levels, tensors = tuple(map(str, data["levels"])), tuple(map(str, data["tensors"]))
    bounds = {str(dim): int(size) for dim, size in data["bounds"].items()}
    if min(bounds.values(), default=1) < 1:
        raise ValueError("a bound below 1")
    return LayerKnowledge(
        name=str(data["name"]),
        machine=str(data["machine"]),
        levels=levels,
        tensors=tensors,
        bounds=bounds,
        access=str(data["access"]),
        elites=tuple(_nest(entry) for entry in data["elites"]),
        words=_numbers(words, (len(energy), len(parts_of(levels, tensors)))),
        energy=_numbers(energy, energy.shape),
        preferences={_choice(choice): _logits(values) for choice, values in data["preferences"]},
        clusters=tuple(frozenset(_choice(choice) for choice in cluster) for cluster in data["clusters"]),
    )


def _nest(data: dict[str, Any]) -> Nest:
    loops = tuple(Loop(str(level), str(side), str(dim), int(n)) for level, side, dim, n in data["loops"])
    if any(loop.factor < 1 or loop.side not in _SIDES for loop in loops):
        raise ValueError("a loop that cannot be")
    return Nest(loops, frozenset((str(level), str(tensor)) for level, tensor in data["kept"]))


def _choice(data: list[Any]) -> Choice:
    return tuple(str(part) for part in data)


def _logits(data: dict[str, Any]) -> dict[str, float]:
    values = {str(label): float(value) for label, value in data.items()}
    if not np.isfinite(list(values.values())).all():
        raise ValueError("a preference that is no number")
    return values


def _numbers(array: ndarray, shape: tuple[int, ...]) -> Float64[ndarray, "..."]:
    if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"samples of shape {shape} expected")
    return array
