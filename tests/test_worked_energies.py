"""Energy parameters and network energies of the worked examples (Timeloop cost model, section 16), read as files."""

from __future__ import annotations

import pytest
import yaml

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs import read_spec
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.mapping_yaml import read_mapping

MATMUL = """
problem:
  shape:
    name: matmul
    dimensions: [M, N, K]
    data_spaces:
    - {name: A, projection: [[[M]], [[K]]]}
    - {name: B, projection: [[[K]], [[N]]]}
    - {name: Z, projection: [[[M]], [[N]]], read_write: true}
  instance: {M: %d, N: %d, K: %d}
"""
CONV = """
problem:
  shape:
    name: conv
    dimensions: [R, P, C, K]
    data_spaces:
    - {name: W, projection: [[[K]], [[C]], [[R]]]}
    - {name: I, projection: [[[C]], [[R], [P]]]}
    - {name: O, projection: [[[K]], [[P]]], read_write: true}
  instance: {R: 3, P: 4, C: 1, K: 1}
"""
# What the machines have in common: the top of the tree; four multipliers at its end, and energies.
DRAM = """
architecture:
  version: 0.3
  subtree:
  - name: sys
    local:
    - {name: DRAM, class: DRAM, attributes: {word_bits: 8, instances: 1, meshX: 1}}
"""
FOUR_MACS = """\
    - {name: mac, class: intmac, attributes: {word_bits: 8, instances: 4, meshX: 4}}
ERT:
  version: 0.3
  tables:
  - &t {name: 'sys.DRAM[1..1]', actions: [{name: read, energy: 1}, {name: write, energy: 2}, {name: update, energy: 4}]}
  - {<<: *t, name: 'sys.BUF[1..1]'}
  - {<<: *t, name: 'sys.RF[1..4]'}
  - {name: 'sys.mac[1..4]', actions: [{name: compute, energy: 0.5}]}
"""
E1 = (
    MATMUL % (4, 2, 3)
    + DRAM
    + """\
    - {name: BUF, class: SRAM, attributes: {instances: 1, meshX: 1, BUFFER}}
    - {name: mac, class: intmac, attributes: {word_bits: 8, instances: 1, meshX: 1}}
TABLES
mapping:
- {target: BUF, type: temporal, factors: K3, permutation: KMN}
- {target: DRAM, type: temporal, factors: N2 M4, permutation: NMK}
"""
)
DEFAULT_BUFFER = "entries: 512, block_size: 2, word_bits: 8"


def ert(*actions: tuple[str, float]) -> str:
    listed = ", ".join(f"{{name: {name}, energy: {energy}}}" for name, energy in actions)
    return f"ERT: {{version: 0.3, tables: [{{name: 'sys.BUF[1..1]', actions: [{listed}]}}]}}"


NO_MATCH = "ERT: {version: 0.3, tables: [{name: sys.other, actions: [{name: read, energy: 3}]}]}"
READ_WRITE = (("read", 1), ("write", 2))
PARAMETERS = {
    "PAT": (DEFAULT_BUFFER, NO_MATCH, 62.0),
    "read and write": (DEFAULT_BUFFER, ert(*READ_WRITE), 92.0),
    "no write: fill keeps PAT": (DEFAULT_BUFFER, ert(("read", 1), ("update", 2)), 74.0),
    "two reads: the maximum": (DEFAULT_BUFFER, ert(("read", 1), ("read", 5), ("write", 2)), 220.0),
    "priority of names": (
        DEFAULT_BUFFER,
        ert(("random_read", 1), ("read", 5), ("fill", 3), ("write", 2), ("random_write", 7)),
        242.0,
    ),
    "attribute wins, leak included": (
        DEFAULT_BUFFER + ", vector_access_energy: 10",
        ert(*READ_WRITE, ("leak", 9)),
        620.0,
    ),
    "depth, width, datawidth": ("depth: 64, width: 32, datawidth: 8", NO_MATCH, 61.221105527638187),
    "sizeKB": ("sizeKB: 1, block_size: 2, word_bits: 8", NO_MATCH, 63.557788944723619),
}


