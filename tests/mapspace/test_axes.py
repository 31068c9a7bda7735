"""The learners' view against independent checks: every draw obeys every limit, rows and loop nests correspond."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import conv, gemm, level, spec, three_level

from timeloop_marl.errors import InfeasibleError, MappingError, UsageError
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.mapspace.learners.tables import AxisKind
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.run.result import nest_key
from timeloop_marl.specs.architecture import TilingLevel
from timeloop_marl.specs.constraints import LoopConstraint
from timeloop_marl.specs.mapping import Mapping
from timeloop_marl.specs.spec import Spec


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def violations(s: Spec, mapping: Mapping) -> list[str]:
    """Everything a mapping breaks, written down once more from the specification, in plain Python."""
    found: list[str] = []
    levels, bounds = s.architecture.tiling_levels, s.problem.bounds
    extent = [1] * len(bounds)
    share = 1.0
    for loops, lv in zip(mapping.loops, levels):
        rule = s.constraints.loops.get(lv, LoopConstraint())
        where = (lv.storage, lv.spatial)
        present = [d for d in loops.order if loops.factors[d] > 1]
        for d, n in enumerate(loops.factors):
            extent[d] *= n
            if d in rule.fixed and n != rule.fixed[d] and bounds[d] % rule.fixed[d] == 0:
                found.append(f"{where} fixed {d}: {n}")
            if n > rule.maximum.get(d, n):
                found.append(f"{where} maximum {d}: {n}")
            if n < rule.minimum.get(d, n) and d not in rule.fixed:
                found.append(f"{where} minimum {d}: {n}")
        if rule.prefix is not None:
            wanted = [d for d in rule.prefix if d in present]
            suffix = [d for d in rule.suffix if d in present]
            if present[: len(wanted)] != wanted or (suffix and present[-len(suffix) :] != suffix):
                found.append(f"{where} permutation {loops.order}")
        if lv.spatial:
            fan_x, fan_y = s.architecture.fanout_x(lv.storage), s.architecture.fanout_y(lv.storage)
            x = math.prod(loops.factors[d] for d in loops.order[: loops.split])
            y = math.prod(loops.factors[d] for d in loops.order[loops.split :])
            if x > fan_x or y > fan_y:
                found.append(f"{where} mesh {x} x {y}")
            if rule.split is not None and loops.split != min(rule.split, len(bounds)):
                found.append(f"{where} split {loops.split}")
            share *= x * y / (fan_x * fan_y)
            continue
        size, used = s.architecture.storage[lv.storage].effective_size, 0
        for p, space in enumerate(s.problem.data_spaces):
            if mapping.keep[lv.storage][p]:
                used += math.prod(
                    1 + sum(abs(t.coefficient) * (extent[t.dim] - 1) for t in rank) for rank in space.ranks
                )
        if size is not None and used > size:
            found.append(f"{where} capacity {used}")
        if size is not None and used < size * s.architecture.storage[lv.storage].min_utilization:
            found.append(f"{where} utilization {used}")
    if share < s.constraints.min_parallelism:
        found.append(f"parallelism {share}")
    for p, text in enumerate(s.constraints.bypass):
        for k, letter in enumerate(text):
            if letter != "X" and mapping.keep[k][p] != (letter == "1"):
                found.append(f"bypass {k} {p}")
        if not any(mapping.keep[k][p] for k in range(len(text))):
            found.append(f"kept nowhere {p}")
    if not mapping.imperfect and tuple(extent) != bounds:
        found.append(f"product {extent}")
    return found


def check_space(s: Spec, n: int = 40) -> LearnersMapspace:
    space = LearnersMapspace(s)
    rows = space.sample(n, rng())
    assert space.feasible(rows).all()
    batch = space.decode(rows)
    for i in range(n):
        assert violations(s, batch[i]) == []
    again, ok = space.repair(rows, rng(5))
    assert ok.all()
    np.testing.assert_array_equal(again, rows)  # feasible rows are fixed points, whatever the order of repair
    for i in range(0, n, 7):
        np.testing.assert_array_equal(space.encode(batch[i]), rows[i])
    assert len({nest_key(batch[i]) for i in range(n)}) == len(set(space.keys(rows)))
    return space


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """Machines of two to four levels with random sizes, meshes and consistent random constraints."""
    if draw(st.booleans()):
        problem = gemm(*(draw(st.integers(1, 30)) for _ in range(3)))
    else:
        problem = conv(*(draw(st.integers(1, 12)) for _ in range(4)), stride=draw(st.integers(1, 3)))
    dims = len(problem.dims)
    count = draw(st.integers(1, 3))
    x, y = draw(st.sampled_from([(1, 1), (2, 1), (1, 3), (2, 2), (4, 3), (8, 8)]))
    sizes = sorted(draw(st.integers(3, 400)) for _ in range(count))
    meshes = [(x, y)] + [(1, 1)] * (count - 1) if draw(st.booleans()) else [(1, 1)] * count
    storage = [level(f"L{i}", sizes[i], *meshes[i]) for i in range(count)] + [level("DRAM", None)]
    compute = (meshes[0][0] * draw(st.sampled_from([1, 2, 4])), meshes[0][1])
    bare = spec(problem, storage, compute)
    loops = {}
    for lv in bare.architecture.tiling_levels[:-1]:
        if draw(st.booleans()):
            continue
        some = st.sets(st.integers(0, dims - 1), max_size=2)
        fixed = dict.fromkeys(draw(some), 1)
        maximum = {d: draw(st.integers(1, 6)) for d in draw(some) - fixed.keys()}
        order = draw(st.permutations(range(dims)))
        cut = sorted(draw(st.integers(0, dims)) for _ in range(2))
        use = draw(st.booleans())
        loops[lv.storage, lv.spatial] = LoopConstraint(
            fixed=fixed,
            maximum=maximum,
            prefix=tuple(order[: cut[0]]) if use else None,
            suffix=tuple(order[cut[1] :]) if use else (),
            split=draw(st.integers(0, dims + 1)) if lv.spatial and draw(st.booleans()) else None,
        )
    letters = [
        (*("X" if draw(st.booleans()) else "0" for _ in range(count)), "1") for _ in problem.data_spaces
    ]
    return spec(problem, storage, compute, loops, tuple(letters))


@settings(max_examples=150, deadline=None)
@given(specs())
def test_every_draw_obeys_every_constraint(s: Spec) -> None:
    check_space(s, 15)


@settings(max_examples=60, deadline=None)
@given(specs(), st.integers(0, 2**32))
def test_any_row_can_be_repaired_and_moved(s: Spec, seed: int) -> None:
    space = LearnersMapspace(s)
    generator = rng(seed)
    wild = generator.integers(0, space.cardinalities, (10, space.axes))
    rows, ok = space.repair(wild, generator)
    assert ok.all()
    moved = space.moved(rows, generator, np.full(10, 2))
    assert space.feasible(moved).all()
    literal = space.feasible(wild)
    batch, mended = space.decode(wild[literal]), space.decode(rows[literal])
    for i in range(len(batch)):
        assert nest_key(batch[i]) == nest_key(mended[i])  # feasible rows change in form only


def all_nests(s: Spec) -> set[tuple[object, ...]]:
    """Distinct feasible loop nests of a small gemm machine without constraints, by brute force."""
    found = set()
    levels = s.architecture.tiling_levels
    D, T = len(s.problem.dims), len(levels)
    per_dim = [
        [f for f in itertools.product(range(1, b + 1), repeat=T) if math.prod(f) == b]
        for b in s.problem.bounds
    ]
    from timeloop_marl.specs.mapping import TilingLoops

    keeps = list(itertools.product([True, False], repeat=len(s.problem.data_spaces) * (len(levels) - 2)))
    for chosen in itertools.product(*per_dim):
        choices = []
        for t, lv in enumerate(levels):
            factors = tuple(chosen[d][t] for d in range(D))
            orders = list(itertools.permutations(range(D))) if t > 0 and not lv.spatial else [tuple(range(D))]
            choices.append([TilingLoops(factors, factors, order, D) for order in orders])
        for loops in itertools.product(*choices):
            for bits in keeps:
                P = len(s.problem.data_spaces)
                keep = (*(bits[k * P : k * P + P] for k in range(len(bits) // P)), (True,) * P)
                mapping = Mapping(loops, keep)
                if not violations(s, mapping):
                    found.add(nest_key(mapping))
    return found


def test_the_view_holds_exactly_the_feasible_mapspace() -> None:
    """Random draws and moves reach every feasible loop nest of a small machine, and nothing else."""
    s = spec(gemm(4, 2, 3), [level("RF", 7), level("DRAM", None)], (2, 1))
    expected = all_nests(s)
    space = LearnersMapspace(s)
    rows = space.sample(40_000, rng())
    keys, first = np.unique(rows, axis=0, return_index=True)
    batch = space.decode(rows[first])
    assert {nest_key(batch[i]) for i in range(len(first))} == expected
    assert len(keys) == len(expected)


def test_neighbours_are_feasible_distinct_and_other() -> None:
    space = LearnersMapspace(three_level(gemm(16, 24, 40)))
    row = space.sample(1, rng())[0]
    near = space.neighbours(row, rng())
    assert len(near) > 20
    assert space.feasible(near).all()
    assert len(set(space.keys(near))) == len(near)
    assert not (near == row).all(axis=1).any()


def of_kinds(space: LearnersMapspace, *kinds: AxisKind) -> list[int]:
    """Columns of these kinds, one kind after the other."""
    return [a for kind in kinds for a, axis in enumerate(space.columns) if axis.kind is kind]


def test_masks_say_what_still_fits() -> None:
    s = three_level(gemm(16, 24, 40))
    space = LearnersMapspace(s)
    row = space.sample(1, rng(3))[0]
    for axis in of_kinds(space, AxisKind.FACTOR, AxisKind.BYPASS):
        allowed = space.mask(row[None], axis)[0]
        for value, ok in enumerate(allowed):
            other = row.copy()
            other[axis] = value
            assert ok == bool(space.feasible(other[None])[0])
        assert allowed[row[axis]]


def test_masked_choices_one_by_one_end_feasible() -> None:
    space = LearnersMapspace(three_level(gemm(16, 24, 40)))
    generator = rng(1)
    rows = np.full((50, space.axes), -1, np.int64)
    for axis in of_kinds(space, AxisKind.BYPASS, AxisKind.FACTOR, AxisKind.ORDER):
        allowed = space.mask(rows, axis)
        assert allowed.any(axis=1).all()
        rows[:, axis] = (allowed * generator.random(allowed.shape)).argmax(axis=1)
    assert space.feasible(rows).all()


def test_same_seed_same_rows_whatever_the_batch() -> None:
    space = LearnersMapspace(three_level(gemm(16, 24, 40)))
    np.testing.assert_array_equal(space.sample(30, rng(7)), space.sample(30, rng(7)))
    assert not np.array_equal(space.sample(30, rng(7)), space.sample(30, rng(8)))
    assert space.sample(3, rng(7)).tolist() == space.sample(30, rng(7))[:3].tolist()


def test_axes_describe_themselves() -> None:
    space = LearnersMapspace(three_level(gemm(16, 24, 40)))
    named = {axis.name: axis for axis in space.columns}
    assert len(named) == space.axes
    assert named["M:2"].labels == ("RF", "BUF.X", "BUF.Y", "BUF", "DRAM")
    assert named["BUF:rank(K)"].cardinality == 3
    assert named["RF:keep(Z)"].labels == ("bypass", "keep")
    assert len(space.groups(lambda axis: axis.kind)) == 3


CASES = {
    "split": {(1, True): LoopConstraint(prefix=(0,), split=1)},
    "all Y": {(1, True): LoopConstraint(prefix=(2, 1, 0), split=0)},
    "prefix and suffix": {(2, False): LoopConstraint(prefix=(1,), suffix=(0,))},
    "largest factors": {(0, False): LoopConstraint(maximum={0: 1, 1: 2, 2: 2})},
    "smallest factors": {
        (0, False): LoopConstraint(minimum={2: 3}),
        (2, False): LoopConstraint(minimum={1: 2}),
    },
    "smallest spatial": {(1, True): LoopConstraint(minimum={0: 2, 2: 2})},
    "fixed spatial, side open": {(1, True): LoopConstraint(fixed={0: 2, 1: 1})},
    "fixed with rest": {(1, True): LoopConstraint(fixed={2: 2}), (0, False): LoopConstraint(fixed={0: 2})},
}


@pytest.mark.parametrize("name", CASES)
def test_user_constraints(name: str) -> None:
    check_space(three_level(gemm(16, 24, 40), CASES[name]), 200)


def test_a_fixed_factor_counts_as_what_the_loops_inside_have_left_of_it() -> None:
    """M=3 on a mesh of 2 x 2: the innermost loop takes 3 of 6, so that a loop of 2 is what Timeloop makes of it."""
    rules = {(0, False): LoopConstraint(fixed={0: 3}), (1, True): LoopConstraint(fixed={0: 3})}
    cut = three_level(gemm(6, 4, 4), rules)
    space = LearnersMapspace(cut)
    batch = space.decode(space.sample(20, np.random.default_rng(0)))
    theirs = TimeloopMapspace(cut)
    reference = theirs.decode(theirs.sample(np.random.default_rng(0), 1))
    assert (batch.factors[:, :, 0] == reference.factors[0, :, 0]).all()
    assert reference.factors[0, :2, 0].tolist() == [3, 2]


def test_fixed_factors_that_do_not_divide_make_residual_loops_as_timeloop_does() -> None:
    # Bound 5 with a fixed factor 4 leaves ceil(5/4) = 2 for the other levels (mapspace section 1.1).
    s = spec(
        gemm(5, 2, 3),
        [level("RF", 20, 4, 1), level("BUF", 60), level("DRAM", None)],
        (4, 1),
        {(1, True): LoopConstraint(fixed={0: 4})},
    )
    space = check_space(s, 200)
    for loops in [m.loops for m in (space.decode(space.sample(200, rng()))[i] for i in range(200))]:
        walk = 0
        for lv in reversed(loops):
            walk = walk * lv.factors[0] + lv.residuals[0] - 1
        assert walk == 4


def test_parallelism_is_reached() -> None:
    s = three_level(gemm(16, 24, 40))
    for least in (0.5, 1.0):
        tight = spec(s.problem, s.architecture.storage, (2, 2), min_parallelism=least)
        check_space(tight, 200)


def test_smallest_buffer_use_is_reached() -> None:
    s = spec(
        gemm(16, 24, 40),
        [level("RF", 20, 2, 2, 0.5), level("BUF", 60, min_utilization=0.7), level("DRAM", None)],
        (2, 2),
    )
    check_space(s, 200)


def test_a_fixed_instance_count_below_the_mesh_limits_the_use() -> None:
    from dataclasses import replace

    s = three_level(gemm(16, 24, 40))
    few = replace(s.architecture.storage[0], instances=2)
    storage = (few, *s.architecture.storage[1:])
    space = LearnersMapspace(replace(s, architecture=replace(s.architecture, storage=storage)))
    factors = space.decode(space.sample(300, rng())).factors[:, 1].prod(axis=1)
    assert set(factors.tolist()) == {1, 2}


@pytest.mark.parametrize(
    ("loops", "message"),
    [
        ({(0, False): LoopConstraint(fixed={0: 4}, maximum={0: 2})}, "M=4 contradicts M<=2"),
        ({(0, False): LoopConstraint(minimum={0: 4}, maximum={0: 2})}, "M>=4 contradicts M<=2"),
        (
            {(1, True): LoopConstraint(fixed={0: 8})},
            r"do not fit the mesh(.|\n)*M8(.|\n)*at most 2 in X and 2 in Y",
        ),
        ({(1, True): LoopConstraint(fixed={0: 4})}, r"do not fit the mesh(.|\n)*M4"),
        ({(0, False): LoopConstraint(fixed={0: 4, 1: 4})}, r"24 words for A, B, Z(.|\n)*at most 20 words"),
        (
            {
                (0, False): LoopConstraint(fixed={0: 1}),
                (1, True): LoopConstraint(fixed={0: 1}),
                (1, False): LoopConstraint(fixed={0: 1}),
                (2, False): LoopConstraint(maximum={0: 8}),
            },
            r"no factorisation of M \(bound 16\)(.|\n)*M<=8",
        ),
    ],
)
def test_contradictions_are_diagnosed(loops: dict[tuple[int, bool], LoopConstraint], message: str) -> None:
    s = three_level(gemm(16, 24, 40), loops)
    kept = spec(s.problem, s.architecture.storage, (2, 2), loops, (("1", "1", "1"),) * 3)
    with pytest.raises(InfeasibleError, match=message):
        LearnersMapspace(kept)


def test_a_prime_with_no_level_is_diagnosed() -> None:
    loops = {(s, False): LoopConstraint(maximum={0: 6}) for s in range(3)}
    with pytest.raises(InfeasibleError, match="the factor 7 of M"):
        LearnersMapspace(three_level(gemm(7, 4, 4), loops))


def test_wrong_rows_are_refused_by_name() -> None:
    space = LearnersMapspace(three_level(gemm(16, 24, 40)))
    with pytest.raises(UsageError, match=rf"shape \(m, {space.axes}\).*got int64 of shape \(2, 3\)"):
        space.decode(np.zeros((2, 3), np.int64))
    row = space.sample(1, rng())
    row[0, 4] = 3
    with pytest.raises(UsageError, match=r"axis 4 \(N:3\) is 3, expected 0 .. 2"):
        space.repair(row, rng())


def test_mappings_outside_the_mapspace_are_refused() -> None:
    space = LearnersMapspace(three_level(gemm(16, 24, 40)))
    inside = space.decode(space.sample(1, rng()))[0]
    tight = LearnersMapspace(
        three_level(gemm(16, 24, 40), {(2, False): LoopConstraint(fixed={0: 1, 1: 1, 2: 1})})
    )
    with pytest.raises(MappingError):
        tight.encode(inside)
    with pytest.raises(MappingError, match="another architecture"):
        space.encode(Mapping(inside.loops[:-1], inside.keep))


def test_levels_of_the_tiling_are_what_the_architecture_says() -> None:
    s = three_level(gemm(2, 2, 2))
    assert s.architecture.tiling_levels == (
        TilingLevel(0, False),
        TilingLevel(1, True),
        TilingLevel(1, False),
        TilingLevel(2, False),
    )
