"""Results on the terminal."""

from __future__ import annotations

from golden_cases import CASES
from rich.console import Console

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.report.maps import read_map_text
from timeloop_marl.report.terminal import result_view


def shown(name, width):
    case = next(case for case in CASES if case.name == name)
    spec = case.spec()
    mapping = read_map_text(case.output("map.txt"), spec)
    statistics = NativeEvaluator(spec, compiled=False).statistics(mapping)
    console = Console(width=width, record=True, file=None, force_terminal=False, quiet=False)
    with console.capture() as capture:
        console.print(result_view(spec, mapping, statistics))
    return capture.get(), case.output("map.txt")


def test_figures_energy_and_nest():
    text, nest = shown("model_deep_hierarchy_resnext", 110)
    for figure in ("338,698", "419.2 µJ", "29.008", "33.3% (64 of 128 units)", "14,450,688"):
        assert figure in text
    for name in ("HBM", "L3", "networks", "mac"):
        assert any(line.startswith(name) and "%" in line for line in text.splitlines())
    stripped = [line.rstrip() for line in text.splitlines()]
    assert "\n".join(line.rstrip() for line in nest.splitlines()) in "\n".join(stripped)


def test_a_narrow_terminal_does_not_break_it():
    text, _ = shown("model_simba_like_mttkrp", 40)
    assert "7,680" in text
