"""What is open: all tile shapes of a problem, and what the constraints leave of factors, layouts, orders, bypasses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from ..errors import UnsupportedFeatureError
from ..mapspace.learners.build import UNLIMITED, Builder
from ..mapspace.learners.tables import X, Y
from ..specs.primes import divisors, prime_factors
from ..specs.problem import Problem
from ..specs.spec import Spec

LARGEST = 4_000_000
"""Most tile shapes for which tables are made."""


class Lattice(NamedTuple):
    """Tile shapes as vectors of divisor indices. D dims, K most divisors of a bound, Q most distinct primes."""

    divisors: Int64[ndarray, "D"]  # number of divisors of each bound
    divisor: Int64[ndarray, "D K"]  # ascending
    quotient: Int64[ndarray, "D K K"]  # index of divisor i / divisor j, -1 if that is none
    product: Int64[ndarray, "D K K"]  # index of divisor i * divisor j, -1 if that is none
    prime: Int64[ndarray, "D Q"]  # index of each distinct prime of the bound, 0 beyond the last
    least_prime: Int64[ndarray, "D"]  # smallest prime factor of the bound, 1 for a bound of 1
    weight: Int64[ndarray, "D"]  # of a dim's index in the number of a shape
    size: int


def make_lattice(problem: Problem) -> Lattice:
    """The tile shapes of a problem.

    Raises:
        UnsupportedFeatureError: there are too many for tables over all of them.
    """
    lists = [divisors(bound) for bound in problem.bounds]
    primes = [sorted(set(prime_factors(bound))) for bound in problem.bounds]
    D, K = len(lists), max(len(found) for found in lists)
    Q = max(1, max(len(found) for found in primes))
    size = int(np.prod([len(found) for found in lists], dtype=object))
    if size > LARGEST:
        raise UnsupportedFeatureError(
            f"the problem has {size:,} tile shapes; a proof needs tables over all of them",
            path="problem.instance",
            expected=f"at most {LARGEST:,}",
            remedy="search instead (timeloop-marl search), or prove a smaller layer",
        )
    divisor, prime = np.zeros((D, K), np.int64), np.zeros((D, Q), np.int64)
    quotient, product = np.full((D, K, K), -1, np.int64), np.full((D, K, K), -1, np.int64)
    for d, found in enumerate(lists):
        place = {value: index for index, value in enumerate(found)}
        divisor[d, : len(found)] = found
        prime[d, : len(primes[d])] = [place[value] for value in primes[d]]
        for i, one in enumerate(found):
            for j, other in enumerate(found):
                if one % other == 0:
                    quotient[d, i, j] = place[one // other]
                product[d, i, j] = place.get(one * other, -1)
    counts = np.array([len(found) for found in lists], np.int64)
    return Lattice(
        divisors=counts,
        divisor=divisor,
        quotient=quotient,
        product=product,
        prime=prime,
        least_prime=np.array([found[0] if found else 1 for found in primes], np.int64),
        weight=np.concatenate([np.cumprod(counts[::-1])[::-1][1:], [1]]).astype(np.int64),
        size=size,
    )


def shapes(lattice: Lattice) -> Int64[ndarray, "size D"]:
    """Divisor indices of every shape, in the order of their numbers."""
    return np.stack(np.unravel_index(np.arange(lattice.size), tuple(lattice.divisors)), axis=1).astype(
        np.int64
    )


@dataclass(frozen=True)
class Layout:
    """How the loops of a spatial level are written: all dims, innermost first, and the first position that is Y."""

    order: tuple[int, ...]
    split: int


class Choices:
    """The mapspace of a Spec as independent choices per tiling level; what the learners' view draws from."""

    def __init__(self, spec: Spec, lattice: Lattice) -> None:
        self.spec, self.lattice = spec, lattice
        self._builder = builder = Builder(spec)
        self.levels, self.rules = builder.levels, builder.rules
        self.D, self.S, self.P = builder.D, builder.S, builder.P
        self.least_parallelism = spec.constraints.min_parallelism
        self.instances = builder.instances()  # of compute, then of each level; 0 where the meshes imply them
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
            self._builder.fan[t], self._builder.split[t], self._builder.free_sides(t)
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
