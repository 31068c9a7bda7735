"""Reads the attributes of one storage level (cost-model sections 1, 11, 14; formats section 2)."""

from __future__ import annotations

from collections.abc import Mapping

from .architecture import StorageLevel
from .beyond import OVERBOOKING
from .components import Component, network_attributes, read_mesh
from .document import Node
from .scalars import INT64_MAX, Reading

WIDTH = ("width", "memory_width", "data_storage_width")
DEPTH = ("depth", "memory_depth", "data_storage_depth")
WORD_BITS = ("word_bits", "word_width", "datawidth")
BLOCK = ("block_size", "n_words")
_BITS_PER_KB = 8192
# Read, but nothing depends on them: a public design that says nports needs no notice.
_WITHOUT_EFFECT = ("num_ports", "n_ports", "num_banks", "n_banks", "cluster_area")
# What only sparse optimisations look at.
_METADATA = (
    "metadata_block_size", "metadata_datawidth", "metadata_word_bits", "metadata_storage_width", "metadata_width",
    "metadata_storage_depth", "metadata_depth", "metadata_counter_width", "concordant_compressed_tile_traversal",
    "tile_partition_supported", "decompression_supported", "compression_supported",
)  # fmt: skip

STORAGE_KEYS = (
    *WORD_BITS, *BLOCK, "cluster_size", *WIDTH, "entries", *DEPTH, "sizeKB", "technology", "num_ports", "n_ports",
    "num_banks", "n_banks", "bandwidth", "read_bandwidth", "write_bandwidth", "shared_bandwidth",
    "per_dataspace_bandwidth_consumption_scale", "multiple_buffering", "min_utilization", "instances", "meshX",
    "meshY", "network_read", "network_fill", "network_drain", "network_update", "power_gated_at",
    "reduction_supported", "vector_access_energy", "addr_gen_energy", "cluster_area", "allow_overbooking",
    "network_fill_latency", "network_drain_latency", "network_type", "network_word_bits", "router_energy",
    "wire_energy", "tile_width", "energy_per_hop", "energy-per-ingress",
)  # fmt: skip


def read_storage(reading: Reading, attributes: Node, component: Component) -> StorageLevel:
    """The storage level of one component.

    Raises:
        SpecError: no size where one is needed, widths or meshes that do not divide, numbers out of range.
    """
    if not attributes.absent:
        known = [key for key in (*STORAGE_KEYS, *_METADATA, "name") if key not in _WITHOUT_EFFECT]
        reading.near_misses(attributes, known, f"the attributes of {component.name}")
    technology = reading.text(reading.find(attributes, "technology"))
    dram = "DRAM" in component.class_name or technology == "DRAM"
    word_bits = _default(reading.integer(reading.find(attributes, *WORD_BITS), minimum=1), 16)
    block, cluster = _block_and_cluster(reading, attributes, word_bits)
    size = _size(reading, attributes, word_bits, block)
    if size is None and not dram:
        attributes.fail(
            f"storage level {component.name} has no size",
            expected="entries, depth or sizeKB (only a DRAM may be unlimited)",
        )
    instances, mesh_x, mesh_y = read_mesh(reading, attributes, component)
    if instances % cluster:
        attributes.fail(
            f"instances ({instances}) of {component.name} are not a multiple of cluster_size ({cluster})"
        )
    read_bandwidth, write_bandwidth = _bandwidths(reading, attributes)
    overbooking = reading.find(attributes, "allow_overbooking")
    if reading.boolean(overbooking):
        reading.outside(overbooking, OVERBOOKING)
    number = reading.number
    find = reading.find
    return StorageLevel(
        name=component.name,
        class_name=component.class_name,
        technology="DRAM" if dram else "SRAM",
        instances=instances,
        mesh_x=mesh_x,
        mesh_y=mesh_y,
        word_bits=word_bits,
        block_size=block,
        cluster_size=cluster,
        size=size,
        multiple_buffering=_default_number(number(find(attributes, "multiple_buffering"), above=0.0), 1.0),
        min_utilization=_default_number(number(find(attributes, "min_utilization"), minimum=0.0), 0.0),
        read_bandwidth=read_bandwidth,
        write_bandwidth=write_bandwidth,
        shared_bandwidth=number(find(attributes, "shared_bandwidth"), minimum=0.0, finite=False),
        bandwidth_scale=_bandwidth_scale(reading, attributes),
        power_gated_at=reading.text(find(attributes, "power_gated_at")),
        reduction_supported=reading.boolean(find(attributes, "reduction_supported")),
        vector_access_energy=number(find(attributes, "vector_access_energy"), minimum=0.0),
        addr_gen_energy=number(find(attributes, "addr_gen_energy")),
        num_ports=_default(reading.integer(find(attributes, "num_ports", "n_ports"), minimum=0), 2),
        num_banks=_default(reading.integer(find(attributes, "num_banks", "n_banks"), minimum=0), 2),
        network=network_attributes(reading, attributes, "network_fill_latency", "network_drain_latency"),
        network_read=reading.text(find(attributes, "network_read")),
        network_fill=reading.text(find(attributes, "network_fill")),
        network_drain=reading.text(find(attributes, "network_drain")),
        network_update=reading.text(find(attributes, "network_update")),
        attributes=dict(attributes.value or {}),
    )


