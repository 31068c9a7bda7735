"""A sparse design as the real timeloop-model answered it: input, statistics and archive recorded, replayed here."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs import script

import timeloop_marl as tm
from timeloop_marl.evaluators.timeloop import TimeloopEvaluator
from timeloop_marl.evaluators.timeloop.figures import Measured, StatsText, read_stats
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.mapping_yaml import read_mapping

RECORDED = Path(__file__).resolve().parent / "recorded" / "sparse"
# Answers the recorded input only, word for word, with the recorded files.
_REPLAY = """\
import shutil, sys
from pathlib import Path
recorded = Path({folder!r})
if Path(sys.argv[1]).read_text() != (recorded / "input.yaml").read_text():
    sys.exit("another input")
for file in recorded.glob("timeloop-model.*"):
    shutil.copy(file, file.name)
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("bin")
    program = script(folder, _REPLAY.format(folder=str(RECORDED)))
    spec = tm.load(RECORDED / "input.yaml")
    node = load_document([RECORDED / "input.yaml"]).root().child("mapping")
    mapping, _, _ = read_mapping(node, spec)
    found = TimeloopEvaluator(spec, program=program).measure(mapping)
    assert isinstance(found, Measured)
    return found


@pytest.fixture(scope="module")
def printed() -> StatsText:
    return read_stats((RECORDED / "timeloop-model.stats.txt").read_text())


def test_the_input_was_written_as_recorded_and_the_answer_is_whole(measured: Measured) -> None:
    assert measured.full
    assert measured.texts["stats.txt"] == (RECORDED / "timeloop-model.stats.txt").read_text()
    assert measured.texts["map.txt"] == (RECORDED / "timeloop-model.map.txt").read_text()


def test_energies_add_up_to_what_is_printed(measured: Measured, printed: StatsText) -> None:
    found = measured.statistics
    per_compute = {level.name: level.energy for level in found.levels} | {
        "mac": found.compute.energy,
        "Total": found.energy_pj,
    }
    for name, energy in per_compute.items():
        assert f"{energy / found.computes * 1000:.2f}" == f"{printed.per_compute[name]:.2f}"


def test_what_really_happens_is_read_not_the_dense_counts(measured: Measured) -> None:
    found, text = measured.statistics, (RECORDED / "timeloop-model.stats.txt").read_text()
    assert f"Actual Computes = {found.computes}\n" in text
    assert found.computes < tm.load(RECORDED / "input.yaml").problem.operations
    assert f"Utilization: {found.utilization:.2%}" in text
    for level in found.levels:
        for tensor in level.tensors:
            if tensor.kept:
                assert (
                    f"Actual scalar reads (per-instance)                          : {tensor.reads}\n" in text
                )
                assert (
                    f"Actual scalar updates (per-instance)                        : {tensor.updates}\n"
                    in text
                )


def test_the_file_says_which_design_it_is() -> None:
    spec = tm.load(RECORDED / "input.yaml")
    assert spec.sparsity is not None and len(spec.sparsity.sections["sparse_optimizations"]["targets"]) == 3
