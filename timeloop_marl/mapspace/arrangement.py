"""Whether a pattern admits a given sequence of non-unit loops, and where X ends (mapspace sections 1.2, 1.3).

Unit loops count as positions but move nothing: they are put wherever the pattern lets them, so that a mapping written
by hand is recognised whatever order its unit loops have.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..mapping import TilingLoops
from .patterns import Pattern


@dataclass(frozen=True)
class Arrangement:
    """A full order of all dims, innermost first, and the number of X positions."""

    order: tuple[int, ...]
    split: int


def non_unit(loops: TilingLoops) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dims with a factor above 1, innermost first: those at X positions and those at Y positions."""
    x = tuple(d for d in loops.order[: loops.split] if loops.factors[d] > 1)
    y = tuple(d for d in loops.order[max(loops.split, 0) :] if loops.factors[d] > 1)
    return x, y


def arrange(
    pattern: Pattern, x: tuple[int, ...], y: tuple[int, ...], user_split: int | None
) -> Arrangement | None:
    """An order of the pattern whose non-unit dims are x, then y, with all x before the split; ``None`` if none is."""
    wanted = x + y
    fixed = set(pattern.prefix) | set(pattern.suffix)
    free_x = [d for d in x if d not in fixed]
    free_y = [d for d in y if d not in fixed]
    units = [d for d in pattern.free if d not in wanted]
    for front in range(len(units) + 1):
        for middle in range(len(units) - front + 1):
            free = units[:front] + free_x + units[front : front + middle] + free_y + units[front + middle :]
            order = (*pattern.prefix, *free, *pattern.suffix)
            split = _split(order, x, y, user_split)
            if split is not None and tuple(d for d in order if d in wanted) == wanted:
                return Arrangement(order, split)
    return None


def _split(
    order: tuple[int, ...], x: tuple[int, ...], y: tuple[int, ...], user_split: int | None
) -> int | None:
    last_x = max((order.index(d) for d in x), default=-1)
    first_y = min((order.index(d) for d in y), default=len(order))
    split = last_x + 1 if user_split is None else user_split
    return split if last_x < split <= first_y else None
