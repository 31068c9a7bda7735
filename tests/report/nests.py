"""Random machines, problems and mappings, imperfect factors included, as hypothesis strategies."""

from __future__ import annotations

from hypothesis import strategies as st

from timeloop_marl.specs.architecture import Architecture, ComputeLevel, StorageLevel
from timeloop_marl.specs.energy import Energies, LevelEnergy
from timeloop_marl.specs.mapping import Mapping, TilingLoops
from timeloop_marl.specs.problem import DataSpace, Problem, Term
from timeloop_marl.specs.spec import Spec

NAMES = ("RF", "inter_pe_spatial", "L-1", "glb 2", "DRAM")
SPACES = ("Weights", "A", "partial.sums")


@st.composite
def machines(draw) -> Architecture:
    meshes = [(1, 1)]
    for _ in range(draw(st.integers(1, 4))):
        x, y = draw(st.sampled_from([(1, 1), (3, 1), (2, 2), (1, 4)]))
        meshes.append((meshes[-1][0] * x, meshes[-1][1] * y))
    storage = [
        StorageLevel(NAMES[i], "SRAM", "SRAM", x * y, x, y, size=1000)
        for i, (x, y) in enumerate(meshes[:0:-1])
    ]
    x, y = meshes[-1]
    return Architecture(tuple(storage), ComputeLevel("mac", "intmac", x * y, x, y))


@st.composite
def loops_of(draw, count: int, levels: int, imperfect: bool) -> list[list[tuple[int, int]]]:
    """Bounds and residuals per level (inside-out) and dim; the outermost loop of each dim is perfect."""
    result = [[(1, 1)] * count for _ in range(levels)]
    for dim in range(count):
        started = False
        for level in reversed(range(levels)):
            bound = draw(st.integers(1, 4))
            residual = draw(st.integers(1, bound)) if imperfect and started else bound
            started = started or bound > 1
            result[level][dim] = (bound, residual)
    return result


@st.composite
def specs_and_mappings(draw, imperfect: bool = True) -> tuple[Spec, Mapping]:
    architecture = draw(machines())
    dims = ("M", "N", "K", "Q")[: draw(st.integers(1, 4))]
    tiling_levels = architecture.tiling_levels
    bounds = draw(loops_of(len(dims), len(tiling_levels), imperfect))
    levels = []
    for tiling, pairs in zip(tiling_levels, bounds, strict=True):
        order = tuple(draw(st.permutations(range(len(dims)))))
        split = draw(st.integers(0, len(dims))) if tiling.spatial else len(dims)
        levels.append(TilingLoops(tuple(n for n, _ in pairs), tuple(r for _, r in pairs), order, split))
    keep = tuple(tuple(draw(st.booleans()) for _ in SPACES) for _ in architecture.storage)
    covered = []
    for dim in range(len(dims)):
        last = 0
        for loops in reversed(levels):
            last = last * loops.factors[dim] + loops.residuals[dim] - 1
        covered.append(last + 1)
    spaces = tuple(
        DataSpace(name, tuple((Term(dim, 1),) for dim in range(len(dims)) if dim != i), i == 2)
        for i, name in enumerate(SPACES)
    )
    problem = Problem("random", dims, tuple(covered), spaces)
    energies = Energies(tuple(LevelEnergy(1.0, 1.0, 1.0) for _ in architecture.storage), 1.0)
    return Spec(problem, architecture, energies), Mapping(tuple(levels), keep)
