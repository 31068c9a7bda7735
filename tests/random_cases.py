"""Random machines, problems and mappings for comparing the closed form, the walk and its plain reference."""

from __future__ import annotations

import math

import numpy as np

from timeloop_marl.specs.architecture import Architecture, ComputeLevel, NetworkAttributes, StorageLevel
from timeloop_marl.specs.constraints import Switches
from timeloop_marl.specs.energy import Energies, LevelEnergy
from timeloop_marl.specs.mapping import Mapping, TilingLoops
from timeloop_marl.specs.problem import DataSpace, Problem, Term
from timeloop_marl.specs.spec import ModelOptions, Spec


def random_problem(rng, negative=False) -> Problem:
    """A matrix product, a convolution of one or two axes, or projections with sums of any dims."""
    kind = rng.integers(4)
    one = lambda d, c=1: (Term(d, c),)  # noqa: E731
    if kind == 0:
        dims = ("M", "N", "K")
        spaces = ((one(0), one(2)), (one(2), one(1)), (one(0), one(1)))
    elif kind == 1:
        dims = ("R", "P", "C", "K")
        a, b = rng.integers(1, 4, 2)
        spaces = ((one(3), one(2), one(0)), (one(2), (Term(0, int(a)), Term(1, int(b)))), (one(3), one(1)))
    elif kind == 2:
        dims = ("R", "S", "P", "Q", "C", "K", "N")
        a, b = (int(x) for x in rng.integers(1, 4, 2))
        inputs = (one(6), one(4), (Term(0, b), Term(2, a)), (Term(1, b), Term(3, a)))
        spaces = ((one(5), one(4), one(0), one(1)), inputs, (one(6), one(5), one(2), one(3)))
    else:
        dims = ("A", "B", "C", "D")
        low = -2 if negative else 1
        spaces = tuple(
            tuple(
                tuple(
                    Term(int(d), int(rng.choice([c for c in range(low, 4) if c])))
                    for d in rng.choice(4, rng.integers(1, 4), replace=False)
                )
                for _ in range(rng.integers(1, 3))
            )
            for _ in range(3)
        )
    bounds = tuple(int(b) for b in rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 12], len(dims)))
    return Problem(
        "random",
        dims,
        bounds,
        tuple(DataSpace(f"T{p}", ranks, p == 2) for p, ranks in enumerate(spaces)),
    )


def random_architecture(rng, sizes=False, distribution=False) -> Architecture:
    """Two to four levels with one or two meshes somewhere between them."""
    levels = int(rng.integers(2, 5))
    mesh_x = mesh_y = 1
    storage = []
    for s in range(levels):
        if s and rng.random() < 0.5:
            mesh_x *= int(rng.choice([1, 2, 3, 4, 5, 8]))
            mesh_y *= int(rng.choice([1, 1, 2, 3]))
        storage.append(random_level(rng, s, levels, mesh_x, mesh_y, sizes, distribution))
    if rng.random() < 0.5:
        mesh_x *= int(rng.choice([1, 2, 3, 4]))
        mesh_y *= int(rng.choice([1, 2, 3]))
    compute = ComputeLevel("mac", "intmac", mesh_x * mesh_y, mesh_x, mesh_y)
    return Architecture(tuple(reversed(storage)), compute)


def random_level(rng, s, levels, mesh_x, mesh_y, sizes, distribution) -> StorageLevel:
    some = lambda chance, value: value if rng.random() < chance else None  # noqa: E731
    top = s == 0
    instances = mesh_x * mesh_y
    return StorageLevel(
        name="DRAM" if top else f"L{levels - 1 - s}",
        class_name="DRAM" if top else "SRAM",
        technology="DRAM" if top else "SRAM",
        instances=instances,
        mesh_x=mesh_x,
        mesh_y=mesh_y,
        word_bits=8,
        block_size=int(rng.choice([1, 1, 2, 4])),
        cluster_size=1 if top else int(rng.choice([c for c in (1, 2, 3) if instances % c == 0])),
        size=None if top else int(rng.integers(4, 400)) if sizes else 10**8,
        min_utilization=float(rng.choice([0, 0.1])) if sizes else 0.0,
        multiple_buffering=float(rng.choice([1, 1, 2, 1.5])),
        read_bandwidth=some(0.3, float(rng.choice([0.25, 0.7, 1.5, 3]))),
        write_bandwidth=some(0.3, float(rng.choice([0.25, 0.7, 1.5, 3]))),
        shared_bandwidth=some(0.3, float(rng.choice([0.3, 1.1, 4]))),
        addr_gen_energy=some(0.3, 0.31),
        reduction_supported=some(0.3, bool(rng.random() < 0.5)),
        network=NetworkAttributes(
            network_type="M:N" if distribution and rng.random() < 0.5 else "",
            energy_per_hop=some(0.5, float(rng.choice([0.37, 1.3]))),
            router_energy=some(0.3, 0.9),
            energy_per_ingress=some(0.3, 0.25),
        ),
    )


