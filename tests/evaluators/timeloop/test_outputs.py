"""Reading the outputs of timeloop-model: recorded statistics, and the archive as the program serialises it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from boost_archive import archive_text

from timeloop_marl.cost.outcome import Failure, Statistics
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.evaluators.timeloop.archive import ArchiveError, read_archive
from timeloop_marl.evaluators.timeloop.figures import StatsError, measured, read_stats
from timeloop_marl.evaluators.timeloop.program import Run, read_failure
from timeloop_marl.report.numbers import OutputStyle
from timeloop_marl.report.stats import stats_text
from timeloop_marl.specs import EnergyChoice, read_spec
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.mapping_yaml import read_mapping
from timeloop_marl.specs.spec import Spec
from timeloop_marl.validation.rows.figures import disagreements

OUTPUTS = Path(__file__).resolve().parents[2] / "golden" / "outputs"
# With all figures, in the usual number format.
COMPLETE = sorted(
    folder.name
    for folder in OUTPUTS.glob("model_*")
    if json.loads((folder / "case.json").read_text())["env"] == {"TIMELOOP_HIDE_INCONSEQUENTIAL_STATS": "0"}
)
FAILURES = {
    "model_fail_capacity": (Failure.CAPACITY, "REG"),
    "model_fail_fanout": (Failure.FANOUT, "mac"),
    "model_fail_utilization": (Failure.UTILIZATION, "L2"),
    "model_fail_empty_ert": None,
    "model_fail_factor_product": None,
}


def case(name: str) -> tuple[Spec, Statistics]:
    record = json.loads((OUTPUTS / name / "case.json").read_text())
    files = [OUTPUTS / name / "in" / word for word in record["command"].split()[1:] if word.endswith(".yaml")]
    document = load_document(files, style="timeloop")
    spec = read_spec(document, mapspace_constraints=False)
    mapping, switches, _ = read_mapping(document.root().child("mapping"), spec, strict=False)
    result = NativeEvaluator(spec, switches=switches).statistics(mapping)
    assert isinstance(result, Statistics)
    return spec, result


def test_there_are_recorded_cases() -> None:
    assert len(COMPLETE) >= 5, COMPLETE


@pytest.mark.parametrize("name", COMPLETE)
def test_recorded_statistics(name: str) -> None:
    """The real program's own stats.txt, against the native model."""
    spec, native = case(name)
    (file,) = (OUTPUTS / name / "out").glob("*.stats.txt")
    real = measured(read_stats(file.read_text()), None, spec)
    assert not real.full
    assert disagreements(native, real, spec) == []


@pytest.mark.parametrize("name", COMPLETE)
def test_with_the_archive_every_digit_is_compared(name: str) -> None:
    spec, native = case(name)
    text = stats_text(spec, native, OutputStyle(hide_inconsequential=False))
    archive = read_archive(archive_text(native, spec), len(spec.problem.data_spaces))
    real = measured(read_stats(text), archive, spec)
    assert real.full
    assert disagreements(native, real, spec) == []
    assert real.statistics.energy_pj == native.energy_pj


def test_one_digit_in_the_archive_is_noticed() -> None:
    name = COMPLETE[0]
    spec, native = case(name)
    energy = next(t.energy for level in native.levels for t in level.tensors if t.energy > 0)
    text = archive_text(native, spec).replace(f"{energy:.17e}", f"{energy * (1 + 2e-15):.17e}")
    real = measured(
        read_stats(stats_text(spec, native, OutputStyle(hide_inconsequential=False))),
        read_archive(text, len(spec.problem.data_spaces)),
        spec,
    )
    paths = {difference.path for difference in disagreements(native, real, spec)}
    assert any(path.endswith(".e") for path in paths), paths


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<boost_serialization>",
        "<boost_serialization><engine/>",
        "{}",
        "<boost_serialization><engine><topology_/>",
    ],
)
def test_other_files_are_no_archives(text: str) -> None:
    with pytest.raises(ArchiveError):
        read_archive(text, 3)


def test_an_archive_cut_anywhere_is_refused() -> None:
    spec, native = case(COMPLETE[0])
    text = archive_text(native, spec)
    end = text.index("</engine>")
    for length in range(0, end, 997):
        with pytest.raises(ArchiveError):
            read_archive(text[:length], len(spec.problem.data_spaces))


def test_statistics_cut_anywhere_are_refused() -> None:
    spec, native = case(COMPLETE[0])
    text = stats_text(spec, native, OutputStyle(hide_inconsequential=False))
    last = text.index("    Total ")
    for length in range(0, last, 997):
        with pytest.raises(StatsError):
            measured(read_stats(text[:length]), None, spec)


@pytest.mark.parametrize("name", FAILURES)
def test_recorded_failures(name: str) -> None:
    folder = OUTPUTS / name
    files = [folder / "in" / file for file in ("arch.yaml", "ERT.yaml", "problem.yaml")]
    if name == "model_fail_empty_ert":
        files.remove(folder / "in" / "ERT.yaml")
    document = load_document(files, style="timeloop")
    spec = read_spec(document, mapspace_constraints=False, energies=EnergyChoice("pat"))
    record = json.loads((folder / "case.json").read_text())
    run = Run(("timeloop-model",), folder, record["exit"], "", (folder / "stderr.txt").read_text())
    expected, found = FAILURES[name], read_failure(run, spec)
    if expected is None:
        assert found is None
    else:
        assert found is not None and (found.failure, found.level_name) == expected
        assert found.message and found.message in run.stderr
