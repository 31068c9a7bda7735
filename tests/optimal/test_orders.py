from __future__ import annotations

from itertools import permutations

import pytest
from machines import conv, gemm, three_level

from timeloop_marl.optimal.orders import OrderRule, classes, covers, representatives, tensors_of
from timeloop_marl.specs.problem import DataSpace, Problem, Term
from timeloop_marl.traffic.geometry import geometry_of

GEMM = tensors_of(geometry_of(three_level(gemm(4, 4, 4))))
CONV = tensors_of(geometry_of(three_level(conv(2, 3, 3, 4))))


def left_free(tensors: tuple, order: tuple[int, ...]) -> tuple[int, ...]:
    """Per data space the loops inside the first that moves it."""
    found = []
    for tensor in tensors:
        free = 0
        for d in order:
            if tensor.relevant >> d & 1:
                break
            free |= 1 << d
        found.append(free)
    return tuple(found)


def test_a_tensor_knows_its_dims() -> None:
    inputs = CONV[1]
    assert (inputs.relevant, inputs.alone, inputs.coupled) == (0b1101, 0b0001, True)
    space = DataSpace("X", ((Term(0, 1), Term(0, -1)), (Term(1, 2),)), False)
    machine = three_level(Problem("cancelled", ("A", "B"), (4, 4), (space,)))
    (cancelled,) = tensors_of(geometry_of(machine))
    assert (cancelled.relevant, cancelled.alone, cancelled.coupled) == (0b10, 0b10, False)


def test_gemm_has_one_class_for_each_data_space() -> None:
    # A[M,K] B[K,N] Z[M,N]: N inside leaves A free, M leaves B, K leaves Z.
    assert classes(GEMM, OrderRule(), 0b111) == ((0, 0, 0b100), (0, 0b001, 0), (0b010, 0, 0))


@pytest.mark.parametrize("tensors", [GEMM, CONV])
@pytest.mark.parametrize("rule", [OrderRule(), OrderRule((1,)), OrderRule((), (0,)), OrderRule((2, 0), (1,))])
def test_every_order_is_covered_by_a_class_and_every_class_is_an_order(tensors: tuple, rule: Rule) -> None:
    mask = 0b111
    allowed = [
        order
        for order in permutations(range(3))
        if order[: len(rule.prefix)] == rule.prefix and order[3 - len(rule.suffix) :] == rule.suffix
    ]
    frees = {left_free(tensors, order) for order in allowed}
    kinds = classes(tensors, rule, mask)
    assert all(any(covers(kind, free) for kind in kinds) for free in frees)
    assert set(kinds) <= frees


@pytest.mark.parametrize("exact", [False, True])
def test_representatives_have_all_effects(exact: bool) -> None:
    mask = 0b1111
    kept = representatives(CONV, OrderRule(), mask, exact, dominance=False)
    assert {free for free, _ in kept} == {left_free(CONV, order) for order in permutations(range(4))}
    assert all(left_free(CONV, order) == free and len(order) == 4 for free, order in kept)
    fewer = representatives(CONV, OrderRule(), mask, exact, dominance=True)
    assert {order for _, order in fewer} <= {order for _, order in kept}
    assert all(any(covers(best, free) for best, _ in fewer) for free, _ in kept)


def test_details_only_matter_before_a_loop_that_surely_brings_new_words() -> None:
    kept = [order for _, order in representatives(CONV, OrderRule(), 0b1111, True, dominance=False)]
    beginnings = [order[: order.index(0) + 1] for order in kept]  # C has a rank of the inputs to itself
    expected = {order[: order.index(0) + 1] for order in permutations(range(4))}
    assert set(beginnings) == expected
