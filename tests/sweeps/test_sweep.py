"""Sweeps: which files are a machine, every combination of values, resumed and extended, whatever runs them."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from shell import EYERISS, FC, ROOT, TOY, Shell

import timeloop_marl as tm
from timeloop_marl.errors import SpecError, UsageError
from timeloop_marl.networks.sweep_plan import machine_area, make_plan, short_path, sort_machines
from timeloop_marl.networks.sweep_result import SweepResult, read_sweep
from timeloop_marl.parallel.engine import Engine

SMALL = ["--samples", "40", "--searcher", "genetic"]
DEPTHS = "BUF.attributes.depth=16,64,256"


def figures(result: SweepResult) -> list[tuple[object, ...]]:
    return [
        (p.name, p.status, p.cycles, p.energy_pj, p.edp, p.samples, p.front, p.best) for p in result.points
    ]


def test_machines_and_their_files(tmp_path: Path) -> None:
    toy, eyeriss = sorted(Path(TOY).iterdir()), sorted(Path(EYERISS).iterdir())
    common = tmp_path / "mapper.yaml"
    common.write_text("mapper: {timeout: 5}\n")
    machines, layers = sort_machines([*toy, Path(FC), *eyeriss, common])
    assert [machine.name for machine in machines] == ["small_toy", "eyeriss_like"] and layers == [Path(FC)]
    assert set(machines[0].files) == {*toy, common} and set(machines[1].files) == {*eyeriss, common}
    with pytest.raises(UsageError, match="no architecture"):
        sort_machines([Path(FC)])


def test_two_machines_in_one_folder_share_their_tables(tmp_path: Path) -> None:
    for name in ("small.yaml", "large.yaml"):
        (tmp_path / name).write_text((Path(TOY) / "arch.yaml").read_text())
    (tmp_path / "ERT.yaml").write_text("ERT: {}\n")
    machines, _ = sort_machines(sorted(tmp_path.iterdir()))
    assert [machine.name for machine in machines] == ["large", "small"]
    assert all(len(machine.files) == 2 for machine in machines)


def test_every_combination_or_side_by_side() -> None:
    values = {"BUF.attributes.depth": "16,64", "REG.attributes.depth": "2,4", "technology": "45nm"}
    grid = make_plan([TOY, EYERISS, FC], values)
    assert len(grid.points) == 8 and len({point.name for point in grid.points}) == 8
    assert grid.points[0].name == "small_toy,BUF.depth=16,REG.depth=2"
    assert grid.points[0].values == {
        "BUF.attributes.depth": "16",
        "REG.attributes.depth": "2",
        "technology": "45nm",
    }
    pairs = make_plan([TOY, FC], values, paired=True)
    assert [p.name for p in pairs.points] == ["BUF.depth=16,REG.depth=2", "BUF.depth=64,REG.depth=4"]
    with pytest.raises(UsageError, match="lists of one length"):
        make_plan([TOY, FC], {"a.b": "1,2", "c.d": "1,2,3"}, paired=True)
    with pytest.raises(UsageError, match="missing between the commas"):
        make_plan([TOY, FC], {"a.b": "1,,2"})
    with pytest.raises(UsageError, match="points: at most"):
        make_plan([TOY, FC], {name: ",".join(map(str, range(100))) for name in ("a.b", "c.d", "e.f")})


def test_short_names_only_where_they_tell_values_apart() -> None:
    assert short_path("GLB.attributes.depth", ["GLB.attributes.depth"]) == "GLB.depth"
    both = ["PE.spatial.meshX", "PE.attributes.meshX"]
    assert short_path(both[0], both) == "PE.spatial.meshX"
    assert short_path("PE[0..3].name", []) == "PE[0..3].name" and short_path("+a.attributes.b", []) == "a.b"


def test_points_files_and_resume(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell("sweep", TOY, FC, "-o", run, "--set", DEPTHS, *SMALL) == 0
    assert "3 searched, 0 failed" in shell.out and "best" in shell.out and "3/3" in shell.err
    whole = read_sweep(run)
    assert [point.values["BUF.attributes.depth"] for point in whole.points] == ["16", "64", "256"]
    assert sum(point.best for point in whole.points) == 1 and any(point.front for point in whole.points)
    assert {"run.json", "sweep.json", "sweep.csv", "sweep.png", "points"} <= {
        path.name for path in run.iterdir()
    }
    rows = list(csv.DictReader((run / "sweep.csv").read_text().splitlines()))
    assert [row["BUF.attributes.depth"] for row in rows] == ["16", "64", "256"]
    assert float(rows[0]["edp"]) == whole.points[0].edp
    assert shell("sweep", TOY, FC, "-o", run, "--set", DEPTHS, *SMALL) == 2 and "--resume" in shell.err
    before = {path: path.stat().st_mtime_ns for path in run.glob("points/*/layers/*/trace.bin")}
    assert shell("sweep", "--resume", "-o", run) == 0
    assert figures(read_sweep(run)) == figures(whole)
    assert before == {path: path.stat().st_mtime_ns for path in run.glob("points/*/layers/*/trace.bin")}
    page = run / "points" / whole.points[0].name / "report.html"
    page.unlink()  # as if killed between the files of a point
    assert shell("sweep", "--resume", "-o", run, "--quiet") == 0 and page.exists()
    assert shell("sweep", "--resume", "-o", run, "--set", DEPTHS + ",1024", "--quiet") == 0
    assert figures(read_sweep(run))[:2] == figures(whole)[:2] and len(read_sweep(run).points) == 4


def test_a_point_is_what_a_search_with_that_setting_finds(tmp_path: Path) -> None:
    depth = "BUF.attributes.depth"
    swept = tm.sweep(
        [TOY, FC], output=tmp_path / "a", values={depth: [16, 64]}, samples=50, searcher="genetic"
    )
    alone = tm.network([TOY, FC], output=tmp_path / "b", values={depth: "16"}, samples=50, searcher="genetic")
    assert alone.totals is not None
    assert (swept.points[0].cycles, swept.points[0].energy_pj) == (
        alone.totals.cycles,
        alone.totals.energy_pj,
    )


@pytest.mark.parametrize("engine", [Engine(2, "loky"), Engine(2, "dask")], ids=lambda engine: engine.backend)
def test_the_same_on_any_workers(tmp_path: Path, engine: Engine) -> None:
    if engine.backend == "dask":
        pytest.importorskip("distributed")
    given = {"values": {"BUF.attributes.depth": "16,64,256"}, "samples": 40, "searcher": "genetic"}
    here = tm.sweep([TOY, FC], output=tmp_path / "here", **given)
    there = tm.sweep([TOY, FC], output=tmp_path / "there", jobs=2, backend=engine.backend, **given)
    assert figures(here) == figures(there)


def test_machines_side_by_side(shell: Shell, tmp_path: Path) -> None:
    assert shell("sweep", TOY, EYERISS, FC, "-o", tmp_path / "run", *SMALL, "--quiet") == 0
    points = read_sweep(tmp_path / "run").points
    assert [point.machine for point in points] == ["small_toy", "eyeriss_like"]
    assert points[1].area_um2 and points[1].area_um2 == pytest.approx(
        974220 + 168 * (3 * 200.74 + 4864.65), rel=1e-6
    )


def test_points_that_cannot_be_do_not_end_the_others(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell("sweep", TOY, FC, "-o", run, "--set", "BUF.attributes.depth=16,-1,x y", *SMALL) == 1
    assert [point.status for point in read_sweep(run).points] == ["done", "failed", "failed"]
    assert "BUF.attributes.depth" in read_sweep(run).points[1].message and "failed" in shell.out
    assert shell("sweep", TOY, FC, "-o", tmp_path / "none", "--set", "BUF.attributes.dept=1,2", *SMALL) == 2
    assert "did you mean 'depth'" in shell.err and not (tmp_path / "none").exists()


def test_a_sweep_is_resumed_only_as_what_it_was(shell: Shell, tmp_path: Path) -> None:
    machine, run = tmp_path / "arch.yaml", tmp_path / "run"
    machine.write_text((Path(TOY) / "arch.yaml").read_text())
    assert shell("sweep", machine, FC, "-o", run, "--set", "REG.attributes.depth=3,6", *SMALL, "--quiet") == 0
    machine.write_text(machine.read_text().replace("depth: 64", "depth: 128"))
    assert shell("sweep", "--resume", "-o", run) == 2 and "is not what it was" in shell.err


def test_what_is_said_about_values_without_effect_and_stale_tables(shell: Shell, tmp_path: Path) -> None:
    sets = ["--set", "BUF.attributes.depth=64,128", "--set", "mapper.timeout=5"]
    assert shell("sweep", TOY, FC, "-o", tmp_path / "a", *sets, *SMALL, "--quiet") == 0
    assert "energies and areas do not follow" in shell.err
    assert (
        shell("sweep", TOY, FC, "-o", tmp_path / "b", "--set", "mapper.out_prefix=a,b", *SMALL, "--quiet")
        == 0
    )
    assert "is the same machine and layer as" in shell.err


def test_areas_and_energies_follow_an_estimator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for Accelergy: energy and area of BUF grow with its depth."""
    program = tmp_path / "bin" / "accelergy"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, re, sys\n"
        "prefix = sys.argv[sys.argv.index('--oprefix') + 1]\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('-o') + 1])\n"
        "text = ''.join(open(name).read() for name in sys.argv[1:sys.argv.index('--oprefix')])\n"
        "depth = int(re.search(r'BUF.*?depth: (\\d+)', text, re.S)[1])\n"
        "names = {'MEM': 100, 'BUF': depth, 'REG': 1}\n"
        "actions = lambda e: [{'name': a, 'energy': e} for a in ('read', 'write', 'update')]\n"
        "ert = [{'name': f's.{n}[1..1]', 'actions': actions(e)} for n, e in names.items()]\n"
        "ert.append({'name': 's.mac[1..1]', 'actions': [{'name': 'compute', 'energy': 0.5}]})\n"
        "art = [{'name': f's.{n}[1..1]', 'area': a} for n, a in {**names, 'mac': 7}.items()]\n"
        "write = lambda k, t: (folder / f'{prefix}{k}.yaml').write_text(json.dumps({k: {'tables': t}}))\n"
        "write('ERT', ert)\nwrite('ART', art)\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    arch = Path(TOY) / "arch.yaml"
    found = tm.sweep(
        [arch, FC],
        output=tmp_path / "run",
        values={"BUF.attributes.depth": "16,64"},
        samples=60,
        searcher="genetic",
    )
    specs = [tm.load([arch, FC], values={"BUF.attributes.depth": depth}) for depth in ("16", "64")]
    assert [point.area_um2 for point in found.points] == [machine_area(spec)[0] for spec in specs]
    assert found.points[0].area_um2 and found.points[0].area_um2 < (found.points[1].area_um2 or 0)
    assert found.figures == ("cycles", "energy_pj", "area_um2")
    level = specs[0].architecture.level_index("BUF")
    assert [spec.energies.storage[level].read for spec in specs] == [16.0, 64.0]


