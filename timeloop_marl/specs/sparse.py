"""Sparse designs: densities, formats, what is gated and skipped, metadata (docs/sparse.md, section 1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .architecture import Architecture
from .document import Node
from .energy import Table
from .machine import attribute_nodes
from .problem import Problem
from .scalars import OVERBOOKING, SPARSE, Reading, unknown

FIXED, HYPERGEOMETRIC, BANDED = "fixed_structured", "hypergeometric", "banded"
COMPRESSED = ("CP", "RLE", "B")
UNCOMPRESSED = ("UOP", "UB")


@dataclass(frozen=True)
class Density:
    """How the nonzeros of a data space are spread: share of them, or half-width of the band."""

    kind: str = FIXED
    share: float = 1.0
    band: int = 0

    @property
    def name(self) -> str:
        """The name that stats.txt prints."""
        return f"{BANDED}-{self.band}" if self.kind == BANDED else self.kind


@dataclass(frozen=True)
class Rank:
    """One rank of a format; ``rules``: groups of dims that it may hold flattened (none: any single loop)."""

    format: str
    metadata_bits: int
    payload_bits: int
    adjusted: tuple[tuple[int, int], ...] = field(
        default=(), metadata={"identity": False}
    )  # word bits from, to
    rules: tuple[tuple[int, ...], ...] = ()

    @property
    def compressed(self) -> bool:
        """Whether zeros are left out."""
        return self.format in COMPRESSED


@dataclass(frozen=True)
class TensorFormat:
    """The format of one data space at one level: ranks, **innermost first**."""

    ranks: tuple[Rank, ...]
    inner_to_outer: bool = False

    @property
    def compressed(self) -> bool:
        """Whether any rank leaves zeros out."""
        return any(rank.compressed for rank in self.ranks)


@dataclass(frozen=True)
class Option:
    """Actions on ``target`` are saved where the tiles of ``conditions`` are empty; data spaces by index."""

    target: int
    conditions: tuple[int, ...]


@dataclass(frozen=True)
class SparseLevel:
    """What one storage level does about zeros.

    Attributes:
        formats: by data space; ``None`` = uncompressed, without metadata.
        gating: entries, each a list of options of which the best is taken; ``skipping``, ``spatial`` likewise.
        metadata_bits: bits of one metadata access, 0 if not given.
        metadata_depth: accesses of metadata that fit; ``None`` = not given.
        metadata_capacity: bits of metadata that fit; 0 if not given.
        word_bits: default word bits of formats.
        energies: pJ of every sparse action (``ACTIONS``), in their order.
    """

    formats: tuple[TensorFormat | None, ...]
    gating: tuple[tuple[Option, ...], ...] = ()
    skipping: tuple[tuple[Option, ...], ...] = ()
    spatial: tuple[tuple[Option, ...], ...] = ()
    metadata_bits: int = 0
    metadata_depth: int | None = None
    metadata_capacity: int = 0
    word_bits: int = 0
    decompression: bool = False
    compression: bool = False
    overbooking: bool = False
    energies: tuple[float, ...] = ()


@dataclass(frozen=True)
class Sparsity:
    """Everything that a sparse design adds to a dense one.

    Attributes:
        levels: inside-out as ``Architecture.storage``.
        densities: by data space.
        gates, skips: whether the compute level gates, or skips, operations of zeros.
        gated_energy, skipped_energy: pJ of one gated, one skipped operation.
        sections: the flat input as it was read, for whoever writes the design out again.
    """

    levels: tuple[SparseLevel, ...]
    densities: tuple[Density, ...]
    gates: bool = False
    skips: bool = False
    gated_energy: float = 0.0
    skipped_energy: float = 0.0
    sections: Mapping[str, Any] = field(default_factory=dict, compare=False, metadata={"identity": False})

    @property
    def formatted(self) -> bool:
        """Whether any level has a format."""
        return any(found is not None for level in self.levels for found in level.formats)

    def adjustments(self, names: Sequence[str]) -> Iterator[str]:
        """What the real program says about word bits that it makes fit, ``names`` being those of the levels."""
        for name, level in zip(reversed(names), reversed(self.levels)):
            for form in level.formats:
                for rank in () if form is None else form.ranks:
                    for bits, found in rank.adjusted:
                        words = f"representation format word bits from {bits} to {found}"
                        yield f"Warning: {name}: adjust {words} to avoid storage fragmentation."

    @property
    def spatial(self) -> bool:
        """Whether instances are skipped anywhere."""
        return any(level.spatial for level in self.levels)


ACTIONS: Mapping[str, tuple[str, ...]] = {
    "gated_read": ("gated_read",),
    "skipped_read": ("skipped_read", "gated_read"),
    "gated_fill": ("gated_fill", "gated_write"),
    "skipped_fill": ("skipped_fill", "skipped_write", "gated_fill", "gated_write"),
    "gated_update": ("gated_update", "gated_write"),
    "skipped_update": ("skipped_update", "skipped_write", "gated_update", "gated_write"),
    "random_metadata_read": ("random_metadata_read", "metadata_read"),
    "random_metadata_fill": (
        "random_metadata_fill", "random_metadata_write", "metadata_fill", "metadata_write",
    ),
    "random_metadata_update": (
        "random_metadata_update", "random_metadata_write", "metadata_update", "metadata_write",
    ),
    "gated_metadata_read": ("gated_metadata_read",),
    "gated_metadata_fill": ("gated_metadata_fill", "gated_metadata_write"),
    "gated_metadata_update": ("gated_metadata_update", "gated_metadata_write"),
    "skipped_metadata_read": ("skipped_metadata_read", "gated_metadata_read"),
    "skipped_metadata_fill": (
        "skipped_metadata_fill", "skipped_metadata_write", "gated_metadata_fill", "gated_metadata_write",
    ),
    "skipped_metadata_update": (
        "skipped_metadata_update", "skipped_metadata_write", "gated_metadata_update", "gated_metadata_write",
    ),
    "decompression_count": ("decompression_count",),
    "compression_count": ("compression_count",),
}  # fmt: skip
"""Sparse actions of a storage level and the names in an ERT that price them; the first found counts."""
_PLAIN_COMPUTE = ("mac", "mult", "compute")
_GATED = ("mac_gated", "mult_gated", "compute_gated", *_PLAIN_COMPUTE)
_SKIPPED = ("mac_skipped", "mult_skipped", "compute_skipped", *_GATED)

_KINDS = ("gating", "skipping", "skipping_spatial")
_ENTRY_KEYS = ("action_optimization", "representation_format", "compute_optimization")
_FORMATS = (*COMPRESSED, *UNCOMPRESSED)
_ORDERS = ("inner_to_outer", "outer_to_inner")
_DISTRIBUTIONS = {"fixed_structured": FIXED, "fixed": FIXED, "hypergeometric": HYPERGEOMETRIC, "banded": BANDED,
                  "diagonal": BANDED}  # fmt: skip
_UINT32 = 2**32


def is_sparse(reading: Reading) -> bool:
    """Whether the sparse analysis runs: some target names an action, a format or a compute optimisation."""
    return any(not reading.find(entry, key).absent for entry in _targets(reading) for key in _ENTRY_KEYS)


def read_sparsity(
    reading: Reading,
    problem: Problem,
    architecture: Architecture,
    tables: Sequence[Table],
) -> Sparsity | None:
    """What ``sparse_optimizations``, densities and attributes of levels say; ``None`` for a dense design.

    Raises:
        SpecError: what the real program refuses or aborts on.
    """
    places = attribute_nodes(reading)
    if not is_sparse(reading):
        for level in architecture.storage:
            overbooking = reading.find(places[level.name], "allow_overbooking")
            if reading.boolean(overbooking):
                reading.outside(overbooking, OVERBOOKING)
        return None
    section = reading.find(reading.document.root(), "sparse_optimizations")
    outputs = sum(space.read_write for space in problem.data_spaces)
    if len(problem.data_spaces) - outputs != 2:
        reading.outside(section, f"{SPARSE} of a problem without exactly two operands")
        return None
    priced = {table.component: table for table in tables}
    collected = _collect(reading, problem, architecture)
    levels = tuple(
        _level(reading, places[level.name], s, collected, priced.get(level.name), level.block_size,
               level.vector_access_energy is None, len(problem.data_spaces))
        for s, level in enumerate(architecture.storage)
    )  # fmt: skip
    found = Sparsity(
        levels=levels,
        densities=_densities(reading, problem),
        gates="gating" in collected.compute,
        skips="skipping" in collected.compute,
        gated_energy=_compute_energy(priced.get(architecture.compute.name), _GATED),
        skipped_energy=_compute_energy(priced.get(architecture.compute.name), _SKIPPED),
    )
    return None if _outside(reading, section, problem, architecture, found) else found


def _outside(
    reading: Reading, section: Node, problem: Problem, architecture: Architecture, found: Sparsity
) -> bool:
    """Combinations that nobody has compared with the real program go there."""
    reasons = []
    if any(term.coefficient < 0 for space in problem.data_spaces for rank in space.ranks for term in rank):
        reasons.append("negative coefficients")
    if any(level.network.distributed for level in architecture.storage):
        reasons.append("networks of type M:N")
    for reason in reasons:
        reading.outside(section, f"{SPARSE} together with {reason}")
    return bool(reasons)


@dataclass
class _Collected:
    """What all targets say, by storage level."""

    formats: dict[int, dict[int, Node]] = field(default_factory=dict)
    actions: dict[str, dict[int, list[tuple[Option, ...]]]] = field(default_factory=dict)
    compute: frozenset[str] = frozenset()
    problem: Problem | None = None


def _targets(reading: Reading) -> Iterator[Node]:
    section = reading.find(reading.document.root(), "sparse_optimizations")
    if not isinstance(section.value, Mapping):
        return
    targets = section.child("targets")
    for entry in [] if targets.absent else targets.elements():
        if not isinstance(entry.value, Mapping):
            entry.fail(
                "not a target of sparse optimisations", expected="a map with name and what is optimised"
            )
        yield entry


def _collect(reading: Reading, problem: Problem, architecture: Architecture) -> _Collected:
    result = _Collected(problem=problem, actions={kind: {} for kind in _KINDS})
    names = [level.name for level in architecture.storage]
    for entry in _targets(reading):
        name = reading.find(entry, "name", "target")
        if all(reading.find(entry, key).absent for key in _ENTRY_KEYS):
            reading.notice("a target without anything to optimise is ignored, as by Timeloop", entry)
            continue
        computes = reading.find(entry, "compute_optimization")
        if not computes.absent:
            _collect_compute(reading, computes, name, architecture, result)
        actions, formats = (
            reading.find(entry, "action_optimization"),
            reading.find(entry, "representation_format"),
        )
        if actions.absent and formats.absent:
            continue
        if name.value not in names:
            raise unknown(name, f"target storage level not found: {name.value}", names)
        s = names.index(name.value)
        if not actions.absent:
            for kind, entries in _actions(reading, actions, problem).items():
                result.actions[kind][s] = entries
        if not formats.absent:
            given = _formats(reading, formats, problem)
            lost = set(result.formats.get(s, {})) - set(given)
            if lost:
                formats.fail(
                    f"a second list of formats for {name.value} replaces the first, which Timeloop aborts on"
                )
            result.formats[s] = given
    return result


def _collect_compute(
    reading: Reading, node: Node, name: Node, architecture: Architecture, result: _Collected
) -> None:
    if name.value != architecture.compute.name:
        raise unknown(
            name, "compute optimisations of what is not the compute level", [architecture.compute.name]
        )
    found = set()
    for entry in node.elements():
        kind = entry.value if isinstance(entry.value, str) else reading.text(reading.find(entry, "type"))
        if kind not in ("gating", "skipping", "gate_on_zero_operand", "skip_on_not_aligned_operands"):
            entry.fail("unknown compute optimisation", expected="type: gating or skipping")
        found.add("gating" if kind in ("gating", "gate_on_zero_operand") else "skipping")
    result.compute = frozenset(found)


def _actions(reading: Reading, node: Node, problem: Problem) -> dict[str, list[tuple[Option, ...]]]:
    """Entries by kind; one without a type takes that of the entry before."""
    found: dict[str, list[tuple[Option, ...]]] = {}
    kind: str | None = None
    for entry in node.elements():
        given = reading.find(entry, "type")
        if not given.absent:
            kind = str(given.value).replace("skipping-spatial", "skipping_spatial")
        if kind not in _KINDS:
            given.fail(
                "unknown type of action optimisation, on which Timeloop aborts", expected=", ".join(_KINDS)
            )
        options = reading.find(entry, "options")
        choices = [entry] if options.absent else options.elements()
        read = tuple(_option(reading, choice, problem) for choice in choices)
        if kind == "skipping_spatial" and (len(read) != 1 or len(read[0].conditions) != 1):
            entry.fail(
                "skipping_spatial needs exactly one option with one condition; Timeloop aborts otherwise"
            )
        found.setdefault(kind, []).append(read)
    return found


def _option(reading: Reading, node: Node, problem: Problem) -> Option:
    target, conditions = reading.find(node, "target"), reading.find(node, "condition_on")
    if target.absent or conditions.absent:
        node.fail("an option without target or condition_on", expected="{target: A, condition_on: [B]}")
    if not isinstance(conditions.value, list):
        conditions.fail("condition_on is not a list", expected="a list of data spaces")
    return Option(_space(target, problem), tuple(_space(entry, problem) for entry in conditions.elements()))


def _space(node: Node, problem: Problem) -> int:
    names = [space.name for space in problem.data_spaces]
    if node.value not in names:
        raise unknown(node, "the problem has no such data space", names)
    return names.index(node.value)


def _formats(reading: Reading, node: Node, problem: Problem) -> dict[int, Node]:
    """The node of every data space's format."""
    found = {}
    for entry in reading.find(node, "data_spaces").as_list("data_spaces"):
        found[_space(reading.find(entry, "name"), problem)] = entry
    return found


