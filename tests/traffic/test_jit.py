from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import Float64, Int64
from numpy import ndarray

from timeloop_marl.cost.evaluate import evaluate, evaluate_batch
from timeloop_marl.kernels import numba_internals
from timeloop_marl.kernels.compiling import kernel, plain
from timeloop_marl.kernels.numba_internals import Dispatcher
from timeloop_marl.kernels.record import allocate, fill, record_type, rounded


def reachable(function, seen):
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        assert not isinstance(value, Dispatcher), name
        if getattr(value, "__code__", None) is not None and id(value) not in seen:
            seen.add(id(value))
            reachable(value, seen)


def test_plain_reaches_every_callee():
    seen: set[int] = set()
    reachable(plain(evaluate_batch), seen)
    assert len(seen) > 40


def test_plain_leaves_the_compiled_kernel_alone():
    plain(evaluate)
    assert isinstance(evaluate, Dispatcher)
    assert any(isinstance(value, Dispatcher) for value in evaluate.py_func.__globals__.values())


def product_and_sum(a: float, b: float, c: float) -> float:
    return a * b + c


def test_products_and_sums_are_rounded_separately(monkeypatch):
    """No fused multiply-add: with one rounding the result would not be 0."""
    # What comes from disk cannot be looked into.
    monkeypatch.setattr(numba_internals, "keep_on_disk", lambda *_: None)
    compiled = kernel(product_and_sum)
    a = 1.0 + 2.0**-30
    assert compiled(a, a, -(a * a)) == 0.0
    assembly = next(iter(compiled.inspect_asm().values()))
    assert "vfmadd" not in assembly


class Small:
    count: int
    flag: bool
    table: Int64[ndarray, "A B"]
    more: Float64[ndarray, "A+1"]


@kernel
def bump(record: Small) -> float:
    record.count += 1
    record.table[1, 2] = record.count
    return record.more[0]


def test_records_are_shared_with_kernels():
    record = allocate(Small, {"A": 2, "B": 3})
    fill(record, {"more": np.array([0.5]), "flag": True})
    assert bump(record) == 0.5
    assert record.count == 1
    assert record.table[1, 2] == 1
    assert record.flag


def test_record_names_must_not_shadow_numpy():
    class Bad:
        size: int

    Bad.__annotations__ = {"size": "int"}
    with pytest.raises(TypeError, match="attribute of that name"):
        record_type(Bad, {})


@pytest.mark.parametrize(("size", "least", "result"), [(3, 4, 4), (4, 4, 4), (5, 4, 8), (17, 4, 32)])
def test_sizes_are_rounded_up_to_classes(size, least, result):
    assert rounded(size, least) == result
