"""A loop nest to its row in the learners' view, or the reason why it has none."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ...errors import MappingError
from ...mapping import Mapping, TilingLoops
from .build import Builder
from .tables import TEMPORAL, X, Y


def encode_mapping(builder: Builder, mapping: Mapping) -> Int64[ndarray, "axes"]:
    """The row, not yet canonical. Raises ``MappingError`` naming the level or dimension that does not fit."""
    _check_shape(builder, mapping)
    row = np.zeros(len(builder.axes), np.int64)
    sides = [[_side(builder, t, d, mapping.loops[t]) for d in range(builder.D)] for t in range(builder.T)]
    for d in range(builder.D):
        _encode_dim(builder, mapping, d, sides, row)
    for t in range(builder.T):
        _encode_order(builder, mapping.loops[t], t, sides[t], row)
    _encode_keep(builder, mapping, row)
    return row


def _check_shape(builder: Builder, mapping: Mapping) -> None:
    shape = (len(mapping.loops), len(mapping.keep))
    if shape != (builder.T, builder.S):
        raise MappingError(
            "the mapping belongs to another architecture",
            value=f"{shape[0]} tiling levels, {shape[1]} storage levels",
            expected=f"{builder.T} tiling levels, {builder.S} storage levels",
        )


def _side(builder: Builder, t: int, d: int, loops: TilingLoops) -> int:
    if not builder.levels[t].spatial or loops.factors[d] == 1:
        return TEMPORAL
    return X if loops.order.index(d) < loops.split else Y


def _encode_dim(
    builder: Builder, mapping: Mapping, d: int, sides: list[list[int]], row: Int64[ndarray, "axes"]
) -> None:
    name = builder.spec.problem.dims[d]
    open_items = [i for i, item in enumerate(builder.items) if item.dim == d]
    rem = builder.spec.problem.bounds[d]
    for t in range(builder.T):
        factor, residual = mapping.loops[t].factors[d], mapping.loops[t].residuals[d]
        fixed = builder.rules[t].fixed.get(d)
        expected = min(fixed, rem) if fixed is not None else factor
        if factor != expected or residual != (rem % factor or factor):
            raise MappingError(
                f"{name}{factor}{f',{residual}' if residual != factor else ''} at {builder.level_name(t)} "
                "is not in this mapspace",
                expected=f"{name}{expected}, as fixed there"
                if factor != expected
                else "perfect factors, but where a fixed factor does not divide",
            )
        rem = -(-rem // factor)
        rest, left = divmod(fixed if fixed is not None else factor, int(builder.base_factor[t, d]))
        for i in list(open_items):
            item = builder.items[i]
            choice = _choice(builder, item.slots, t, sides[t][d])
            here = item.fixed_at == (t if fixed is not None else -1)
            if here and rest % item.value == 0 and rest > 1 and choice >= 0:
                row[builder.item_axis[i]] = choice
                rest //= item.value
                open_items.remove(i)
        if rest != 1 or left:
            raise MappingError(
                f"{name}{factor} at {builder.level_name(t)} is not in this mapspace",
                expected=f"factors of {name} that the constraints allow there",
            )
    if open_items:
        raise MappingError(f"the factors of {name} do not multiply to {builder.spec.problem.bounds[d]}")


def _choice(builder: Builder, slots: tuple[int, ...], t: int, side: int) -> int:
    # A fixed spatial factor clipped to 1 has no side: any of its slots will do.
    spatial = builder.levels[t].spatial
    for choice, index in enumerate(slots):
        slot = builder.slots[index]
        if slot.tiling == t and (slot.side == side or (spatial and side == TEMPORAL)):
            return choice
    return -1


def _encode_order(
    builder: Builder, loops: TilingLoops, t: int, sides: list[int], row: Int64[ndarray, "axes"]
) -> None:
    present = [d for d in loops.order if loops.factors[d] > 1]
    flat = builder.levels[t].spatial
    position = [builder.position(t, d) for d in present]
    # Where declaration order is only a convention (innermost loops, one-sided meshes) any order is the same row.
    convention = builder.rules[t].prefix is None and not builder.rules[t].suffix
    if position != sorted(position) and not convention and not (t == 0 and not flat):
        order = "".join(builder.spec.problem.dims[d] for d in present)
        raise MappingError(
            f"loop order {order} (innermost first) at {builder.level_name(t)} breaks the user's permutation",
            path=builder.rules[t].source,
        )
    for side in (TEMPORAL, X, Y):
        ranked = [d for d in present if sides[d] == side and builder.rank_axis[t, d] >= 0]
        for rank, d in enumerate(ranked):
            row[builder.rank_axis[t, d]] = rank


def _encode_keep(builder: Builder, mapping: Mapping, row: Int64[ndarray, "axes"]) -> None:
    for s in range(builder.S):
        for p in range(builder.P):
            kept = int(mapping.keep[s][p])
            if builder.keep_axis[s, p] >= 0:
                row[builder.keep_axis[s, p]] = kept
            elif builder.keep[s, p] != kept:
                level = builder.spec.architecture.storage[s].name
                space = builder.spec.problem.data_spaces[p].name
                raise MappingError(f"{level} must {'keep' if not kept else 'bypass'} {space} by constraint")
