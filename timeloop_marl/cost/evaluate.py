"""One mapping through all stages, and the batch loop around it."""

from __future__ import annotations

from jaxtyping import Bool, Float64, Int8, Int64
from numpy import ndarray

from ..kernels.compiling import inlined, kernel
from ..kernels.record import Box
from ..traffic.count import COUNTED, LONE_RESIDUAL, move_perfect, settle_words
from ..traffic.geometry import Geometry
from ..traffic.imperfect.space import WalkSpace
from ..traffic.imperfect.walk import prepare_walk, walk
from ..traffic.levels import COMPUTES, CYCLES, count_instances
from ..traffic.nest import build_nest
from ..traffic.workspace import Workspace
from .checks import IMPERFECT, check_storage, survey
from .outcome import Failure
from .pricing import count_cycles, network_energy, storage_energy
from .rates import Rates

OK, BYPASS, OTHER = int(Failure.OK), int(Failure.BYPASS), int(Failure.OTHER)


@inlined
def evaluate_perfect(
    geometry: Geometry,
    rates: Rates,
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
    precheck: bool,
) -> int:
    """Failure class of row i of a batch; if it is valid all figures are in ``work``. ``IMPERFECT``: not evaluated."""
    work.status[0] = 0
    failure = survey(geometry, factors, residuals, order, split, keep, i, work, precheck)
    if failure != OK:
        return failure
    move_perfect(geometry, factors[i], residuals[i], order[i], split[i], work)
    return _figures(geometry, rates, work, False)


@inlined
def evaluate(
    geometry: Geometry,
    rates: Rates,
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
    space: WalkSpace,
    precheck: bool,
) -> int:
    """Failure class of row i of a batch; if it is valid all figures are in ``work``."""
    failure = evaluate_perfect(geometry, rates, factors, residuals, order, split, keep, i, work, precheck)
    if failure == IMPERFECT:
        return _evaluate_imperfect(geometry, rates, factors[i], residuals[i], order[i], split[i], work, space)
    return failure


@kernel
def _evaluate_imperfect(
    geometry: Geometry,
    rates: Rates,
    factors: Int64[ndarray, "T D"],
    residuals: Int64[ndarray, "T D"],
    order: Int8[ndarray, "T D"],
    split: Int8[ndarray, "T"],
    work: Workspace,
    space: WalkSpace,
) -> int:
    """Failure class of a mapping with residuals."""
    build_nest(geometry, factors, residuals, order, split, work)
    if not count_instances(geometry, work):
        return _abort(work, LONE_RESIDUAL)
    prepare_walk(geometry, work, space)
    failure = _check(geometry, work)
    if failure != OK:
        return failure
    walk(geometry, work, space)
    return _figures(geometry, rates, work, True)


@kernel
def _abort(work: Workspace, reason: int) -> int:
    work.abort[0] = reason
    return OTHER


@kernel
def _check(geometry: Geometry, work: Workspace) -> int:
    """Failure class of the first storage level that does not fit, inside-out."""
    for s in range(geometry.levels):
        failure = check_storage(geometry, work, s, False)
        if failure != OK:
            work.failed_level[0] = s + 1
            return failure
    return OK


@kernel
def _figures(geometry: Geometry, rates: Rates, work: Workspace, imperfect: bool) -> int:
    """Sections 7 to 14, once the entries are there."""
    status = settle_words(geometry, work, imperfect)
    if status != COUNTED:
        return _abort(work, status)
    cycles = count_cycles(geometry, rates, work)
    for s in range(geometry.levels):
        storage_energy(geometry, rates, work, s, cycles)
    for n in range(rates.networks):
        network_energy(geometry, rates, work, n)
    return OK


@kernel
def total_energy(geometry: Geometry, rates: Rates, work: Workspace) -> float:
    """PJ of compute, then levels inside-out, then networks in alphabetical order, summed in that order."""
    energy = float(work.counts[COMPUTES]) * rates.compute_energy
    for s in range(geometry.levels):
        energy += work.level_energy[s]
    for n in range(rates.networks):
        energy += work.network_energy[n]
    return energy


@kernel
def utilization(geometry: Geometry, work: Workspace) -> float:
    """Share of compute instances and cycles that do work."""
    return float(work.counts[COMPUTES]) / float(geometry.compute[0]) / float(work.counts[CYCLES])


@kernel
def level_accesses(geometry: Geometry, work: Workspace, s: int) -> int:
    """Scalar accesses of level s, all instances (section 15)."""
    total = 0
    for p in range(geometry.spaces):
        total += work.rep[s] * (work.reads[s, p] + work.updates[s, p] + work.fills[s, p])
    return total


@kernel
def evaluate_batch(
    geometry_box: Box[Geometry],
    rates_box: Box[Rates],
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    work_box: Box[Workspace],
    space_box: Box[WalkSpace] | None,
    precheck: bool,
    first: int,
    cycles: Int64[ndarray, "m"],
    energy: Float64[ndarray, "m"],
    share: Float64[ndarray, "m"],
    failure: Int8[ndarray, "m"],
    level: Int8[ndarray, "m"],
    accesses: Int64[ndarray, "m A"],
) -> int:
    """Evaluate rows from ``first`` on; returns the row for which the workspace was too small, or m.

    The outputs must be zero. ``accesses`` has no columns, or one for each storage level. Without a ``space_box`` it
    also returns the first row with imperfect factors: the walk that these need is a third of all code, and nobody waits
    for its compiling who never evaluates one.
    """
    geometry, rates, work = geometry_box[0], rates_box[0], work_box[0]
    rows = factors.shape[0]
    for i in range(first, rows):
        result = evaluate_perfect(geometry, rates, factors, residuals, order, split, keep, i, work, precheck)
        if result == IMPERFECT:
            if space_box is None:  # numba leaves out the code behind it
                return i
            else:  # noqa: RET505
                result = _evaluate_imperfect(
                    geometry, rates, factors[i], residuals[i], order[i], split[i], work, space_box[0]
                )
        if work.status[0] != 0:
            return i
        failure[i] = result
        level[i] = -1
        if result != OK:
            level[i] = work.failed_level[0]
            continue
        cycles[i] = work.counts[CYCLES]
        energy[i] = total_energy(geometry, rates, work)
        share[i] = utilization(geometry, work)
        for s in range(accesses.shape[1]):
            accesses[i, s] = level_accesses(geometry, work, s)
    return rows
