"""Architectures: trees, the ISPASS form, meshes, sizes, attributes and bad input."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from yaml_cases import component, machine, spec, tree

from timeloop_marl.errors import SpecError
from timeloop_marl.specs import load
from timeloop_marl.specs.architecture import StorageLevel, TilingLevel


def level(name: str = "BUF", **attributes: Any) -> StorageLevel:
    architecture = spec(machine(buffer={"entries": None, **attributes})).architecture
    return architecture.storage[architecture.level_index(name)]


def test_levels_are_inside_out() -> None:
    architecture = spec().architecture
    assert [storage.name for storage in architecture.storage] == ["RF", "BUF", "DRAM"]
    assert [storage.technology for storage in architecture.storage] == ["SRAM", "SRAM", "DRAM"]
    assert architecture.compute.name == "mac"
    assert [architecture.fanout_x(s) for s in range(3)] == [1, 4, 1]
    assert architecture.tiling_levels == (
        TilingLevel(0, False),
        TilingLevel(1, True),
        TilingLevel(1, False),
        TilingLevel(2, False),
    )


def test_ranges_multiply_down_the_tree() -> None:
    nested = {
        "version": "0.2",
        "subtree": [
            {
                "name": "system",
                "local": [component("DRAM", "DRAM")],
                "subtree": [
                    {
                        "name": "PE[0..3]",
                        "local": [
                            component("RF[1..2]", "regfile", entries=8),
                            component("mac[0..1]", "intmac"),
                        ],
                    }
                ],
            }
        ],
    }
    architecture = spec(nested).architecture
    assert [storage.instances for storage in architecture.storage] == [8, 1]
    assert (architecture.compute.instances, architecture.compute.mesh_x) == (8, 8)


@pytest.mark.parametrize(
    ("attributes", "mesh"),
    [
        ({}, (8, 1)),
        ({"meshX": 4}, (4, 2)),
        ({"meshY": 4}, (2, 4)),
        ({"meshX": 2, "meshY": 4}, (2, 4)),
    ],
)
def test_meshes(attributes: dict[str, int], mesh: tuple[int, int]) -> None:
    architecture = spec(
        tree(component("DRAM", "DRAM"), component("mac[1..8]", "mac_unit", **attributes))
    ).architecture
    assert (architecture.compute.mesh_x, architecture.compute.mesh_y) == mesh


@pytest.mark.parametrize(
    ("attributes", "size", "block", "cluster"),
    [
        ({"entries": 512, "block_size": 2}, 512, 2, 1),
        ({"entries": "512", "n_words": "2"}, 512, 2, 1),
        ({"depth": 64, "width": 32}, 256, 4, 1),
        ({"memory_depth": 64, "memory_width": 32, "cluster_size": 1}, 256, 4, 1),
        ({"data_storage_depth": 64, "data_storage_width": 32, "block_size": 2, "instances": 2}, 128, 2, 2),
        ({"depth": 64, "width": 32, "block_size": 2, "cluster_size": 2, "instances": 2}, 128, 2, 2),
        ({"sizeKB": 1, "block_size": 2}, 1024, 2, 1),
        ({"sizeKB": 3, "word_bits": 7}, 3 * 8192 // 7, 1, 1),
        ({"entries": 5, "depth": 64, "sizeKB": 8}, 5, 1, 1),
        ({"depth": 0}, 0, 1, 1),
    ],
)
def test_sizes_and_blocks(attributes: dict[str, Any], size: int, block: int, cluster: int) -> None:
    storage = level(**{"word_bits": 8, **attributes})
    assert (storage.size, storage.block_size, storage.cluster_size) == (size, block, cluster)


def test_effective_size_is_floored() -> None:
    assert level(entries=7, multiple_buffering=2).effective_size == 3
    assert level(entries=16, multiple_buffering=1.5).effective_size == 10


def test_a_dram_by_class_or_technology_may_be_unlimited() -> None:
    assert level(technology="DRAM").size is None
    assert not level(technology="DRAM").hardware_reduction
    assert level(technology="DRAM", reduction_supported=True).hardware_reduction
    with pytest.raises(SpecError, match="BUF has no size"):
        level(technology="45nm")


def test_bandwidths() -> None:
    assert (level(entries=1, bandwidth=3).read_bandwidth, level(entries=1, bandwidth=3).write_bandwidth) == (
        1.5,
        1.5,
    )
    storage = level(entries=1, read_bandwidth="2e0", shared_bandwidth=float("inf"))
    assert (storage.read_bandwidth, storage.write_bandwidth, storage.shared_bandwidth) == (
        2.0,
        None,
        float("inf"),
    )


def test_a_text_where_a_number_is_wanted_is_zero_with_a_notice() -> None:
    read = spec(machine(buffer={"read_bandwidth": "BW"}), variables={"BW": 2})
    assert read.architecture.storage[1].read_bandwidth == 0.0
    (notice,) = [text for text in read.notices if "read_bandwidth" in text]
    assert "reads it as 0" in notice


def test_integers_and_names_are_looked_up_among_the_variables() -> None:
    read = spec(
        machine(buffer={"word_bits": "NB", "power_gated_at": "GATE"}), variables={"NB": 16, "GATE": "DRAM"}
    )
    assert read.architecture.storage[1].word_bits == 16
    assert read.architecture.storage[1].power_gated_at == "DRAM"


def test_hyphens_serve_as_underscores() -> None:
    storage = level(**{"entries": 8, "word-bits": 4, "block-size": 2, "multiple-buffering": 2})
    assert (storage.block_size, storage.multiple_buffering) == (2, 2.0)
    # word_bits is given too and comes first
    assert storage.word_bits == 8


def test_network_attributes() -> None:
    network = level(
        **{
            "entries": 8,
            "network_type": "M:N",
            "network_word_bits": 12,
            "router_energy": 0.5,
            "wire_energy": 0.25,
            "tile_width": 100,
            "energy-per-ingress": 0.125,
            "network_fill_latency": 7,
            "network_drain_latency": 3,
        }
    ).network
    assert network.distributed
    assert (network.word_bits, network.router_energy, network.wire_energy) == (12, 0.5, 0.25)
    assert (network.tile_width, network.energy_per_ingress) == (100.0, 0.125)
    assert (network.fill_latency, network.drain_latency) == (7, 3)


def test_ingress_energy_is_only_known_with_hyphens() -> None:
    read = spec(machine(buffer={"energy_per_ingress": 0.5}))
    assert read.architecture.storage[1].network.energy_per_ingress is None
    assert any("energy-per-ingress" in notice for notice in read.notices)


def test_free_attributes_are_carried_and_near_misses_pointed_out() -> None:
    read = spec(machine(buffer={"read_bandwith": 2, "frequency": "1GHz"}))
    assert read.architecture.storage[1].attributes["frequency"] == "1GHz"
    assert [notice for notice in read.notices if "did you mean 'read_bandwidth'" in notice]
    assert not [notice for notice in read.notices if "frequency" in notice]


ISPASS: dict[str, Any] = {
    "arithmetic": {"instances": 4, "word_bits": 16, "meshX": 2},
    "storage": [
        {"name": "RF", "entries": 64, "instances": 4, "meshX": 2},
        {"name": "BUF", "sizeKB": 16, "instances": 1, "block_size": 4},
        {"name": "DRAM", "technology": "DRAM", "instances": 1},
    ],
}


def test_ispass_form_is_listed_inner_to_outer() -> None:
    architecture = spec(ISPASS).architecture
    assert [storage.name for storage in architecture.storage] == ["RF", "BUF", "DRAM"]
    assert (architecture.compute.name, architecture.compute.mesh_x, architecture.compute.mesh_y) == (
        "__ARITH__",
        2,
        2,
    )
    assert (architecture.fanout_x(1), architecture.fanout_y(1)) == (2, 2)
    assert architecture.storage[1].size == 16 * 8192 // 16


NETWORKS = (
    component("NR", "SimpleMulticast", action_name="go", multicast_factor_argument="num", fill_latency=3),
    component("NU", "XY_NoC", energy_per_hop=0.37, drain_latency=9, datawidth=24),
)


def test_user_networks() -> None:
    table = {"name": "sys.NR", "actions": [{"name": "go", "energy": 3.0, "arguments": {"num": 1}}]}
    named = {"network_read": "NR", "network_update": "NU"}
    ends = {"network_fill": "NR", "network_drain": "NU"}
    architecture = spec(
        machine(buffer=named, registers=ends, extra=NETWORKS), ERT={"version": 0.3, "tables": [table]}
    ).architecture
    multicast, mesh = architecture.networks
    assert (multicast.kind, multicast.action_name, multicast.network.word_bits) == (
        "SimpleMulticast",
        "go",
        16,
    )
    assert multicast.multicast_factor_argument == "num"
    assert multicast.network.fill_latency == 3
    assert (mesh.kind, mesh.network.energy_per_hop, mesh.network.word_bits) == ("Legacy", 0.37, 24)
    assert architecture.storage[1].network_read == "NR"


def test_networks_of_compute() -> None:
    tree_network = component("T", "ReductionTree", adder_energy=0.5, per_datatype_ERT=False)
    architecture = spec(
        machine(registers={"network_update": "T"}, mac={"network_result": "T"}, extra=(tree_network,))
    ).architecture
    assert architecture.networks[0].adder_energy == 0.5
    assert architecture.networks[0].per_datatype_ert
    assert architecture.compute.network_result == "T"


def without(key: str) -> dict[str, Any]:
    altered = copy.deepcopy(ISPASS)
    for part in (altered["arithmetic"], *altered["storage"]):
        part.pop(key, None)
    return altered


DRAM = component("DRAM", "DRAM")
MAC = component("mac", "intmac")
BAD: list[tuple[Any, str]] = [
    (tree(DRAM), "exactly one compute component"),
    (tree(DRAM, MAC, component("mac2", "intmac")), "exactly one compute component"),
    (tree(MAC), "no storage level"),
    (tree(DRAM, component("DRAM", "SRAM", entries=3), MAC), "two components are called 'DRAM'"),
    (tree(DRAM, component("BUF", "SRAM"), MAC), "no size"),
    (tree(DRAM, component("BUF", "SRAM", entries=2.5), MAC), "not an integer"),
    (tree(DRAM, component("BUF", "SRAM", entries=True), MAC), "not an integer"),
    (tree(DRAM, component("BUF", "SRAM", entries=-1), MAC), "out of range"),
    (tree(DRAM, component("BUF", "SRAM", entries=2**63), MAC), "out of range"),
    (tree(DRAM, component("BUF", "SRAM", depth=2**62, block_size=4), MAC), "size too large"),
    (tree(DRAM, component("BUF", "SRAM", entries=8, word_bits=0), MAC), "out of range"),
    (
        tree(DRAM, component("BUF", "SRAM", depth=8, width=20, word_bits=8), MAC),
        "not a multiple of word_bits",
    ),
    (
        tree(
            DRAM, component("BUF", "SRAM", depth=8, width=32, word_bits=8, block_size=2, cluster_size=1), MAC
        ),
        "width",
    ),
    (
        tree(DRAM, component("BUF", "SRAM", depth=8, width=8, word_bits=8, cluster_size=2), MAC),
        "holds no word",
    ),
    (tree(DRAM, component("BUF", "SRAM", entries=8, cluster_size=2), MAC), "multiple of cluster_size"),
    (tree(DRAM, component("BUF", "SRAM", entries=8, multiple_buffering=0), MAC), "out of range"),
    (tree(DRAM, component("BUF", "SRAM", entries=8, min_utilization=float("nan")), MAC), "finite"),
    (tree(DRAM, component("BUF", "SRAM", entries=8, read_bandwidth=-1), MAC), "out of range"),
    (tree(DRAM, component("BUF", "SRAM", entries=8, meshX=2), MAC), "number of instances"),
    (tree(DRAM, component("BUF[0..5]", "SRAM", entries=8, meshX=4), MAC), "number of instances"),
    (
        tree(DRAM, component("BUF[0..5]", "SRAM", entries=8), component("mac[0..7]", "intmac")),
        "not a multiple of meshX",
    ),
    (tree(DRAM, component("BUF[3..1]", "SRAM", entries=8), MAC), "instance range"),
    (tree(DRAM, component("BUF[1..99999999999999999999]", "SRAM", entries=8), MAC), "instance range"),
    (tree(DRAM, component("BUF[1]", "SRAM", entries=8), MAC), "malformed instance range"),
    (tree(DRAM, {"name": "BUF"}, MAC), "without a class"),
    (tree(DRAM, {"class": "SRAM"}, MAC), "no name"),
    (tree(DRAM, {"name": "B", "class": "SRAM", "attributes": [1]}, MAC), "attributes are not a map"),
    (tree(DRAM, "BUF", MAC), "not a component"),
    (tree(DRAM, component("BUF", "SRAM", entries=8, network_type="N:M"), MAC), "unknown network type"),
    (tree(DRAM, component("BUF", "SRAM", entries=8, power_gated_at="GLB"), MAC), "which is no storage level"),
    (tree(DRAM, component("BUF", "SRAM", entries=8, network_read="X"), MAC), "network X not found."),
    (machine(buffer={"network_read": "NR"}, extra=NETWORKS[:1]), "both ends"),
    (machine(extra=NETWORKS[:1]), "no connection uses it"),
    (machine(extra=(component("NR", "SimpleMulticast"),)), "no action_name"),
    (
        machine(
            buffer={"network_read": "T"},
            registers={"network_fill": "T"},
            extra=(component("T", "ReductionTree"),),
        ),
        "update side only",
    ),
    (machine(mac={"energy": 2.5}), "not an integer"),
    (machine(buffer={"per_dataspace_bandwidth_consumption_scale": {"Weights": 2}}), "does not have"),
    (machine(buffer={"per_dataspace_bandwidth_consumption_scale": 2}), "not a map"),
    ({"version": "0.5", "subtree": []}, "unknown architecture version"),
    ({"version": 0.3}, "exactly one compute"),
    ({"version": 0.4, "nodes": []}, "flattened"),
    ({"version": 0.3, **ISPASS}, "remove the version"),
    ({"version": 0.3, "subtree": [{"name": "a"}, {"name": "b"}]}, "exactly one child"),
    ({"version": 0.3, "subtree": ["a"]}, "not a subtree"),
    (without("instances"), "instances are required"),
    (without("name"), "no name"),
    ({"storage": ISPASS["storage"]}, "no arithmetic"),
    ({"arithmetic": ISPASS["arithmetic"]}, "no storage"),
    ([1], "no architecture"),
]


@pytest.mark.parametrize(("architecture", "message"), BAD)
def test_bad_architectures(architecture: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(architecture)
    assert message in str(caught.value)


def test_a_tree_without_end_is_refused() -> None:
    node: dict[str, Any] = {"name": "a"}
    for _ in range(150):
        node = {"name": "a", "subtree": [node]}
    with pytest.raises(SpecError, match="too deep"):
        spec({"version": 0.3, "subtree": [node]})


@pytest.mark.parametrize("attributes", [{"allow_overbooking": True}])
def test_sparse_features_of_a_level_are_named(attributes: dict[str, Any]) -> None:
    beyond = spec(machine(buffer=attributes)).beyond
    assert beyond is not None
    assert beyond.features[0].path.endswith("attributes.allow_overbooking")
    assert "overbooked buffers" in beyond.notice


def test_ignored_components_are_named() -> None:
    read = spec(machine(extra=(component("ctrl", "controller"),)))
    assert any("ctrl (controller)" in notice for notice in read.notices)


def test_more_instances_than_arrays_hold(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    text = (root / "arch/small_toy/arch.yaml").read_text()
    (tmp_path / "arch.yaml").write_text(text.replace("meshX: 4", "meshX: 1000000000"))
    problem = root / "tests/golden/inputs/problems/toy_conv.yaml"
    with pytest.raises(SpecError, match=r"meshX times meshY: REG has 1,000,000,000 instances"):
        load([tmp_path / "arch.yaml", problem])
