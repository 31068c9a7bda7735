"""The native cost model as an Evaluator: batches on all threads, full statistics of one mapping."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..cost.checks import check_storage, rejection
from ..cost.evaluate import evaluate_batch
from ..cost.noc import evaluated_networks
from ..cost.outcome import Failure, Outcome, Rejection, Statistics
from ..cost.rates import paid_for, rates_of
from ..cost.sparse import count_dense
from ..cost.statistics import Evaluated, collect
from ..errors import MappingError, UsageError
from ..kernels.compiling import is_cached, plain
from ..kernels.progress import compiling
from ..kernels.record import boxed, views
from ..specs.constraints import Switches
from ..specs.mapping import Mapping, MappingBatch
from ..specs.spec import Spec
from ..traffic.geometry import Geometry, asking, geometry_of
from ..traffic.imperfect.space import WalkSpace, walk_space
from ..traffic.levels import mark_present
from ..traffic.nest import BOUND, DIM, fill_tiles, find_fault
from ..traffic.workspace import Workspace, workspace
from .sparse import SparseModel, refuse_unknown
from .vectors import LOOK, VectorChoice, VectorModel

LEAST_PART = 64
"""Fewest rows worth handing to a thread."""

_KERNELS = 125
"""About as many are compiled for perfect factors."""

NO_ACCESSES = np.zeros((0, 0), np.int64)

Scratch = tuple[Workspace, WalkSpace]


class NativeEvaluator:
    """Evaluates mappings of one Spec with the native cost model.

    Args:
        spec: machine, problem, energies and options.
        switches: reuse switches; those of the constraints if none are given.
        accesses: also fill ``Outcome.accesses``.
        compiled: false runs the same kernels as plain Python, for debugging.
        threads: rows are spread over this many threads; results do not depend on it.
        vectors: run batches over vectors of mappings, with code made for this machine and problem: the same results
            in a fraction of the time, after seconds of compiling that are paid once. True makes it with the first
            batch, false never; by default it is used if it was kept from an earlier run, and made with the first
            batch for which, with those before, it pays.
        precheck: apply the mapper's capacity pre-check first (section 11). It differs from the evaluation's own check
            for imperfect mappings only.

    Raises:
        UnsupportedFeatureError: the design is outside the native model, or counts of this problem may exceed 64 bits.
        SpecError: a network is named at one end of a connection only.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        switches: Switches | None = None,
        accesses: bool = False,
        compiled: bool = True,
        threads: int = 1,
        precheck: bool = False,
        vectors: bool | None = None,
    ) -> None:
        if threads < 1:
            raise UsageError(f"threads must be at least 1, not {threads}")
        spec.require_native()
        self.spec, self.accesses, self.threads = spec, accesses, threads
        self.switches = spec.constraints.switches if switches is None else switches
        self.compiled, self.precheck, self.vectors = compiled, precheck, vectors
        self.name = f"native model (rules {spec.options.rules})"
        self._networks = evaluated_networks(spec)
        self.geometry = paid_for(geometry_of(spec, self.switches), spec)
        self.rates = rates_of(spec)
        self._batch = evaluate_batch if compiled else plain(evaluate_batch)
        self._perfect = compiled  # as long as no row had imperfect factors
        self._fault = find_fault if compiled else plain(find_fault)
        self._spaces: list[Scratch] = []
        if spec.sparsity is not None:
            refuse_unknown(spec, self.switches)
        self._sparse = (
            None
            if spec.sparsity is None
            else SparseModel(spec, self.geometry, self.rates, self._networks, precheck, compiled)
        )
        usable = compiled and not precheck and not accesses
        self._vectors = VectorChoice(
            self.geometry, self.rates, vectors if usable and not spec.sparsity else False
        )

    def __call__(self, mappings: MappingBatch) -> Outcome:
        """Outcomes of all rows, in order.

        Raises:
            MappingError: the arrays do not fit the problem and the machine.
        """
        mappings = self._check(mappings)
        outcome = self._empty(len(mappings))
        if self._sparse is not None:
            self._sparse.fill(mappings, outcome)
            return outcome
        parts = _parts(len(mappings), self.threads)
        if len(parts) == 1:
            self._evaluate(mappings, outcome)
            return outcome
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(lambda part: self._evaluate(mappings.take(part), _part(outcome, part)), parts))
        return outcome

    def statistics(self, mapping: Mapping) -> Statistics | Rejection:
        """Every figure of one mapping, or why it is invalid.

        Raises:
            MappingError: the mapping does not fit the problem and the machine.
        """
        self._check_product(mapping)
        batch = MappingBatch.of([mapping])
        self._check(batch)
        if self._sparse is not None:
            return self._sparse.statistics(batch)
        outcome = self._empty(1)
        everything = asking(self.geometry, hops=True, all_figures=True)
        scratch = self._run(everything, batch, outcome, self._take())
        failure = Failure(int(outcome.failure[0]))
        geometry, work = views(everything), views(scratch[0])
        if failure is Failure.OK:
            result: Statistics | Rejection = collect(
                Evaluated(self.spec, self._networks, geometry, views(self.rates), work)
            )
        else:
            result = rejection(self.spec, geometry, work, failure)
        self._spaces.append(scratch)
        return result

    def auto_bypass(self, mapping: Mapping) -> Mapping:
        """The mapping with every level that fails the capacity pre-check bypassed by all data spaces.

        What ``auto_bypass_on_failure`` of the section ``model`` asks for.
        """
        work = self._take()[0]
        keep = np.array(mapping.keep, np.bool_)
        plain(mark_present)(self.geometry, keep, work)
        plain(fill_tiles)(self.geometry, MappingBatch.of([mapping]).factors[0], work)
        failed = [plain(check_storage)(self.geometry, work, s, True) != Failure.OK for s in range(len(keep))]
        kept = tuple(
            tuple(held and not fails for held in row) for row, fails in zip(mapping.keep, failed, strict=True)
        )
        return Mapping(mapping.loops, kept)

    def warm_up(self, progress: Callable[[str], None] | None = None) -> None:
        """Compile now (or load from the cache) what the first evaluation would.

        Args:
            progress: told in a line now and then what takes the time, and how far it is.
        """
        kernel = evaluate_batch if self._sparse is None else count_dense
        needed = self.compiled and not is_cached(kernel)
        with compiling(progress if needed else None, "the cost model", _KERNELS):
            self._warm_up()

    def _warm_up(self) -> None:
        problem, architecture = self.spec.problem, self.spec.architecture
        unit = MappingBatch.empty(
            1,
            len(architecture.tiling_levels),
            len(problem.dims),
            len(architecture.storage),
            len(problem.data_spaces),
        )
        if self._sparse is not None:
            self._sparse.warm_up(unit)
        else:
            self(unit)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled as its arguments: workers build their own records and scratch."""
        return _rebuilt, (
            self.spec, self.switches, self.accesses, self.compiled, self.threads, self.precheck, self.vectors,
        )  # fmt: skip

    def _evaluate(self, mappings: MappingBatch, outcome: Outcome) -> None:
        """Over vectors where that pays: asked anew after each part that the general model served."""
        while len(mappings):
            model = self._vectors.model(len(mappings))
            if model is not None:
                self._evaluate_vectors(model, mappings, outcome)
                return
            now, done = mappings, outcome
            if len(mappings) > LOOK:
                now, done = mappings.take(slice(LOOK)), _part(outcome, slice(LOOK))
            self._spaces.append(self._run(self.geometry, now, done, self._take()))
            self._vectors.served(len(now), len(now) - int(np.count_nonzero(done.failure)))
            if now is mappings:
                return
            mappings, outcome = mappings.take(slice(LOOK, None)), _part(outcome, slice(LOOK, None))

    def _evaluate_vectors(self, model: VectorModel, mappings: MappingBatch, outcome: Outcome) -> None:
        left = model(mappings, outcome)
        if len(left):
            rest = self._empty(len(left))
            self._spaces.append(self._run(self.geometry, mappings.take(left), rest, self._take()))
            for name in ("cycles", "energy_pj", "utilization", "failure", "failed_level"):
                getattr(outcome, name)[left] = getattr(rest, name)

    def _run(self, geometry: Geometry, mappings: MappingBatch, outcome: Outcome, scratch: Scratch) -> Scratch:
        """Evaluate all rows; returns the scratch, a larger one if a row needed it."""
        accesses = outcome.accesses if outcome.accesses is not None else NO_ACCESSES
        row = 0
        while True:
            perfect = self._perfect
            row = self._batch(
                boxed(geometry), boxed(self.rates),
                mappings.factors, mappings.residuals, mappings.order, mappings.split, mappings.keep,
                boxed(scratch[0]), None if perfect else boxed(scratch[1]), self.precheck, row, outcome.cycles,
                outcome.energy_pj, outcome.utilization, outcome.failure, outcome.failed_level, accesses,
            )  # fmt: skip
            if row == len(mappings):
                return scratch
            if perfect and scratch[0].status[0] == 0:
                self._perfect = False
                continue
            scratch = (workspace(geometry, 4 * scratch[0].multicast.shape[2]), scratch[1])

    def _take(self) -> Scratch:
        """Scratch that no thread uses at the moment."""
        try:
            return self._spaces.pop()
        except IndexError:
            return workspace(self.geometry), walk_space(self.geometry)

    def _empty(self, rows: int) -> Outcome:
        levels = len(self.spec.architecture.storage)
        return Outcome(
            cycles=np.zeros(rows, np.int64),
            energy_pj=np.zeros(rows, np.float64),
            utilization=np.zeros(rows, np.float64),
            failure=np.zeros(rows, np.int8),
            failed_level=np.zeros(rows, np.int8),
            accesses=np.zeros((rows, levels), np.int64) if self.accesses else None,
        )

    def _check(self, mappings: MappingBatch) -> MappingBatch:
        """The same batch in the memory layout of the kernels.

        Raises:
            MappingError: shapes or dims that do not fit, or a bound below 1.
        """
        problem, architecture = self.spec.problem, self.spec.architecture
        tiles, dims = len(architecture.tiling_levels), len(problem.dims)
        rows = len(mappings)
        expected = (
            ("factors", np.int64, (rows, tiles, dims)),
            ("residuals", np.int64, (rows, tiles, dims)),
            ("order", np.int8, (rows, tiles, dims)),
            ("split", np.int8, (rows, tiles)),
            ("keep", np.bool_, (rows, len(architecture.storage), len(problem.data_spaces))),
        )
        arrays = {}
        for name, kind, shape in expected:
            array = getattr(mappings, name)
            if array.shape != shape:
                raise MappingError(
                    f"{name} of a mapping batch has the wrong shape", value=array.shape, expected=str(shape)
                )
            fits = array.dtype == kind and array.flags.carray
            arrays[name] = array if fits else np.require(array, kind, ["C", "A", "W"])
        fault = self._fault(
            arrays["factors"].reshape(-1), arrays["residuals"].reshape(-1),
            arrays["order"].reshape(-1).view(np.uint8), dims,
        )  # fmt: skip
        if fault == BOUND:
            raise MappingError("a loop bound of a mapping batch is below 1")
        if fault == DIM:
            raise MappingError("an order of a mapping batch names a dim that the problem does not have")
        return MappingBatch(**arrays)

    def _check_product(self, mapping: Mapping) -> None:
        """Bounds of the loops of every dim, walked outside-in with their residuals, must give its bound."""
        problem = self.spec.problem
        for d, (name, bound) in enumerate(zip(problem.dims, problem.bounds, strict=True)):
            last = 0
            for level in reversed(mapping.loops):
                last = last * level.factors[d] + level.residuals[d] - 1
            if last + 1 != bound:
                raise MappingError(
                    f"the factors of dimension {name} do not multiply to its bound",
                    value=last + 1,
                    expected=str(bound),
                )


def _rebuilt(
    spec: Spec,
    switches: Switches,
    accesses: bool,
    compiled: bool,
    threads: int,
    precheck: bool,
    vectors: bool | None,
) -> NativeEvaluator:
    return NativeEvaluator(
        spec, switches=switches, accesses=accesses, compiled=compiled, threads=threads, precheck=precheck,
        vectors=vectors,
    )  # fmt: skip


def _parts(rows: int, threads: int) -> list[slice]:
    """Consecutive rows for each thread, several parts each so that slow rows do not hold up one thread."""
    if threads == 1:
        return [slice(0, rows)]
    size = max(LEAST_PART, -(-rows // (4 * threads)))
    return [slice(first, min(first + size, rows)) for first in range(0, rows, size)]


def _part(outcome: Outcome, rows: slice) -> Outcome:
    """A view of some rows."""
    accesses = outcome.accesses
    return Outcome(
        outcome.cycles[rows], outcome.energy_pj[rows], outcome.utilization[rows], outcome.failure[rows],
        outcome.failed_level[rows], None if accesses is None else accesses[rows],
    )  # fmt: skip
