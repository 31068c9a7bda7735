"""Layers as the files under ``problems/`` describe them: shapes, collections, and the text of the files.

Every layer is written with the letters of the public layer files, so that the constraints of the machines apply to it:
C input channels, M output channels, R x S filter, P x Q output, N batch, G groups (C and M are per group); T and Z are
filter and output along the depth of a volume. A matrix product of ``rows`` x ``inner`` by ``inner`` x ``columns`` is a
1 x 1 convolution with P = rows, C = inner, M = columns.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...errors import UsageError


@dataclass(frozen=True)
class Shape:
    """Bounds, strides and dilations of one layer; two layers with equal shapes share one problem file.

    R, P, ``stride`` and ``dilation`` belong to one side of the picture, S, Q, ``stride_s`` and ``dilation_s`` to the
    other, T, Z, ``stride_t`` and ``dilation_t`` to the depth; 0 there = as the first.
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
    T: int = 1
    Z: int = 1
    stride_t: int = 0
    dilation_t: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates: the product of all bounds."""
        return math.prod((self.C, self.M, self.R, self.S, self.T, self.P, self.Q, self.Z, self.G, self.N))

    @property
    def volume(self) -> bool:
        """Whether it has a depth."""
        return self.T > 1 or self.Z > 1


@dataclass(frozen=True)
class NamedLayer:
    """``count`` layers of one shape. ``file`` names its problem file (of all layers of a shape, the first decides)."""

    name: str
    file: str
    shape: Shape
    count: int = 1


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
        return sum(layer.count * layer.shape.macs for layer in self.layers)


def product(rows: int, inner: int, columns: int, batch: int = 1) -> Shape:
    """``batch`` independent products of a rows x inner with an inner x columns matrix."""
    return Shape(C=inner, M=columns, P=rows, G=batch)


def convolution(
    batch: int,
    weights: Sequence[int],
    output: Sequence[int],
    groups: int,
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Shape:
    """A convolution over one, two or three axes.

    Args:
        batch: pictures.
        weights: output channels, input channels of a group, and the filter's size along every axis.
        output: its size along every axis.
        groups: number of groups.
        strides, dilations: one for every axis.
    """

    def axes(values: Sequence[int], missing: int) -> list[int]:
        return [*reversed(values), missing, missing][:3]

    (r, s, t), (p, q, z) = axes(weights[2:], 1), axes(output, 1)
    (stride, stride_s, stride_t), (dilation, dilation_s, dilation_t) = axes(strides, 0), axes(dilations, 0)
    return Shape(
        C=weights[1], M=weights[0] // groups, G=groups, N=batch, R=r, S=s, T=t, P=p, Q=q, Z=z,
        stride=stride, stride_s=stride_s, stride_t=stride_t,
        dilation=dilation, dilation_s=dilation_s, dilation_t=dilation_t,
    )  # fmt: skip


def attention(
    batch: int, heads: int, key_heads: int, queries: int, keys: int, width: int, values: int
) -> Iterator[tuple[str, Shape]]:
    """Scores (queries x keys) and context (scores x values); one head of keys of one sample is one group.

    The queries of all heads that share keys and values are rows of one product.
    """
    rows = queries * heads // key_heads
    yield ".scores", product(rows, width, keys, batch * key_heads)
    yield ".context", product(rows, keys, values, batch * key_heads)


LISTED = 6  # names of layers spelled out in the comment of a problem file
WIDTH = 118


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
    shape, names, count = layers[0].shape, [layer.name for layer in layers], _count(layers)
    listed = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
    used = "once" if count == 1 else f"{count} times"
    return (
        f"# {network.title}: {listed}; used {used}. {shape.macs} multiply-accumulates each.\n"
        f"# Written by {writer}; source and counts are in network.yaml.\n"
        f"problem:\n  version: 0.4\n{_shape_text(shape)}"
    )


def _count(layers: list[NamedLayer]) -> int:
    return sum(layer.count for layer in layers)


def _shape_text(shape: Shape) -> str:
    """Dimensions, data spaces, coefficients and bounds, without letters that the layer has no use for."""
    grouped, volume = shape.G > 1, shape.volume
    sides = [("R", "P", "W"), ("S", "Q", "H"), *([("T", "Z", "D")] if volume else [])]
    dims = [
        "C",
        "M",
        *(side[0] for side in sides),
        "N",
        *(side[1] for side in sides),
        *(["G"] if grouped else []),
    ]
    group = ", [[G]]" if grouped else ""
    filters = ", ".join(f"[[{r}]]" for r, *_ in sides)
    windows = ", ".join(f"[[{r}, {axis}dilation], [{p}, {axis}stride]]" for r, p, axis in sides)
    outputs = ", ".join(f"[[{p}]]" for p in [*(["Z"] if volume else []), "Q", "P"])
    name = ("grouped_" if grouped else "") + "conv" + ("_of_volume" if volume else "")
    lines = [
        "  shape:",
        f"    name: {name}",
        f"    dimensions: [{', '.join(dims)}]",
        "    data_spaces:",
        "    - name: Weights",
        f"      projection: [[[C]], [[M]], {filters}{group}]",
        "    - name: Inputs",
        f"      projection: [[[N]], [[C]], {windows}{group}]",
        "    - name: Outputs",
        f"      projection: [[[N]], [[M]], {outputs}{group}]",
        "      read_write: true",
        "    coefficients:",
    ]
    steps = {
        "stride": (shape.stride, shape.stride_s, shape.stride_t),
        "dilation": (shape.dilation, shape.dilation_s, shape.dilation_t),
    }
    bounds = [f"{dim}: {getattr(shape, dim)}" for dim in dims]
    for kind, values in steps.items():
        for (_, _, axis), value in zip(sides, values, strict=False):
            lines.append(f"    - {{name: {axis}{kind}, default: 1}}")
            bounds.append(f"{axis}{kind}: {value or values[0]}")
    return "\n".join([*lines, f"  instance: {{{', '.join(bounds)}}}"]) + "\n"


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
        lines.append(f"    count: {_count(layers)}")
        if _count(layers) == len(layers):
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