def _level(
    reading: Reading, attributes: Node, s: int, collected: _Collected, table: Table | None, block: int,
    tabled: bool, spaces: int,
) -> SparseLevel:  # fmt: skip
    """One level: its attributes, formats with word bits that fit its accesses, actions and their energies."""
    width = (
        reading.integer(reading.find(attributes, "metadata_storage_width", "metadata_width"), minimum=0) or 0
    )
    depth_node = reading.find(attributes, "metadata_storage_depth", "metadata_depth")
    depth = reading.integer(depth_node, minimum=0)
    word = (
        reading.integer(reading.find(attributes, "metadata_datawidth", "metadata_word_bits"), minimum=0) or 0
    )
    own = reading.integer(reading.find(attributes, "metadata_block_size"), minimum=1) or 1
    if depth is not None and not width:
        depth_node.fail("a metadata depth without a width", expected="metadata_storage_width")
    if width and word and width % (word * own):
        attributes.fail(
            "metadata_storage_width is not a multiple of metadata_datawidth times metadata_block_size"
        )
    if reading.boolean(reading.find(attributes, "tile_partition_supported")):
        reading.find(attributes, "tile_partition_supported").fail("Timeloop does not support tile partitions")
    buffering = reading.number(reading.find(attributes, "multiple_buffering")) or 1.0
    capacity = int((((depth or 0) * width) % _UINT32) / buffering)
    formats: list[TensorFormat | None] = [None] * spaces
    for p, node in collected.formats.get(s, {}).items():
        formats[p] = _format(reading, node, width, word, collected.problem)
    energies = tuple(
        0.0 if table is None or not tabled else table.first(names, 0.0) for names in ACTIONS.values()
    )
    return SparseLevel(
        formats=tuple(formats),
        gating=tuple(collected.actions["gating"].get(s, ())),
        skipping=tuple(collected.actions["skipping"].get(s, ())),
        spatial=tuple(collected.actions["skipping_spatial"].get(s, ())),
        metadata_bits=width,
        metadata_depth=depth,
        metadata_capacity=capacity,
        word_bits=word,
        decompression=bool(reading.boolean(reading.find(attributes, "decompression_supported"))),
        compression=bool(reading.boolean(reading.find(attributes, "compression_supported"))),
        overbooking=bool(reading.boolean(reading.find(attributes, "allow_overbooking"))),
        energies=energies,
    )


