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
from ..errors import UnsupportedFeatureError
from ..kernels.compiling import plain
from ..kernels.record import boxed, views
from ..specs.constraints import Switches
from ..specs.mapping import MappingBatch
from ..specs.sparse import HYPERGEOMETRIC
from ..specs.spec import Spec
from ..traffic.geometry import Geometry, asking
from ..traffic.imperfect.space import walk_space
from ..traffic.sparse.density import AbortError
from ..traffic.sparse.hypergeometric import chance
from ..traffic.sparse.nest import complete_nest
from ..traffic.sparse.ranks import MisfitError
from ..traffic.workspace import Workspace, workspace

_UNDEFINED = (AbortError, ValueError, OverflowError, ZeroDivisionError)


def refuse_unknown(spec: Spec, switches: Switches) -> None:
    """Refuse a sparse design with what nobody has compared with the real program.

    Raises:
        UnsupportedFeatureError: rules of 2022, ``no_coalesce`` or ``rmw_first_update``.
    """
    for what, found in (
        ("the rules of 2022", spec.options.rules == "2022"),
        ("no_coalesce", bool(switches.no_coalesce)),
        ("rmw_first_update", bool(switches.rmw_first_update)),
    ):
        if found:
            raise UnsupportedFeatureError(
                f"{what} together with sparse optimisations",
                path="sparse_optimizations",
                remedy="evaluate with the real Timeloop: --evaluator timeloop",
            )


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
        self._spaces: list[_Scratch] = []

    def fill(self, mappings: MappingBatch, outcome: Outcome) -> None:
        """The outcomes of all rows; ``outcome`` holds zeros."""
        rows, scratch = _Rows(mappings), self._take()
        for row in range(len(mappings)):
            found = self._figures(self.geometry, rows, row, scratch)
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

    def warm_up(self, mappings: MappingBatch) -> None:
        """Compile what counts; the sizes of tensors are not taken from this mapping."""
        scratch = self._take()
        self._counted(self.geometry, mappings, 0, scratch)
        self._spaces.append(scratch)
        if any(density.kind == HYPERGEOMETRIC for density in self.cost.sparsity.densities):
            chance(0, 1, 1, 2)

    def statistics(self, mappings: MappingBatch) -> Statistics | Rejection:
        """Every figure of the first row, or why it is invalid."""
        everything = asking(self.geometry, hops=True, all_figures=True)
        scratch = self._take()
        found = self._figures(everything, _Rows(mappings), 0, scratch)
        if isinstance(found, MisfitError):
            result: Statistics | Rejection = sparse_rejection(self.spec, found)
        else:
            result = collect_sparse(
                Evaluated(self.spec, self.networks, views(everything), views(self.rates), scratch.seen), found
            )
        self._spaces.append(scratch)
        return result

    def _take(self) -> _Scratch:
        try:
            return self._spaces.pop()
        except IndexError:
            return _Scratch(self.geometry)

    def _figures(
        self, geometry: Geometry, rows: _Rows, row: int, scratch: _Scratch
    ) -> SparseFigures | MisfitError:
        """All figures of a row, or the first check that fails, in the order of the real program."""
        keep, traffic = rows.keep[row], self.cost.traffic
        if not all(any(column) for column in zip(*keep)):
            return MisfitError("bypass", -1, NOWHERE)
        try:
            if not self.mapper:
                traffic.check(keep)
            nest = complete_nest(rows.factors[row], rows.order[row], rows.split[row], self.spec.architecture)
            traffic.see(nest)
            if self.mapper:
                self.cost.precheck(keep, nest)
                traffic.check(keep)
            children = math.prod(loop.bound for level in nest for loop in level if loop.spatial)
            if children > scratch.seen.child_order.shape[0]:
                most = self.spec.architecture.compute.instances
                text = f"mapped max Arithmetic instances {children} exceeds hardware instances {most}"
                return MisfitError("fanout", -1, text)
            if self._counted(geometry, rows.batch, row, scratch) != Failure.OK:
                return MisfitError("other", -1, REASONS[int(scratch.seen.abort[0])])
            dense = dense_words(geometry, scratch.seen, rows.factors[row] != rows.residuals[row])
            networks = scratch.seen.network_energy[: len(self.networks)].tolist()
            return self.cost.figures(nest, dense, networks)
        except MisfitError as misfit:
            return misfit
        except _UNDEFINED as error:
            return MisfitError("other", -1, f"the real program gives no result: {error}")

    def _counted(self, geometry: Geometry, mappings: MappingBatch, row: int, scratch: _Scratch) -> int:
        """Dense words of a row, in a larger workspace if they need one."""
        while True:
            status = self._count(
                boxed(geometry), boxed(self.rates), mappings.factors, mappings.residuals, mappings.order,
                mappings.split, mappings.keep, row, boxed(scratch.work), boxed(scratch.space),
            )  # fmt: skip
            if scratch.seen.status[0] == 0:
                return int(status)
            scratch.hold(workspace(geometry, 4 * scratch.work.multicast.shape[2]))


class _Scratch:
    """What counting needs, of one thread at a time; ``seen``: the arrays of the workspace."""

    def __init__(self, geometry: Geometry) -> None:
        self.space = walk_space(geometry)
        self.hold(workspace(geometry))

    def hold(self, work: Workspace) -> None:
        """Take another workspace."""
        self.work, self.seen = work, views(work)


class _Rows:
    """A batch as lists, row by row."""

    def __init__(self, batch: MappingBatch) -> None:
        self.batch = batch
        self.factors: list[list[list[int]]] = batch.factors.tolist()
        self.residuals: list[list[list[int]]] = batch.residuals.tolist()
        self.order: list[list[list[int]]] = batch.order.tolist()
        self.split: list[list[int]] = batch.split.tolist()
        self.keep: list[list[list[bool]]] = batch.keep.tolist()
