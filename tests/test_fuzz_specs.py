"""A short run of the mutation fuzzer; the long one is ``python -m tests.fuzz``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz.corpus import GOLDEN, Case, all_cases, golden_cases
from fuzz.harness import Playground, judge, summary
from fuzz.payloads import ALL

MUTANTS = 500


@pytest.fixture(autouse=True)
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Accelergy on the path: this is about reading."""
    monkeypatch.setenv("PATH", "")


@pytest.fixture(scope="module")
def playground() -> Iterator[Playground]:
    ground = Playground(all_cases())
    yield ground
    ground.close()


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_the_unmutated_inputs_are_read(case: Case) -> None:
    verdict = judge([case.base / path for path in case.files], case.jinja_data, case.program)
    assert verdict.outcome.startswith("Spec with")
    assert not verdict.defect


def test_mutants_end_in_a_spec_or_a_clear_error(
    playground: Playground, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Counter[str] = Counter()
    defects = []
    for seed in range(10_000_000, 10_000_000 + MUTANTS):
        case, touched, _, verdict = playground.run(seed)
        outcomes[verdict.outcome.split(":")[0].split(" with")[0]] += 1
        if verdict.defect:
            defects.append(f"seed {seed}, {case.name}, {touched}: {verdict.defect}")
    with capsys.disabled():
        print(f"\n{MUTANTS} mutants\n{summary(outcomes)}")
    assert not defects, "\n".join(defects)
    assert outcomes["Spec"] > MUTANTS // 20  # mutants that are all refused would test little


def test_the_harness_notices_defects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it looks for must be seen: a foreign exception, a hang, a file written."""
    case = golden_cases()[0]
    files = [GOLDEN / path for path in case.files]

    def broken(*_: object, **__: object) -> None:
        raise KeyError("x")

    def writing(*_: object, **__: object) -> None:
        (tmp_path / "x").write_text("x")
        raise KeyError("y")

    def endless(*_: object, **__: object) -> None:
        while True:
            pass

    monkeypatch.setattr("fuzz.harness.load", broken)
    assert judge(files, {}, "mapper").outcome == "KeyError"
    monkeypatch.setattr("fuzz.harness.load", writing)
    assert "open for writing" in judge(files, {}, "mapper").defect
    monkeypatch.setattr("fuzz.harness.load", endless)
    assert judge(files, {}, "mapper", seconds=0.2).outcome == "hang"


@pytest.mark.parametrize("payload", ALL, ids=range(len(ALL)))
def test_every_payload_as_an_attribute_and_as_a_bound(payload: str, tmp_path: Path) -> None:
    machine = (GOLDEN / "arch" / "three_level" / "arch.yaml").read_text()
    problem = (GOLDEN / "problems" / "toy_conv.yaml").read_text()
    for text, other in (
        (machine.replace("depth: 64", f"depth: {payload}"), problem),
        (machine, _with(problem, payload)),
    ):
        (tmp_path / "arch.yaml").write_text(text)
        (tmp_path / "problem.yaml").write_text(other)
        verdict = judge([tmp_path / "arch.yaml", tmp_path / "problem.yaml"], {}, "mapper")
        assert not verdict.defect


def _with(problem: str, payload: str) -> str:
    lines = [line for line in problem.splitlines() if not line.strip().startswith("M: ")]
    return "\n".join(lines).replace("instance:", f"instance:\n    M: {payload}", 1)
