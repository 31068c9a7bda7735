"""In which order layers are searched for the first time, so that each begins with what is known of its likes."""

from __future__ import annotations

from collections.abc import Sequence

from ..searchers.marl.knowledge import access_of, bounds_of, distance
from ..specs.spec import Spec


def waves(specs: Sequence[Spec]) -> tuple[tuple[int, ...], ...]:
    """Indices of the layers, wave by wave: 1, 2, 4, 8, … layers, each wave searched at the same time.

    The first is the layer nearest to all others; then those nearest to what has been searched, so that knowledge
    travels over short distances. The waves grow, so that many workers have work.
    """
    shapes = [(bounds_of(spec), access_of(spec)) for spec in specs]
    apart = [[distance(a, b) for b in shapes] for a in shapes]
    left = set(range(len(specs)))
    found: list[tuple[int, ...]] = []
    nearest = [sum(row) for row in apart]
    size = 1
    while left:
        wave = sorted(left, key=lambda i: (nearest[i], i))[:size]
        left -= set(wave)
        known = [i for done in found for i in done] + wave
        nearest = [min(apart[i][j] for j in known) for i in range(len(specs))]
        found.append(tuple(wave))
        size *= 2
    return tuple(found)
