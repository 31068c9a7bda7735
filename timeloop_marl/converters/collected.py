"""Layers as a converter finds them: named, equal shapes sharing a file, and what was left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..errors import UsageError
from .layer_shapes import LayeredNetwork, NamedLayer, Shape

_LONGEST = 60


@dataclass
class Collected:
    """Layers in order of execution."""

    layers: list[NamedLayer] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)  # operator -> names
    _files: dict[Shape, str] = field(default_factory=dict)

    def add(self, name: str, shape: Shape) -> None:
        """One more layer; those of no work are dropped."""
        if shape.macs < 1:
            return
        plain = _plain(name)
        file = self._files.get(shape)
        if file is None:
            file = self._unused(re.sub(r"[^\w.-]+", "_", plain)[-_LONGEST:].strip("._-") or "layer")
            self._files[shape] = file
        self.layers.append(NamedLayer(plain, file, shape))

    def leave_out(self, name: str, operator: str) -> None:
        """An operator with work of its own that is not converted."""
        self.left_out.setdefault(operator, []).append(_plain(name))

    def notices(self) -> tuple[str, ...]:
        """One line for every kind of operator that was left out."""
        return tuple(
            f"{len(names)} x {operator} left out, its work is in no layer file: {', '.join(names[:3])}"
            + (", ..." if len(names) > 3 else "")
            for operator, names in self.left_out.items()
        )

    def network(self, name: str, source: str, remarks: str) -> LayeredNetwork:
        """All of it. Raises ``UsageError`` if there is nothing."""
        if not self.layers:
            raise UsageError(
                f"{source}: no convolution, linear layer, product of matrices or attention in it"
            )
        return LayeredNetwork(_plain(name), _plain(name), source, remarks, tuple(self.layers))

    def _unused(self, file: str) -> str:
        taken = {name.lower() for name in self._files.values()} | {"network"}
        number, candidate = 1, file
        while candidate.lower() in taken:
            number += 1
            candidate = f"{file}-{number}"
        return candidate


def _plain(name: str) -> str:
    """A name that is a plain YAML scalar."""
    return re.sub(r"[^\w./+-]+", "_", name).strip("_./+-") or "layer"