def _format(reading: Reading, node: Node, width: int, word: int, problem: Problem | None) -> TensorFormat:
    assert problem is not None
    order = reading.text(reading.find(node, "rank_application_order")) or "outer_to_inner"
    order = order.replace("-", "_")
    if order not in _ORDERS:
        reading.find(node, "rank_application_order").fail(
            "unknown order of ranks", expected=" or ".join(_ORDERS)
        )
    ranks_node = reading.find(node, "ranks")
    if not ranks_node.value:
        ranks_node.fail("a format without ranks", expected="a list of ranks, outermost first")
    ranks = tuple(_rank(reading, entry, width, word, problem) for entry in ranks_node.elements())[::-1]
    inner = [rank.compressed for rank in ranks]
    if any(mine > other for mine, other in zip(inner[1:], inner)):
        ranks_node.fail(
            "data representation format not supported: a compressed rank outside an uncompressed one",
            expected="UOP and UB outside, CP, RLE and B inside",
        )
    if not any(inner) and not reading.find(node, "compression_rate").absent:
        reading.find(node, "compression_rate").fail("a compression rate of an uncompressed format")
    return TensorFormat(ranks, order == "inner_to_outer")


def _rank(reading: Reading, node: Node, width: int, word: int, problem: Problem) -> Rank:
    kind = reading.text(reading.find(node, "format")) if isinstance(node.value, Mapping) else None
    if kind is None or kind.upper() not in _FORMATS or kind not in (kind.upper(), kind.lower()):
        node.fail("unknown format of a rank", expected="format: " + ", ".join(_FORMATS))
    kind = kind.upper()
    bits: list[int] = []
    adjusted: list[tuple[int, int]] = []
    for key, default in (("metadata_word_bits", 1 if kind == "B" else None), ("payload_word_bits", None)):
        found = reading.find(node, key)
        given = None if kind == "UB" else reading.integer(found, minimum=0)
        value = default if given is None else given
        value = word if value is None else _adjusted(reading, node, value, width, adjusted)
        if value > width:
            node.fail(
                f"the word bits of the format ({value}) exceed the width of a metadata access ({width})",
                expected="metadata_storage_width of the level large enough, or word bits of 0",
            )
        bits.append(value)
    groups = []
    for group in reading.find(node, "flattened_rankIDs").as_list("flattened_rankIDs"):
        dims = [entry.value for entry in group.elements()]
        for entry, name in zip(group.elements(), dims):
            if name not in problem.dims:
                raise unknown(entry, "the problem has no such dimension", problem.dims)
        groups.append(tuple(problem.dims.index(name) for name in dims))
    return Rank(kind, bits[0], bits[1], tuple(adjusted), tuple(groups))


