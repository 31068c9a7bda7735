"""The rules of 2022/23 (Timeloop cost model, section 19) on examples worked out by hand, beside those of today."""

from __future__ import annotations

import pytest
from test_worked_examples import EXAMPLES, evaluate, parse

from timeloop_marl.specs.spec import ModelOptions

OLD = ModelOptions(rules="2022")

# K, which the input does not depend on, iterates inside P: is the halo between neighbouring P tiles kept?
HALO = """
problem: R=3, P=8, C=1, K=2; compute mesh 1x1

| level | mesh X·Y | spatial X / Y | temporal | options |
|---|---|---|---|---|
| BUF | 1·1 | – / – | R3 P2 |  |
| DRAM | 1·1 | – / – | K2 P4 |  |
"""


def tensor(result, level, space):
    return result.levels[level].tensors[space]


def test_fills_of_first_writes_are_not_elided():
    _, today = evaluate(EXAMPLES["E1"])
    _, old = evaluate(EXAMPLES["E1"], options=OLD)
    assert (tensor(today, 0, 2).fills, tensor(old, 0, 2).fills) == (0, 8)
    # Reads keep the elision, so 8 fills of 2 pJ are the whole difference.
    assert tensor(today, 0, 2).reads == tensor(old, 0, 2).reads == 16
    assert old.energy_pj == today.energy_pj + 16
    assert old.cycles == today.cycles


def test_fills_of_spilled_sums():
    _, old = evaluate(EXAMPLES["E2"], options=OLD)
    assert (tensor(old, 0, 2).reads, tensor(old, 0, 2).fills) == (16, 24)


def test_top_level_is_as_before():
    _, old = evaluate(EXAMPLES["E2"], options=OLD)
    z = tensor(old, 1, 2)
    assert (z.reads, z.fills, z.updates) == (16, 0, 24)


def test_a_box_that_did_not_move_is_fetched_again():
    """E5: when P advances while R jumps back, the motions 1 and -1 cancel; 1 + 8 + 3 fetches instead of 1 + 8."""
    _, today = evaluate(EXAMPLES["E5"])
    _, old = evaluate(EXAMPLES["E5"], options=OLD)
    assert (tensor(today, 0, 1).fills, tensor(old, 0, 1).fills) == (9, 12)


def test_halo_is_kept_only_if_the_innermost_loop_moves_the_box():
    """Tiles of 4 inputs, 2 of them new: 4 + 3 * 2 today, 4 + 3 * 4 in 2022."""
    example = parse("halo", HALO)
    _, today = evaluate(example)
    _, old = evaluate(example, options=OLD)
    assert (tensor(today, 0, 1).fills, tensor(old, 0, 1).fills) == (10, 16)
    assert (tensor(today, 1, 1).reads, tensor(old, 1, 1).reads) == (10, 16)


@pytest.mark.parametrize(("name", "fills"), [("E3", 10), ("E4a", 10), ("E4b", 16), ("E6", 17)])
def test_sliding_windows_of_the_innermost_loop_are_as_today(name, fills):
    _, old = evaluate(EXAMPLES[name], options=OLD)
    assert tensor(old, 0, 1).fills == fills
