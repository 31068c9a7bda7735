"""Every figure of one sparse mapping in the form of ``Statistics``."""

from __future__ import annotations

import math

from ..specs.spec import Spec
from ..traffic.sparse.count import FILL, READ, UPDATE, SpaceWords
from ..traffic.sparse.doubles import MODULO, quotient
from ..traffic.sparse.ranks import MisfitError
from .outcome import (
    ComputeStatistics,
    Failure,
    LevelStatistics,
    Rejection,
    SparseTensorStatistics,
    Statistics,
    TensorStatistics,
)
from .sparse import (
    METADATA,
    WORDS,
    LevelFigures,
    SparseFigures,
    address_generations,
    moved_bits,
)
from .statistics import Evaluated, network_statistics

_CLASSES = {
    "capacity": Failure.CAPACITY, "md_capacity": Failure.MD_CAPACITY, "utilization": Failure.UTILIZATION,
    "confidence": Failure.CONFIDENCE, "fanout": Failure.FANOUT, "ranks": Failure.RANKS, "format": Failure.FORMAT,
    "source": Failure.SOURCE, "bypass": Failure.BYPASS, "other": Failure.OTHER,
}  # fmt: skip


def failure_of(misfit: MisfitError) -> tuple[Failure, int]:
    """Class and level (0 = compute) of a failure."""
    return _CLASSES[misfit.kind], misfit.level + 1


def sparse_rejection(spec: Spec, misfit: MisfitError) -> Rejection:
    """The failure in words."""
    failure, level = failure_of(misfit)
    machine = spec.architecture
    name = machine.compute.name if level == 0 else machine.storage[level - 1].name
    return Rejection(failure, level, name, misfit.message)


def collect_sparse(evaluated: Evaluated, figures: SparseFigures) -> Statistics:
    """All figures; ``evaluated`` holds the dense words and networks."""
    spec, words = evaluated.spec, figures.words
    required = outputs = 0
    for p, space in enumerate(spec.problem.data_spaces):
        last = next((level.shares[p].words for level in reversed(figures.levels) if level.shares[p].words), 0)
        required += last
        outputs += last if space.read_write and spec.options.first_read_elision else 0
    return Statistics(
        cycles=figures.cycles,
        energy_pj=figures.energy,
        utilization=figures.utilization,
        computes=words.random,
        operations=(2 * words.random - outputs) % MODULO,
        reduction_operations=(words.random - outputs) % MODULO,
        required_accesses=required,
        compute=ComputeStatistics(
            utilized_instances=words.spread.compute_across * words.spread.compute_down,
            average_instances=float(figures.compute_instances),
            cycles=figures.compute_cycles,
            energy=figures.compute_energy,
            area=spec.energies.compute_area * spec.architecture.compute.instances,
            gated=words.gated,
            skipped=words.skipped,
        ),
        levels=tuple(_level(evaluated, figures, s) for s in range(len(figures.levels))),
        networks=tuple(network_statistics(evaluated, n) for n in range(len(evaluated.networks))),
        algorithmic_computes=figures.dense.computes,
    )


def _level(evaluated: Evaluated, figures: SparseFigures, s: int) -> LevelStatistics:
    level = figures.levels[s]
    return LevelStatistics(
        name=evaluated.spec.architecture.storage[s].name,
        cycles=level.cycles,
        throttle=level.throttle,
        energy=level.total,
        leakage=level.leak,
        leakage_instances=level.leaking,
        sharing_power_gating=level.leak_share,
        non_power_gated_utilization=level.busy / level.leaking if level.leak_share > 1 else 1.0,
        accesses=figures.accesses[s],
        tensors=tuple(_tensor(evaluated, figures, s, p) for p in range(len(level.shares))),
    )


def _tensor(evaluated: Evaluated, figures: SparseFigures, s: int, p: int) -> TensorStatistics:
    level, dense, spread = figures.levels[s], figures.dense, figures.words.spread
    found, rates = figures.words.spaces[s][p], evaluated.rates
    used, average = spread.across[s][p] * spread.down[s][p], spread.instances[s][p]
    clusters = min(used, int(rates.clusters[s]))
    read, write = level.read_demand[p], level.write_demand[p]
    writes = evaluated.spec.problem.data_spaces[p].read_write
    return TensorStatistics(
        kept=bool(evaluated.work.keep[s, p]),
        partition=dense.partition[s][p],
        capacity=0 if found is None else found.tile.volume,
        tile_shape=level.shares[p].words,
        instances=used,
        clusters=clusters,
        reads=0 if found is None else found.words["random", READ],
        fills=0 if found is None else found.words["random", FILL],
        updates=0 if found is None else found.words["random", UPDATE],
        temporal_reductions=0 if found is None else found.reductions,
        address_generations=address_generations(found, writes),
        energy=level.energy[p],
        energy_total=level.energy[p] * average,
        address_energy=level.address[p],
        address_energy_total=level.address[p] * clusters,
        read_bandwidth=read * level.throttle,
        write_bandwidth=write * level.throttle,
        bandwidth_scale=float(rates.bandwidth_scale[s, p]),
        shared_bandwidth=(read + write) * level.throttle,
        sparse=None
        if found is None
        else _sparse(level, found, spread.instances[s][p], s, p, evaluated, figures),
    )


def _sparse(
    level: LevelFigures, found: SpaceWords, average: float, s: int, p: int, evaluated: Evaluated,
    figures: SparseFigures,
) -> SparseTensorStatistics:  # fmt: skip
    tile, share, sparsity = found.tile, level.shares[p], evaluated.spec.sparsity
    assert sparsity is not None
    actual = sum(found.words.get(("random", action), 0) for action in (READ, FILL, UPDATE)) % MODULO
    metadata = {
        METADATA[key]: tuple((m, n) for m, n in rows)
        for key, rows in found.metadata.items()
        if any(m or n for m, n in rows)
    }
    moved = {METADATA[key]: bits for key, bits in moved_bits(found).items()}
    counts = {WORDS[key]: count for key, count in found.words.items()}
    counts |= {"decompression_count": found.decompressions, "compression_count": found.compressions}
    return SparseTensorStatistics(
        density=sparsity.densities[p].name,
        algorithmic=(found.reads, found.fills, found.updates),
        confidence=share.confidence,
        ranks=() if tile.form is None else tuple(rank.format for rank in reversed(tile.form.ranks)),
        metadata_bits=share.bits,
        metadata_units=tuple((_up(m), _up(n)) for m, n in share.metadata),
        instances=average,
        across=figures.words.spread.across[s][p],
        down=figures.words.spread.down[s][p],
        words={name: count for name, count in counts.items() if count},
        metadata=metadata,
        metadata_moved={name: bits for name, bits in moved.items() if bits},
        vectors={name: count for name, count in level.vectors[p].items() if count},
        energy_per_access=quotient(level.energy[p], float(actual)) if average > 0 else 0.0,
        fractions=level.fractions[p],
    )


def _up(value: float) -> int:
    return math.ceil(value) if math.isfinite(value) else 0
