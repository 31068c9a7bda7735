"""Sparse designs in the native model: dense words by the kernels, then what sparsity makes of them, row by row."""

from __future__ import annotations

import math

from ..cost.checks import NOWHERE, REASONS
from ..cost.noc import Network
from ..cost.outcome import Failure, Outcome, Rejection, Statistics
from ..cost.rates import Rates
from ..cost.sparse import SparseCost, SparseFigures, count_dense, dense_words
from ..cost.sparse_statistics import collect_sparse, failure_of, sparse_rejection
from ..cost.statistics import Evaluated
from ..kernels.compiling import plain
from ..kernels.record import boxed, views
from ..specs.mapping import MappingBatch
from ..specs.spec import Spec
from ..traffic.geometry import Geometry, asking
from ..traffic.imperfect.space import WalkSpace, walk_space
from ..traffic.sparse.density import AbortError
from ..traffic.sparse.ranks import MisfitError
from ..traffic.workspace import Workspace, workspace

_UNDEFINED = (AbortError, ValueError, OverflowError, ZeroDivisionError)


class SparseModel:
    """Evaluates mappings of one sparse design.

    Args:
        spec: the design.
        geometry: what counts; ``rates``: what it costs; ``networks``: those that are paid for.
        mapper: with the mapper's check before evaluation, and its confidence in overbooked levels.
        compiled: false counts in plain Python.
    """

    def __init__(
        self,
        spec: Spec,
        geometry: Geometry,
        rates: Rates,
        networks: tuple[Network, ...],
        mapper: bool,
        compiled: bool,
    ) -> None:
        self.spec, self.geometry, self.rates, self.networks = spec, geometry, rates, networks
        self.mapper = mapper
        self.cost = SparseCost(spec, rates, mapper)
        self._count = count_dense if compiled else plain(count_dense)
        self._spaces: list[tuple[Workspace, WalkSpace]] = []

    def fill(self, mappings: MappingBatch, outcome: Outcome) -> None:
        """The outcomes of all rows; ``outcome`` holds zeros."""
        scratch = self._take()
        for row in range(len(mappings)):
            found, scratch = self._figures(self.geometry, mappings, row, scratch)
            outcome.failed_level[row] = -1
            if isinstance(found, MisfitError):
                failure, level = failure_of(found)
                outcome.failure[row], outcome.failed_level[row] = failure, level
                continue
            outcome.cycles[row] = min(found.cycles, 2**63 - 1)
            outcome.energy_pj[row], outcome.utilization[row] = found.energy, found.utilization
            if outcome.accesses is not None:
                outcome.accesses[row] = found.accesses
        self._spaces.append(scratch)

    def statistics(self, mappings: MappingBatch) -> Statistics | Rejection:
        """Every figure of the first row, or why it is invalid."""
        everything = asking(self.geometry, hops=True, all_figures=True)
        found, scratch = self._figures(everything, mappings, 0, self._take())
        if isinstance(found, MisfitError):
            result: Statistics | Rejection = sparse_rejection(self.spec, found)
        else:
            work = views(scratch[0])
            result = collect_sparse(
                Evaluated(self.spec, self.networks, views(everything), views(self.rates), work), found
            )
        self._spaces.append(scratch)
        return result

    def _take(self) -> tuple[Workspace, WalkSpace]:
        try:
            return self._spaces.pop()
        except IndexError:
            return workspace(self.geometry), walk_space(self.geometry)

    def _figures(
        self, geometry: Geometry, mappings: MappingBatch, row: int, scratch: tuple[Workspace, WalkSpace]
    ) -> tuple[SparseFigures | MisfitError, tuple[Workspace, WalkSpace]]:
        """All figures of a row, or the first check that fails, in the order of the real program."""
        mapping = mappings[row]
        if not all(any(column) for column in zip(*mapping.keep)):
            return MisfitError("bypass", -1, NOWHERE), scratch
        try:
            nest = self.cost.traffic.see(mapping)
            if self.mapper:
                self.cost.precheck(mapping, nest)
            self.cost.traffic.check(mapping)
            children = math.prod(loop.bound for level in nest for loop in level if loop.spatial)
            if children > scratch[0].child_order.shape[0]:
                most = self.spec.architecture.compute.instances
                text = f"mapped max Arithmetic instances {children} exceeds hardware instances {most}"
                return MisfitError("fanout", -1, text), scratch
            status, scratch = self._counted(geometry, mappings, row, scratch)
            if status != Failure.OK:
                return MisfitError("other", -1, REASONS[int(scratch[0].abort[0])]), scratch
            work = views(scratch[0])
            dense = dense_words(geometry, work, mapping.imperfect)
            networks = work.network_energy[: len(self.networks)].tolist()
            return self.cost.figures(mapping, nest, dense, networks), scratch
        except MisfitError as misfit:
            return misfit, scratch
        except _UNDEFINED as error:
            return MisfitError("other", -1, f"the real program gives no result: {error}"), scratch

    def _counted(
        self, geometry: Geometry, mappings: MappingBatch, row: int, scratch: tuple[Workspace, WalkSpace]
    ) -> tuple[int, tuple[Workspace, WalkSpace]]:
        """Dense words of a row, in a larger workspace if they need one."""
        while True:
            status = self._count(
                boxed(geometry), boxed(self.rates), mappings.factors, mappings.residuals, mappings.order,
                mappings.split, mappings.keep, row, boxed(scratch[0]), boxed(scratch[1]),
            )  # fmt: skip
            if scratch[0].status[0] == 0:
                return int(status), scratch
            scratch = workspace(geometry, 4 * scratch[0].multicast.shape[2]), scratch[1]
