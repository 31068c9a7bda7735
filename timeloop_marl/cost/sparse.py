"""What sparse mappings cost: capacity, cycles and energy of what ``traffic.sparse`` counts (sections 4.4, 6, 7)."""

from __future__ import annotations

import math
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Int8, Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from ..kernels.record import Box, views
from ..specs.sparse import ACTIONS
from ..specs.spec import Spec
from ..traffic.count import COUNTED, LONE_RESIDUAL, move_perfect, settle_words
from ..traffic.geometry import Geometry
from ..traffic.imperfect.space import WalkSpace
from ..traffic.imperfect.walk import prepare_walk, walk
from ..traffic.levels import (
    COMPUTE_INSTANCES,
    COMPUTES,
    NOWHERE,
    SPREAD_X,
    SPREAD_Y,
    STEPS,
    count_instances,
    mark_present,
)
from ..traffic.nest import build_nest, is_imperfect, measure_spread, measure_tiles, spread_levels
from ..traffic.sparse.count import (
    FILL,
    KINDS,
    READ,
    UPDATE,
    DenseWords,
    SpaceWords,
    SparseTraffic,
    SparseWords,
)
from ..traffic.sparse.density import AbortError, DensityModel, points
from ..traffic.sparse.doubles import MODULO, quotient, rounded_up, unsigned
from ..traffic.sparse.nest import Loop, box
from ..traffic.sparse.ranks import MisfitError
from ..traffic.sparse.tiles import Tile, Units, total_bits
from ..traffic.workspace import Workspace
from .outcome import Failure
from .pricing import network_energy
from .rates import Rates

OK, BYPASS, OTHER = int(Failure.OK), int(Failure.BYPASS), int(Failure.OTHER)
_RANDOM = ("random_read", "random_fill", "random_update")
_ORDER = (*_RANDOM, *ACTIONS)
WORDS = {(kind, action): f"{kind}_{action}" for kind in KINDS for action in (READ, FILL, UPDATE)}
METADATA = {(kind, action): f"{kind}_metadata_{action}" for kind in KINDS for action in (READ, FILL, UPDATE)}
"""Names of actions by kind and what is done."""

Bits = dict[tuple[str, str], int]
_BLOCKS = {
    2: (251, 125, 84, 63, 51, 42, 36, 32, 28, 1),
    4: (375, 188, 125, 94, 75, 63, 54, 47, 42, 1),
    8: (438, 219, 146, 110, 88, 73, 63, 55, 49, 1),
    16: (469, 235, 157, 118, 94, 79, 67, 59, 52, 1),
    32: (485, 243, 162, 122, 97, 81, 70, 61, 52, 1),
}
"""Blocks of a tile from which on compressed words fill them evenly, by words of a block and tenths of density (7.1)."""


@kernel
def count_dense(
    geometry_box: Box[Geometry],
    rates_box: Box[Rates],
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work_box: Box[Workspace],
    space_box: Box[WalkSpace],
) -> int:
    """Words and networks of row i without checks against the machine: sections 1 to 10 and 14; the failure class."""
    geometry, rates, work, space = geometry_box[0], rates_box[0], work_box[0], space_box[0]
    work.status[0] = 0
    found = mark_present(geometry, keep[i], work)
    if found != 0:
        return BYPASS if found == NOWHERE else OTHER
    measure_spread(geometry, factors, order, split, i, work)
    imperfect = is_imperfect(geometry, factors, residuals, i)
    if imperfect:
        build_nest(geometry, factors[i], residuals[i], order[i], split[i], work)
        if not count_instances(geometry, work):
            work.abort[0] = LONE_RESIDUAL
            return OTHER
        prepare_walk(geometry, work, space)
        walk(geometry, work, space)
    else:
        spread_levels(geometry, work)
        measure_tiles(geometry, factors, i, work)
        move_perfect(geometry, factors[i], residuals[i], order[i], split[i], work)
    status = settle_words(geometry, work, imperfect)
    if status != COUNTED:
        work.abort[0] = status
        return OTHER
    for n in range(rates.networks):
        network_energy(geometry, rates, work, n)
    return OK