def _default(value: int | None, default: int) -> int:
    return default if value is None else value


def _default_number(value: float | None, default: float) -> float:
    return default if value is None else value


def _block_and_cluster(reading: Reading, attributes: Node, word_bits: int) -> tuple[int, int]:
    """Words per vector and vectors per cluster; ``width``, if given, settles what is missing (section 11)."""
    block = reading.integer(reading.find(attributes, *BLOCK), minimum=1)
    cluster = reading.integer(reading.find(attributes, "cluster_size"), minimum=1)
    width_node = reading.find(attributes, *WIDTH)
    width = reading.integer(width_node, minimum=1)
    if width is None:
        return _default(block, 1), _default(cluster, 1)
    if width % (word_bits * _default(block, 1)):
        width_node.fail(
            f"width is not a multiple of word_bits ({word_bits}) times block_size ({_default(block, 1)})",
            expected="a multiple of it",
        )
    if block is not None and cluster is not None:
        if block * word_bits * cluster != width:
            width_node.fail(
                f"width differs from block_size ({block}) * word_bits ({word_bits}) * cluster_size ({cluster})",
                expected=str(block * word_bits * cluster),
            )
        return block, cluster
    if cluster is not None:
        block = width // cluster // word_bits
        if block == 0:
            width_node.fail(f"width holds no word of {word_bits} bits in each of {cluster} clusters")
        return block, cluster
    if block is not None:
        return block, width // (word_bits * block)
    return width // word_bits, 1


def _size(reading: Reading, attributes: Node, word_bits: int, block: int) -> int | None:
    """Words per instance: entries, else depth times block, else sizeKB."""
    entries = reading.integer(reading.find(attributes, "entries"), minimum=0)
    if entries is not None:
        return entries
    depth_node = reading.find(attributes, *DEPTH)
    depth = reading.integer(depth_node, minimum=0)
    if depth is not None:
        return _bounded(depth * block, depth_node)
    kilobytes_node = reading.find(attributes, "sizeKB")
    kilobytes = reading.integer(kilobytes_node, minimum=0)
    return None if kilobytes is None else _bounded(kilobytes * _BITS_PER_KB, kilobytes_node) // word_bits


def _bounded(value: int, node: Node) -> int:
    if value > INT64_MAX:
        node.fail("size too large", expected=f"at most {INT64_MAX} words")
    return value


def _bandwidths(reading: Reading, attributes: Node) -> tuple[float | None, float | None]:
    """Read and write words per cycle; the deprecated ``bandwidth`` gives half of it to each."""
    both = reading.number(reading.find(attributes, "bandwidth"), minimum=0.0, finite=False)
    half = None if both is None else both / 2
    read = reading.number(reading.find(attributes, "read_bandwidth"), minimum=0.0, finite=False)
    write = reading.number(reading.find(attributes, "write_bandwidth"), minimum=0.0, finite=False)
    return (half if read is None else read), (half if write is None else write)


def _bandwidth_scale(reading: Reading, attributes: Node) -> dict[str, float]:
    node = reading.find(attributes, "per_dataspace_bandwidth_consumption_scale")
    if node.absent:
        return {}
    if not isinstance(node.value, Mapping):
        node.fail("not a map", expected="a map of data space and factor, e.g. {Inputs: 2.0}")
    scales: dict[str, float] = {}
    for name, child in node.items():
        factor = reading.number(child, minimum=0.0)
        if factor is not None:
            scales[name] = factor
    return scales
