"""The exact walk (Timeloop cost model, section 6) in plain recursive Python: slow, explicit, an oracle for tests."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product

Box = tuple[tuple[int, ...], tuple[int, ...]]  # half-open, per rank


@dataclass
class Loop:
    dim: int
    n: int
    r: int
    level: int
    spatial: bool
    is_x: bool
    stride: int = 1


@dataclass
class Entry:
    accesses: float = 0.0
    hops: float = 0.0
    unicast: float = 0.0


@dataclass
class Memory:
    """What a boundary loop remembers of the box of its last visit (section 3)."""

    box: Box | None = None
    motion: tuple[int, ...] | None = None


@dataclass
class WalkResult:
    entries: list[list[dict[tuple[int, int], Entry]]]  # [s][p]
    link: list[list[int]]
    size: list[list[int]]  # largest box at the boundary loop
    block_size: list[list[int]]  # largest box at the spatial block, 0 without one
    compute: list[int] = field(default_factory=list)  # compute counters touched


def build_loops(spec, mapping):
    """Kept loops inside-out, dummies inserted (section 1), with strides (section 2)."""
    loops: list[Loop] = []
    last_dim = len(spec.problem.dims) - 1
    for tiling, level in zip(spec.architecture.tiling_levels, mapping.loops, strict=True):
        kept = [
            Loop(d, level.factors[d], level.residuals[d], tiling.storage, tiling.spatial, k < level.split)
            for k, d in enumerate(level.order)
            if level.factors[d] > 1
        ]
        if not kept and not tiling.spatial:
            kept = [Loop(last_dim, 1, 1, tiling.storage, False, False)]
        loops += kept
    stride = [1] * len(spec.problem.dims)
    for loop in loops:
        loop.stride = stride[loop.dim]
        stride[loop.dim] *= loop.n
    return loops


class Walk:
    def __init__(self, spec, mapping, switches=None, link_transfers=True, rules="2025"):
        self.spec, self.switches, self.links, self.rules = spec, switches, link_transfers, rules
        self.spaces = spec.problem.data_spaces
        self.P, self.D, self.S = len(self.spaces), len(spec.problem.dims), len(spec.architecture.storage)
        self.loops = build_loops(spec, mapping)
        L = len(self.loops)
        self.M = [[1] * self.D for _ in range(L)]
        self.Q = [[1] * self.D for _ in range(L)]
        for k, loop in enumerate(self.loops):
            if k:
                self.M[k], self.Q[k] = list(self.M[k - 1]), list(self.Q[k - 1])
            self.M[k][loop.dim] *= loop.n
            self.Q[k][loop.dim] += loop.stride * (loop.r - 1)
        self.boundary = {}
        self.block: dict[int, list[int]] = defaultdict(list)
        for k, loop in enumerate(self.loops):
            if loop.spatial:
                self.block[loop.level].append(k)
            else:
                self.boundary[loop.level] = k
        self.is_boundary = {k: s for s, k in self.boundary.items()}
        self.first_imperfect = [
            next((k for k, x in enumerate(self.loops) if x.dim == d and x.n != x.r), L) for d in range(self.D)
        ]
        self.idx = [0] * L
        self.x = [0] * self.D
        self.epochs = 1
        self.memory = {(s, p): Memory() for s in range(self.S) for p in range(self.P)}
        self.previous: dict[tuple[int, int], tuple[list[Box], list[int]]] = {}
        self.result = WalkResult(
            [[defaultdict(Entry) for _ in range(self.P)] for _ in range(self.S)],
            [[0] * self.P for _ in range(self.S)],
            [[0] * self.P for _ in range(self.S)],
            [[0] * self.P for _ in range(self.S)],
        )
        self.first_temporal = min(k for k, x in enumerate(self.loops) if not x.spatial)

    def run(self) -> WalkResult:
        self.visit(len(self.loops) - 1)
        return self.result

    # -- geometry -----------------------------------------------------------------------------------------------

    def last(self, start, d):
        return all(
            self.idx[k] + 1 >= self.loops[k].r
            for k in range(start, len(self.loops))
            if self.loops[k].dim == d
        )

    def project(self, p, vector):
        return tuple(sum(t.coefficient * vector[t.dim] for t in rank) for rank in self.spaces[p].ranks)

    def box(self, p, k) -> Box:
        lo, hi = [], []
        extent = [(self.Q if self.last(k + 1, d) else self.M)[k][d] for d in range(self.D)]
        for rank in self.spaces[p].ranks:
            a = b = 0
            for t in rank:
                near, far = t.coefficient * self.x[t.dim], t.coefficient * (self.x[t.dim] + extent[t.dim] - 1)
                a, b = (a + near, b + far) if t.coefficient >= 0 else (a + far, b + near)
            lo.append(a)
            hi.append(b + 1)
        return tuple(lo), tuple(hi)

    # -- section 3 ----------------------------------------------------------------------------------------------

    def switched(self, name, s, p):
        return self.switches is not None and (s, p) in getattr(self.switches, name)

    def delta(self, s, p, box) -> list[Box]:
        memory = self.memory[s, p]
        if self.switched("no_temporal_reuse", s, p):
            return [box]
        old, memory.box = memory.box, box
        if old is None:
            return [box]
        centre = lambda b: [lo + (hi - 1 - lo) / 2 for lo, hi in zip(*b, strict=True)]  # noqa: E731
        motion = tuple(round_half_away(a - b) for a, b in zip(centre(box), centre(old), strict=True))
        # Section 19: in 2022 a box that did not move was treated like any other.
        if any(motion) or self.rules == "2022":
            if memory.motion is not None and motion != memory.motion:
                memory.motion = None
                return [box]
            memory.motion = motion
        return subtract(box, old)

    # -- visits -------------------------------------------------------------------------------------------------

    def visit(self, k):
        if self.loops[k].spatial:
            return self.visit_block(self.loops[k].level)
        loop = self.loops[k]
        d, s = loop.dim, loop.level
        end = loop.r if self.last(k + 1, d) else loop.n
        self.idx[k] = 0
        if k == 0:
            for p in range(self.P):
                self.result.entries[0][p][1, 1].accesses += end * self.epochs
            self.count(1, end * self.epochs)
        else:
            self.inner_visits(k, end)
        self.idx[k] = 0
        if k in self.is_boundary:
            boxes = [self.box(p, k) for p in range(self.P)]
            for p, box in enumerate(boxes):
                self.result.size[s][p] = max(self.result.size[s][p], volume(box))
            return [self.delta(s, p, box) for p, box in enumerate(boxes)]
        return None

    def inner_visits(self, k, end):
        loop = self.loops[k]
        imp = self.first_imperfect[loop.dim] < k and self.last(k + 1, loop.dim)
        own = loop.r != loop.n and imp
        counts_entries = k - 1 in self.is_boundary
        total = [0] * self.P
        bulk = None
        start = self.x[loop.dim]

        def one(times):
            saved = self.epochs
            self.epochs *= times
            deltas = self.visit(k - 1)
            self.epochs = saved
            self.idx[k] += times
            self.x[loop.dim] += times * loop.stride
            return [sum(map(volume, boxes)) for boxes in deltas] if counts_entries else [0] * self.P

        def add(sizes, weight):
            for p in range(self.P):
                total[p] += sizes[p] * weight

        add(one(1), 1)
        n = end - 1 - imp - own
        if (own and end >= 4) or (imp and not own and end >= 3) or (not imp and end >= 2):
            bulk = one(n)
            add(bulk, n)
        if own and end >= 3:
            sizes = one(1)
            add(sizes if end == 3 else bulk, 1)
        if imp and end >= 2:
            sizes = one(1)
            add(bulk if not own and end >= 3 else sizes, 1)
        self.x[loop.dim] = start
        if counts_entries:
            for p in range(self.P):
                self.result.entries[loop.level][p][1, 1].accesses += total[p] * self.epochs

    def visit_block(self, s):
        ks = self.block[s]
        ends = [self.loops[k].r if self.last(k + 1, self.loops[k].dim) else self.loops[k].n for k in ks]
        for k in ks:
            self.idx[k] = 0
        if ks[0] == 0:
            deltas = []
            for p in range(self.P):
                point = self.project(p, self.x)
                deltas.append([(point, tuple(v + 1 for v in point))])
            self.count(math.prod(ends), self.epochs)
        else:
            deltas = self.visit(ks[0] - 1)
        for p in range(self.P):
            self.spread(s, p, ks, ends, deltas[p])
            box = self.box(p, ks[-1])
            self.result.block_size[s][p] = max(self.result.block_size[s][p], volume(box))
        return

    def count(self, children, times):
        counters = self.result.compute
        counters += [0] * (children - len(counters))
        for child in range(children):
            counters[child] += times

    # -- section 5 ----------------------------------------------------------------------------------------------

    def grid(self, s, ks):
        a = self.spec.architecture
        lx = math.prod(self.loops[k].n for k in ks if self.loops[k].is_x)
        ly = math.prod(self.loops[k].n for k in ks if not self.loops[k].is_x)
        return max(a.fanout_x(s), lx), max(a.fanout_y(s), ly)

    def spread(self, s, p, ks, ends, boxes):
        h, v = self.grid(s, ks)
        offsets = []
        for index in product(*(range(e) for e in reversed(ends))):  # outermost most significant
            vector = [0] * self.D
            for k, i in zip(reversed(ks), index, strict=True):
                vector[self.loops[k].dim] += self.loops[k].stride * i
            offsets.append(self.project(p, vector))
        previous = self.previous.get((s, p))
        self.previous[s, p] = (boxes, offsets)
        size = sum(map(volume, boxes))
        if not size:
            return
        plain = self.group(range(len(offsets)), offsets, s, p, h, v)
        served = set()
        if self.links and previous is not None and not self.switched("no_link_transfer", s, p):
            served = self.served(boxes, offsets, *previous, h, v)
        chosen = plain
        if served:
            rest = [i for i in range(len(offsets)) if i not in served]
            shared = self.group(rest, offsets, s, p, h, v)
            if sum(g for _, g in shared) < sum(g for _, g in plain):
                chosen = shared
                self.result.link[s][p] += len(served) * size * self.epochs
        for (m, g), (hops, unicast) in chosen.items():
            entry = self.result.entries[s][p][m, g]
            accesses = float(g * size * self.epochs)
            entry.accesses += accesses
            entry.hops += hops * accesses / g
            entry.unicast += unicast * accesses / g

    def group(self, children, offsets, s, p, h, v):
        groups = defaultdict(list)
        for i in children:
            groups[i if self.switched("no_multicast", s, p) else offsets[i]].append(i)
        sizes = defaultdict(list)
        for members in groups.values():
            sizes[len(members)].append(members)
        vc = (v - 1) / 2
        return {
            (m, len(same)): (
                sum(multicast_hops(x, h, vc) for x in same),
                sum(unicast_hops(x, h, vc) for x in same),
            )
            for m, same in sizes.items()
        }

    def served(self, boxes, offsets, old_boxes, old_offsets, h, v):
        result = set()
        now = [sorted(shift(b, off) for b in boxes) for off in offsets]
        before = [sorted(shift(b, off) for b in old_boxes) for off in old_offsets]
        for i in range(len(offsets)):
            column, row = i % h, i // h
            for c, r in ((column - 1, row), (column + 1, row), (column, row - 1), (column, row + 1)):
                n = r * h + c
                if 0 <= c < h and 0 <= r < v and n < len(before) and before[n] == now[i]:
                    result.add(i)
        return result


def multicast_hops(members, h, vc):
    rows = defaultdict(list)
    for i in members:
        rows[i % h].append(i // h)
    return max(rows) + sum(max(0, vc - min(r)) + max(0, max(r) - vc) for r in rows.values())


def unicast_hops(members, h, vc):
    return sum(i % h + abs(i // h - vc) for i in members)


def round_half_away(value):
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def volume(box):
    return math.prod(hi - lo for lo, hi in zip(*box, strict=True))


def shift(box, offset):
    return tuple(tuple(a + o for a, o in zip(side, offset, strict=True)) for side in box)


def subtract(box, old) -> list[Box]:
    """``box`` without ``old`` as a list of boxes, cut rank by rank (section 3)."""
    lo, hi = list(box[0]), list(box[1])
    if any(a >= d or b <= c for a, b, c, d in zip(lo, hi, *old, strict=True)):
        return [box]
    pieces = []
    for r in range(len(lo)):
        if lo[r] < old[0][r]:
            pieces.append((tuple(lo), (*hi[:r], old[0][r], *hi[r + 1 :])))
            lo[r] = old[0][r]
        if hi[r] > old[1][r]:
            pieces.append(((*lo[:r], old[1][r], *lo[r + 1 :]), tuple(hi)))
            hi[r] = old[1][r]
    return pieces
