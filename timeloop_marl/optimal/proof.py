"""The optimum of a mapspace by branch and bound: a choice of bypasses is split into tasks, a task is gone through."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import product

import joblib
import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ..cost.objective import Objective
from ..kernels.compiling import is_cached
from ..kernels.record import boxed, duplicate, views
from ..specs.spec import Spec
from ..traffic.geometry import geometry_of
from .bounds import prepare, relaxed_bounds, relaxed_parts, relaxed_sums, rest_bound
from .choices import Choices, make_lattice
from .descent import DONE, FULL, LEAVES, NODES, VISITS, descend
from .frontier import Frontier, Node, Report
from .leaves import Evaluate, Leaves, cheapest
from .orders import tensors_of
from .prices import Prices
from .problem import (
    SLACK,
    HopBounds,
    ProblemData,
    TileOrder,
    TileOrders,
    TileTable,
    class_arrays,
    make_problem,
    route_of,
)

ROUND = 16
"""Nodes that are gone through between two looks at results and clock; the same for any number of jobs."""
VISITS_A_TURN = 4_000_000
"""Tiles looked at before a task is put back: the same on every machine, so that runs are alike."""
ROOM = 4096
"""Leaves found before they are evaluated."""


def rounds(prover: Prover, frontier: Frontier, jobs: int = 1) -> Generator[None, None, None]:
    """Go through a frontier; stops before the first round and after each, so that one may look, save and leave."""
    frontier.merge(())
    with _mapper(jobs) as run:
        yield
        while not frontier.proven:
            cost = frontier.cost
            frontier.merge(run(prover, frontier.take(ROUND), cost))
            yield


@contextmanager
def _mapper(jobs: int) -> Iterator[Callable[[Prover, list[Node], float], list[Report]]]:
    """Runs the nodes of a round: kernels release the GIL, so threads do."""
    if jobs == 1:
        yield lambda prover, nodes, cost: [prover.do(node, cost) for node in nodes]
        return
    with joblib.Parallel(n_jobs=jobs, backend="threading", batch_size=1) as pool:

        def run(prover: Prover, nodes: list[Node], cost: float) -> list[Report]:
            return list(pool(joblib.delayed(prover.do)(node, cost) for node in nodes))

        yield run


class Prover:
    """Goes through nodes. Made once per run; may be used by several threads.

    Args:
        spec: machine, problem and constraints.
        prices: what counts cost: bounds are sums of counts times prices.
        evaluate: what complete mappings cost by the model whose prices these are; no bound may lie above it.
        objective: one metric of what ``evaluate`` returns.

    Raises:
        UnsupportedFeatureError: imperfect factors, or something for which there is no bound.
    """

    def __init__(self, spec: Spec, prices: Prices, evaluate: Evaluate, objective: Objective) -> None:
        self.spec, self.evaluate, self.objective = spec, evaluate, objective
        self.lattice = make_lattice(spec.problem)
        self.choices = Choices(spec, self.lattice)
        self._geometry = boxed(geometry_of(spec))
        tensors = tensors_of(views(geometry_of(spec)))
        self._data = make_problem(spec, prices, self.lattice, self.choices, tensors)
        self._classes = class_arrays(spec, self.choices, tensors)
        self._all_orders = TileOrders(spec, self.lattice, self.choices)
        self.leaves = Leaves(
            self.choices, self.lattice, tensors, dominance=not prices.routed, layouts_matter=prices.placed
        )
        self.masks = list(self.choices.masks())
        self._orders: dict[int, TileOrder] = {}
        self._spatial = self._spatial_choices()
        self._inners = np.array(self._spatial, np.int64).reshape(-1, self.choices.S, self.choices.D)
        self._hop_bounds = HopBounds(spec, self.choices, self.lattice, tensors, prices.hop)
        self._hops = np.array([self._hop_bounds.of(combo) for combo in self._spatial], np.float64)
        self._roots: list[Node] = []

    def roots(self) -> list[Node]:
        """The whole mapspace: every choice of bypasses with the lowest of the quick bounds of its tasks.

        Energies and words are sums over data spaces, so each way to keep one data space is looked at once, not each
        combination of them.
        """
        if not self._roots:
            self._roots = self._all_roots()
        return list(self._roots)

    def _all_roots(self) -> list[Node]:
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
        data = duplicate(self._data)
        relaxed_sums(self._geometry, boxed(data), rows, np.array(energies), np.array(cycles), common, bounds)
        return [Node(float(bound), mask) for mask, bound in enumerate(bounds) if bound < np.inf]

    def _alone(
        self, keep: Bool[ndarray, "S P"], common: Float64[ndarray, "n 3"]
    ) -> tuple[Float64[ndarray, "n"], Float64[ndarray, "n B"]]:
        """Energy and cycles of every task for a single data space."""
        data = duplicate(self._data)
        route_of(keep).enter(data)
        energies = np.zeros(len(self._spatial))
        cycles = np.zeros((len(self._spatial), int(data.bands)))
        relaxed_parts(self._geometry, boxed(data), self._inners, self._hops, energies, cycles, common)
        return energies, cycles

    @property
    def compiled(self) -> bool:
        """Whether ``warm_up`` finds what takes long to compile in the cache."""
        return is_cached(descend)

    def warm_up(self) -> None:
        """Compile, or load from the cache, what the first node would."""
        data, tiles, _ = self._laid_out(0)
        inner, S = np.zeros((self.choices.S, self.choices.D), np.int64), self.choices.S
        hops = np.zeros((S, self.choices.P))
        relaxed_bounds(self._geometry, boxed(data), inner[None], hops[None], np.zeros(1))
        self.roots()
        prepare(self._geometry, boxed(data), tiles, inner, hops)
        rest_bound(self._geometry, boxed(data), tiles, 0)
        cursor = np.array((0,) * (1 + S) + (-1,) * S, np.int64)
        descend(
            self._geometry,
            boxed(data),
            tiles,
            cursor,
            0.0,
            1,
            np.zeros((1, 2 * S + 2), np.int64),
            np.zeros(3, np.int64),
        )

    def do(self, node: Node, incumbent: float, visits: int = VISITS_A_TURN) -> Report:
        """Go on with a node for so many tiles; what is left of it is in the report."""
        if node.inner is None:
            return self._split(node, incumbent)
        data, tiles, order = self._laid_out(node.mask)
        return self._descend(node, order, data, tiles, incumbent, visits)

    def _hops_of(self, inner: Int64[ndarray, "S D"]) -> Float64[ndarray, "S P"]:
        return self._hop_bounds.of([tuple(int(i) for i in row) for row in inner])

    def _laid_out(self, mask: int) -> tuple[ProblemData, TileTable, TileOrder]:
        """Scratch of one node."""
        order = self._order(mask)
        data = duplicate(self._data)
        order.enter(data)
        outer = np.zeros((self.choices.S, self.lattice.size))
        return data, TileTable(order.rows.copy(), order.worth.copy(), outer, *self._classes), order

    def _order(self, mask: int) -> TileOrder:
        if mask not in self._orders:
            if len(self._orders) > 64:
                self._orders.clear()
            self._orders[mask] = self._all_orders.of(self.masks[mask])
        return self._orders[mask]

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

    def _split(self, node: Node, incumbent: float) -> Report:
        """One task for each combination of spatial factors, with a quick bound."""
        data = duplicate(self._data)
        route_of(self.masks[node.mask]).enter(data)
        report = Report(nodes=len(self._spatial))
        bounds = np.zeros(len(self._spatial))
        relaxed_bounds(self._geometry, boxed(data), self._inners, self._hops, bounds)
        bounds = np.maximum(bounds, node.bound)
        for i in np.flatnonzero(bounds * (1.0 - SLACK) < incumbent):
            report.left.append(Node(float(bounds[i]), node.mask, self._spatial[i]))
        return report

    def _descend(
        self,
        node: Node,
        order: TileOrder,
        data: ProblemData,
        tiles: TileTable,
        incumbent: float,
        visits: int,
    ) -> Report:
        inner = np.array(node.inner, np.int64)
        report = Report(nodes=1)
        if (
            not prepare(self._geometry, boxed(data), tiles, inner, self._hops_of(inner))
            or data.bound * (1.0 - SLACK) >= incumbent
        ):
            return report
        S = self.choices.S
        start = (0,) * (1 + S) + (-1,) * S
        if not node.cursor and data.bound > node.bound:
            # Now that the bound is known other nodes may be more urgent.
            report.left.append(Node(float(data.bound), node.mask, node.inner, start))
            return report
        self._sort(order, tiles)
        cursor = np.array(node.cursor or start, np.int64)
        rows, counts = np.zeros((ROOM, 2 * S + 2), np.int64), np.zeros(3, np.int64)
        report.tasks = 0 if any(c > 0 for c in cursor) else 1
        while True:
            counts[LEAVES] = 0
            budget = visits - int(counts[VISITS])
            state = descend(self._geometry, boxed(data), tiles, cursor, incumbent, budget, rows, counts)
            found = int(counts[LEAVES])
            report.leaves += found
            for batch in self.leaves.batches(order, inner, rows[:found]):
                report.evaluated += len(batch)
                best, valid = cheapest(self.evaluate, self.objective, batch)
                report.valid += valid
                if best is not None and best.cost < incumbent:
                    incumbent, report.best = best.cost, best
            if state != FULL or counts[VISITS] >= visits:
                break
        report.visits, report.nodes = int(counts[VISITS]), report.nodes + int(counts[NODES])
        if state != DONE:
            bound = max(node.bound, rest_bound(self._geometry, boxed(data), tiles, int(cursor[1])))
            report.left.append(Node(bound, node.mask, node.inner, tuple(int(c) for c in cursor)))
        return report

    def _sort(self, order: TileOrder, tiles: TileTable) -> None:
        """Tiles of each level by rising value; kernels cannot sort."""
        for s in range(self.choices.S):
            part = slice(order.first[s], order.first[s + 1])
            tiles.rows[part, -1] = np.argsort(tiles.worth[part, -1], kind="stable") + order.first[s]
