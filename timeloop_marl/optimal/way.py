"""Least energy of the way through a network, of one word to each group of children (model sections 5.2, 14)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..cost.noc import LEGACY, evaluated_networks
from ..specs.spec import Spec
from .choices import Choices, Layout
from .lattice import Lattice
from .orders import Tensor


class Ways:
    """Hops of the best layout of every block; 0 where words may take shorter ways, so that nothing is sure.

    That is where a loop of the block moves a rank that other dims move, too, and where neighbours may pass words on
    because nothing is kept below.
    """

    def __init__(
        self,
        spec: Spec,
        choices: Choices,
        lattice: Lattice,
        tensors: tuple[Tensor, ...],
        counted: bool,
    ) -> None:
        self._spec, self._choices, self._lattice, self._tensors = spec, choices, lattice, tensors
        self._hop = [0.0] * choices.S
        for network in evaluated_networks(spec) if counted else ():
            if network.kind == LEGACY:
                self._hop[network.outer] += network.hop
        self._known: dict[tuple[int, tuple[int, ...]], list[float]] = {}

    def of(self, inner: Sequence[tuple[int, ...]]) -> Float64[ndarray, "S P"]:
        """PJ per level and data space for the spatial factors of all levels (divisor indices)."""
        return np.array([self._level(s, tuple(indices)) for s, indices in enumerate(inner)], np.float64)

    def _level(self, s: int, indices: tuple[int, ...]) -> list[float]:
        if (s, indices) not in self._known:
            self._known[s, indices] = [self._least(s, indices, p) for p in range(self._choices.P)]
        return self._known[s, indices]

    def _least(self, s: int, indices: tuple[int, ...], p: int) -> float:
        block, switches = self._choices.spatial[s], self._spec.constraints.switches
        if self._hop[s] == 0.0 or block is None:
            return 0.0
        relevant = self._tensors[p].relevant
        overlapping = relevant & ~self._tensors[p].alone
        factors = [int(self._lattice.divisor[d, i]) for d, i in enumerate(indices)]
        shared = any(n > 1 and not relevant >> d & 1 for d, n in enumerate(factors))
        kept = s > 0 and (s - 1, p) not in switches.no_temporal_reuse
        near = any(n > 1 and overlapping >> d & 1 for d, n in enumerate(factors))
        if math.prod(factors) == 1 or near or (shared and not kept):
            return 0.0
        if (s, p) in switches.no_multicast:
            relevant = -1
        layouts = self._choices.layouts(block, indices)
        return self._hop[s] * min(self._hops(s, layout, factors, relevant) for layout in layouts)

    def _hops(self, s: int, layout: Layout, factors: Sequence[int], relevant: int) -> float:
        """Sum over the groups of children of the hops of one packet to each (5.2)."""
        loops = [(d, factors[d], k < layout.split) for k, d in enumerate(layout.order) if factors[d] > 1]
        across = math.prod(n for _, n, x in loops if x)
        down = math.prod(n for _, n, x in loops if not x)
        columns = max(self._spec.architecture.fanout_x(s), across)
        centre = (max(self._spec.architecture.fanout_y(s), down) - 1) / 2
        groups: dict[tuple[int, ...], dict[int, list[int]]] = {}
        for child in range(across * down):
            left, digits = child, []
            for d, n, _ in loops:
                if relevant >> d & 1:
                    digits.append(left % n)
                left //= n
            groups.setdefault(tuple(digits), {}).setdefault(child % columns, []).append(child // columns)
        total = 0.0
        for group in groups.values():
            total += max(group)
            for rows in group.values():
                total += max(0.0, centre - min(rows)) + max(0.0, max(rows) - centre)
        return total
