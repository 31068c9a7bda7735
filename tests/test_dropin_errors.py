"""Drop-ins on wrong input: one clear error, the right exit code, no file written, no traceback."""

from __future__ import annotations

import io
import random
import shutil
from pathlib import Path

import pytest
import yaml
from fuzz.mutate import mutate

from timeloop_marl.cli.dropin import run_mapper, run_model

OUTPUTS = Path(__file__).resolve().parent / "golden" / "outputs"
INPUTS = Path(__file__).resolve().parent / "golden" / "inputs"
MODEL = ["arch.yaml", "ERT.yaml", "ART.yaml", "problem.yaml", "mapping.yaml"]


def run(argv, folder, program=run_model, environ=None):
    stdout, stderr = io.StringIO(), io.StringIO()
    code = program(argv, environ=environ or {}, stdout=stdout, stderr=stderr, cwd=folder)
    return code, stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(OUTPUTS / "model_small_toy_scientific" / "in", tmp_path, dirs_exist_ok=True)
    return tmp_path


def edit(file, change):
    data = yaml.safe_load(file.read_text())
    change(data)
    file.write_text(yaml.safe_dump(data, sort_keys=False))


def outputs(folder):
    return {file.name for file in folder.rglob("timeloop-*")}


def test_output_folder_must_exist(folder):
    code, stdout, stderr = run([*MODEL, "-o", "missing"], folder)
    assert (code, stdout, stderr) == (1, "", "ERROR: error parsing command line.\n")
    assert run(["-o"], folder)[0] == 1


def test_no_arguments(folder):
    code, _, stderr = run([], folder)
    assert code == 2
    assert "no input file" in stderr


def test_a_file_of_another_kind(folder):
    code, _, stderr = run([*MODEL, "notes.txt"], folder)
    assert code == 1
    assert "notes.txt" in stderr


def test_libconfig_names_the_remedy(folder):
    (folder / "arch.cfg").write_text("arch = {}")
    code, _, stderr = run(["arch.cfg"], folder)
    assert code == 2
    assert "YAML" in stderr


def test_a_missing_file_is_an_empty_one_with_a_notice(folder):
    code, stdout, stderr = run([*MODEL, "mapper.yaml"], folder)
    assert code == 0
    assert "input file: mapper.yaml\n" in stdout
    assert "notice: mapper.yaml does not exist" in stderr


def test_broken_yaml(folder):
    (folder / "problem.yaml").write_text("problem: }")
    code, _, stderr = run(MODEL, folder)
    assert code == 2
    assert "problem.yaml" in stderr
    assert not outputs(folder)


def test_no_mapping(folder):
    code, _, stderr = run(MODEL[:-1], folder)
    assert code == 2
    assert "mapping" in stderr


@pytest.mark.parametrize(
    ("constraint", "code"),
    [
        ({"target": "BUF", "type": "temporal", "factors": "R=5"}, 0),
        ({"target": "BUF", "type": "temporal", "factors": "R=1"}, 1),
        ({"target": "MEM", "type": "temporal", "factors": "M<=16"}, 1),
        ({"target": "MEM", "type": "temporal", "factors": "M>=100"}, 0),  # smallest factors are not checked
        ({"target": "MEM", "type": "temporal", "permutation": "CP"}, 0),
        ({"target": "MEM", "type": "temporal", "permutation": "PC"}, 1),
        ({"target": "MEM", "type": "temporal", "permutation": "RC"}, 1),  # R is a unit loop there
        ({"target": "BUF", "type": "bypass", "bypass": ["Weights"]}, 0),  # bypass is not checked
    ],
)
def test_architecture_constraints_are_checked_as_by_the_real_program(folder, constraint, code):
    (folder / "constraints.yaml").write_text(
        yaml.safe_dump({"architecture_constraints": {"targets": [constraint]}})
    )
    found, _, stderr = run([*MODEL, "constraints.yaml"], folder)
    assert found == code, stderr
    assert ("mapping violates architecture constraints" in stderr) == (code == 1)


def test_a_split_constraint_is_checked(folder):
    def constrained(split):
        constraint = {"target": "inter_REG_spatial", "type": "spatial", "split": split}
        (folder / "constraints.yaml").write_text(yaml.safe_dump({"architecture_constraints": [constraint]}))
        return run([*MODEL, "constraints.yaml"], folder)[0]

    mapping = yaml.safe_load((folder / "mapping.yaml").read_text())["mapping"]
    given = next(d["split"] for d in mapping if d["type"] == "spatial")
    assert constrained(given) == 0
    assert constrained(given - 1 if given else 1) == 1


def test_auto_bypass(folder):
    shutil.copytree(OUTPUTS / "model_fail_capacity" / "in", folder, dirs_exist_ok=True)
    assert run(MODEL, folder)[0] == 1
    (folder / "model.yaml").write_text("model: {auto_bypass_on_failure: true}\n")
    code, _, stderr = run([*MODEL, "model.yaml"], folder)
    assert code == 0, stderr
    assert "REG [ ] " in (folder / "timeloop-model.map.txt").read_text()


