"""What a layer's task carries: the searcher put aside, small where it travels, and the same search in both forms."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

from shell import FC, TOY

import timeloop_marl as tm
from timeloop_marl.evaluators.choice import EvaluatorChoice
from timeloop_marl.networks.task import LayerTask, run_layer
from timeloop_marl.run.options import Settings

SPEC = tm.load([TOY, FC])


def begun(root: Path, packed: bool) -> LayerTask:
    """The task that goes on with a search of 96 samples."""
    folder = root / "layers" / "fc"
    folder.mkdir(parents=True)
    (root / ".run").write_text("turn")
    task = LayerTask(SPEC, Settings(), EvaluatorChoice(), folder, 96, turn="turn", packed=packed)
    done = run_layer(task)
    assert done.course.samples == 96 and done.state is not None
    return replace(task, samples=160, state=done.state)


def test_a_packed_searcher_is_smaller_and_goes_on_as_the_same(tmp_path: Path) -> None:
    plain, packed = begun(tmp_path / "plain", False), begun(tmp_path / "packed", True)
    assert 2 * len(pickle.dumps(packed)) < len(pickle.dumps(plain))
    one, other = run_layer(plain), run_layer(packed)
    assert one.course == other.course and one.course.samples == 160
    assert one.replayed == other.replayed == 0