def test_areas_that_are_not_known() -> None:
    problem = ROOT / "problems" / "resnet18" / "fc.yaml"
    area, note = machine_area(tm.load([Path(EYERISS) / "arch.yaml", Path(EYERISS) / "ERT.yaml", problem]))
    assert area is None and "no areas" in note
    area, note = machine_area(tm.load([EYERISS, problem]))
    assert area and not note


def test_what_read_sweep_refuses(tmp_path: Path) -> None:
    for text in ("", "[]", '{"schema": "timeloop-marl/sweep", "version": 99}', '{"schema": "x"}'):
        (tmp_path / "sweep.json").write_text(text)
        with pytest.raises(UsageError, match=r"sweep\.json"):
            read_sweep(tmp_path)
    (tmp_path / "sweep.json").write_text(
        json.dumps({"schema": "timeloop-marl/sweep", "version": 1, "points": [{}]})
    )
    with pytest.raises(UsageError, match="damaged"):
        read_sweep(tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        read_sweep(tmp_path / "nowhere")


def test_wrong_values_by_the_api(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no component and no section"):
        tm.sweep([TOY, FC], output=tmp_path / "a", values={"X.attributes.depth": [1, 2]})


def test_every_point_begins_with_what_was_learnt(shell: Shell, tmp_path: Path) -> None:
    words = ["--samples", "48", "--quiet"]
    assert shell("network", TOY, FC, "-o", tmp_path / "before", *words) == 0
    sets = ["--set", "REG.attributes.depth=3,6"]
    assert (
        shell("sweep", TOY, FC, *sets, "-o", tmp_path / "a", *words, "--knowledge", tmp_path / "before") == 0
    )
    assert all(
        json.loads(file.read_text())["layers"] for file in (tmp_path / "a").glob("points/*/network.json")
    )
    assert shell("sweep", TOY, FC, *sets, "-o", tmp_path / "b", *words, "--knowledge", tmp_path / "none") == 2
    assert shell("sweep", TOY, FC, *sets, "-o", tmp_path / "c", *words, "--no-transfer") == 0
    assert not list((tmp_path / "c").rglob("*.npz")) and list((tmp_path / "a").rglob("*.npz"))
