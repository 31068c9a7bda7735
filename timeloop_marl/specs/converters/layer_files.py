"""Layers as the files under ``problems/`` describe them: shapes, collections, and the text of the files.

Every layer is written with the letters of the public layer files, so that the constraints of the machines apply to it:
C input channels, M output channels, R x S filter, P x Q output, N batch, G groups (C and M are per group). A matrix
product of ``rows`` x ``inner`` by ``inner`` x ``columns`` is a 1 x 1 convolution with P = rows, C = inner, M = columns.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from ...errors import UsageError


@dataclass(frozen=True)
class Shape:
    """Bounds, strides and dilations of one layer; two layers with equal shapes share one problem file.

    R, P, ``stride`` and ``dilation`` belong to one side of the picture, S, Q, ``stride_s`` and ``dilation_s`` to the
    other; 0 there = as the first.
    """

    C: int
    M: int
    R: int = 1
    S: int = 1
    P: int = 1
    Q: int = 1
    G: int = 1
    stride: int = 1
    N: int = 1
    dilation: int = 1
    stride_s: int = 0
    dilation_s: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates: the product of all bounds."""
        return math.prod((self.C, self.M, self.R, self.S, self.P, self.Q, self.G, self.N))

    @property
    def strides(self) -> tuple[int, int]:
        """Of R/P and of S/Q."""
        return self.stride, self.stride_s or self.stride

    @property
    def dilations(self) -> tuple[int, int]:
        """Of R/P and of S/Q."""
        return self.dilation, self.dilation_s or self.dilation


@dataclass(frozen=True)
class NamedLayer:
    """One layer. ``file`` names the problem file of its shape (of all layers of a shape, the first decides)."""

    name: str
    file: str
    shape: Shape


@dataclass(frozen=True)
class LayeredNetwork:
    """A whole network, layers in order of execution."""

    folder: str
    title: str
    source: str
    remarks: str
    layers: tuple[NamedLayer, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.shape.macs for layer in self.layers)


def product(rows: int, inner: int, columns: int, batch: int = 1) -> Shape:
    """``batch`` independent products of a rows x inner with an inner x columns matrix."""
    return Shape(C=inner, M=columns, P=rows, G=batch)


LISTED = 6  # names of layers spelled out in the comment of a problem file
WIDTH = 118

DENSE = """\
    name: conv
    dimensions: [C, M, R, S, N, P, Q]
    data_spaces:
    - name: Weights
      projection: [[[C]], [[M]], [[R]], [[S]]]
    - name: Inputs
      projection: [[[N]], [[C]], [[R, Wdilation], [P, Wstride]], [[S, Hdilation], [Q, Hstride]]]
    - name: Outputs
      projection: [[[N]], [[M]], [[Q]], [[P]]]
      read_write: true
"""
GROUPED = """\
    name: grouped_conv
    dimensions: [C, M, R, S, N, P, Q, G]
    data_spaces:
    - name: Weights
      projection: [[[C]], [[M]], [[R]], [[S]], [[G]]]
    - name: Inputs
      projection: [[[N]], [[C]], [[R, Wdilation], [P, Wstride]], [[S, Hdilation], [Q, Hstride]], [[G]]]
    - name: Outputs
      projection: [[[N]], [[M]], [[Q]], [[P]], [[G]]]
      read_write: true
"""
COEFFICIENTS = """\
    coefficients:
    - {name: Wstride, default: 1}
    - {name: Hstride, default: 1}
    - {name: Wdilation, default: 1}
    - {name: Hdilation, default: 1}
"""


def distinct(network: LayeredNetwork) -> dict[Shape, list[NamedLayer]]:
    """The layers of each distinct shape, in order of first use; two shapes under one file name are an error."""
    groups: dict[Shape, list[NamedLayer]] = {}
    for layer in network.layers:
        groups.setdefault(layer.shape, []).append(layer)
    names = [layers[0].file for layers in groups.values()]
    if len(set(names)) != len(names):
        raise ValueError(f"{network.folder}: two shapes share a file name: {sorted(names)}")
    return groups


def problem_text(network: LayeredNetwork, layers: list[NamedLayer], writer: str) -> str:
    """The text of one problem file; ``writer``: which program writes it."""
    shape = layers[0].shape
    names = [layer.name for layer in layers]
    listed = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
    used = "once" if len(names) == 1 else f"{len(names)} times"
    bounds = (
        f"C: {shape.C}, M: {shape.M}, R: {shape.R}, S: {shape.S}, N: {shape.N}, P: {shape.P}, Q: {shape.Q}"
    )
    if shape.G > 1:
        bounds += f", G: {shape.G}"
    (wide, high), (apart, below) = shape.strides, shape.dilations
    strides = f"Wstride: {wide}, Hstride: {high}, Wdilation: {apart}, Hdilation: {below}"
    return (
        f"# {network.title}: {listed}; used {used}. {shape.macs} multiply-accumulates each.\n"
        f"# Written by {writer}; source and counts are in network.yaml.\n"
        "problem:\n"
        "  version: 0.4\n"
        "  shape:\n"
        f"{GROUPED if shape.G > 1 else DENSE}{COEFFICIENTS}"
        f"  instance: {{{bounds}, {strides}}}\n"
    )


def network_text(network: LayeredNetwork, groups: dict[Shape, list[NamedLayer]], writer: str) -> str:
    """The text of ``network.yaml``."""
    lines = [
        f"# Written by {writer}. Layers of equal shape share a file: `count` says",
        "# how many there are, `names` which. Sum over the network = sum of count x result of the file.",
        "network:",
        f"  name: {network.folder}",
        f"  title: {quoted(network.title)}",
        f"  source: {quoted(network.source)}",
        f"  remarks: {quoted(network.remarks)}",
        f"  macs: {network.macs}  # multiply-accumulates of one inference, batch 1",
        "  layers:",
    ]
    for layers in groups.values():
        lines.append(f"  - file: {layers[0].file}.yaml")
        lines.append(f"    count: {len(layers)}")
        lines += wrapped("    names: [", [layer.name for layer in layers])
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A single-quoted YAML scalar."""
    return "'" + text.replace("'", "''") + "'"


def wrapped(head: str, names: list[str]) -> list[str]:
    """A flow list broken into lines."""
    lines, line = [], head
    for index, name in enumerate(names):
        piece = name + ("]" if index == len(names) - 1 else ", ")
        if len(line) + len(piece) > WIDTH:
            lines.append(line.rstrip())
            line = " " * len(head)
        line += piece
    return [*lines, line]


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
