"""Small hand-made Specs for tests that need no input files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeloop_marl.specs.architecture import Architecture, ComputeLevel, StorageLevel, TilingLevel
from timeloop_marl.specs.constraints import Constraints, LoopConstraint
from timeloop_marl.specs.energy import Energies, LevelEnergy
from timeloop_marl.specs.problem import DataSpace, Problem, Term
from timeloop_marl.specs.spec import Spec


def gemm(m: int, n: int, k: int) -> Problem:
    def ranks(*dims: int) -> tuple[tuple[Term, ...], ...]:
        return tuple((Term(d, 1),) for d in dims)

    spaces = (
        DataSpace("A", ranks(0, 2), False),
        DataSpace("B", ranks(2, 1), False),
        DataSpace("Z", ranks(0, 1), True),
    )
    return Problem("gemm", ("M", "N", "K"), (m, n, k), spaces)


def conv(c: int, m: int, r: int, p: int, stride: int = 1) -> Problem:
    spaces = (
        DataSpace("Weights", ((Term(0, 1),), (Term(1, 1),), (Term(2, 1),)), False),
        DataSpace("Inputs", ((Term(0, 1),), (Term(2, 1), Term(3, stride))), False),
        DataSpace("Outputs", ((Term(1, 1),), (Term(3, 1),)), True),
    )
    return Problem("conv1d", ("C", "M", "R", "P"), (c, m, r, p), spaces)


def level(name: str, size: int | None, x: int = 1, y: int = 1, min_utilization: float = 0.0) -> StorageLevel:
    return StorageLevel(
        name=name,
        class_name="DRAM" if size is None else "SRAM",
        technology="DRAM" if size is None else "SRAM",
        instances=x * y,
        mesh_x=x,
        mesh_y=y,
        size=size,
        min_utilization=min_utilization,
    )


def spec(
    problem: Problem,
    storage: Sequence[StorageLevel],
    compute: tuple[int, int] = (1, 1),
    loops: Mapping[tuple[int, bool], LoopConstraint] | None = None,
    bypass: tuple[tuple[str, ...], ...] = (),
    min_parallelism: float = 0.0,
) -> Spec:
    """``loops`` keys: (storage level, spatial)."""
    mac = ComputeLevel("mac", "mac", compute[0] * compute[1], compute[0], compute[1])
    return Spec(
        problem,
        Architecture(tuple(storage), mac),
        Energies(tuple(LevelEnergy(1.0, 2.0, 2.0) for _ in storage), 0.5),
        Constraints(
            {TilingLevel(*key): rule for key, rule in (loops or {}).items()},
            bypass,
            min_parallelism=min_parallelism,
        ),
    )


def three_level(problem: Problem, loops: Mapping[tuple[int, bool], LoopConstraint] | None = None) -> Spec:
    """RF of 20 words, 2 x 2 of them under a buffer of 60, DRAM."""
    storage = (level("RF", 20, 2, 2), level("BUF", 60), level("DRAM", None))
    return spec(problem, storage, (2, 2), loops)
