"""One mapping through all stages, and the batch loop around it."""

from __future__ import annotations

from jaxtyping import Bool, Float64, Int8, Int64
from numpy import ndarray

from ..compiling import inlined, kernel
from ..traffic.accesses import fill_accesses
from ..traffic.bypass import bypass, distribute
from ..traffic.collapse import (
    COMPUTES,
    CYCLES,
    STEPS,
    count_computes,
    count_instances,
    share_out,
)
from ..traffic.layout import Tables, Workspace
from ..traffic.nest import build_nest
from ..traffic.record import Box
from ..traffic.walk import prepare_walk, walk
from ..traffic.walk_space import WalkSpace
from ..traffic.words import count_traffic
from .capacity import check_storage
from .energy import storage_energy
from .latency import count_cycles
from .network import network_energy
from .outcome import Failure
from .survey import IMPERFECT, survey

NO_TILE_LEFT, LONE_RESIDUAL, COMPLEX_SIGNATURE, FEW_READS = 0, 1, 2, 3
"""Values of ``Workspace.abort``: why the real program gives up."""

OK, BYPASS, OTHER = int(Failure.OK), int(Failure.BYPASS), int(Failure.OTHER)


@inlined
def evaluate(
    tables: Tables,
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
    work.status[0] = 0
    failure = survey(tables, factors, residuals, order, split, keep, i, work, precheck)
    if failure == IMPERFECT:
        return _evaluate_imperfect(tables, factors[i], residuals[i], order[i], split[i], work, space)
    if failure != OK:
        return failure
    return _evaluate_perfect(tables, factors[i], residuals[i], order[i], split[i], work)


@kernel
def _evaluate_perfect(
    tables: Tables,
    factors: Int64[ndarray, "T D"],
    residuals: Int64[ndarray, "T D"],
    order: Int8[ndarray, "T D"],
    split: Int8[ndarray, "T"],
    work: Workspace,
) -> int:
    """Failure class of a perfect mapping that fits."""
    build_nest(tables, factors, residuals, order, split, work)
    fill_accesses(tables, work)
    work.counts[STEPS] = int(work.counters[1])
    return _figures(tables, work, False)


@kernel
def _evaluate_imperfect(
    tables: Tables,
    factors: Int64[ndarray, "T D"],
    residuals: Int64[ndarray, "T D"],
    order: Int8[ndarray, "T D"],
    split: Int8[ndarray, "T"],
    work: Workspace,
    space: WalkSpace,
) -> int:
    """Failure class of a mapping with residuals."""
    build_nest(tables, factors, residuals, order, split, work)
    if not count_instances(tables, work):
        return _abort(work, LONE_RESIDUAL)
    prepare_walk(tables, work, space)
    failure = _check(tables, work)
    if failure != OK:
        return failure
    walk(tables, work, space)
    return _figures(tables, work, True)


@kernel
def _abort(work: Workspace, reason: int) -> int:
    work.abort[0] = reason
    return OTHER


@kernel
def _check(tables: Tables, work: Workspace) -> int:
    """Failure class of the first storage level that does not fit, inside-out."""
    for s in range(tables.levels):
        failure = check_storage(tables, work, s)
        if failure != OK:
            work.failed_level[0] = s + 1
            return failure
    return OK


@kernel
def _figures(tables: Tables, work: Workspace, imperfect: bool) -> int:
    """Sections 7 to 14, once the entries are there."""
    count_computes(work, imperfect)
    share_out(tables, work)
    if not distribute(tables, work):
        return _abort(work, COMPLEX_SIGNATURE)
    bypass(tables, work)
    if not count_traffic(tables, work):
        return _abort(work, FEW_READS)
    cycles = count_cycles(tables, work)
    for s in range(tables.levels):
        storage_energy(tables, work, s, cycles)
    for n in range(tables.networks):
        network_energy(tables, work, n)
    return OK


@kernel
def total_energy(tables: Tables, work: Workspace) -> float:
    """PJ of compute, then levels inside-out, then networks in alphabetical order, summed in that order."""
    energy = float(work.counts[COMPUTES]) * tables.compute_energy
    for s in range(tables.levels):
        energy += work.level_energy[s]
    for n in range(tables.networks):
        energy += work.network_energy[n]
    return energy


@kernel
def utilization(tables: Tables, work: Workspace) -> float:
    """Share of compute instances and cycles that do work."""
    return float(work.counts[COMPUTES]) / float(tables.compute[0]) / float(work.counts[CYCLES])


@kernel
def level_accesses(tables: Tables, work: Workspace, s: int) -> int:
    """Scalar accesses of level s, all instances (section 15)."""
    total = 0
    for p in range(tables.spaces):
        total += work.rep[s] * (work.reads[s, p] + work.updates[s, p] + work.fills[s, p])
    return total


@kernel
def evaluate_batch(
    table_box: Box[Tables],
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    work_box: Box[Workspace],
    space_box: Box[WalkSpace],
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

    The outputs must be zero. ``accesses`` has no columns, or one for each storage level.
    """
    tables, work, space = table_box[0], work_box[0], space_box[0]
    rows = factors.shape[0]
    for i in range(first, rows):
        result = evaluate(tables, factors, residuals, order, split, keep, i, work, space, precheck)
        if work.status[0] != 0:
            return i
        failure[i] = result
        level[i] = -1
        if result != OK:
            level[i] = work.failed_level[0]
            continue
        cycles[i] = work.counts[CYCLES]
        energy[i] = total_energy(tables, work)
        share[i] = utilization(tables, work)
        for s in range(accesses.shape[1]):
            accesses[i, s] = level_accesses(tables, work, s)
    return rows
