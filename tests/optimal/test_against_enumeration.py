"""The optimum by branch and bound equals that by enumerating every row of the mapspace."""

from __future__ import annotations

import numpy as np
import pytest
from small_specs import enumerated, random_case

from timeloop_marl.api.optimum import make_prover
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.errors import InfeasibleError
from timeloop_marl.optimal.frontier import Frontier, Node, Queue
from timeloop_marl.optimal.problem import SLACK
from timeloop_marl.optimal.proof import Prover
from timeloop_marl.specs.spec import Spec


def gone_through(made: Spec, objective: str) -> Frontier:
    """Every node, with nothing known at first."""
    prover = make_prover(made, parse_objective(objective, len(made.architecture.storage)))
    frontier = Frontier(Queue(prover.roots()))
    frontier.merge(())
    while not frontier.proven:
        frontier.merge([prover.do(node, frontier.cost) for node in frontier.take(4)])
    return frontier


def compare(seed: int, most: int) -> bool:
    """Whether the case could be compared; asserts that the two agree."""
    made, objective = random_case(seed)
    try:
        expected = enumerated(made, objective, most)
    except InfeasibleError:
        return False
    if expected is None:
        return False
    assert gone_through(made, objective).cost == expected, f"seed {seed}, {objective}"
    return True


@pytest.mark.parametrize("block", range(4))
def test_small_mapspaces(block: int) -> None:
    compared = sum(compare(seed, 60_000) for seed in range(40 * block, 40 * block + 40))
    assert compared >= 10


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_larger_mapspaces(block: int) -> None:
    compared = sum(compare(1000 + seed, 1_500_000) for seed in range(25 * block, 25 * block + 25))
    assert compared >= 8


def test_bounds_of_tasks_are_admissible() -> None:
    """No mapping of a task costs less than its bound, even if nothing else is known."""
    checked = 0
    for seed in range(12):
        made, objective = random_case(seed)
        prover = make_prover(made, parse_objective(objective, len(made.architecture.storage)))
        for root in prover.roots()[:4]:
            for quick in tasks_of(prover, root)[:6]:
                for node in prover.do(quick, np.inf).left:
                    assert node.bound >= quick.bound
                    assert cheapest_of(prover, node) >= node.bound * (1 - SLACK)
                    checked += 1
    assert checked > 50


def tasks_of(prover: Prover, root: Node) -> list[Node]:
    """The tasks of a choice of bypasses, whose own bound is the lowest of theirs."""
    tasks = prover.do(root, np.inf).left
    assert root.bound == pytest.approx(min(task.bound for task in tasks), rel=1e-12)
    return tasks


def cheapest_of(prover: Prover, node: Node) -> float:
    """The lowest cost in one node."""
    frontier = Frontier(Queue([node]))
    frontier.merge(())
    while not frontier.proven:
        frontier.merge([prover.do(part, frontier.cost) for part in frontier.take(4)])
    return frontier.cost
