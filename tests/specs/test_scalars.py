"""Scalars, lists and keys as Timeloop reads them."""

from __future__ import annotations

from typing import Any

import pytest

from timeloop_marl.errors import SpecError
from timeloop_marl.specs.document import Document, Node
from timeloop_marl.specs.scalars import Reading, nearest

VARIABLES = {"I": 3, "T": "7", "B": True, "S": "SRAM"}


def reading(value: Any) -> tuple[Reading, Node]:
    document = Document({"key": value, "variables": VARIABLES})
    return Reading(document), document.root().child("key")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), ("3", 3), (" -4 ", -4), ("I", 3), ("T", 7), (None, None), ([1], None), ({}, None)],
)
def test_integers(value: Any, expected: int | None) -> None:
    state, node = reading(value)
    assert state.integer(node) == expected


@pytest.mark.parametrize("value", [2.5, 2.0, "2.5", True, "B", "unknown", "1e3", "0x10", ""])
def test_not_integers(value: Any) -> None:
    state, node = reading(value)
    with pytest.raises(SpecError, match="not an integer"):
        state.integer(node)


def test_whole_floats_get_a_remedy() -> None:
    state, node = reading(128.0)
    with pytest.raises(SpecError, match="write 128"):
        state.integer(node)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0),
        (2.5, 2.5),
        ("2.5", 2.5),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("I", 0.0),
        ("fast", 0.0),
        (True, 0.0),
    ],
)
def test_numbers(value: Any, expected: float) -> None:
    state, node = reading(value)
    assert state.number(node) == expected
    assert bool(state.notices) == (expected == 0.0)


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), ("yes", True), ("Off", False), ("B", True), (None, None)]
)
def test_booleans(value: Any, expected: bool | None) -> None:
    state, node = reading(value)
    assert state.boolean(node) is expected


@pytest.mark.parametrize("value", [0, 1, 2.0, "maybe", "I"])
def test_not_booleans(value: Any) -> None:
    state, node = reading(value)
    with pytest.raises(SpecError, match="not a truth value"):
        state.boolean(node)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("x", "x"), (0.3, "0.3"), (True, "true"), ("S", "SRAM"), (None, None), ([1], None)],
)
def test_texts(value: Any, expected: str | None) -> None:
    state, node = reading(value)
    assert state.text(node) == expected


def test_a_list_where_a_scalar_is_wanted_is_said() -> None:
    state, node = reading([1])
    state.integer(node)
    state.integer(node)
    assert len(state.notices) == 1, "a notice is not repeated"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HStride", "Hstride"),
        ("read-bandwith", "read_bandwidth"),
        ("ReadBandwidth", "read_bandwidth"),
        ("frequency", None),
        ("x" * 200, None),
        ("Hstride", None),
    ],
)
def test_nearest(name: str, expected: str | None) -> None:
    assert nearest(name, ["Hstride", "read_bandwidth"], 0.85) == expected