def dense_words(geometry: Geometry, work: Workspace, imperfect: bool) -> DenseWords:
    """What ``count_dense`` left in a workspace (``views`` of it), as plain numbers."""
    s, p = geometry.levels, geometry.spaces
    counts = work.counts

    def table(values: Int64[ndarray, "S P"]) -> list[list[int]]:
        return [[x % MODULO for x in row] for row in values[:s, :p].tolist()]

    instances = float(counts[COMPUTE_INSTANCES])
    return DenseWords(
        volume=table(work.held),
        reads=table(work.reads),
        fills=table(work.fills),
        updates=table(work.updates),
        partition=table(work.partition),
        rep=work.rep[:s].tolist(),
        across=work.spread_x[:s].tolist(),
        down=work.spread_y[:s].tolist(),
        operations=float(work.counters[1] / work.counters[0] * instances),
        computes=int(counts[COMPUTES]),
        compute_instances=int(counts[COMPUTE_INSTANCES]),
        compute_across=int(counts[SPREAD_X]),
        compute_down=int(counts[SPREAD_Y]),
        steps=int(counts[STEPS]),
        imperfect=imperfect,
    )


@dataclass
class Share:
    """How much of a level one data space takes: words and metadata of its largest tile, and how sure that is."""

    words: int
    metadata: Units
    bits: int
    confidence: float


@dataclass
class LevelFigures:
    """Figures of one level; lists by data space."""

    shares: list[Share]
    read_demand: list[float]
    write_demand: list[float]
    fractions: list[tuple[float, float, float]]
    throttle: float
    cycles: int
    vectors: list[dict[str, float]]
    clusters: list[float]  # pJ of all actions of one cluster, before the instances are known
    energy: list[float]
    address: list[float]
    leak: float = 0.0
    leaking: float = 0.0
    leak_share: float = 1.0
    busy: float = 0.0
    total: float = 0.0


@dataclass
class SparseFigures:
    """All figures of one valid mapping."""

    dense: DenseWords
    words: SparseWords
    levels: list[LevelFigures]
    compute_cycles: int
    compute_instances: int
    compute_energy: float
    cycles: int
    energy: float
    utilization: float
    accesses: list[int]


