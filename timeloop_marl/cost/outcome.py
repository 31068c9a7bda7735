"""What an evaluation returns: the lean ``Outcome`` of a batch, the full ``Statistics`` of one mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from jaxtyping import Float64, Int8, Int64
from numpy import ndarray


class Failure(IntEnum):
    """Why a mapping is invalid; ``OK`` = valid (cost-model section 11)."""

    OK = 0
    BYPASS = 1  # a data space is kept nowhere
    CAPACITY = 2
    UTILIZATION = 3  # below min_utilization
    FANOUT = 4  # instances or X/Y expansion exceed the hardware
    OTHER = 5  # the real program aborts
    MD_CAPACITY = 6  # of sparse designs: metadata that do not fit
    RANKS = 7  # more loops than a format has ranks for, or formats that do not align
    FORMAT = 8  # a level that cannot compress, decompress or partition
    SOURCE = 9  # nobody holds what is to be gated or skipped
    CONFIDENCE = 10  # too many tiles overflow an overbooked level


@dataclass(frozen=True)
class Outcome:
    """Results of m mappings. For invalid ones everything but ``failure`` and ``failed_level`` is 0.

    ``failed_level``: -1 none, 0 compute, s + 1 storage level s (the numbering of stats.txt).
    ``accesses[i, s]``: total scalar accesses of storage level s, for accesses metrics; ``None`` unless asked.
    """

    cycles: Int64[ndarray, "m"]
    energy_pj: Float64[ndarray, "m"]
    utilization: Float64[ndarray, "m"]
    failure: Int8[ndarray, "m"]
    failed_level: Int8[ndarray, "m"]
    accesses: Int64[ndarray, "m S"] | None = None

    def __len__(self) -> int:
        return int(self.cycles.shape[0])


@dataclass(frozen=True)
class SignatureEntry:
    """Accesses with one (multicast, scatter) signature. ``hops`` is the average number of hops of the entry."""

    multicast: int
    scatter: int
    accesses: float
    hops: float


@dataclass(frozen=True)
class SparseTensorStatistics:
    """What a sparse design adds for one data space at one level; per instance unless said otherwise.

    ``words``, ``metadata``, ``vectors``: counts by action (``gated_read``, ``random_metadata_fill``) that are not 0;
    metadata are pairs (metadata, payload) of each rank, innermost first.
    """

    density: str  # name of the model
    algorithmic: tuple[int, int, int]  # reads, fills and updates of the dense design
    confidence: float
    ranks: tuple[str, ...]  # formats, outermost first
    metadata_bits: int  # of the largest tile
    metadata_units: tuple[tuple[int, int], ...]  # of the largest tile, innermost rank first
    instances: float  # average
    across: int
    down: int
    words: Mapping[str, int]
    metadata: Mapping[str, tuple[tuple[int, int], ...]]
    metadata_moved: Mapping[str, int]  # bits by action
    vectors: Mapping[str, float]
    energy_per_access: float
    fractions: tuple[float, float, float]  # of metadata in shared, read and write bandwidth


@dataclass(frozen=True)
class TensorStatistics:
    """Figures of one data space at one storage level; words, pJ, words/cycle; per instance unless said otherwise.

    ``read_bandwidth``/``write_bandwidth`` are demands times the level's throttling factor.
    """

    kept: bool
    partition: int
    capacity: int  # utilised capacity after bypass and distribution
    tile_shape: (
        int  # what capacity checks use; differs under distributed multicast, and where zeros are left out
    )
    instances: int
    clusters: int
    reads: int
    fills: int
    updates: int
    temporal_reductions: int
    address_generations: int  # per cluster
    energy: float  # per instance, storage accesses only, without leakage
    energy_total: float  # ``energy`` times utilised instances
    address_energy: float  # per cluster
    address_energy_total: float
    read_bandwidth: float
    write_bandwidth: float
    bandwidth_scale: float
    shared_bandwidth: float = (
        0.0  # throttle times the sum of both demands: may differ from the sum in the last bit
    )
    sparse: SparseTensorStatistics | None = None


@dataclass(frozen=True)
class LevelStatistics:
    """One storage level. ``energy`` and ``leakage`` in pJ over all instances."""

    name: str
    cycles: int
    throttle: float
    energy: float
    leakage: float
    leakage_instances: float  # instances that leak, all of them together
    sharing_power_gating: float  # instances sharing one power gate
    non_power_gated_utilization: float
    accesses: int
    tensors: tuple[TensorStatistics, ...]


@dataclass(frozen=True)
class NetworkTensorStatistics:
    """One data space on one network; counts and energies (pJ) per instance of the outer buffer."""

    fanout: int
    multicast: int  # largest factor, 0 without entries
    entries: tuple[SignatureEntry, ...]
    distributed: tuple[SignatureEntry, ...]
    ingresses: float
    distributed_ingresses: float
    link_transfers: int
    spatial_reductions: int  # modulo 2^64
    hops: float  # average
    energy_per_hop: float
    energy: float
    energy_total: float
    link_energy: float
    link_energy_total: float
    spatial_reduction_energy: float = 0.0


@dataclass(frozen=True)
class NetworkStatistics:
    """One network. ``kind``: Legacy, SimpleMulticast or ReductionTree. ``energy`` in pJ, as it enters the total."""

    name: str
    kind: str
    outer_level: int  # storage index of the buffer that feeds it
    energy: float
    tensors: tuple[NetworkTensorStatistics, ...]


@dataclass(frozen=True)
class ComputeStatistics:
    """The arithmetic level."""

    utilized_instances: int
    average_instances: float
    cycles: int
    energy: float
    area: float
    gated: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Statistics:
    """Every figure of one valid mapping. ``levels`` inside-out, ``networks`` in alphabetical order of their names."""

    cycles: int
    energy_pj: float
    utilization: float
    computes: int
    operations: int  # ops of the intensity section
    reduction_operations: int
    required_accesses: int
    compute: ComputeStatistics
    levels: tuple[LevelStatistics, ...]
    networks: tuple[NetworkStatistics, ...]
    algorithmic_computes: int = 0  # of sparse designs: those of the dense one; else 0


@dataclass(frozen=True)
class Rejection:
    """Why one mapping is invalid: ``level`` as ``Outcome.failed_level``, ``message`` as Timeloop words the reason."""

    failure: Failure
    level: int
    level_name: str
    message: str
