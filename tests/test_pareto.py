"""Searching for a front: what comes back is the front of what was evaluated; files; resume; the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from machines import gemm, three_level
from programs import drop_in

from timeloop_marl.api.front import Front, reference_point, search_front
from timeloop_marl.cli import main
from timeloop_marl.cost.nondominated import non_dominated
from timeloop_marl.errors import UsageError
from timeloop_marl.run.options import Settings
from timeloop_marl.run.trace import read_trace
from timeloop_marl.specs.energy import Energies, LevelEnergy

# Energies as far apart as in real machines: otherwise bypassing everything is best in every figure.
SPEC = dataclasses.replace(
    three_level(gemm(16, 24, 40)),
    energies=Energies(tuple(LevelEnergy(pj, pj, pj) for pj in (1.0, 6.0, 200.0)), 0.5),
)
INPUTS = Path(__file__).parent / "golden" / "inputs"
FILES = [
    *(str(INPUTS / "arch" / "eyeriss_like" / f"{part}.yaml") for part in ("arch_v03", "ERT", "ART")),
    str(INPUTS / "problems" / "toy_conv.yaml"),
]


def found(samples: int = 600, searcher: str = "nsga2", **choices: object) -> Front:
    return search_front(SPEC, settings=Settings(searcher=searcher, samples=samples, seed=3), **choices)


@pytest.mark.parametrize("searcher", ["nsga2", "genetic"])
@pytest.mark.parametrize("figures", ["cycles,energy", "cycles,energy,buffer"])
def test_the_members_are_the_front_of_all_samples(searcher: str, figures: str, tmp_path: Path) -> None:
    front = found(searcher=searcher, figures=figures, output=tmp_path, runs=3)
    assert front.search.samples == 600
    trace = read_trace(tmp_path / "trace.bin")
    ok = trace.outcome.failure == 0
    table = np.stack([trace.outcome.cycles[ok].astype(float), trace.outcome.energy_pj[ok]], axis=1)
    expected = {tuple(point) for point in table[non_dominated(table)]}
    members = front.points[:, :2]
    assert non_dominated(front.points).all()
    if figures == "cycles,energy":
        assert {tuple(point) for point in members} == expected
    else:
        assert expected <= {tuple(point) for point in members} and len(members) > len(expected)
    for member in front.members:
        assert trace.candidates[member.found.sample - 1].tolist() == list(member.found.candidate)
        assert (member.statistics.cycles, member.statistics.energy_pj) == member.figures[:2]


def test_every_member_has_its_files_and_the_picture_is_one(tmp_path: Path) -> None:
    front = found(output=tmp_path, figures="cycles,energy,buffer")
    summary = json.loads((tmp_path / "front.json").read_text())
    assert len(summary["members"]) == len(front.members) > 2
    assert summary["hypervolume"] == front.hypervolume() > 0
    for member in summary["members"]:
        for ending in ("stats.txt", "map.txt", "map.yaml"):
            assert (tmp_path / f"{member['files']}.{ending}").stat().st_size > 0
    stats = (tmp_path / f"{summary['members'][0]['files']}.stats.txt").read_text()
    assert f"Cycles: {summary['members'][0]['cycles']:.0f}" in stats
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


def test_hypervolume_grows_with_the_front_up_to_one_corner() -> None:
    short, long = found(100), found(1000)
    assert short.reference == long.reference == reference_point(SPEC, ("cycles", "energy"))
    assert long.hypervolume() >= short.hypervolume() > 0
    # By hand: every point of the front against the corner, in decades.
    corner, points = np.log10(1 + np.array(short.reference)), np.log10(1 + short.points)
    points = points[np.argsort(points[:, 0])]
    tops = [corner[1], *points[:-1, 1]]
    assert short.hypervolume() == pytest.approx(
        sum((corner[0] - x) * (top - y) for (x, y), top in zip(points, tops))
    )


def test_the_corner_is_a_mapping_without_reuse() -> None:
    computes = 16 * 24 * 40
    moved = 3 * 200.0 + 200.0  # pJ: every operand read, the result written back, at the outermost level
    assert reference_point(SPEC, ("cycles", "energy")) == (computes, computes * (0.5 + moved))


@pytest.mark.parametrize("searcher", ["nsga2", "genetic"])
def test_a_resumed_search_ends_as_one_that_was_not_interrupted(searcher: str, tmp_path: Path) -> None:
    found(192, searcher, output=tmp_path, runs=3)
    resumed = found(500, searcher, output=tmp_path, resume=True, runs=3)
    whole = found(500, searcher, runs=3)
    assert resumed.search.samples == 500
    assert [m.found for m in resumed.members] == [m.found for m in whole.members]
    with pytest.raises(UsageError, match="cannot resume: front"):
        found(600, searcher, output=tmp_path, resume=True, runs=3, figures="energy,buffer")


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="cycles, energy, buffer"):
        found(figures="cycles,area")
    with pytest.raises(UsageError, match="runs"):
        found(searcher="genetic", runs=1)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["search", *FILES, "-o", str(tmp_path / "out"), "--pareto", "--samples", "300"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "mappings on the front; hypervolume" in printed and "(marl, seed 1" in printed
    assert "(no reuse at all)" in printed and "candidates judged" in printed
    summary = json.loads((tmp_path / "out" / "front.json").read_text())
    assert list(summary["figures"]) == ["cycles", "energy"]
    assert main(["search", "-o", str(tmp_path / "out"), "--resume", "--samples", "400", "--quiet"]) == 0
    assert json.loads((tmp_path / "out" / "front.json").read_text())["samples"] == 400


def test_the_command_line_with_another_searcher(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["-o", str(tmp_path / "out"), "--samples", "300", "--quiet", "--searcher", "annealing"]
    assert main(["search", *FILES, *out, "--pareto", "--figures", "energy,buffer"]) == 0
    assert "annealing" in capsys.readouterr().out


def test_the_real_program_as_evaluator_finds_the_same_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMELOOP_MARL_CACHE", str(tmp_path / "cache.sqlite"))
    program = drop_in(tmp_path)
    common = ["search", *FILES, "--pareto", "--samples", "8", "--quiet"]
    real = ["--evaluator", "timeloop", "--timeloop-model", str(program)]
    assert main([*common, *real, "-o", str(tmp_path / "real")]) == 0
    verified = ["--verify", "1", "--timeloop-model", str(program)]
    assert main([*common, *verified, "-o", str(tmp_path / "native")]) == 0
    fronts = [json.loads((tmp_path / name / "front.json").read_text()) for name in ("real", "native")]
    keys = ("sample", "cycles")
    assert len({json.dumps([[m[k] for k in keys] for m in front["members"]]) for front in fronts}) == 1
    assert (tmp_path / "native" / "verify.json").exists()


def test_figures_without_pareto_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", *FILES, "-o", str(tmp_path / "out"), "--figures", "cycles,energy"]) == 2
    assert "--pareto" in capsys.readouterr().err
