"""Energies: PAT, ERT and ART tables, priorities, and the table "Energy parameters" of the cost model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from yaml_cases import component, document, machine, spec, tree

from timeloop_marl.errors import SpecError, UsageError
from timeloop_marl.specs import read_spec
from timeloop_marl.specs.energy import component_name, pat_vector_access
from timeloop_marl.specs.energy_source import EnergyChoice
from timeloop_marl.specs.spec import Spec

# Example E1 of the cost model: accesses (reads, fills, updates) per data space, as the real program counts them.
BUF_ACCESSES = ((24, 12, 0), (24, 24, 0), (16, 0, 24))
DRAM_ACCESSES = ((12, 0, 0), (24, 0, 0), (0, 0, 8))
COMPUTES = 24


def ert(*tables: tuple[str, dict[str, Any]], version: str = "0.3") -> dict[str, Any]:
    """Tables of name and actions; an action holds one energy or a list of them."""

    def actions(body: dict[str, Any]) -> list[dict[str, Any]]:
        entries = []
        for name, energies in body.items():
            for energy in energies if isinstance(energies, list) else [energies]:
                entries.append({"name": name, "energy": energy})
        return entries

    return {
        "version": version,
        "tables": [{"name": name, "actions": actions(body)} for name, body in tables],
    }


def level_energy(result: Spec, name: str, accesses: tuple[tuple[int, int, int], ...]) -> float:
    """Energy of a level with these accesses: section 13, one instance, no leakage."""
    index = result.architecture.level_index(name)
    level, energy = result.architecture.storage[index], result.energies.storage[index]
    total = 0.0
    for counts in accesses:
        vectors = [-(-count // level.block_size) for count in counts]
        total += vectors[0] * energy.read + vectors[1] * energy.fill + vectors[2] * energy.update
    return total


def two_levels(**buffer: Any) -> dict[str, Any]:
    return tree(
        component("DRAM", "DRAM", word_bits=8, instances=1),
        component("BUF", "SRAM", **{"word_bits": 8, "instances": 1, **buffer}),
        component("mac", "intmac", word_bits=8, instances=1),
    )


BUFFER = {"entries": 512, "block_size": 2}
PARAMETERS: list[tuple[dict[str, Any], dict[str, Any] | None, float]] = [
    (BUFFER, None, 62),
    (BUFFER, {"read": 1, "write": 2}, 92),
    (BUFFER, {"read": 1, "update": 2}, 74),
    (BUFFER, {"read": [1, 5], "write": 2}, 220),
    (BUFFER, {"random_read": 1, "read": 5, "fill": 3, "write": 2, "random_write": 7}, 242),
    ({**BUFFER, "vector_access_energy": 10}, {"read": 1, "write": 2, "leak": 9}, 620),
    ({"depth": 64, "width": 32}, None, 61.221105527638187),
    ({"sizeKB": 1, "block_size": 2}, None, 63.557788944723619),
]


@pytest.mark.parametrize(("buffer", "actions", "expected"), PARAMETERS)
def test_energy_parameters_of_the_cost_model(
    buffer: dict[str, Any], actions: dict[str, Any] | None, expected: float
) -> None:
    sections = {} if actions is None else {"ERT": ert(("sys.BUF[1..1]", actions))}
    result = spec(two_levels(**buffer), **sections)
    assert level_energy(result, "BUF", BUF_ACCESSES) == expected
    assert level_energy(result, "DRAM", DRAM_ACCESSES) == 4400
    assert COMPUTES * result.energies.compute == 6


def test_the_attribute_wins_leak_included() -> None:
    result = spec(two_levels(**BUFFER, vector_access_energy=10), ERT=ert(("sys.BUF", {"read": 1, "leak": 9})))
    buffer = result.energies.storage[0]
    assert (buffer.leak, buffer.source, buffer.vector_access) == (0.0, "user", 10.0)


def test_sources_and_informational_energy() -> None:
    table = {"read": 1, "write": 3, "leak": 8}
    result = spec(two_levels(**BUFFER), ERT=ert(("BUF", table)))
    buffer, dram = result.energies.storage
    assert (buffer.source, buffer.vector_access, buffer.leak) == ("ERT", 8.0, 8.0)
    assert (dram.source, dram.vector_access, dram.leak) == ("PAT", 100.0, 0.0)


def test_clusters_share_the_informational_energy() -> None:
    clustered = spec(machine(registers={"cluster_size": 4}), ERT=ert(("RF", {"read": 1, "write": 3})))
    assert clustered.energies.storage[0].vector_access == 0.75


def test_pat_of_a_dram_needs_clusters_of_one() -> None:
    machine_of_two = tree(
        component("DRAM", "DRAM", cluster_size=2, instances=2), component("mac", "intmac", instances=2)
    )
    with pytest.raises(SpecError, match="cluster_size 1"):
        spec(machine_of_two)
    assert (
        spec(machine_of_two, ERT=ert(("DRAM", {"read": 1}), ("mac", {"mac": 1}))).energies.storage[0].read
        == 1.0
    )


def test_pat_of_an_empty_buffer_is_zero() -> None:
    assert pat_vector_access(spec(two_levels(entries=0)).architecture.storage[0]) == 0.0


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ({"mac_random": 1, "mac": 2}, 1.0),
        ({"compute": 3, "mult": 4}, 4.0),
        ({"compute": [3, 5]}, 5.0),
        ({"leak": 3}, 7.0),
    ],
)
def test_compute(actions: dict[str, Any], expected: float) -> None:
    result = spec(machine(mac={"energy": 7}), ERT=ert(("sys.mac[1..4]", actions)))
    assert result.energies.compute == expected


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("RF", "RF"),
        ("sys.RF", "RF"),
        ("system_top_level.shared_glb[1..1]", "shared_glb"),
        ("system.PE[0..3].RF[1..4]", "RF"),
        ("system.PE[0..3].RF", "RF"),
        ("RF[1..4]", "RF"),
        ("RF[10..19]", "RF"),
        ("", ""),
    ],
)
def test_component_names(full: str, short: str) -> None:
    assert component_name(full) == short


def test_of_several_tables_the_last_counts() -> None:
    result = spec(ERT=ert(("a.BUF", {"read": 1, "write": 2}), ("b.BUF[1..1]", {"read": 3})))
    buffer = result.energies.storage[1]
    assert buffer.read == 3.0
    assert buffer.fill == pat_vector_access(result.architecture.storage[1])


def test_old_tables() -> None:
    old = {
        "version": 0.2,
        "tables": {"sys.BUF": {"read": {"energy": 1.5}, "write": [{"energy": 2}, {"energy": 3.0}]}},
    }
    buffer = spec(ERT=old).energies.storage[1]
    assert (buffer.read, buffer.fill, buffer.update) == (1.5, 3.0, 3.0)
    as_list = {
        "version": 0.2,
        "tables": {"BUF": [{"name": "read", "energy": 1.5}, {"name": "read", "energy": 4}]},
    }
    assert spec(ERT=as_list).energies.storage[1].read == 4.0


def test_areas_pass_through_a_32_bit_float() -> None:
    art = {
        "version": "0.4",
        "tables": [{"name": "sys.BUF[1..1]", "area": 644.362}, {"name": "mac", "area": 0.1}],
    }
    result = spec(ERT=ert(("x", {"read": 1})), ART=art)
    assert result.energies.storage[1].area == float(np.float32(644.362)) != 644.362
    assert result.energies.storage[0].area == 0.0
    assert result.energies.compute_area == float(np.float32(0.1))


def test_areas_without_energies_are_not_read() -> None:
    art = {"version": "0.4", "tables": [{"name": "sys.BUF[1..1]", "area": 644.362}]}
    result = spec(ART=art)
    assert result.energies.storage[1].area == 0.0
    assert any("ART without ERT" in notice for notice in result.notices)


@pytest.mark.parametrize("name", ["wire", "sys.Wire"])
def test_wire(name: str) -> None:
    result = spec(ERT=ert((name, {"transfer_random": [0.5, 0.7], "idle": 9})))
    assert result.energies.wire == float(np.float32(0.7))
    assert spec(ERT=ert(("x", {"read": 1}))).energies.wire is None


def test_tables_of_networks_keep_their_entries_in_order() -> None:
    tables = ert(("x", {"read": 1}))
    tables["tables"].append(
        {
            "name": "sys.NR",
            "actions": [
                {"name": "go", "energy": 3, "arguments": {"num": 1}},
                {"name": "go", "energy": 10, "arguments": {"num": 2}},
            ],
        }
    )
    result = spec(
        machine(
            buffer={"network_read": "NR"},
            registers={"network_fill": "NR"},
            extra=(component("NR", "SimpleMulticast", action_name="go", multicast_factor_argument="num"),),
        ),
        ERT=tables,
    )
    entries = result.energies.network_actions["NR"]["go"]
    assert [(entry.arguments, entry.energy) for entry in entries] == [({"num": 1}, 3.0), ({"num": 2}, 10.0)]


@pytest.mark.parametrize(
    ("entries", "attributes", "message"),
    [
        ([], {}, None),
        ([{"num": 1}, {"num": 2}], {"multicast_factor_argument": "num"}, None),
        ([{}], {}, None),
        (None, {}, "has no energy table"),
        ([{"num": 1}, {"num": 2}], {}, "multicast_factor_argument"),
        ([{"num": 1}, {}], {"multicast_factor_argument": "num"}, "no arguments"),
    ],
)
def test_tables_that_multicast_networks_need(
    entries: list[dict[str, int]] | None, attributes: dict[str, str], message: str | None
) -> None:
    tables = ert(("x", {"read": 1}))
    if entries is not None:
        actions = [{"name": "go", "energy": 3, "arguments": arguments} for arguments in entries]
        tables["tables"].append({"name": "sys.NR", "actions": actions})
    multicast = component("NR", "SimpleMulticast", action_name="go", **attributes)
    network = machine(buffer={"network_read": "NR"}, registers={"network_fill": "NR"}, extra=(multicast,))
    if message is None:
        assert "NR" in spec(network, ERT=tables).energies.network_actions
    else:
        with pytest.raises(SpecError, match=message):
            spec(network, ERT=tables)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"version": "0.4", "tables": []}, "key not found: tables"),
        ({"version": "0.4"}, "key not found: tables"),
        ({"version": "0.1", "tables": [1]}, "unknown ERT version"),
        ({"tables": [1]}, "not a table"),
        ({"tables": [{"name": "a", "actions": [{"energy": 1}]}]}, "not an action"),
        ({"tables": [{"name": "a", "actions": [{"name": "read"}]}]}, "without energy"),
        ({"tables": [{"name": "a", "actions": [{"name": "read", "energy": -1}]}]}, "out of range"),
        ({"tables": [{"name": "a", "actions": [{"name": "read", "energy": float("inf")}]}]}, "finite"),
        ({"tables": {"a": {"read": 3}}}, "not an action"),
        ({"tables": {"a": 3}}, "not a map"),
        ([], "not an energy reference table"),
    ],
)
def test_bad_tables(table: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(ERT=table)
    assert message in str(caught.value)
    assert caught.value.path.startswith("ERT")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"version": "0.2", "tables": []}, "unknown ART version"),
        ({"tables": [{"name": "a"}]}, "without area"),
        ({"tables": [{"area": 1}]}, "not a table"),
        (3, "not an area reference table"),
    ],
)
def test_bad_areas(table: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(ERT=ert(("x", {"read": 1})), ART=table)
    assert message in str(caught.value)


def test_every_source_is_named() -> None:
    full = ert(*((name, {"read": 1, "write": 2, "compute": 3}) for name in ("DRAM", "BUF", "RF", "mac")))
    assert spec(ERT=full).energies.origin == "ERT given"
    part = spec(ERT=ert(("BUF", {"read": 2})))
    assert part.energies.origin == "ERT given; PAT for RF, DRAM, mac; PAT for BUF (write or update)"
    assert any("no energy table for RF, DRAM, mac" in notice for notice in part.notices)
    none = spec()
    assert "PAT" in none.energies.origin
    assert any("PAT rules" in notice for notice in none.notices)


def test_tables_of_dummies_are_pointed_out() -> None:
    dummies = ert(*((name, {"read": 1, "write": 1, "compute": 1}) for name in ("DRAM", "BUF", "RF", "mac")))
    assert any("dummy" in notice for notice in spec(ERT=dummies).notices)


def test_a_source_can_be_demanded() -> None:
    with pytest.raises(SpecError, match="no ERT given"):
        read_spec(document(), energies=EnergyChoice(source="tables"))
    with pytest.raises(UsageError, match="unknown source"):
        read_spec(document(), energies=EnergyChoice(source="ert"))
    chosen = read_spec(document(ERT=ert(("BUF", {"read": 2}))), energies=EnergyChoice(source="pat"))
    assert "PAT rules (chosen)" in chosen.energies.origin
    assert chosen.energies.storage[1].source == "PAT"
