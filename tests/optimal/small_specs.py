"""Random machines and problems whose whole mapspace can be enumerated in a second or less."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
from machines import conv, gemm, level, spec

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.specs.architecture import NetworkAttributes, StorageLevel
from timeloop_marl.specs.constraints import LoopConstraint, Switches
from timeloop_marl.specs.energy import Energies, LevelEnergy
from timeloop_marl.specs.problem import DataSpace, Problem, Term
from timeloop_marl.specs.spec import Spec

OBJECTIVES = ("edp", "edp", "energy", "delay", "last_level_accesses", "accesses-0")
CHUNK = 100_000


def random_case(seed: int) -> tuple[Spec, str]:
    """A Spec and an objective: bypass, constraints, bandwidths, multicast networks, reuse switches."""
    r = random.Random(seed)
    problem = _problem(r)
    levels = r.choice((2, 3, 3))
    fans = [r.choice(((1, 1), (2, 1), (2, 2), (1, 2), (4, 1))) for _ in range(levels)]
    if levels == 3:
        fans[r.randrange(3)] = (1, 1)
    fans[r.randrange(levels)] = (1, 1)
    storage, mesh = _storage(r, fans)
    bypass = tuple((*(r.choice("X1101") for _ in range(levels - 1)), "1") for _ in range(3))
    if r.random() < 0.3:
        bypass = tuple(("1",) * levels for _ in range(3))
    made = spec(problem, storage, mesh, _loops(r, fans, len(problem.dims)), bypass)
    energies = tuple(
        LevelEnergy(
            r.choice((0.1, 1, 3, 20)) * (1 + 2 * s),
            r.choice((1, 2, 5)),
            r.choice((1, 2, 4)),
            leak=r.choice((0, 0, 0.1)),
        )
        for s in range(levels)
    )
    rules = dataclasses.replace(made.constraints, switches=_switches(r, levels))
    made = dataclasses.replace(made, constraints=rules, energies=Energies(energies, 0.5))
    return made, r.choice(OBJECTIVES)


def _problem(r: random.Random) -> Problem:
    kind = r.choice(("gemm", "conv", "conv", "two", "depthwise"))
    if kind == "gemm":
        return gemm(r.choice((1, 2, 3, 4)), r.choice((2, 3, 4)), r.choice((2, 4, 6)))
    if kind == "conv":
        return conv(
            r.choice((1, 2)), r.choice((1, 2, 3)), r.choice((2, 3)), r.choice((2, 4, 6)), r.choice((1, 1, 2))
        )
    stride = r.choice((1, 2))
    if kind == "two":
        spaces = (
            DataSpace("W", ((Term(0, 1),), (Term(1, 1),)), False),
            DataSpace("I", ((Term(0, 1), Term(2, 1)), (Term(1, stride), Term(3, 1))), False),
            DataSpace("O", ((Term(2, 1),), (Term(3, 1),)), True),
        )
        bounds = (r.choice((2, 3)), r.choice((1, 2)), r.choice((2, 4)), r.choice((2, 3)))
        return Problem("two", ("R", "S", "P", "Q"), bounds, spaces)
    spaces = (
        DataSpace("W", ((Term(0, 1),), (Term(1, 1),)), False),
        DataSpace("I", ((Term(0, 1),), (Term(1, 1), Term(2, stride))), False),
        DataSpace("O", ((Term(0, 1),), (Term(2, 1),)), True),
    )
    return Problem("dw", ("C", "R", "P"), (r.choice((2, 4)), r.choice((2, 3)), r.choice((4, 6))), spaces)


def _storage(r: random.Random, fans: list[tuple[int, int]]) -> tuple[list[StorageLevel], tuple[int, int]]:
    """Levels inside-out, and the mesh of the compute units."""
    x = y = 1
    found = []
    for s in range(len(fans) - 1, -1, -1):
        outer = s == len(fans) - 1
        plain = level(
            f"L{s}",
            None if outer else r.choice((6, 10, 16, 24, 40)),
            x,
            y,
            min_utilization=0.0 if outer else r.choice((0, 0, 0, 0.1)),
        )
        network = NetworkAttributes(
            energy_per_hop=r.choice((None, None, 0.3)),
            router_energy=r.choice((None, None, None, 0.2)),
            energy_per_ingress=r.choice((None, None, 0.5)),
        )
        bandwidths = [r.choice((None, None, 0.5, 1.0, 2.0)) for _ in range(3)]
        found.append(
            dataclasses.replace(
                plain,
                read_bandwidth=bandwidths[0],
                write_bandwidth=bandwidths[1],
                shared_bandwidth=bandwidths[2],
                block_size=r.choice((1, 1, 2)),
                network=network,
                reduction_supported=r.choice((None, None, False, True)),
            )
        )
        x, y = x * fans[s][0], y * fans[s][1]
    return found[::-1], (x, y)


def _loops(
    r: random.Random, fans: list[tuple[int, int]], dims: int
) -> dict[tuple[int, bool], LoopConstraint]:
    rules = {}
    if r.random() < 0.4:
        at = r.randrange(len(fans))
        rules[at, False] = (
            LoopConstraint(maximum={r.randrange(dims): 2})
            if r.random() < 0.5
            else LoopConstraint(prefix=(r.randrange(dims),))
        )
    for s, fan in enumerate(fans):
        if fan != (1, 1) and r.random() < 0.4:
            prefix = r.choice((None, tuple(r.sample(range(dims), dims))))
            rules[s, True] = LoopConstraint(
                prefix=prefix, split=r.choice((None, 1, dims)) if prefix else None
            )
    return rules


def _switches(r: random.Random, levels: int) -> Switches:
    def pick() -> frozenset[tuple[int, int]]:
        return frozenset({(r.randrange(levels), r.randrange(3))}) if r.random() < 0.4 else frozenset()

    return Switches(pick(), pick(), frozenset(), pick(), pick()) if r.random() < 0.3 else Switches()


def enumerated(made: Spec, objective: str, most: int) -> float | None:
    """The lowest cost in the whole mapspace by plain enumeration of every row; none if it is too large."""
    space = LearnersMapspace(made)
    size = int(np.prod(space.cardinalities, dtype=object))
    if size > most:
        return None
    goal = parse_objective(objective, len(made.architecture.storage))
    evaluator = NativeEvaluator(made, accesses=goal.needs_accesses)
    best = np.inf
    for first in range(0, size, CHUNK):
        numbers = np.arange(first, min(first + CHUNK, size))
        rows = np.stack(np.unravel_index(numbers, tuple(space.cardinalities)), axis=1).astype(np.int64)
        rows = rows[space.feasible(rows)]
        if len(rows):
            best = min(best, float(goal.costs(evaluator(space.decode(rows))).min()))
    return best
