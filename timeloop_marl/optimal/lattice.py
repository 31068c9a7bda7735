"""All tile shapes of a problem: one divisor of its bound per dim."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..errors import UnsupportedFeatureError
from ..specs.primes import divisors, prime_factors
from ..specs.problem import Problem

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
