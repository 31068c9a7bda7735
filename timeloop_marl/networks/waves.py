"""In which order things are searched for the first time, so that each begins with what is known of its likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..searchers.knowledge import access_of, bounds_of, distance
from ..specs.spec import Spec


def waves(specs: Sequence[Spec]) -> tuple[tuple[int, ...], ...]:
    """Indices of the layers, wave by wave: 1, 2, 4, 8, … layers, each wave searched at the same time.

    The first is the layer nearest to all others; then those nearest to what has been searched.
    """
    shapes = [(bounds_of(spec), access_of(spec)) for spec in specs]
    apart = np.array([[distance(a, b) for b in shapes] for a in shapes], np.float64)
    return growing_waves(apart.sum(axis=1), lambda i: apart[i])


def growing_waves(
    first: Float64[ndarray, "n"],
    apart: Callable[[int], Float64[ndarray, "n"]],
    known: Iterable[int] = (),
) -> tuple[tuple[int, ...], ...]:
    """Indices wave by wave: each at least as many as all before it, so that many workers have work.

    Always those nearest to what is known, so that knowledge travels over short distances; of equally near ones the
    first. Nothing depends on how many workers there are.

    Args:
        first: what is least of the one to begin with, where nothing is known.
        apart: distances of one to all.
        known: what has been searched before; in no wave.
    """
    begun = sorted(set(known))
    nearest = np.array(first, np.float64)
    if begun:
        nearest = np.min([apart(i) for i in begun], axis=0)
    left = [i for i in range(len(nearest)) if i not in set(begun)]
    found: list[tuple[int, ...]] = []
    size = max(1, len(begun))
    while left:
        wave = sorted(left, key=lambda i: (nearest[i], i))[:size]
        taken = set(wave)
        left = [i for i in left if i not in taken]
        rows = np.min([apart(i) for i in wave], axis=0)
        nearest = np.minimum(nearest, rows) if found or begun else rows
        found.append(tuple(wave))
        size *= 2
    return tuple(found)
