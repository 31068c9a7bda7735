"""Kernels run over vectors: every lane gets what the function gives for its numbers, whatever way it takes."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from timeloop_marl.kernels.vectors.build import Code, compiled
from timeloop_marl.kernels.vectors.emit import BOOL, FLOAT, INT, Emitter, Vec
from timeloop_marl.kernels.vectors.interpret import Interpreter, Lanes, NotStraightError

WIDTH = 8


def early(a, b):
    if a > b:
        return a - b
    for k in range(4):
        if a + k == b:
            return 100 + k
    return -1


def skipping(a, b):
    total = 0
    for k in range(6):
        if k == a:
            continue
        if k > b:
            break
        total += k if k != 2 else 10 * k
    return total


def nested(a, b):
    best = 0
    for k in range(3):
        for j in range(3):
            if k * j > a:
                break
            if (k + j == b and a != 3) or not j < 9:
                return 50 * k + j
            best = max(best, k * a - j)
    return best


def divided(a, b):
    return (a + 70) // (b + 1) * 1000 + (a + 70) % (b + 3) + abs(a - b) + int(float(a + 70) / (b + 1))


def bits(a, b):
    return (1 << a) * ((1 << (b + 1)) - 1) & 0b1110101


def table(a, b):
    cells = CELLS
    cells[0] = a
    cells[1] = 7
    cells[2] = b
    if a < b:
        cells[min(a, 2)] = 30
    else:
        cells[1] += b
    return cells[0] + 10 * cells[1] + 1000 * cells[2]


CELLS = [0, 0, 0]


def lanes_of(function, a, b):
    """Run a function of two counts over eight lanes."""
    emit = Emitter(WIDTH)
    kind = emit.type(INT)
    values = []
    for k in range(2):
        emit.lines.append(f"%at{k} = getelementptr i64, ptr %given, i64 {8 * k}")
        values.append(emit.raw(INT, f"load {kind}, ptr %at{k}, align 8"))
    scope = function.__globals__
    scope["CELLS"] = Lanes(INT)
    try:
        result = Interpreter(emit).run(function, *values)
    finally:
        scope["CELLS"] = [0, 0, 0]
    emit.lines.append("%out = getelementptr i64, ptr %given, i64 16")
    emit.lines.append(f"store {kind} {emit.text(result, INT)}, ptr %out, align 8")
    body = "\n".join(
        [*sorted(emit.declared), "define i64 @f(ptr %given, i64 %none) {", *emit.lines, "ret i64 0", "}"]
    )
    code = Code(compiled(body))
    memory = np.concatenate([a, b, np.zeros(WIDTH, np.int64)]).astype(np.int64)
    code.function("f")(ctypes.c_void_p(memory.ctypes.data), 0)
    return memory[2 * WIDTH :].tolist()


@pytest.mark.parametrize("function", [early, skipping, nested, divided, bits, table])
def test_lanes_take_their_own_ways(function) -> None:
    a, b = np.array([0, 1, 2, 3, 4, 5, 1, 0]), np.array([3, 1, 4, 0, 4, 2, 2, 0])
    assert lanes_of(function, a, b) == [function(int(x), int(y)) for x, y in zip(a, b)]


def test_tables_by_lane() -> None:
    """Truth values as the bits of one constant, numbers and doubles from memory."""
    emit = Emitter(WIDTH)
    emit.lines.append("%at = getelementptr i64, ptr %given, i64 0")
    index = emit.raw(INT, f"load {emit.type(INT)}, ptr %at, align 8")
    true = emit.convert(emit.bit_of(0b10110, index), INT)
    whole = emit.lookup([5, -7, 2**62, 0, 1, 9], INT, index)
    double = emit.convert(
        emit.arithmetic("*", emit.lookup([0.5, 1.5, 2.5, 3.5, 4.5, 5.5], FLOAT, index), 2.0), INT
    )
    for k, value in enumerate((true, whole, double)):
        emit.lines.append(f"%out{k} = getelementptr i64, ptr %given, i64 {8 * k + 8}")
        emit.lines.append(f"store {emit.type(INT)} {value.name}, ptr %out{k}, align 8")
    head = [*sorted(emit.declared), "define i64 @f(ptr %given, i64 %none) {"]
    code = Code(compiled("\n".join([*head, *emit.lines, "ret i64 0", "}"])))
    chosen = np.array([0, 1, 2, 3, 4, 5, 1, 2])
    memory = np.concatenate([chosen, np.zeros(3 * WIDTH, np.int64)]).astype(np.int64)
    code.function("f")(ctypes.c_void_p(memory.ctypes.data), 0)
    assert memory[8:16].tolist() == [0b10110 >> k & 1 for k in chosen]
    assert memory[16:24].tolist() == [[5, -7, 2**62, 0, 1, 9][k] for k in chosen]
    assert memory[24:].tolist() == [1 + 2 * k for k in chosen]


def test_what_is_known_is_folded() -> None:
    emit = Emitter(WIDTH)
    value, number = Vec(INT, "%a"), Vec(FLOAT, "%b")
    assert emit.arithmetic("+", value, 0) is value
    assert emit.arithmetic("*", value, 0) == 0
    assert emit.arithmetic("*", number, 1.0) is number
    assert emit.compare("==", value, value) is True
    assert emit.compare("<", float("inf"), number) is False
    assert emit.select(True, value, number) is value
    assert not emit.lines
    assert emit.arithmetic("+", value, 3) is emit.arithmetic("+", 3, value)
    assert emit.truth(emit.compare("<", value, 5)).kind == BOOL


def test_loops_that_lanes_run_differently_are_refused() -> None:
    def uneven(a, b):
        total = 0
        for k in range(a):
            total += k
        return total + b

    with pytest.raises(NotStraightError, match="differs between lanes"):
        lanes_of(uneven, np.arange(8), np.arange(8))
