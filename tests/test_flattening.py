"""Our flattening against the front end's: recorded here, the installed one where there is one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from front_end_objects import DESIGN, FOLDER

from timeloop_marl.cli import main
from timeloop_marl.errors import UsageError
from timeloop_marl.specs import front_end
from timeloop_marl.specs.front_end import FlatDifference, check_flattening, compare

ROOT = Path(__file__).resolve().parents[1]
FLATTENED = (FOLDER / "flattened.yaml").read_text()
LAYER = ROOT / "problems" / "resnet18" / "conv4_3x3.yaml"
DESIGNS = sorted(folder.name for folder in (ROOT / "arch").iterdir() if (folder / "arch.yaml").exists())


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A front end that makes ``text`` of whatever it is given."""
    monkeypatch.setattr(
        front_end, "front_end", lambda version: SimpleNamespace(__name__=f"recorded.{version}")
    )
    monkeypatch.setattr(front_end, "_flattened", lambda *_: text)


def installed() -> bool:
    try:
        front_end.front_end("v4")
    except UsageError:
        return False
    return True


def test_the_recorded_flattening_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, FLATTENED)
    check = check_flattening([DESIGN])
    assert check.agree and check.values > 150
    assert check.summary() == f"flattening: {check.values} values compared with recorded, 0 differ"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("depth: 1024", "depth: 1023", "architecture.storage.buffer.size"),
        ("split: 1", "split: 2", "constraints.loops"),
        ("stride: 2", "stride: 1", "problem.data_spaces.Inputs"),
        ("no_link_transfer:", "no_reuse:", "constraints.switches"),
        ("area: 9000.5", "area: 9001.5", "energies.storage"),
    ],
)
def test_every_difference_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], old: str, new: str, path: str
) -> None:
    assert old in FLATTENED
    answer(monkeypatch, FLATTENED.replace(old, new))
    assert main(["info", str(DESIGN), "--flattening"]) == 1
    assert f"  {path}" in capsys.readouterr().out


def test_what_the_front_end_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> str:
        raise TypeError("\n  DRAM needs a depth\nand more")

    answer(monkeypatch, "")
    monkeypatch.setattr(front_end, "_flattened", refuse)
    check = check_flattening([DESIGN])
    assert not check.agree and "TypeError: DRAM needs a depth" in check.summary()
    answer(monkeypatch, FLATTENED.replace("class: intmac", "class: nothing"))
    assert "exactly one compute component" in check_flattening([DESIGN]).refused


def test_without_a_front_end_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(front_end, "FRONT_ENDS", ("no_such_front_end",))
    assert main(["info", str(DESIGN), "--flattening"]) == 2
    assert "install pytimeloop" in capsys.readouterr().err


def test_what_counts_as_a_difference() -> None:
    def paths(mine: object, other: object) -> list[str]:
        return [difference.path for difference in compare(mine, other)]

    assert paths({"a": None, "b": "0.4"}, {"b": 0.4}) == []
    assert paths({"a": [{"name": "x", "v": 1}]}, {"a": [{"name": "x", "v": 2}]}) == ["a.x.v"]
    assert paths({"required_actions": ["r", "w"]}, {"required_actions": ["w", "r"]}) == []
    assert paths({"read_write": False}, {}) == [] and paths({"read_write": True}, {}) == ["read_write"]
    assert paths({"a": True}, {"a": 1.5}) == ["a"]
    assert str(FlatDifference("a.b", 1, 2)) == "a.b: ours 1, theirs 2"


@pytest.mark.skipif(not installed(), reason="neither pytimeloop nor timeloopfe can be imported")
@pytest.mark.parametrize("design", DESIGNS)
def test_every_machine_is_flattened_as_the_installed_front_end_does(design: str) -> None:
    check = check_flattening([ROOT / "arch" / design / "arch.yaml", LAYER])
    if design == "deep_hierarchy" and "power_gated_at" in check.refused:
        pytest.skip("this front end keeps the quotes of power_gated_at")
    assert check.agree, [check.summary(), *map(str, check.differences)]
