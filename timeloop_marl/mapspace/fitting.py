"""Can given spatial factors be laid out on a mesh, under the pattern and split of their level?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import combinations

from .timeloop import TimeloopMapspace


def spatial_fits(space: TimeloopMapspace, t: int, factors: Mapping[int, int]) -> bool:
    """Whether spatial tiling level t can hold these factors (dim -> factor; others 1) within its fan-out."""
    fanout_x, fanout_y = int(space.choices.fanout_x[t]), int(space.choices.fanout_y[t])
    used = {d: factor for d, factor in factors.items() if factor > 1}
    total = math.prod(used.values())
    for x_dims in _x_choices(space, t, tuple(used)):
        x = math.prod(used[d] for d in x_dims)
        if x <= fanout_x and total // x <= fanout_y:
            return True
    return False


def _x_choices(space: TimeloopMapspace, t: int, used: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The sets of used dims that can stand before the split: initial segments of prefix, free subset, suffix."""
    pattern, split = space.patterns[t], min(int(space.choices.user_split[t]), space.dims)
    free = [d for d in pattern.free if d in used]
    units = len(pattern.free) - len(free)

    def kept(dims: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(d for d in dims if d in used)

    for size in range(len(pattern.prefix) + 1):
        if split in (-1, size):
            yield kept(pattern.prefix[:size])
    for size in range(len(free) + 1):
        positions = range(len(pattern.prefix) + size, len(pattern.prefix) + size + units + 1)
        if split < 0 or split in positions:
            for chosen in combinations(free, size):
                yield kept(pattern.prefix) + chosen
    inside = len(pattern.prefix) + len(pattern.free)
    for size in range(len(pattern.suffix) + 1):
        if split in (-1, inside + size):
            yield kept(pattern.prefix) + tuple(free) + kept(pattern.suffix[:size])
