"""The layers of a network: read, checked, equal ones put together."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InfeasibleError, SpecError, UsageError
from ..mapspace.diagnosis import require_feasible
from ..specs.fingerprint import spec_fingerprint
from ..specs.reading import load
from ..specs.spec import ModelOptions, Spec
from .sources import LayerFile, Sources


@dataclass(frozen=True)
class Layer:
    """Layers of a network that are the same problem: searched once, weighted by ``count``.

    Attributes:
        name: unique within the network, fit for a folder's name.
        spec: machine and problem.
        count: how many layers of the network these are.
        names: what the network calls them, where it says.
        files: what ``spec`` was read from.
    """

    name: str
    spec: Spec
    count: int = 1
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def read_layers(
    sources: Sources, *, options: ModelOptions, values: Mapping[str, Any] | None = None
) -> tuple[Layer, ...]:
    """The distinct layers of a network in order of first use, all on one machine.

    Raises:
        SpecError: a layer file is wrong, naming it; or two of them bring different machines.
        InfeasibleError: a layer has no mapping on this machine, naming all such layers.
    """
    found: dict[str, Layer] = {}
    for name, entry in zip(_names(sources.layers), sources.layers, strict=True):
        files = [*sources.machine, *([entry.file] if entry.file else [])]
        spec = _loaded(entry, files, options, values)
        key = problem_fingerprint(spec)
        known = found.get(key)
        if known is None:
            _check_machine(found, spec, entry)
            found[key] = Layer(name, spec, entry.count, entry.names, tuple(map(str, files)))
        else:
            found[key] = dataclasses.replace(
                known, count=known.count + entry.count, names=(*known.names, *entry.names)
            )
    layers = tuple(found.values())
    _require_feasible(layers)
    return layers


def problem_fingerprint(spec: Spec) -> str:
    """Equal for layers that are one search: the name of the problem's shape changes nothing."""
    return spec_fingerprint(
        dataclasses.replace(spec, problem=dataclasses.replace(spec.problem, name=""), files=())
    )


def _loaded(
    entry: LayerFile, files: Sequence[Path], options: ModelOptions, values: Mapping[str, Any] | None
) -> Spec:
    try:
        return load(files, options=options, jinja_data=values)
    except SpecError as error:
        if error.file is not None and Path(error.file).name.startswith(Path(entry.file or "").name):
            raise
        raise type(error)(
            error.problem, file=error.file, path=error.path, value=error.value, expected=error.expected,
            remedy=f"{error.remedy}{'; ' if error.remedy else ''}while reading layer {entry.name}",
        ) from None  # fmt: skip


def _check_machine(known: Mapping[str, Layer], spec: Spec, entry: LayerFile) -> None:
    """All layers have to run on the same machine: sums over different ones mean nothing."""
    for layer in known.values():
        if layer.spec.architecture != spec.architecture:
            raise SpecError(
                "another machine than that of the layers before",
                file=entry.file,
                path="architecture",
                expected="one architecture for all layers of a network",
                remedy="give the architecture in files of its own, and layers that hold nothing but a problem",
            )
        return


def _require_feasible(layers: Iterable[Layer]) -> None:
    """One error that names every layer without a mapping, before anything runs."""
    errors: list[tuple[Layer, SpecError]] = []
    for layer in layers:
        try:
            require_feasible(layer.spec)
        except InfeasibleError as error:
            errors.append((layer, error))
    if errors:
        _, first = errors[0]
        named = ", ".join(layer.name for layer, _ in errors)
        noun = "layer" if len(errors) == 1 else "layers"
        raise InfeasibleError(
            f"no mapping of {noun} {named}: {first.problem}",
            file=first.file, path=first.path, value=first.value, expected=first.expected, remedy=first.remedy,
        )  # fmt: skip


def _names(entries: Sequence[LayerFile]) -> list[str]:
    """A name for each entry: its own; with its network's where that is not unique; numbered as a last resort."""
    plain = [safe_name(entry.name) for entry in entries]
    several = len({entry.network for entry in entries}) > 1
    names = [
        safe_name(f"{entry.network}.{entry.name}")
        if several and entry.network and plain.count(name) > 1
        else name
        for entry, name in zip(entries, plain, strict=True)
    ]
    seen: set[str] = set()
    unique = []
    for name in names:
        number, candidate = 1, name
        while candidate.lower() in seen:  # folders may not tell capitals apart
            number += 1
            candidate = f"{name}-{number}"
        seen.add(candidate.lower())
        unique.append(candidate)
    return unique


def safe_name(name: str) -> str:
    """A name that is a folder's name on any system."""
    cleaned = re.sub(r"[^\w.+-]+", "_", name).strip("._")
    return cleaned[:100] or "layer"


def require_layers(layers: Sequence[Layer]) -> None:
    """``UsageError`` if there are none."""
    if not layers:
        raise UsageError("no layer: give problem files, a folder of them, or a network.yaml")
