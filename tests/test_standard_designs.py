"""The four public example designs with their reference mappings (Timeloop cost model, section 16, last table)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs import load
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.mapping_yaml import read_mapping

STANDARD = Path(
    os.environ.get(
        "TIMELOOP_STANDARD_INPUTS", Path(__file__).resolve().parents[1] / ".." / "shared" / "standard"
    )
)
DESIGNS = {
    "eyeriss_like": (86016, 59234341.911407001, 0.75),
    "simba_like": (225792, 239146163.92076001, 0.1875),
    "simple_output_stationary": (677376, 117820471.93606199, 0.0625),
    "simple_weight_stationary": (903168, 151669736.15049899, 0.046875),
}


@pytest.mark.skipif(not STANDARD.is_dir(), reason=f"the public input files are not on disk: {STANDARD}")
@pytest.mark.parametrize("design", DESIGNS)
def test_reference_mapping(design, tmp_path):
    flat = STANDARD / "flattened" / f"ex_{design}"
    outputs = STANDARD / "example_designs" / design / "ref_outputs"
    problem = STANDARD / "example_designs" / "_include" / "default_problem.yaml"
    files = [flat / "arch_v03.yaml", flat / "ERT.yaml", flat / "ART.yaml", problem]
    spec = load(files, mapspace_constraints=False)
    # Under its own name it is taken for an old output and ignored.
    shutil.copy(outputs / "timeloop-mapper.map.yaml", tmp_path / "mapping.yaml")
    document = load_document([tmp_path / "mapping.yaml"])
    mapping, switches, _ = read_mapping(document.root().child("mapping"), spec)
    result = NativeEvaluator(spec, switches=switches).statistics(mapping)
    assert (result.cycles, result.energy_pj, result.utilization) == DESIGNS[design]
