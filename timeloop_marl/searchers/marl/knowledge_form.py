"""Knowledge as bytes: an npz archive of numbers with one JSON text in it; nothing in it is ever run (docs/networks.md).

Entries: ``knowledge`` (the JSON text as bytes) and, for layer k, ``words_k`` and ``energy_k``.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ...errors import UsageError
from .knowledge import Choice, Knowledge, LayerKnowledge, parts_of
from .nests import TIME, Loop, Nest

SCHEMA = "timeloop-marl/knowledge"
VERSION = 3  # 2: words times hops; 3: words times routers
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