def _adjusted(reading: Reading, node: Node, bits: int, width: int, adjusted: list[tuple[int, int]]) -> int:
    """The next number of bits that divides an access."""
    if bits == 0 or width == 0 or width % bits == 0:
        return bits
    found = next((more for more in range(bits, 2 * bits) if width % more == 0), 2 * bits)
    reading.notice(f"word bits of a format adjusted from {bits} to {found}, which divides an access", node)
    adjusted.append((bits, found))
    return found


def _compute_energy(table: Table | None, names: tuple[str, ...]) -> float:
    return 0.0 if table is None else table.first(names, 0.0)


def _densities(reading: Reading, problem: Problem) -> tuple[Density, ...]:
    """By data space; ``commonDensity`` for all has priority, and what is not named is dense."""
    node = reading.find(reading.document.root(), "problem")
    instance = reading.find(node, "instance")
    holder = node if instance.absent else instance
    common, own = reading.find(holder, "commonDensity"), reading.find(holder, "densities")
    if not common.absent:
        return (_density(reading, common),) * len(problem.data_spaces)
    names = [space.name for space in problem.data_spaces]
    found = [Density()] * len(names)
    for name, entry in [] if own.absent else own.items("densities"):
        if name not in names:
            raise unknown(entry, f"a density of {name!r}, which is no data space", names, name=name)
        found[names.index(name)] = _density(reading, entry)
    return tuple(found)


def _density(reading: Reading, node: Node) -> Density:
    if not isinstance(node.value, Mapping):
        return Density(FIXED, _share(reading, node))
    kind = reading.text(reading.find(node, "distribution"))
    name = "" if kind is None else kind.replace("-", "_")
    if name not in _DISTRIBUTIONS:
        reading.find(node, "distribution").fail(
            "unrecognized density distribution type", expected=", ".join(_DISTRIBUTIONS)
        )
    if _DISTRIBUTIONS[name] == BANDED:
        band = reading.find(node, "band_width")
        width = 0 if name == "diagonal" else reading.integer(band, minimum=0)
        if width is None:
            band.fail("a banded density without a band_width", expected="an integer >= 0")
        return Density(BANDED, 1.0, width)
    return Density(_DISTRIBUTIONS[name], _share(reading, reading.find(node, "density")))


def _share(reading: Reading, node: Node) -> float:
    value = reading.number(node, minimum=0.0)
    if value is None or value > 1.0:
        node.fail("not a density", expected="a number from 0 to 1")
    return value