class SparseCost:
    """The cost of sparse mappings of one Spec.

    Args:
        spec: a sparse design.
        rates: its prices.
        mapper: as in the mapper, tiles of overbooked levels must fit with the confidence that constraints ask for; else
            as in timeloop-model, where any does.
    """

    def __init__(self, spec: Spec, rates: Rates, mapper: bool) -> None:
        assert spec.sparsity is not None
        self.spec, self.sparsity, self.rates = spec, spec.sparsity, views(rates)
        self.traffic = SparseTraffic(spec, first=mapper)
        self.confidence = _confidence(spec) if mapper else [0.0] * len(self.sparsity.levels)
        self.prices = [
            dict(zip(_ORDER, (price.read, price.fill, price.update, *level.energies)))
            for price, level in zip(spec.energies.storage, self.sparsity.levels)
        ]
        self.read_energy = [price.read for price in spec.energies.storage]

    def precheck(self, keep: Sequence[Sequence[bool]], nest: list[list[Loop]]) -> None:
        """The mapper's check before evaluation, on full tiles (4.13).

        Raises:
            MisfitError: a level is too small, or used too little.
        """
        for s, level in enumerate(self.spec.architecture.storage):
            size = level.effective_size
            if size is None:
                continue
            own, words = self.sparsity.levels[s], 0
            sure = self.confidence[s] if own.overbooking else 1.0
            for p, space in enumerate(self.spec.problem.data_spaces):
                form = own.formats[p]
                if keep[s][p]:
                    volume = points(box(space, nest[s][-1].extents))
                    compressed = form is not None and form.compressed
                    words += (
                        self.traffic.models[p].quick(volume, sure) if compressed else math.ceil(volume * sure)
                    )
            if words > size:
                raise MisfitError("capacity", s, f"mapped tile size {words} exceeds buffer capacity {size}")
            if words < size * level.min_utilization:
                least = f"{size * level.min_utilization:g}"
                text = f"mapped tile size {words} is less than constrained minimum utilization {least}"
                raise MisfitError("utilization", s, text)

    def figures(self, nest: list[list[Loop]], dense: DenseWords, networks: Sequence[float]) -> SparseFigures:
        """All figures, once the dense words are there.

        Raises:
            MisfitError: the mapping does not fit; its level is -1 for the compute level.
            AbortError: the real program gives no result.
        """
        words = self.traffic(nest, dense, self.read_energy)
        self._check_compute(words)
        levels = []
        steps, instances = self._steps(words, dense)
        for s in range(len(self.sparsity.levels)):
            shares = self._shares(words, s)
            self._check_level(words, shares, s)
            levels.append(self._level(words, shares, s, steps))
        slowest = max([steps, *(level.cycles for level in levels)])
        self._spill(words, levels)
        for s, level in enumerate(levels):
            self._energy(words, level, s, slowest)
        compute = (
            0.0
            + float(words.random) * self.spec.energies.compute
            + float(words.skipped) * self.sparsity.skipped_energy
            + float(words.gated) * self.sparsity.gated_energy
        )
        energy = compute
        for level in levels:
            energy += level.total
        for network in networks:
            energy += network
        cycles = slowest + int(self.rates.latency)
        done = float(words.random + words.gated) / float(self.spec.architecture.compute.instances)
        return SparseFigures(
            dense, words, levels, steps, instances, compute, cycles, energy, quotient(done, float(cycles)),
            [self._accesses(words, s) for s in range(len(levels))],
        )  # fmt: skip

    # -- checks ---------------------------------------------------------------------------------------------

    def _check_compute(self, words: SparseWords) -> None:
        compute, spread = self.spec.architecture.compute, words.spread
        for what, needed, available in (
            ("instances", spread.compute_across * spread.compute_down, compute.instances),
            ("X expansion", spread.compute_across, compute.mesh_x),
            ("Y expansion", spread.compute_down, compute.mesh_y),
        ):
            if needed > available:
                text = f"mapped max Arithmetic {what} {needed} exceeds hardware instances {available}"
                raise MisfitError("fanout", -1, text)

    def _shares(self, words: SparseWords, s: int) -> list[Share]:
        """What each data space takes of level s (4.9, 4.10)."""
        level, own = self.spec.architecture.storage[s], self.sparsity.levels[s]
        result = []
        for found in words.spaces[s]:
            if found is None:
                result.append(Share(0, [], 0, 1.0))
            elif found.tile.form is None:
                result.append(Share(found.tile.volume, [], 0, 1.0))
            elif level.effective_size is None or not own.overbooking:
                result.append(_share(found.tile, 1.0))
            else:
                result.append(self._overbooked(words, s, found.tile))
        return result

    def _overbooked(self, words: SparseWords, s: int, tile: Tile) -> Share:
        """The surest tile that fits in its part of an overbooked level, by bisection (4.10)."""
        sure = self.confidence[s]
        share = _share(tile, sure)
        words_allotted, bits_allotted = self._allotted(words, s, tile)
        if (
            sure >= 1.0
            or not tile.compressed
            or not (share.words < words_allotted and share.bits < bits_allotted)
        ):
            return share
        low, high = sure, 1.0
        while share.words == words_allotted or share.bits == bits_allotted or high - low > 0.01:
            if share.words == words_allotted or share.bits == bits_allotted:
                raise AbortError("a bisection that never ends")
            middle = 0.5 * (low + high)
            tried = _share(tile, middle)
            if tried.words > words_allotted or tried.bits > bits_allotted:
                high = middle
            else:
                low, share = middle, tried
        share.confidence = low
        return share

    def _allotted(self, words: SparseWords, s: int, tile: Tile) -> tuple[int, int]:
        level, own = self.spec.architecture.storage[s], self.sparsity.levels[s]
        size, total, mine = float(level.effective_size or 0), 0.0, 0.0
        for found in words.spaces[s]:
            if found is None:
                continue
            part = found.tile.words if found.tile.compressed else float(found.tile.volume)
            total += part
            mine = part if found.tile is tile else mine
        if total == 0.0:
            return int(size), own.metadata_capacity
        ratio = mine / total
        return unsigned(float(math.ceil(size * ratio))), unsigned(
            float(math.ceil(own.metadata_capacity * ratio))
        )

    def _check_level(self, words: SparseWords, shares: Sequence[Share], s: int) -> None:
        """Does everything fit in level s (4.12)?"""
        level, own, found = self.spec.architecture.storage[s], self.sparsity.levels[s], []
        held, bits = sum(share.words for share in shares), sum(share.bits for share in shares)
        size = level.effective_size
        if size is not None:
            least = size * level.min_utilization
            if held > size and not own.overbooking:
                found.append(("capacity", f"mapped tile size {held} exceeds buffer capacity {size}"))
            elif bits > own.metadata_capacity and not own.overbooking:
                text = f"mapped metadata tile size {bits} exceeds metadata buffer capacity {own.metadata_capacity}"
                found.append(("md_capacity", text))
            elif held < least:
                text = f"mapped tile size {held} is less than constrained minimum utilization {least:g}"
                found.append(("utilization", text))
        sure, over = self.confidence[s], size is not None and held > size and own.overbooking
        for share in shares:
            if sure > share.confidence or over:
                text = f"best tile confidence is less than constrained minimum tile confidence {sure:g}"
                found.append(("confidence", text))
        spread = words.spread
        for what, most, available in (
            ("instances", max(spread.instances[s]), level.instances),
            ("X expansion", max(spread.across[s]), level.mesh_x),
            ("Y expansion", max(spread.down[s]), level.mesh_y),
        ):
            if most > available:
                text = f"mapped {what} {most:g} exceeds available hardware instances {available}"
                found.append(("fanout", text))
                break
        if found:
            raise MisfitError(found[0][0], s, "".join(text for _, text in found))

    # -- cycles ---------------------------------------------------------------------------------------------

    def _steps(self, words: SparseWords, dense: DenseWords) -> tuple[int, int]:
        """Cycles of the compute level, and its average instances, cut to an integer (6.1)."""
        instances = int(words.spread.compute_instances)
        if dense.imperfect:
            return dense.steps, instances
        return unsigned(rounded_up(quotient(float(words.random + words.gated), float(instances)))), instances

    def _level(self, words: SparseWords, shares: list[Share], s: int, steps: int) -> LevelFigures:
        """Demands, throttling and vector accesses of level s (6.2, 7.1)."""
        level, rates = self.spec.architecture.storage[s], self.rates
        reads: list[float] = []
        writes: list[float] = []
        clusters: list[float] = []
        fractions: list[tuple[float, float, float]] = []
        vectors: list[dict[str, float]] = []
        for p, found in enumerate(words.spaces[s]):
            scale = float(rates.bandwidth_scale[s, p])
            if found is None:
                idle = quotient(0.0, float(steps)) * scale
                reads.append(idle)
                writes.append(idle)
                fractions.append((0.0, 0.0, 0.0))
                vectors.append({})
                clusters.append(0.0)
                continue
            spread = words.spread
            each = quotient(
                float(spread.across[s][p]) * float(spread.down[s][p]), float(spread.instances[s][p])
            )
            bits = moved_bits(found)
            read, write, shown = _demand(found, bits, level.word_bits)
            fractions.append(shown)
            reads.append(quotient(rounded_up(quotient(read, each)), float(steps)) * scale)
            writes.append(quotient(rounded_up(quotient(write, each)), float(steps)) * scale)
            vectors.append(self._vectors(found, bits, s))
            clusters.append(self._cluster_energy(vectors[-1], shares[p].confidence, s))
        slow = _throttle(reads, writes, rates, s)
        cycles = unsigned(rounded_up(quotient(float(steps), slow)))
        return LevelFigures(shares, reads, writes, fractions, slow, cycles, vectors, clusters, [], [])

    # -- energy ---------------------------------------------------------------------------------------------

    def _vectors(self, found: SpaceWords, bits: Bits, s: int) -> dict[str, float]:
        """Vector accesses of all actions that happen (7.1 to 7.3)."""
        block, own = self.spec.architecture.storage[s].block_size, self.sparsity.levels[s]
        ratio = _block_ratio(found.tile, block)
        result: dict[str, float] = {}
        for key, count in found.words.items():
            if count:
                result[WORDS[key]] = float(count // block + (count % block != 0)) * ratio
        if own.metadata_bits:
            for key, moved in bits.items():
                if moved:
                    result[METADATA[key]] = float(math.ceil(moved / own.metadata_bits))
        if found.decompressions:
            result["decompression_count"] = float(found.decompressions)
        if found.compressions:
            result["compression_count"] = float(found.compressions)
        return result

    def _cluster_energy(self, vectors: MappingType[str, float], confidence: float, s: int) -> float:
        """PJ of one cluster (7.4)."""
        prices, total = self.prices[s], 0.0
        for action in _SUMMED:
            if action in vectors:
                total += (vectors[action] * prices[action]) * confidence
        return total

    def _spill(self, words: SparseWords, levels: Sequence[LevelFigures]) -> None:
        """What overflows an overbooked level is read from its parent (7.5)."""
        for s, level in enumerate(levels):
            for p, share in enumerate(level.shares):
                if share.confidence == 1.0 or words.spaces[s][p] is None:
                    continue
                t = next((t for t in range(s + 1, len(levels)) if words.spaces[t][p] is not None), None)
                if t is not None:
                    spilt = 0.0
                    for action in ("random_read", "random_metadata_read"):
                        spilt += (level.vectors[p].get(action, 0.0) * self.prices[t][action]) * (
                            1.0 - share.confidence
                        )
                    levels[t].clusters[p] += spilt

    def _energy(self, words: SparseWords, level: LevelFigures, s: int, cycles: int) -> None:
        """PJ of level s with leakage and address generation (7.6)."""
        storage, rates, spread = self.spec.architecture.storage, self.rates, words.spread
        instances, total = storage[s].instances, 0.0
        level.busy = max(1.0, max(spread.instances[s]))
        gate = int(rates.gate[s])
        level.leak_share = float(instances) / float(storage[gate].instances)
        level.leaking = level.busy
        if level.leak_share > 1.0:
            level.leaking = level.leak_share * max(1.0, max(spread.instances[gate]))
        level.leak = (float(rates.leak[s]) * float(cycles)) * level.leaking
        for p, found in enumerate(words.spaces[s]):
            used = spread.across[s][p] * spread.down[s][p]
            clusters = min(used, int(rates.clusters[s]))
            average = spread.instances[s][p]
            each = quotient(level.clusters[p], quotient(float(used), float(clusters))) if average > 0 else 0.0
            address = float(address_generations(found, self._writes(p))) * float(rates.address_energy[s])
            level.energy.append(each)
            level.address.append(address)
            total += (each * average + address * float(clusters)) + level.leak / float(len(words.spaces[s]))
        level.total = total

    def _writes(self, p: int) -> bool:
        return self.spec.problem.data_spaces[p].read_write

    def _accesses(self, words: SparseWords, s: int) -> int:
        total = 0
        for p, found in enumerate(words.spaces[s]):
            if found is not None:
                algorithmic = (found.reads + found.updates + found.fills) % MODULO
                total += unsigned(words.spread.instances[s][p] * algorithmic)
        return total


def _confidence(spec: Spec) -> list[float]:
    """Share of the tiles of each storage level that must fit.

    The mapper numbers what constraints say by tiling levels, and looks it up by storage levels: what is said of a
    level with arrays inside it holds for one further out, or for none.
    """
    found = [1.0] * len(spec.architecture.storage)
    for t, tiling in enumerate(spec.architecture.tiling_levels):
        share = (spec.constraints.overbooked or {}).get(tiling.storage)
        if share is not None and not tiling.spatial and t < len(found):
            found[t] = 1.0 - share
    return found


_SUMMED = (
    *_RANDOM, "gated_read", "gated_fill", "gated_update", "skipped_read", "skipped_fill", "skipped_update",
    *(f"{kind}_metadata_{action}" for action in (READ, FILL, UPDATE) for kind in KINDS),
    "decompression_count", "compression_count",
)  # fmt: skip
"""Sparse actions in the order in which their energies are added (7.4)."""


def _share(tile: Tile, confidence: float) -> Share:
    """The largest tile with this confidence."""
    if confidence not in tile.known:
        words = tile.model.largest(tile.box, confidence)
        units = tile.units(words)
        tile.known[confidence] = words, units, unsigned(rounded_up(total_bits(units, tile.bits)))
    words, units, bits = tile.known[confidence]
    return Share(words, units, bits, confidence)


def moved_bits(found: SpaceWords) -> Bits:
    """Bits of metadata that every action moves."""
    wide = found.tile.bits
    return {
        key: sum([m * a + n * b for (m, n), (a, b) in zip(rows, wide)]) % MODULO
        for key, rows in found.metadata.items()
    }


def address_generations(found: SpaceWords | None, writes: bool) -> int:
    """Addresses per cluster; skipped accesses need none."""
    if found is None:
        return 0
    first = UPDATE if writes else READ
    return (
        sum(found.words.get((kind, name), 0) for name in (first, FILL) for kind in ("random", "gated"))
        % MODULO
    )


def _demand(found: SpaceWords, bits: Bits, word_bits: int) -> tuple[float, float, tuple[float, float, float]]:
    """Words read and written, metadata counted in words of data; and the shares of metadata (6.2)."""
    words = found.words
    moved = {
        action: (
            (words.get(("random", action), 0) + words.get(("gated", action), 0)) % MODULO,
            (bits.get(("random", action), 0) + bits.get(("gated", action), 0)) % MODULO,
        )
        for action in (READ, FILL, UPDATE)
    }
    bits_read, bits_written = moved[READ][1], (moved[FILL][1] + moved[UPDATE][1]) % MODULO
    read = float(unsigned(float(moved[READ][0]) + float(bits_read // word_bits)))
    written = (moved[FILL][0] + moved[UPDATE][0]) % MODULO
    write = float(unsigned(float(written) + float(bits_written // word_bits)))
    shared = quotient(float((bits_read + bits_written) // word_bits), read + write) if read + write else 0.0
    fractions = (
        shared,
        float(bits_read // word_bits) / read if read else 0.0,
        float(bits_written // word_bits) / write if write else 0.0,
    )
    return read, write, fractions


def _throttle(reads: Sequence[float], writes: Sequence[float], rates: Rates, s: int) -> float:
    read = write = 0.0
    for mine in reads:
        read += mine
    for mine in writes:
        write += mine
    slow = 1.0
    if rates.read_bandwidth[s] < read:
        slow = min(slow, float(rates.read_bandwidth[s]) / read)
    if rates.write_bandwidth[s] < write:
        slow = min(slow, float(rates.write_bandwidth[s]) / write)
    if rates.shared_bandwidth[s] < write + read:
        slow = min(slow, float(rates.shared_bandwidth[s]) / (write + read))
    return slow


def _block_ratio(tile: Tile, block: int) -> float:
    """Vectors of a compressed tile, which are not full, over those of as many words in full ones (7.2)."""
    if not (tile.compressed and tile.volume and block > 1 and tile.density < 1.0):
        return 1.0
    density = tile.density
    if block not in _BLOCKS:
        raise AbortError("a compressed tile in blocks that are odd, or larger than 32 words")
    place = 0 if density < 0.1 else math.floor(density / 0.1) - 1
    if not _BLOCKS[block][place] > tile.volume // block:
        return 1.0
    if "blocks" not in tile.known:
        tile.known["blocks"] = _expected_blocks(tile.model, tile.box, tile.volume, block)
    return quotient(tile.known["blocks"], (tile.volume * density) / block)


def _expected_blocks(model: DensityModel, box: tuple[int, ...], volume: int, block: int) -> float:
    counts, chances = model.likely(box)
    total = 0.0
    for count, chance in zip(counts.tolist(), chances.tolist()):
        if 1 <= count <= volume:
            total += math.ceil(count / block) * chance
    return total