def random_energies(rng, architecture) -> Energies:
    def pick():
        return float(rng.choice([0.7, 0.9, 1.1, 1.7, 2.3, 2.9, 3.1]))

    return Energies(
        tuple(
            LevelEnergy(pick(), pick(), pick(), leak=float(rng.choice([0, 0.013])))
            for _ in architecture.storage
        ),
        compute=0.63,
    )


def random_spec(rng, *, negative=False, sizes=False, distribution=False, options=None) -> Spec:
    architecture = random_architecture(rng, sizes, distribution)
    return Spec(
        random_problem(rng, negative),
        architecture,
        random_energies(rng, architecture),
        options=options or ModelOptions(),
    )


def random_mapping(rng, spec: Spec, imperfect=False, overflow=False) -> Mapping:
    """Factors within each level's own fan-out (unless ``overflow``), any order, any bypass that keeps all somewhere."""
    problem, architecture = spec.problem, spec.architecture
    tiling, dims = architecture.tiling_levels, len(problem.dims)
    factors = np.ones((len(tiling), dims), np.int64)
    residuals = np.ones((len(tiling), dims), np.int64)
    room = {}
    split, order = [], []
    for t, level in enumerate(tiling):
        order.append(tuple(int(d) for d in rng.permutation(dims)))
        split.append(int(rng.integers(dims + 1)) if level.spatial else 0)
        if level.spatial:
            room[t] = [architecture.fanout_x(level.storage), architecture.fanout_y(level.storage)]
    for d in rng.permutation(dims):
        _split_dim(
            rng,
            problem.bounds[d],
            int(d),
            tiling,
            factors,
            residuals,
            room,
            split,
            order,
            imperfect,
            overflow,
        )
    loops = tuple(
        TilingLoops(
            tuple(int(x) for x in factors[t]), tuple(int(x) for x in residuals[t]), order[t], split[t]
        )
        for t in range(len(tiling))
    )
    return Mapping(loops, random_keep(rng, spec))


def _split_dim(rng, bound, d, tiling, factors, residuals, room, split, order, imperfect, overflow):
    """Choose (N, R) of every level from the inside; what is left of the bound goes to the outermost."""
    left = bound  # tiles still to be covered at this level
    for t in range(len(tiling)):
        if t == len(tiling) - 1:
            factors[t, d] = residuals[t, d] = left
            break
        if rng.random() < 0.45 or left == 1:
            continue
        if imperfect and rng.random() < 0.5:
            n = int(rng.integers(2, left + 1))
        else:
            n = int(rng.choice([x for x in range(1, left + 1) if left % x == 0]))
        outer = -(-left // n)
        r = left - (outer - 1) * n
        if tiling[t].spatial:
            side = 0 if order[t].index(d) < split[t] else 1
            if r != n and outer == 1:
                continue  # an imperfect spatial loop needs an outer loop of its dim
            if n > room[t][side] and not overflow:
                continue
            room[t][side] //= n
        factors[t, d], residuals[t, d], left = n, r, outer


def random_keep(rng, spec) -> tuple[tuple[bool, ...], ...]:
    levels, spaces = len(spec.architecture.storage), len(spec.problem.data_spaces)
    keep = rng.random((levels, spaces)) < 0.7
    for p in range(spaces):
        if not keep[:, p].any():
            keep[rng.integers(levels), p] = True
    return tuple(tuple(bool(k) for k in row) for row in keep)


def random_switches(rng, spec, chance=0.15, no_coalesce=False) -> Switches:
    def pairs(able=True):
        return frozenset(
            (s, p)
            for s in range(len(spec.architecture.storage))
            for p in range(len(spec.problem.data_spaces))
            if able and rng.random() < chance
        )

    return Switches(pairs(), pairs(), pairs(no_coalesce), pairs(), pairs())


def operations(mapping: Mapping) -> int:
    """Product of all bounds."""
    return math.prod(math.prod(level.factors) for level in mapping.loops)
