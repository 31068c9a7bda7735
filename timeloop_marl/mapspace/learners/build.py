"""From a Spec to the axes of the learners' view and the arrays behind them; from a loop nest to its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ...errors import InfeasibleError, MappingError
from ...kernels.record import boxed
from ...specs.constraints import LoopConstraint
from ...specs.mapping import Mapping as LoopNest
from ...specs.mapping import TilingLoops
from ...specs.primes import prime_factors
from ...specs.spec import Spec
from ...traffic.geometry import geometry_of
from ..awkward import loop_bounds
from .tables import TEMPORAL, Axis, AxisKind, Tables, X, Y

UNLIMITED = 1 << 62
_FREE = LoopConstraint()


@dataclass(frozen=True)
class Slot:
    """A place for a factor: a tiling level and, if spatial, a side."""

    tiling: int
    side: int  # TEMPORAL, X or Y


@dataclass(frozen=True)
class Item:
    """A factor to be placed, and the slots that could ever take it (indices into the slot list); or the bound of an
    imperfect dimension's loop at one slot, and all that it can be: ``values`` and ``slots`` go together.
    """

    values: tuple[int, ...]
    dim: int
    slots: tuple[int, ...]
    fixed_at: int = -1  # tiling level of a fixed spatial factor whose side is open

    @property
    def value(self) -> int:
        """The factor, or the largest bound."""
        return self.values[0]

    @property
    def bound(self) -> bool:
        """Whether it is the bound of a loop."""
        return self.values[0] != self.values[-1]


class Builder:
    """Collects slots, items and axes of one Spec. ``tables`` and ``axes`` are the result.

    Args:
        absorbers: dimensions of imperfect factors, with the tiling level that takes what the others leave.
    """

    def __init__(self, spec: Spec, absorbers: Mapping[int, int] = MappingProxyType({})) -> None:
        self.spec, self.absorbers = spec, absorbers
        self.levels = spec.architecture.tiling_levels
        self.rules = [spec.constraints.loops.get(level, _FREE) for level in self.levels]
        self.T, self.D = len(self.levels), len(spec.problem.dims)
        self.S, self.P = len(spec.architecture.storage), len(spec.problem.data_spaces)
        self.fan = self._fan()
        self.split = [-1 if rule.split is None else rule.split for rule in self.rules]
        self.permutations = [self._permutation(t) for t in range(self.T)]
        self.slots = [
            Slot(t, side)
            for t, level in enumerate(self.levels)
            for side in ((X, Y) if level.spatial else (TEMPORAL,))
            if side == TEMPORAL or self.fan[t, side] > 1
        ]
        self.base_factor = np.ones((self.T, self.D), np.int64)
        self.base_side = np.zeros((self.T, self.D), np.int64)
        self.axes: list[Axis] = []
        items = [item for d in range(self.D) for item in self._items(d)]
        self.items = [item for item in items if not self._preplaced(item)]
        self.item_axis = [self._item_axis(item) for item in self.items]
        self.rank_axis = self._rank_axes()
        self.keep, self.keep_axis = self._keep_axes()
        self.tables = self._tables()

    def _fan(self) -> Int64[ndarray, "T 3"]:
        fan = np.ones((self.T, 3), np.int64)
        for t, level in enumerate(self.levels):
            if level.spatial:
                fan[t, X] = self.spec.architecture.fanout_x(level.storage)
                fan[t, Y] = self.spec.architecture.fanout_y(level.storage)
        return fan

    def _permutation(self, t: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Prefix and suffix; a canonical level (mapspace section 1.2) leaves no freedom."""
        rule = self.rules[t]
        prefix, suffix = rule.prefix or (), rule.suffix
        free = tuple(d for d in range(self.D) if d not in prefix and d not in suffix)
        flat = self.levels[t].spatial and (self.fan[t, X] == 1 or self.fan[t, Y] == 1)
        innermost = t == 0 and not self.levels[t].spatial
        if (flat and rule.prefix is None and not suffix) or innermost:
            return (*prefix, *free, *suffix), ()
        return prefix, suffix

    def free_dims(self, t: int) -> tuple[int, ...]:
        """Dims in neither prefix nor suffix, ascending."""
        prefix, suffix = self.permutations[t]
        return tuple(d for d in range(self.D) if d not in prefix and d not in suffix)

    def position(self, t: int, d: int) -> int:
        """Rank of a dim in the level's permutation; all free dims share the one after the prefix."""
        prefix, suffix = self.permutations[t]
        if d in prefix:
            return prefix.index(d)
        return len(prefix) + (1 + suffix.index(d) if d in suffix else 0)

    def _side_possible(self, t: int, d: int, side: int) -> bool:
        """Whether a user's split and permutation can ever put this dim on this side."""
        split = self.split[t]
        if split < 0:
            return True
        prefix, suffix = self.permutations[t]
        if d in prefix:
            return (prefix.index(d) < split) == (side == X)
        if d in suffix:
            return (self.D - len(suffix) + suffix.index(d) < split) == (side == X)
        return self.free_sides(t)[side] > 0

    def free_sides(self, t: int) -> tuple[int, int, int]:
        """How many free dims a user's split lets be X, Y."""
        prefix, _ = self.permutations[t]
        count = len(self.free_dims(t))
        x = min(max(self.split[t] - len(prefix), 0), count)
        return (0, x, count - x)

    def _slots_for(self, d: int, value: int, tiling: int | None = None) -> tuple[int, ...]:
        found = []
        for index, slot in enumerate(self.slots):
            if tiling is not None and slot.tiling != tiling:
                continue
            rule = self.rules[slot.tiling]
            if tiling is None and (d in rule.fixed or value > rule.maximum.get(d, UNLIMITED)):
                continue
            if slot.side != TEMPORAL and (
                value > self.fan[slot.tiling, slot.side] or not self._side_possible(slot.tiling, d, slot.side)
            ):
                continue
            found.append(index)
        return tuple(found)

    def _items(self, d: int) -> list[Item]:
        """Fixed factors innermost first (each leaves ``rem / f``, rounded up), then the primes of what is left.

        A fixed factor that covers more than the loops inside have left is cut to that (mapspace section 1.1).
        """
        if d in self.absorbers:
            return self._bound_items(d)
        rem, items = self.spec.problem.bounds[d], []
        for t in range(self.T):
            fixed = self.rules[t].fixed.get(d)
            if fixed is not None:
                cut, rem = min(fixed, rem), -(-rem // fixed)
                if cut > 1:
                    items.append(_item(cut, d, self._slots_for(d, cut, t), t))
        for prime in reversed(prime_factors(rem)):
            items.append(_item(prime, d, self._slots_for(d, prime)))
        for item in items:
            if not item.slots:
                raise self._no_slot(item)
        return items

    def _bound_items(self, d: int) -> list[Item]:
        """One for every slot but the absorber's that may hold a loop of d."""
        items, bounds = [], loop_bounds(self.spec.problem.bounds[d])
        for index in self._slots_for(d, 2):
            slot = self.slots[index]
            if slot.tiling == self.absorbers[d]:
                continue
            most = self.rules[slot.tiling].maximum.get(d, UNLIMITED)
            if slot.side != TEMPORAL:
                most = min(most, int(self.fan[slot.tiling, slot.side]))
            values = tuple(value for value in bounds if value <= most)
            items.append(Item(values, d, (index,) * len(values)))
        return items

    def _no_slot(self, item: Item) -> InfeasibleError:
        dim = self.spec.problem.dims[item.dim]
        if item.fixed_at >= 0:
            name = self.level_name(item.fixed_at)
            fan_x, fan_y = self.fan[item.fixed_at, X], self.fan[item.fixed_at, Y]
            return InfeasibleError(
                f"the fixed factor {dim}={item.value} cannot be placed at {name} (mesh {fan_x} x {fan_y})",
                path=self.rules[item.fixed_at].source,
                expected="a factor that fits the mesh on the side that permutation and split give it",
                remedy=f"lower {dim} there, or change the split",
            )
        return InfeasibleError(
            f"the factor {item.value} of {dim} (bound {self.spec.problem.bounds[item.dim]}) fits no tiling level",
            expected="at least one level that is neither fixed nor limited below that factor",
            remedy=f"free {dim} at one level, for instance the outermost: drop its '{dim}=' or raise its '{dim}<='",
        )

    def _preplaced(self, item: Item) -> bool:
        if len(item.slots) > 1:
            return False
        slot = self.slots[item.slots[0]]
        self.base_factor[slot.tiling, item.dim] *= item.value
        if slot.side != TEMPORAL:
            self.base_side[slot.tiling, item.dim] = slot.side
        return True

    def level_name(self, t: int) -> str:
        """``GLB`` for its temporal loops, ``GLB (spatial)`` for its spatial ones."""
        level = self.levels[t]
        name = self.spec.architecture.storage[level.storage].name
        return f"{name} (spatial)" if level.spatial else name

    def slot_name(self, index: int) -> str:
        """``GLB``, ``GLB.X`` or ``GLB.Y``."""
        slot = self.slots[index]
        name = self.spec.architecture.storage[self.levels[slot.tiling].storage].name
        return name + ("", ".X", ".Y")[slot.side]

    def _add(self, axis: Axis) -> int:
        self.axes.append(axis)
        return len(self.axes) - 1

    def _item_axis(self, item: Item) -> int:
        dim = self.spec.problem.dims[item.dim]
        twins = sum(1 for axis in self.axes if axis.dim == item.dim and axis.factor == item.value)
        name = f"{dim}:{item.value}" + (f"#{twins + 1}" if twins else "")
        fixed = item.fixed_at
        if item.bound:
            slot = self.slots[item.slots[0]]
            return self._add(
                Axis(
                    name=f"{dim}@{self.slot_name(item.slots[0])}",
                    kind=AxisKind.FACTOR,
                    cardinality=len(item.values),
                    labels=tuple(str(value) for value in item.values),
                    dim=item.dim,
                    tiling=slot.tiling,
                    storage=self.levels[slot.tiling].storage,
                    slots=item.slots,
                    factors=item.values,
                )
            )
        return self._add(
            Axis(
                name=name if fixed < 0 else f"{dim}={item.value}@{self.level_name(fixed)}",
                kind=AxisKind.FACTOR,
                cardinality=len(item.slots),
                labels=tuple(self.slot_name(s) for s in item.slots),
                dim=item.dim,
                tiling=fixed if fixed >= 0 else None,
                storage=self.levels[fixed].storage if fixed >= 0 else None,
                slots=item.slots,
                factors=item.values,
            )
        )

    def _can_loop(self, t: int, d: int) -> bool:
        return (
            t == self.absorbers.get(d)
            or self.base_factor[t, d] > 1
            or any(self.slots[s].tiling == t for item in self.items if item.dim == d for s in item.slots)
        )

    def _rank_axes(self) -> Int64[ndarray, "T D"]:
        rank_axis = np.full((self.T, self.D), -1, np.int64)
        for t in range(self.T):
            dims = [d for d in self.free_dims(t) if self._can_loop(t, d)]
            for d in dims if len(dims) > 1 else ():
                rank_axis[t, d] = self._add(
                    Axis(
                        name=f"{self.level_name(t)}:rank({self.spec.problem.dims[d]})",
                        kind=AxisKind.ORDER,
                        cardinality=len(dims),
                        labels=tuple(str(rank) for rank in range(len(dims))),
                        dim=d,
                        storage=self.levels[t].storage,
                        tiling=t,
                    )
                )
        return rank_axis

    def _keep_axes(self) -> tuple[Int64[ndarray, "S P"], Int64[ndarray, "S P"]]:
        masks: Sequence[Sequence[str]] = self.spec.constraints.bypass or [
            ["X"] * (self.S - 1) + ["1"] for _ in range(self.P)
        ]
        keep = np.zeros((self.S, self.P), np.int64)
        axis = np.full((self.S, self.P), -1, np.int64)
        for s in range(self.S):
            for p in range(self.P):
                keep[s, p] = {"0": 0, "1": 1, "X": 2}[masks[p][s]]
                if keep[s, p] == 2:
                    axis[s, p] = self._add(self._keep_axis(s, p))
        return keep, axis

    def _keep_axis(self, s: int, p: int) -> Axis:
        level, space = self.spec.architecture.storage[s].name, self.spec.problem.data_spaces[p].name
        return Axis(
            name=f"{level}:keep({space})",
            kind=AxisKind.BYPASS,
            cardinality=2,
            labels=("bypass", "keep"),
            storage=s,
            data_space=p,
        )

    def instances(self) -> list[int]:
        """Instances of compute (first) and of each storage level; 0 where the meshes imply them."""
        architecture = self.spec.architecture
        compute = architecture.compute
        meshes = [(compute.instances, compute.mesh_x * compute.mesh_y)]
        meshes += [(level.instances, level.mesh_x * level.mesh_y) for level in architecture.storage]
        return [instances if instances < mesh else 0 for instances, mesh in meshes]

    def _limits(self) -> tuple[Int64[ndarray, "T D"], list[tuple[int, int, int]]]:
        maximum = np.full((self.T, self.D), UNLIMITED, np.int64)
        demand = []
        for t, rule in enumerate(self.rules):
            for d in range(self.D):
                if d in rule.fixed:
                    continue
                maximum[t, d] = rule.maximum.get(d, UNLIMITED)
                if rule.minimum.get(d, 1) > 1:
                    demand.append((t, d, rule.minimum[d]))
        return maximum, demand

    def _tables(self) -> Tables:
        maximum, demand = self._limits()
        counts = [len(item.slots) for item in self.items]
        position = [[self.position(t, d) for d in range(self.D)] for t in range(self.T)]
        two_sided = [self.fan[t, X] > 1 and self.fan[t, Y] > 1 for t in range(self.T)]
        free = np.zeros((self.T, self.D), np.bool_)
        for t in range(self.T):
            free[t, list(self.free_dims(t))] = True
        return Tables(
            geometry=boxed(geometry_of(self.spec)),
            temporal_of=_ints(t for t, level in enumerate(self.levels) if not level.spatial),
            slot_level=_ints(slot.tiling for slot in self.slots),
            slot_side=_ints(slot.side for slot in self.slots),
            item_bound=np.array([item.bound for item in self.items], np.bool_),
            item_dim=_ints(item.dim for item in self.items),
            item_axis=_ints(self.item_axis),
            item_first=_ints(sum(counts[:i]) for i in range(len(counts))),
            item_count=_ints(counts),
            item_slots=_ints(slot for item in self.items for slot in item.slots),
            item_values=_ints(value for item in self.items for value in item.values),
            item_twin=np.array(
                [i > 0 and item == self.items[i - 1] for i, item in enumerate(self.items)], np.bool_
            ),
            absorber=_ints(self.absorbers.get(d, -1) for d in range(self.D)),
            tight=bool(self.absorbers) and self.spec.constraints.min_parallelism == 0,
            base_factor=self.base_factor,
            base_side=self.base_side,
            maximum=maximum,
            fan=self.fan,
            demand=np.array(demand, np.int64).reshape(-1, 3),
            instances=_ints(self.instances()),
            min_parallelism=float(self.spec.constraints.min_parallelism),
            keep=self.keep,
            keep_axis=self.keep_axis,
            rank_axis=self.rank_axis,
            free=free,
            position=np.array(position, np.int64).reshape(self.T, self.D),
            ordered=np.array(
                [
                    two_sided[t] and self.split[t] < 0 and len(self.free_dims(t)) < self.D
                    for t in range(self.T)
                ],
                np.bool_,
            ),
            split=_ints(self.split),
            free_sides=np.array([self.free_sides(t) for t in range(self.T)], np.int64).reshape(self.T, 3),
            cardinality=_ints(axis.cardinality for axis in self.axes),
        )


def _item(factor: int, d: int, slots: tuple[int, ...], fixed_at: int = -1) -> Item:
    return Item((factor,) * max(1, len(slots)), d, slots, fixed_at)


def _ints(values: Iterable[int]) -> Int64[ndarray, "n"]:
    return np.array(list(values), np.int64)


def encode_mapping(builder: Builder, mapping: LoopNest) -> Int64[ndarray, "axes"]:
    """The row, not yet canonical. Raises ``MappingError`` naming the level or dimension that does not fit."""
    _check_shape(builder, mapping)
    row = np.zeros(len(builder.axes), np.int64)
    sides = [[_side(builder, t, d, mapping.loops[t]) for d in range(builder.D)] for t in range(builder.T)]
    for d in range(builder.D):
        encode = _encode_bounds if d in builder.absorbers else _encode_dim
        encode(builder, mapping, d, sides, row)
    for t in range(builder.T):
        _encode_order(builder, mapping.loops[t], t, sides[t], row)
    _encode_keep(builder, mapping, row)
    return row


def _check_shape(builder: Builder, mapping: LoopNest) -> None:
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
    builder: Builder, mapping: LoopNest, d: int, sides: list[list[int]], row: Int64[ndarray, "axes"]
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


def _encode_bounds(
    builder: Builder, mapping: LoopNest, d: int, sides: list[list[int]], row: Int64[ndarray, "axes"]
) -> None:
    """The bounds of an imperfect dim; what its absorber has follows from them."""
    name, left = builder.spec.problem.dims[d], builder.spec.problem.bounds[d]
    for i, item in enumerate(builder.items):
        if item.dim == d:
            row[builder.item_axis[i]] = len(item.values) - 1
    for t in range(builder.T):
        factor, residual = mapping.loops[t].factors[d], mapping.loops[t].residuals[d]
        found = [
            (builder.item_axis[i], item.values.index(factor))
            for i, item in enumerate(builder.items)
            if item.dim == d and factor in item.values and _choice(builder, item.slots, t, sides[t][d]) >= 0
        ]
        if residual != (left % factor or factor) or not (found or factor == 1 or t == builder.absorbers[d]):
            raise MappingError(
                f"{name}{factor}{f',{residual}' if residual != factor else ''} at {builder.level_name(t)} "
                "is not in this mapspace",
                expected=f"a loop bound of {name} that the constraints allow there, with the residual that follows",
            )
        for axis, choice in found[:1]:
            row[axis] = choice
        left = -(-left // factor)
    if left > 1:
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


def _encode_keep(builder: Builder, mapping: LoopNest, row: Int64[ndarray, "axes"]) -> None:
    for s in range(builder.S):
        for p in range(builder.P):
            kept = int(mapping.keep[s][p])
            if builder.keep_axis[s, p] >= 0:
                row[builder.keep_axis[s, p]] = kept
            elif builder.keep[s, p] != kept:
                level = builder.spec.architecture.storage[s].name
                space = builder.spec.problem.data_spaces[p].name
                raise MappingError(f"{level} must {'keep' if not kept else 'bypass'} {space} by constraint")
