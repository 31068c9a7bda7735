"""Loop orders of one temporal level that can make a difference (docs/optimal.md, rules R1 to R4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ..traffic.geometry import Geometry

Free = tuple[int, ...]
"""Per data space the dims (bits) whose loops lie inside its first loop that moves it: they cost it nothing."""


@dataclass(frozen=True)
class Tensor:
    """What the order rules have to know about a data space; dims as bit masks."""

    relevant: int
    alone: int  # dims with a rank to themselves: such a loop always brings new words
    coupled: bool  # some rank has two dims: neighbouring tiles overlap, and the order inside matters more


def tensors_of(geometry: Geometry) -> tuple[Tensor, ...]:
    """All data spaces. Terms of one dim in one rank are added; those that cancel do not count."""
    found = []
    for p in range(geometry.spaces):
        relevant = alone = 0
        coupled = False
        for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
            dims = [d for d in range(geometry.dims) if geometry.rank_step[r, d]]
            bits = sum(1 << d for d in dims)
            relevant |= bits
            alone |= bits if len(dims) == 1 else 0
            coupled = coupled or len(dims) > 1
        found.append(Tensor(relevant, alone, coupled))
    return tuple(found)


@dataclass(frozen=True)
class OrderRule:
    """The user's permutation of a level: innermost dims, outermost dims (both innermost first)."""

    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()


def classes(tensors: tuple[Tensor, ...], rule: OrderRule, mask: int) -> tuple[Free, ...]:
    """What the orders of the loops in ``mask`` can leave free, without what others leave free, too."""
    found: set[Free] = set()

    def extend(left: int, alive: int, free: Free) -> None:
        if not left or not alive:
            found.add(free)
            return
        ready = _ready(rule, left)
        harmless = [d for d in ready if not _moved(tensors, alive, d)]
        if harmless:
            ready = harmless[:1]
        for d in ready:
            moved = _moved(tensors, alive, d)
            after = alive & ~moved
            grown = tuple(
                bits | (1 << d) if alive >> p & 1 and not moved >> p & 1 else bits
                for p, bits in enumerate(free)
            )
            extend(left & ~(1 << d), after, grown)

    extend(mask, (1 << len(tensors)) - 1, (0,) * len(tensors))
    return tuple(sorted(one for one in found if not any(o != one and covers(o, one) for o in found)))


def covers(one: Free, other: Free) -> bool:
    """Whether everything that ``other`` leaves free is free in ``one``."""
    return all(b & ~a == 0 for a, b in zip(one, other))


def representatives(
    tensors: tuple[Tensor, ...], rule: OrderRule, mask: int, exact: bool, dominance: bool
) -> tuple[tuple[Free, tuple[int, ...]], ...]:
    """One order of the loops in ``mask`` for each effect that orders can have, with what it leaves free.

    Args:
        exact: overlapping tiles may coincide or be passed on between neighbours: keep every order of the loops up to
            the first that surely brings new words.
        dominance: leave orders out that only make more words travel than another one.
    """
    best: dict[tuple[object, ...], list[tuple[Free, tuple[int, ...]]]] = {}
    for order in _orders(tensors, rule, mask, exact):
        free, rest = _effect(tensors, order, exact)
        kept = best.setdefault(rest, [])
        if any(f == free or (dominance and covers(f, free)) for f, _ in kept):
            continue
        if dominance:
            kept[:] = [entry for entry in kept if not covers(free, entry[0])]
        kept.append((free, order))
    return tuple(entry for kept in best.values() for entry in kept)


def _orders(
    tensors: tuple[Tensor, ...], rule: OrderRule, mask: int, exact: bool
) -> Iterator[tuple[int, ...]]:
    """Orders up to the loop after which nothing matters; the loops beyond in ascending order where they are free."""

    def extend(order: tuple[int, ...], left: int) -> Iterator[tuple[int, ...]]:
        if not left:
            yield order
            return
        if not _open(tensors, order, exact):
            yield (*order, *_rest(rule, left))
            return
        for d in _ready(rule, left):
            yield from extend((*order, d), left & ~(1 << d))

    return extend((), mask)


def _open(tensors: tuple[Tensor, ...], order: tuple[int, ...], exact: bool) -> bool:
    """Whether the effect on some data space is still undecided after these loops."""
    for tensor in tensors:
        ends = tensor.alone if exact and tensor.coupled else tensor.relevant
        if not any(ends >> d & 1 for d in order):
            return True
    return False


def _effect(
    tensors: tuple[Tensor, ...], order: tuple[int, ...], exact: bool
) -> tuple[Free, tuple[object, ...]]:
    """What the order leaves free, and what else it decides about data spaces with overlapping tiles."""
    free: list[int] = []
    rest: list[object] = []
    for tensor in tensors:
        inside, first = 0, -1
        for d in order:
            if tensor.relevant >> d & 1:
                first = d
                break
            inside |= 1 << d
        free.append(inside)
        if not tensor.coupled:
            continue
        if exact:
            upto = next((k for k, d in enumerate(order) if tensor.alone >> d & 1), len(order))
            rest.append(order[: upto + 1])
        else:
            rest.append(first if first >= 0 and not tensor.alone >> first & 1 else -1)
    return tuple(free), tuple(rest)


def _moved(tensors: tuple[Tensor, ...], alive: int, d: int) -> int:
    return sum(1 << p for p, t in enumerate(tensors) if alive >> p & 1 and t.relevant >> d & 1)


def _ready(rule: OrderRule, left: int) -> list[int]:
    """Dims that may be the next loop outwards."""
    for d in rule.prefix:
        if left >> d & 1:
            return [d]
    free = [d for d in _bits(left) if d not in rule.suffix]
    return free or [next(d for d in rule.suffix if left >> d & 1)]


def _rest(rule: OrderRule, left: int) -> list[int]:
    order = []
    while left:
        d = _ready(rule, left)[0]
        order.append(d)
        left &= ~(1 << d)
    return order


@cache
def _bits(mask: int) -> tuple[int, ...]:
    return tuple(d for d in range(mask.bit_length()) if mask >> d & 1)