NODES_MAPPING = """\
mapping:
- {target: MEM, type: temporal, factors: [C=8, M=32, P=25], permutation: [C, P, R, M]}
- {target: BUF, type: temporal, factors: [R=5], permutation: [R, P, M, C]}
- {target: REG, type: spatial, factors: [P=4], permutation: [P, M, C, R], split: 3}
- {target: REG, type: temporal, factors: [C=2], permutation: [P, M, C, R]}
"""


def test_nodes_go_through_the_front_end_with_a_notice(folder):
    shutil.copy(INPUTS / "arch" / "small_toy" / "arch.yaml", folder / "arch.yaml")
    (folder / "mapping.yaml").write_text(NODES_MAPPING)
    code, _, stderr = run(MODEL, folder, environ={"TIMELOOP_OUTPUT_STAT_SCIENTIFIC": "1"})
    assert code == 0, stderr
    assert "notice: the architecture has the v0.4 form (nodes), which the real program refuses" in stderr
    # the same machine and mapping as in the recorded case, hence the same results
    for file in ("timeloop-model.map.txt", "timeloop-model.stats.txt"):
        recorded = OUTPUTS / "model_small_toy_scientific" / "out" / file
        assert (folder / file).read_text() == recorded.read_text()


def test_environment_switches_reach_the_cost_model(folder):
    plain = run(MODEL, folder)[1]
    elided = run(MODEL, folder, environ={"TIMELOOP_ENABLE_FIRST_READ_ELISION": "0"})[1]
    assert plain != elided


def test_mapper_needs_a_problem_and_an_architecture(folder):
    code, _, stderr = run(["mapping.yaml"], folder, run_mapper)
    assert code == 2
    assert "Traceback" not in stderr


PERFECT = (
    "model_small_toy_scientific",
    "model_user_networks",
    "model_ispass_pat",
    "model_deep_hierarchy_resnext",
)


@pytest.mark.parametrize("name", PERFECT)
def test_mutated_input_ends_with_a_result_or_one_error(name, tmp_path):
    rng = random.Random(name)
    source = OUTPUTS / name / "in"
    names = sorted(file.name for file in source.iterdir())
    codes = set()
    for _ in range(60):
        shutil.copytree(source, tmp_path, dirs_exist_ok=True)
        victim = tmp_path / rng.choice(names)
        victim.write_bytes(mutate(victim.read_text(), rng))
        code, _, stderr = run(names, tmp_path)
        assert code == 0 or stderr.splitlines()
        codes.add(code)
    assert {0, 2} <= codes <= {0, 1, 2}
    strays = {file.name for file in tmp_path.iterdir()} - set(names)
    assert all(file.startswith("timeloop-model.") for file in strays)


def test_an_output_that_cannot_be_written(folder):
    (folder / "timeloop-model.stats.txt").mkdir()
    code, _, stderr = run(MODEL, folder)
    assert code == 2
    assert "timeloop-model.stats.txt" in stderr


@pytest.mark.parametrize("name", ["mapper_hybrid_victory", "mapper_random_pruned_delay_energy"])
def test_map_yaml_of_the_mapper_is_an_input_of_the_model(name, tmp_path):
    shutil.copytree(OUTPUTS / name / "in", tmp_path, dirs_exist_ok=True)
    # under its own name the file would be ignored, as by the real program
    shutil.copy(OUTPUTS / name / "out" / "timeloop-mapper.map.yaml", tmp_path / "best.yaml")
    code, _, stderr = run(["arch.yaml", "ERT.yaml", "ART.yaml", "problem.yaml", "best.yaml"], tmp_path)
    assert (code, stderr) == (0, "")
    for suffix in ("map.txt", "stats.txt", "map.tensella.txt"):
        recorded = OUTPUTS / name / "out" / f"timeloop-mapper.{suffix}"
        assert (tmp_path / f"timeloop-model.{suffix}").read_text() == recorded.read_text()


def test_an_ignored_map_yaml_is_pointed_out(folder):
    (folder / "timeloop-mapper.map.yaml").write_text("mapping: []\n")
    code, _, stderr = run(["timeloop-mapper.map.yaml", *MODEL], folder)
    assert code == 0
    assert "notice: timeloop-mapper.map.yaml: ignored" in stderr.replace(f"{folder}/", "")


def test_options_that_are_not_reproduced_are_pointed_out(tmp_path):
    shutil.copytree(OUTPUTS / "mapper_log_mappings" / "in", tmp_path, dirs_exist_ok=True)

    def more(data):
        data["mapper"] |= {
            "live_status": True,
            "emit_whoop_nest": True,
            "log_mappings_yaml": True,
            "search_size": 3,
        }

    edit(tmp_path / "mapper.yaml", more)
    names = ["arch.yaml", "ERT.yaml", "ART.yaml", "constraints.yaml", "problem.yaml", "mapper.yaml"]
    code, _, stderr = run(names, tmp_path, run_mapper)
    assert code == 0
    for word in ("live_status", "emit_whoop_nest", "log_all_mappings"):
        assert any(word in line and "notice" in line for line in stderr.splitlines())
    recorded = (OUTPUTS / "mapper_log_mappings" / "out" / "timeloop-mapper.orojenesis.csv").read_text()
    written = (tmp_path / "timeloop-mapper.orojenesis.csv").read_text()
    assert written.splitlines() == recorded.splitlines()[:3]
