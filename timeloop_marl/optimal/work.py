"""One piece of the proof: a choice of bypasses is split into tasks, a task is gone through for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ..cost.noc import evaluated_networks
from ..evaluators.native import NativeEvaluator
from ..objective import Objective
from ..specs.spec import Spec
from ..traffic.record import boxed, duplicate
from .choices import Choices
from .descent import DONE, FULL, LEAVES, NODES, VISITS, descend
from .lattice import make_lattice
from .leaves import Best, Leaves, cheapest
from .orders import tensors_of
from .program import SLACK, Desk, Stock
from .setup import GOALS, Shelf, Shelves, class_arrays, make_desk, route_of
from .tables import glance, glance_alone, glance_together, prepare, rest_bound
from .way import Ways

VISITS_A_TURN = 4_000_000
"""Tiles looked at before a task is put back: the same on every machine, so that runs are alike."""
ROOM = 4096
"""Leaves found before they are evaluated."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the mapspace that is not yet searched: nothing in it costs less than ``bound``.

    ``mask``: number of the choice of bypasses. ``inner``: spatial factors of each level as divisor indices; none = all.
    ``cursor``: where the descent stands.
    """

    bound: float
    mask: int
    inner: tuple[tuple[int, ...], ...] | None = None
    cursor: tuple[int, ...] = ()

    def hopeful(self, cost: float) -> bool:
        """Whether something in it may cost less."""
        return self.bound * (1.0 - SLACK) < cost

    def numbers(self) -> list[int]:
        """Everything but the bound, for a file; ``of`` reads it."""
        inner = [] if self.inner is None else [i for row in self.inner for i in row]
        return [self.mask, len(inner), *inner, len(self.cursor), *self.cursor]

    @classmethod
    def of(cls, bound: float, numbers: Sequence[int], levels: int, dims: int) -> Piece:
        """The piece that ``numbers`` came from."""
        count = numbers[1]
        flat = numbers[2 : 2 + count]
        inner = tuple(tuple(flat[s * dims : (s + 1) * dims]) for s in range(levels)) if count else None
        cursor = tuple(numbers[3 + count : 3 + count + numbers[2 + count]])
        return cls(bound, numbers[0], inner, cursor)


COUNTS = ("tasks", "visits", "nodes", "leaves", "evaluated", "valid")
"""What a report counts: tasks begun, tiles looked at, bounds computed, leaves found, mappings evaluated,
valid ones among them."""


@dataclass
class Report:
    """What came of a piece."""

    best: Best | None = None
    left: list[Piece] = field(default_factory=list)
    tasks: int = 0
    visits: int = 0
    nodes: int = 0
    leaves: int = 0
    evaluated: int = 0
    valid: int = 0


class Worker:
    """Goes through pieces. Made once per run; may be used by several threads."""

    def __init__(self, spec: Spec, objective: Objective) -> None:
        self.spec, self.objective = spec, objective
        self.lattice = make_lattice(spec.problem)
        self.choices = Choices(spec, self.lattice)
        tensors = tensors_of(spec.problem)
        self._desk = make_desk(spec, objective, self.lattice, self.choices, tensors)
        self._classes = class_arrays(spec, self.choices, tensors)
        self.shelves = Shelves(spec, self.lattice, self.choices)
        routers = any(network.router != 0.0 for network in evaluated_networks(spec))
        self.leaves = Leaves(
            self.choices, self.lattice, tensors, dominance=not routers, layouts_matter=bool(self._desk.hops)
        )
        self.evaluator = NativeEvaluator(spec, accesses=objective.needs_accesses)
        self.masks = list(self.choices.masks())
        self._shelves: dict[int, Shelf] = {}
        self._spatial = self._spatial_choices()
        self._inners = np.array(self._spatial, np.int64).reshape(-1, self.choices.S, self.choices.D)
        self._ways = Ways(spec, self.choices, self.lattice, tensors, objective.metrics[0] in GOALS)
        self._way = np.array([self._ways.of(combo) for combo in self._spatial], np.float64)
        self._roots: list[Piece] = []

    def roots(self) -> list[Piece]:
        """The whole mapspace: every choice of bypasses with the lowest of the quick bounds of its tasks.

        Energies and words are sums over data spaces, so each way to keep one data space is looked at once, not each
        combination of them.
        """
        if not self._roots:
            self._roots = self._all_roots()
        return list(self._roots)

    def _all_roots(self) -> list[Piece]:
        keeps = np.array(self.masks, np.bool_)
        energies: list[Float64[ndarray, "n"]] = []
        cycles: list[Float64[ndarray, "n B"]] = []
        rows = np.zeros((len(keeps), self.choices.P), np.int64)
        common = np.zeros((len(self._spatial), 3))
        for p in range(self.choices.P):
            columns, which = np.unique(keeps[:, :, p], axis=0, return_inverse=True)
            rows[:, p] = len(energies) + which.reshape(-1)
            for column in columns:
                alone = np.zeros_like(keeps[0])
                alone[:, p] = column
                energy, cycle = self._alone(alone, common)
                energies.append(energy)
                cycles.append(cycle)
        bounds = np.zeros(len(keeps))
        desk = duplicate(self._desk)
        glance_together(boxed(desk), rows, np.array(energies), np.array(cycles), common, bounds)
        return [Piece(float(bound), mask) for mask, bound in enumerate(bounds) if bound < np.inf]

    def _alone(
        self, keep: Bool[ndarray, "S P"], common: Float64[ndarray, "n 3"]
    ) -> tuple[Float64[ndarray, "n"], Float64[ndarray, "n B"]]:
        """Energy and cycles of every task for a single data space."""
        desk = duplicate(self._desk)
        route_of(keep).lay_out(desk)
        energies = np.zeros(len(self._spatial))
        cycles = np.zeros((len(self._spatial), int(desk.bands)))
        glance_alone(boxed(desk), self._inners, self._way, energies, cycles, common)
        return energies, cycles

    def warm_up(self) -> None:
        """Compile, or load from the cache, what the first piece would."""
        desk, stock, _ = self._laid_out(0)
        inner, S = np.zeros((self.choices.S, self.choices.D), np.int64), self.choices.S
        way = np.zeros((S, self.choices.P))
        glance(boxed(desk), inner[None], way[None], np.zeros(1))
        self.roots()
        prepare(boxed(desk), stock, inner, way)
        rest_bound(boxed(desk), stock, 0)
        cursor = np.array((0,) * (1 + S) + (-1,) * S, np.int64)
        descend(boxed(desk), stock, cursor, 0.0, 1, np.zeros((1, 2 * S + 2), np.int64), np.zeros(3, np.int64))
        self.evaluator.warm_up()

    def do(self, piece: Piece, incumbent: float) -> Report:
        """Go on with a piece; what is left of it is in the report."""
        if piece.inner is None:
            return self._split(piece, incumbent)
        desk, stock, shelf = self._laid_out(piece.mask)
        return self._descend(piece, shelf, desk, stock, incumbent)

    def _way_of(self, inner: Int64[ndarray, "S D"]) -> Float64[ndarray, "S P"]:
        return self._ways.of([tuple(int(i) for i in row) for row in inner])

    def _laid_out(self, mask: int) -> tuple[Desk, Stock, Shelf]:
        """Scratch of one piece."""
        shelf = self._shelf(mask)
        desk = duplicate(self._desk)
        shelf.lay_out(desk)
        table = np.zeros((self.choices.S, self.lattice.size))
        return desk, Stock(shelf.tiles.copy(), shelf.worth.copy(), table, *self._classes), shelf

    def _shelf(self, mask: int) -> Shelf:
        if mask not in self._shelves:
            if len(self._shelves) > 64:
                self._shelves.clear()
            self._shelves[mask] = self.shelves.shelf(self.masks[mask])
        return self._shelves[mask]

    def _spatial_choices(self) -> list[tuple[tuple[int, ...], ...]]:
        """Every combination of spatial factors whose product divides the bounds and uses enough of the machine."""
        choices = self.choices
        unit = ((0,) * choices.D,)
        options = [unit if t is None else tuple(choices.spatial_factors(t)) for t in choices.spatial]
        return [combo for combo in product(*options) if self._fits(combo)]

    def _fits(self, combo: Sequence[tuple[int, ...]]) -> bool:
        lattice, choices = self.lattice, self.choices
        whole = [0] * choices.D
        share, used = 1.0, 1
        for s in range(choices.S - 1, -1, -1):
            if choices.instances[s + 1] and used > choices.instances[s + 1]:
                return False
            words = 1
            for d, i in enumerate(combo[s]):
                words *= int(lattice.divisor[d, i])
                whole[d] = int(lattice.product[d, whole[d], i])
                if whole[d] < 0:
                    return False
            used *= words
            if choices.spatial[s] is not None:
                architecture = self.spec.architecture
                share *= words / (architecture.fanout_x(s) * architecture.fanout_y(s))
        if choices.instances[0] and used > choices.instances[0]:
            return False
        return share >= choices.least_parallelism

    def _split(self, piece: Piece, incumbent: float) -> Report:
        """One task for each combination of spatial factors, with a quick bound."""
        desk = duplicate(self._desk)
        route_of(self.masks[piece.mask]).lay_out(desk)
        report = Report(nodes=len(self._spatial))
        bounds = np.zeros(len(self._spatial))
        glance(boxed(desk), self._inners, self._way, bounds)
        bounds = np.maximum(bounds, piece.bound)
        for i in np.flatnonzero(bounds * (1.0 - SLACK) < incumbent):
            report.left.append(Piece(float(bounds[i]), piece.mask, self._spatial[i]))
        return report

    def _descend(self, piece: Piece, shelf: Shelf, desk: Desk, stock: Stock, incumbent: float) -> Report:
        inner = np.array(piece.inner, np.int64)
        report = Report(nodes=1)
        if (
            not prepare(boxed(desk), stock, inner, self._way_of(inner))
            or desk.bound * (1.0 - SLACK) >= incumbent
        ):
            return report
        S = self.choices.S
        start = (0,) * (1 + S) + (-1,) * S
        if not piece.cursor and desk.bound > piece.bound:
            # Now that the bound is known other pieces may be more urgent.
            report.left.append(Piece(float(desk.bound), piece.mask, piece.inner, start))
            return report
        self._sort(shelf, stock)
        cursor = np.array(piece.cursor or start, np.int64)
        rows, counts = np.zeros((ROOM, 2 * S + 2), np.int64), np.zeros(3, np.int64)
        report.tasks = 0 if any(c > 0 for c in cursor) else 1
        while True:
            counts[LEAVES] = 0
            budget = VISITS_A_TURN - int(counts[VISITS])
            state = descend(boxed(desk), stock, cursor, incumbent, budget, rows, counts)
            found = int(counts[LEAVES])
            report.leaves += found
            for batch in self.leaves.batches(shelf, inner, rows[:found]):
                report.evaluated += len(batch)
                best, valid = cheapest(self.evaluator, self.objective, batch)
                report.valid += valid
                if best is not None and best.cost < incumbent:
                    incumbent, report.best = best.cost, best
            if state != FULL or counts[VISITS] >= VISITS_A_TURN:
                break
        report.visits, report.nodes = int(counts[VISITS]), report.nodes + int(counts[NODES])
        if state != DONE:
            bound = max(piece.bound, rest_bound(boxed(desk), stock, int(cursor[1])))
            report.left.append(Piece(bound, piece.mask, piece.inner, tuple(int(c) for c in cursor)))
        return report

    def _sort(self, shelf: Shelf, stock: Stock) -> None:
        """Tiles of each level by rising value; kernels cannot sort."""
        for s in range(self.choices.S):
            part = slice(shelf.first[s], shelf.first[s + 1])
            stock.tiles[part, -1] = np.argsort(stock.worth[part, -1], kind="stable") + shelf.first[s]
