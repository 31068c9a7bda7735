"""Input as users of Timeloop v0.2 and v0.3 wrote it: nested trees, hyphens, hand-written mappings."""

from __future__ import annotations

from pathlib import Path

from timeloop_marl.specs import EnergyChoice, load, load_flat, read_spec
from timeloop_marl.specs.architecture import TilingLevel
from timeloop_marl.specs.mapping_yaml import read_mapping

ARCHITECTURE = """
architecture:
  version: 0.2
  subtree:
  - name: system
    local:
    - name: DRAM
      class: DRAM
      attributes: {type: LPDDR4, width: 64, block-size: 4, word-bits: 16}
    subtree:
    - name: array
      attributes: {technology: 40nm}
      local:
      - name: glb
        class: smartbuffer_SRAM
        attributes:
          memory_depth: 16384
          memory_width: 64
          n_banks: 32
          block-size: 4
          word-bits: 16
          read-bandwidth: 16
          write-bandwidth: 16
      - {name: "column[0..13]", class: regfile, attributes: {depth: 16, width: 16, word-bits: 16, meshX: 14}}
      subtree:
      - name: PE[0..167]
        local:
        - name: spad
          class: smartbuffer_RF
          attributes: {memory_depth: 12, memory_width: 16, block-size: 1, word-bits: 16, meshX: 14}
        - {name: mac, class: intmac, attributes: {datawidth: 16, meshX: 14}}
"""
PROBLEM = """
problem:
  shape:
    name: 1D convolution
    dimensions: [R, P]
    data-spaces:
    - {name: Weights, projection: [[[R]]]}
    - {name: Inputs, projection: [[[P], [R]]]}
    - {name: Outputs, projection: [[[P]]], read-write: True}
  instance: {R: 3, P: 336}
"""
CONSTRAINTS = """
architecture_constraints:
  targets:
  - {target: glb, type: bypass, bypass: [Weights], keep: [Inputs, Outputs]}
  - {target: glb, type: spatial, factors: R=1, permutation: PR, split: 2}
  - {target: column, type: spatial, factors: R=1, permutation: RP, split: 0}
mapspace_constraints:
  targets:
  - {target: column, type: bypass, bypass: [Weights, Inputs, Outputs]}
"""
MAPPER = """
mapper:
  optimization-metrics: [delay, energy]
  live-status: False
  num-threads: 2
  timeout: 15000
  victory-condition: 3000
  algorithm: random-pruned
  max-permutations-per-if-visit: 16
"""
MAPPING = """
mapping:
- {target: DRAM, type: temporal, factors: R=1 P=2, permutation: RP}
- {target: glb, type: datatype, keep: [Inputs, Outputs], bypass: [Weights]}
- {target: glb, type: spatial, factors: P=14, permutation: PR, split: 2}
- {target: glb, type: temporal, factors: R=1 P=1, permutation: PR}
- {target: column, type: datatype, keep: [], bypass: [Weights, Inputs, Outputs]}
- {target: column, type: spatial, factors: P=12, permutation: RP, split: 0}
- {target: column, type: temporal, factors: R=1 P=1, permutation: PR}
- {target: spad, type: temporal, factors: R=3 P=1, permutation: RP}
"""
PAT = EnergyChoice(source="pat")


def written(folder: Path, **texts: str) -> list[Path]:
    files = []
    for name, text in texts.items():
        files.append(folder / f"{name}.yaml")
        files[-1].write_text(text, encoding="utf-8")
    return files


def test_a_nested_tree_with_hyphens(tmp_path: Path) -> None:
    files = written(tmp_path, arch=ARCHITECTURE, problem=PROBLEM, constraints=CONSTRAINTS, mapper=MAPPER)
    result = load(files, energies=PAT)
    architecture = result.architecture
    assert [level.name for level in architecture.storage] == ["spad", "column", "glb", "DRAM"]
    assert [level.instances for level in architecture.storage] == [168, 14, 1, 1]
    assert [(level.mesh_x, level.mesh_y) for level in architecture.storage] == [
        (14, 12),
        (14, 1),
        (1, 1),
        (1, 1),
    ]
    glb = architecture.storage[2]
    assert (glb.size, glb.block_size, glb.cluster_size, glb.read_bandwidth) == (16384 * 4, 4, 1, 16.0)
    assert architecture.storage[3].block_size == 4
    assert (architecture.fanout_x(2), architecture.fanout_y(2)) == (14, 1)
    assert (architecture.fanout_x(1), architecture.fanout_y(1)) == (1, 12)
    assert result.problem.data_spaces[2].read_write
    assert result.constraints.loops[TilingLevel(1, True)].split == 0
    assert result.constraints.bypass == (("X", "0", "0", "1"), ("X", "0", "1", "1"), ("X", "0", "1", "1"))
    assert result.mapper.algorithm == "random_pruned"
    assert result.mapper.optimization_metrics == ("delay", "energy")
    assert (result.mapper.victory_condition, result.mapper.max_permutations_per_if_visit) == (3000, 16)
    assert [notice for notice in result.notices if "PAT" not in notice] == []


def test_a_mapping_for_it(tmp_path: Path) -> None:
    document = load_flat(
        written(tmp_path, arch=ARCHITECTURE, problem=PROBLEM, mapping=MAPPING), program="model"
    )
    spec = read_spec(document, energies=PAT)
    mapping, _, warnings = read_mapping(document.root().child("mapping"), spec)
    assert [loops.factors for loops in mapping.loops] == [(3, 1), (1, 12), (1, 1), (1, 14), (1, 1), (1, 2)]
    assert mapping.keep == ((True,) * 3, (False,) * 3, (False, True, True), (True,) * 3)
    assert warnings == [
        "WARNING: parsing mapping: factors not provided for all dimensions at level: column (spatial), setting to 1.",
        "WARNING: parsing mapping: factors not provided for all dimensions at level: glb (spatial), setting to 1.",
    ]
