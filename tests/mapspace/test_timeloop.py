"""Timeloop's mapspace: sizes, ids, digits, decoding, filters, shares of threads."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import conv, gemm, level, spec, three_level

from timeloop_marl.errors import SpecError, UsageError
from timeloop_marl.mapspace.membership import violations
from timeloop_marl.mapspace.timeloop import MapspaceIds, TimeloopMapspace
from timeloop_marl.specs.constraints import LoopConstraint
from timeloop_marl.specs.spec import Spec


def constrained() -> Spec:
    loops = {
        (0, False): LoopConstraint(fixed={0: 1}, prefix=(2,)),
        (1, True): LoopConstraint(maximum={0: 2}, prefix=(1,), split=1),
        (2, False): LoopConstraint(prefix=(0,), suffix=(1,)),
    }
    bypass = (("X", "0", "1"), ("1", "X", "1"), ("X", "X", "1"))
    machine = three_level(gemm(4, 2, 6), loops)
    return replace(machine, constraints=replace(machine.constraints, bypass=bypass))


def ruby() -> Spec:
    machine = three_level(gemm(5, 2, 3), {(1, True): LoopConstraint(remainders=4)})
    return replace(machine, mapper=replace(machine.mapper, template="ruby"))


def imperfect() -> Spec:
    return three_level(conv(4, 6, 3, 5, 2), {(1, True): LoopConstraint(fixed={3: 2})})


SPECS = {
    "free": three_level(gemm(4, 2, 6)),
    "constrained": constrained(),
    "ruby": ruby(),
    "imperfect": imperfect(),
}


@pytest.fixture(scope="module", params=SPECS)
def space(request: pytest.FixtureRequest) -> TimeloopMapspace:
    return TimeloopMapspace(SPECS[request.param])


def test_sizes_of_the_documented_machine() -> None:
    machine = spec(gemm(4, 2, 6), (level("RF", 20, 4), level("BUF", 60), level("DRAM", None)), (4, 1))
    assert TimeloopMapspace(machine).sizes == MapspaceIds(640, 36, 4, 64)


def test_sizes_are_exact_beyond_64_bits() -> None:
    storage = [level(f"L{s}", 100, 2 ** (7 - s)) for s in range(8)] + [level("DRAM", None)]
    space = TimeloopMapspace(spec(conv(64, 64, 3, 56), storage, (256, 1)))
    assert space.size > 2**64
    assert space.sizes.loop_permutation == math.factorial(4) ** 9
    last = MapspaceIds(*(size - 1 for size in vars(space.sizes).values()))
    assert space.ids(space.candidate(last)) == last


def test_ids_and_digits_are_inverse(space: TimeloopMapspace) -> None:
    rows = space.sample(np.random.default_rng(1), 200)
    for row in rows:
        assert np.array_equal(space.candidate(space.ids(row)), row)


def test_pruned_ids_and_digits_are_inverse(space: TimeloopMapspace) -> None:
    generator = np.random.default_rng(2)
    for row in space.sample(generator, 100):
        row[0] = 1
        row[1 + space.dims :] = generator.integers(0, space.digit_radices(row)[1 + space.dims :])
        assert np.array_equal(space.candidate(space.ids(row), pruned=True), row)


def test_dimension_0_and_level_0_are_least_significant() -> None:
    space = TimeloopMapspace(SPECS["free"])
    assert space.candidate(MapspaceIds(1, 1, 1, 1))[1] == 1
    orders = 1 + space.dims
    first_free = next(t for t, pattern in enumerate(space.patterns) if pattern.size > 1)
    assert space.candidate(MapspaceIds(0, 1, 0, 0))[orders + first_free] == 1


def test_ids_out_of_range_are_refused(space: TimeloopMapspace) -> None:
    with pytest.raises(UsageError, match="not below the size"):
        space.candidate(MapspaceIds(space.sizes.index_factorization, 0, 0, 0))
    with pytest.raises(UsageError, match="shape"):
        space.decode(np.zeros((2, 3), np.int64))


def test_orders_are_lexicographic() -> None:
    space = TimeloopMapspace(SPECS["free"])
    column = 1 + space.dims + len(space.tiling_levels) - 1
    rows = np.zeros((6, space.axes), np.int64)
    rows[:, column] = range(6)
    orders = [tuple(map(int, order)) for order in space.decode(rows).order[:, -1]]
    assert orders == list(permutations(range(3)))


def test_bypass_bits_are_data_space_major() -> None:
    space = TimeloopMapspace(SPECS["free"])
    rows = np.zeros((2, space.axes), np.int64)
    rows[1, -1] = 0b000110
    nothing, some = space.decode(rows).keep
    assert not nothing[:-1].any() and nothing[-1].all()
    assert [tuple(map(bool, level)) for level in some[:-1]] == [(False, True, False), (True, False, False)]


def test_every_decoded_mapping_covers_the_problem_and_obeys_the_constraints(space: TimeloopMapspace) -> None:
    rows = space.sample(np.random.default_rng(3), 300)
    batch = space.decode(rows)
    buildable = space.construction_failures(batch) < 0
    assert buildable.any()
    for i in range(len(rows)):
        rules = {violation.rule.name for violation in violations(batch[i], space.spec)}
        assert rules <= ({"KEPT_NOWHERE"} if buildable[i] else {"KEPT_NOWHERE", "FANOUT"})


@given(st.integers(1, 9), st.integers(0, 8))
def test_shares_of_threads_partition_the_factorisations(threads: int, thread: int) -> None:
    space = TimeloopMapspace(SPECS["free"])
    total = space.sizes.index_factorization
    assert sum(space.share(t, threads) for t in range(threads)) == total
    if thread < threads:
        assert space.share(thread, threads) == len(range(thread, total, threads))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(SPECS)), st.integers(0, 2**32))
def test_capacity_filter_equals_a_direct_count(name: str, seed: int) -> None:
    space = TimeloopMapspace(SPECS[name])
    batch = space.decode(space.sample(np.random.default_rng(seed), 20))
    for i, failure in enumerate(space.capacity_failures(batch)):
        assert failure == _first_overflow(space, batch[i])


def _first_overflow(space: TimeloopMapspace, mapping: object) -> int:
    from timeloop_marl.specs.mapping import Mapping

    assert isinstance(mapping, Mapping)
    storage = space.architecture.storage
    if not all(any(row[p] for row in mapping.keep) for p in range(len(mapping.keep[0]))):
        return len(storage)
    for s, machine in enumerate(storage):
        inside = [1] * space.dims
        for tile, loops in zip(space.tiling_levels, mapping.loops):
            if tile.storage <= s:
                inside = [a * b for a, b in zip(inside, loops.factors)]
        words = 0
        for p, data in enumerate(space.problem.data_spaces):
            extents = [1 + sum(abs(t.coefficient) * (inside[t.dim] - 1) for t in rank) for rank in data.ranks]
            words += math.prod(extents) if mapping.keep[s][p] else 0
        if machine.size is not None and words > machine.size:
            return s
    return -1


def test_ruby_refuses_suffixes() -> None:
    machine = three_level(gemm(4, 2, 6), {(2, False): LoopConstraint(prefix=(0,), suffix=(1,))})
    with pytest.raises(SpecError, match="suffix"):
        TimeloopMapspace(machine, "ruby")


def test_sizes_serialise() -> None:
    assert json.loads(json.dumps(vars(TimeloopMapspace(SPECS["free"]).sizes)))["loop_permutation"] == 216
