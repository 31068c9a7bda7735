"""Layers as the files under ``problems/`` describe them.

Every layer is written with the letters of the public layer files, so that the constraints of the machines apply to it:
C input channels, M output channels, R x S filter, P x Q output, N batch, G groups (C and M are per group). A matrix
product of ``rows`` x ``inner`` by ``inner`` x ``columns`` is a 1 x 1 convolution with P = rows, C = inner, M = columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


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