def statistics(text: str):
    document = Document(yaml.safe_load(text))
    spec = read_spec(document, mapspace_constraints=False)
    mapping, switches, _ = read_mapping(document.root().child("mapping"), spec)
    return NativeEvaluator(spec, switches=switches).statistics(mapping)


@pytest.mark.parametrize("name", PARAMETERS)
def test_energy_parameters(name):
    attributes, tables, buffer = PARAMETERS[name]
    result = statistics(E1.replace("BUFFER", attributes).replace("TABLES", tables))
    assert result.compute.energy == 6
    assert [level.energy for level in result.levels] == [buffer, 4400.0]


E7 = (
    MATMUL % (2, 4, 3)
    + DRAM
    + """\
    - name: BUF
      class: SRAM
      attributes: {word_bits: 8, entries: 10000, instances: 1, meshX: 1, BUFFER}
    - {name: RF, class: SRAM, attributes: {word_bits: 8, entries: 10000, instances: 4, meshX: 4}}
"""
    + FOUR_MACS
    + """\
  WIRE
mapping:
- {target: RF, type: temporal, factors: K3, permutation: KMN}
- {target: BUF, type: spatial, factors: N4, permutation: NMK, split: 1}
- {target: BUF, type: temporal, factors: M2, permutation: MNK}
- {target: DRAM, type: temporal, factors: '', permutation: MNK}
"""
)
WIRE = """
  - {name: sys.wire, actions: [{name: transfer_random, energy: 0.7}]}
ART:
  version: 0.3
  tables:
  - {name: 'sys.RF[1..4]', area: 900}
  - {name: 'sys.mac[1..4]', area: 700}
"""
NETWORKS = {
    "none": ("", "", 380.0),
    "wire energy and tile width": ("wire_energy: 0.3, tile_width: 250", "", 408.80000000000001),
    "ERT component wire": ("", WIRE, 390.75199981689451),
    "energy per ingress": ("energy-per-ingress: 0.25", WIRE, 397.25199981689451),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_network_energies(name):
    attributes, wire, total = NETWORKS[name]
    text = E7.replace("BUFFER", attributes).replace("WIRE", wire).replace(", }", "}")
    assert statistics(text).energy_pj == total


E10 = (
    CONV
    + DRAM
    + """\
    - name: BUF
      class: SRAM
      attributes: {word_bits: 8, entries: 10000, instances: 1, meshX: 1, network_read: mc, network_update: noc}
    - name: mc
      class: SimpleMulticast
      attributes: {action_name: multicast, multicast_factor_argument: num, fill_latency: 5, drain_latency: 100}
    - {name: noc, class: XY_NoC, attributes: {fill_latency: 11, drain_latency: 200}}
    - name: RF
      class: SRAM
      attributes: {word_bits: 8, entries: 10000, instances: 4, meshX: 4, network_fill: mc, network_drain: noc}
"""
    + FOUR_MACS
    + """\
  - name: sys.mc
    actions:
    - {name: multicast, arguments: {num: 1}, energy: 3}
    - {name: multicast, arguments: {num: 4}, energy: 10}
mapping:
- {target: RF, type: temporal, factors: '', permutation: RPCK}
- {target: BUF, type: spatial, factors: P4, permutation: PRCK, split: 1}
- {target: BUF, type: temporal, factors: R3, permutation: RPCK}
- {target: DRAM, type: temporal, factors: '', permutation: RPCK}
"""
)


def test_simple_multicast():
    result = statistics(E10)
    networks = {network.name: network for network in result.networks}
    # W 3 * 10; I 4 * 3, since of its entries (1,1):2 (1,4):4 only the last is paid; O 4 * 3.
    assert networks["mc"].energy == 54
    assert networks["noc"].energy == 0
    assert result.cycles == 3 + 5 + 11
