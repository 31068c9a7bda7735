"""What the constraints leave open: factors of each tiling level, spatial layouts, orders, bypasses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from ..errors import UnsupportedFeatureError
from ..mapspace.learners.build import UNLIMITED, Builder
from ..mapspace.learners.tables import X, Y
from ..specs.constraints import LoopConstraint
from ..specs.spec import Spec
from .lattice import Lattice

_FREE = LoopConstraint()


@dataclass(frozen=True)
class Layout:
    """How the loops of a spatial level are written: all dims, innermost first, and the first position that is Y."""

    order: tuple[int, ...]
    split: int


class Choices:
    """The mapspace of a Spec as independent choices per tiling level; what the learners' view draws from."""

    def __init__(self, spec: Spec, lattice: Lattice) -> None:
        self.spec, self.lattice = spec, lattice
        self._builder = Builder(spec)
        self.levels = spec.architecture.tiling_levels
        self.D, self.S = len(spec.problem.dims), len(spec.architecture.storage)
        self.P = len(spec.problem.data_spaces)
        self.rules = [spec.constraints.loops.get(level, _FREE) for level in self.levels]
        self.temporal = [t for t, level in enumerate(self.levels) if not level.spatial]
        self.spatial: list[int | None] = [None] * self.S
        for t, level in enumerate(self.levels):
            if level.spatial:
                self.spatial[level.storage] = t
        self._layouts: dict[tuple[int, tuple[int, ...]], list[Layout]] = {}
        self._require_perfect()

    def _require_perfect(self) -> None:
        for rule in self.rules:
            if rule.remainders:
                raise UnsupportedFeatureError(
                    "imperfect factors (remainders) cannot be enumerated with a proof",
                    path=rule.source,
                    remedy="drop 'remainders', or search instead (timeloop-marl search)",
                )
        for d, bound in enumerate(self.spec.problem.bounds):
            left = bound
            for rule in self.rules:
                fixed = rule.fixed.get(d, 1)
                if left % fixed:
                    raise UnsupportedFeatureError(
                        f"the fixed factor {self.spec.problem.dims[d]}={fixed} does not divide what is left of the "
                        f"bound ({left}): imperfect factors cannot be enumerated with a proof",
                        path=rule.source,
                        remedy="fix a factor that divides the bound, or search instead (timeloop-marl search)",
                    )
                left //= fixed

    @cached_property
    def allowed(self) -> Bool[ndarray, "T D K"]:
        """Which divisors the constraints allow as the factor of a dim at a tiling level."""
        lattice = self.lattice
        found = np.zeros((len(self.levels), self.D, lattice.divisor.shape[1]), np.bool_)
        for t, rule in enumerate(self.rules):
            for d in range(self.D):
                values = lattice.divisor[d, : lattice.divisors[d]]
                if d in rule.fixed:
                    fits = values == rule.fixed[d]
                else:
                    fits = (values <= rule.maximum.get(d, UNLIMITED)) & (values >= rule.minimum.get(d, 1))
                found[t, d, : lattice.divisors[d]] = fits
        return found

    def masks(self) -> Iterator[Bool[ndarray, "S P"]]:
        """Every choice of bypasses in which each data space is kept somewhere."""
        keep = self._builder.keep
        free = np.argwhere(keep == 2)
        for bits in product((True, False), repeat=len(free)):
            mask = keep == 1
            mask[tuple(free.T)] = bits
            if mask.any(axis=0).all():
                yield mask

    @cached_property
    def free_bypasses(self) -> int:
        """Number of open keep-or-bypass choices."""
        return int((self._builder.keep == 2).sum())

    def spatial_factors(self, t: int) -> list[tuple[int, ...]]:
        """Factor vectors (divisor indices) of a spatial level that constraints and mesh allow, ascending."""
        lattice, fan = self.lattice, self._builder.fan[t]
        most = int(fan[X] * fan[Y])
        found: list[tuple[int, ...]] = []

        def extend(chosen: tuple[int, ...], used: int) -> None:
            d = len(chosen)
            if d == self.D:
                if self.layouts(t, chosen):
                    found.append(chosen)
                return
            for i in np.flatnonzero(self.allowed[t, d]):
                value = int(lattice.divisor[d, i])
                if used * value <= most:
                    extend((*chosen, int(i)), used * value)

        extend((), 1)
        return found

    def layouts(self, t: int, indices: tuple[int, ...]) -> list[Layout]:
        """Every way to lay the loops of a spatial level out that constraints and mesh allow."""
        key = (t, indices)
        if key not in self._layouts:
            factors = [int(self.lattice.divisor[d, i]) for d, i in enumerate(indices)]
            self._layouts[key] = list(dict.fromkeys(self._find_layouts(t, factors)))
        return self._layouts[key]

    def _find_layouts(self, t: int, factors: list[int]) -> Iterator[Layout]:
        prefix, suffix = self._builder.permutations[t]
        fan, split, free_sides = (
            self._builder.fan[t], self._builder.split[t], self._builder._free_sides(t)
        )  # fmt: skip
        free = self._builder.free_dims(t)
        loops = [d for d in free if factors[d] > 1]
        units = [d for d in free if factors[d] == 1]
        for order in permutations(loops):
            sequence = [*prefix, *order, *suffix]
            moving = [d for d in sequence if factors[d] > 1]
            for cut in range(len(moving) + 1):
                across = int(np.prod([factors[d] for d in moving[:cut]], dtype=np.int64))
                down = int(np.prod([factors[d] for d in moving[cut:]], dtype=np.int64))
                if across > fan[X] or down > fan[Y]:
                    continue
                left = set(moving[:cut])
                inner = [d for d in order if d in left]
                outer = [d for d in order if d not in left]
                full = (*prefix, *inner, *units, *outer, *suffix)
                places = [k for k, d in enumerate(full) if d in left]
                if split >= 0:
                    if len(inner) > free_sides[X] or len(outer) > free_sides[Y]:
                        continue
                    at = min(split, self.D)
                    others = [k for k, d in enumerate(full) if factors[d] > 1 and d not in left]
                    if any(k >= at for k in places) or any(k < at for k in others):
                        continue
                else:
                    at = (places[-1] + 1 if places else 0) if cut < len(moving) else self.D
                yield Layout(full, at)

    def order_rule(self, t: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Innermost and outermost dims of the permutation of a temporal level that are not free."""
        return self._builder.permutations[t]

    @cached_property
    def least_parallelism(self) -> float:
        """The user's smallest share of the compute instances."""
        return self.spec.constraints.min_parallelism

    @cached_property
    def instances(self) -> list[int]:
        """Instances of compute (first) and of each storage level; 0 where the meshes imply them."""
        return self._builder._instances()
