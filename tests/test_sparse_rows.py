"""Sparse designs: every recorded row, run and search of the real Timeloop, to the last bit and byte."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest

import timeloop_marl as tm
from timeloop_marl.cli.dropin import run_mapper, run_model
from timeloop_marl.validation.rows import evaluate_rows

GOLDEN = Path(__file__).parent / "golden" / "sparse"
ROWS = {
    "part0": (1022, 2),
    "part1": (1022, 1),
    "part2": (1021, 4),
    "imperfect": (514, 0),
    "designs": (601, 1),
}
"""Rows of each file, and those of them whose result is undefined."""
INPUTS = ("arch.yaml", "ERT.yaml", "sparse.yaml", "case.yaml")


def recorded(name: str) -> dict[str, dict[str, str]]:
    """Files of every case: inputs, ``stdout``, ``stderr``, ``exit`` and ``out/..``."""
    found: dict[str, dict[str, str]] = json.loads(gzip.decompress((GOLDEN / f"{name}.json.gz").read_bytes()))
    return found


OUTPUTS, SEARCHES = recorded("outputs"), recorded("mapper")


@pytest.mark.parametrize("name", ROWS)
def test_rows_equal_the_real_timeloop(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluate_rows(GOLDEN / "data" / f"{name}.jsonl.gz", GOLDEN / "inputs")
    with capsys.disabled():
        print(f"\nsparse {name}: {report.summary()}")
    assert not report.first_differences, "\n".join(f"{row}: {d}" for row, d in report.first_differences)
    assert report.differing_figures == report.differing_rows == 0
    rows, undefined = ROWS[name]
    assert (report.rows, report.compared) == (rows, rows - undefined)
    assert report.figures > 150 * report.rows


def test_a_changed_figure_is_found(tmp_path: Path) -> None:
    """The comparison must be able to fail, by the last bit of a double and in a leakage of two decimals."""
    with gzip.open(GOLDEN / "data" / "part0.jsonl.gz", "rt") as lines:
        rows = [row for _, row in zip(range(4), (json.loads(line) for line in lines)) if row["exp"]["ok"]]
    level = next(iter(rows[0]["exp"]["levels"].values()))
    level["energy"] *= 1 + 2**-52
    level["leak"] += 1e-9
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = evaluate_rows(path, GOLDEN / "inputs")
    assert (report.differing_rows, report.differing_figures) == (1, 2)


def answer(program, case: dict[str, str], folder: Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a drop-in."""
    for name in INPUTS:
        (folder / name).write_text(case[name])
    (folder / "out").mkdir()
    stdout, stderr = io.StringIO(), io.StringIO()
    code = program([*INPUTS, "-o", "out"], environ={}, stdout=stdout, stderr=stderr, cwd=folder)
    return code, stdout.getvalue(), stderr.getvalue()


def said(text: str) -> str:
    """Without what is said about attributes of dense levels, which the drop-ins leave out."""
    return "".join(
        line for line in text.splitlines(True) if not line.startswith("Warning: neither block size")
    )


def check(case: dict[str, str], folder: Path, code: int, stdout: str) -> None:
    assert code == int(case["exit"])
    assert stdout == said(case["stdout"])
    for name, text in case.items():
        if name.startswith("out/"):
            assert (folder / name).read_text() == text, name


def test_all_recorded_runs_are_there() -> None:
    assert (len(OUTPUTS), len(SEARCHES)) == (47, 6)


@pytest.mark.parametrize("name", OUTPUTS)
def test_files_and_screens_equal_byte_for_byte(name: str, tmp_path: Path) -> None:
    code, stdout, stderr = answer(run_model, OUTPUTS[name], tmp_path)
    check(OUTPUTS[name], tmp_path, code, stdout)
    assert stderr == OUTPUTS[name]["stderr"]


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_equal_sample_for_sample(name: str, tmp_path: Path) -> None:
    code, stdout, stderr = answer(run_mapper, SEARCHES[name], tmp_path)
    check(SEARCHES[name], tmp_path, code, stdout)
    assert stderr == SEARCHES[name]["stderr"]


def test_warming_up_does_not_fix_the_sizes_of_tensors() -> None:
    """The mapper takes them from its first mapping, which the one that only compiles is not."""
    inputs = GOLDEN / "inputs"
    files = [inputs / "arch" / "pond" / name for name in ("arch.yaml", "ERT.yaml")]
    files += [inputs / "sparse" / "pond_cp_skip.yaml", inputs / "problems" / "mm_8x8x8.yaml"]
    share = {"distribution": "hypergeometric", "density": 0.4}
    spec = tm.load(files, values={"+problem.instance.densities": {"A": share, "B": share}})
    space = tm.LearnersMapspace(spec)
    batch = space.decode(space.sample(4, np.random.default_rng(1)))
    warm, cold = (tm.NativeEvaluator(spec, precheck=True) for _ in range(2))
    warm.warm_up()
    first, second = warm(batch), cold(batch)
    assert first.energy_pj.tolist() == second.energy_pj.tolist() and first.energy_pj.any()
    # with perfect factors the mapper's mappings cost what timeloop-model says of each
    assert tm.NativeEvaluator(spec)(batch).energy_pj.tolist() == first.energy_pj.tolist()
