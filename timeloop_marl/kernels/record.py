"""Groups of arrays as one structured record, so that a kernel gets a pointer instead of hundreds of arguments.

A class that only declares annotations, such as ``loop_dim: Int64[ndarray, "L"]`` or ``latency: int``, describes a
record; axis names are resolved by a map of sizes. Sizes are rounded up to a few classes (``rounded``): the shapes are
part of the compiled type, and one compilation should serve practically every problem and machine.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Protocol, TypeVar, cast

import numpy as np
from numpy import ndarray

Kind = TypeVar("Kind")
Held = TypeVar("Held", covariant=True)

_SCALARS = {"int": np.int64, "float": np.float64, "bool": np.bool_}
_ARRAYS = {"Int64": np.int64, "Float64": np.float64, "Bool": np.uint8}  # numba has no nested arrays of bool
_ARRAY = re.compile(r"""(\w+)\[\s*ndarray,\s*["'](.*)["']\s*\]""")


class Box(Protocol[Held]):
    """An array of one record."""

    def __getitem__(self, index: int) -> Held: ...


def allocate(kind: type[Kind], sizes: Mapping[str, int]) -> Kind:
    """A record of zeros; axes are names in ``sizes``, numbers, or ``name+1``."""
    # np.zeros maps pages only when they are touched, so generous sizes cost nothing.
    return cast(Kind, np.zeros(1, record_type(kind, sizes))[0])


def boxed(record: Kind) -> Box[Kind]:
    """The array of one element in which a record lies: numba takes it 50 times quicker than the record itself."""
    box = cast(np.record, record).base
    assert isinstance(box, ndarray)
    return cast(Box[Kind], box)


def duplicate(record: Kind) -> Kind:
    """Another record with the same values."""
    return cast(Box[Kind], cast(ndarray, boxed(record)).copy())[0]


def fill(record: object, values: Mapping[str, object]) -> None:
    """Copy arrays and scalars into the leading parts of the fields of their names."""
    for name, value in values.items():
        if isinstance(value, ndarray):
            field = getattr(record, name)
            field[tuple(slice(size) for size in value.shape)] = value
        else:
            setattr(record, name, value)


def views(record: Kind) -> Kind:
    """The fields as attributes of a plain object: arrays share the record's memory, scalars are what they are now.

    For Python code that reads many fields: an attribute of a record costs microseconds.
    """
    names = cast(np.record, record).dtype.names or ()
    return cast(Kind, SimpleNamespace(**{name: getattr(record, name) for name in names}))


def record_type(kind: type, sizes: Mapping[str, int], unused: Collection[str] = ()) -> np.dtype[np.void]:
    """The structured type that a class declares; of ``unused`` arrays one element.

    Equal types are one object: numba would otherwise compare them field by field at every call.
    """
    return _record_type(kind, tuple(sorted(sizes.items())), frozenset(unused))


@cache
def _record_type(
    kind: type, sizes_of: tuple[tuple[str, int], ...], unused: frozenset[str]
) -> np.dtype[np.void]:
    sizes = dict(sizes_of)
    fields: list[tuple[str, type, tuple[int, ...]]] = []
    for name, annotation in kind.__annotations__.items():
        if hasattr(np.record, name):
            raise TypeError(f"{kind.__name__}.{name}: records of numpy have an attribute of that name")
        if annotation in _SCALARS:
            fields.append((name, _SCALARS[annotation], ()))
            continue
        match = _ARRAY.fullmatch(annotation)
        if match is None:
            raise TypeError(f"{kind.__name__}.{name}: no array annotation: {annotation}")
        shape = tuple(1 if name in unused else _size(axis, sizes) for axis in match[2].split())
        fields.append((name, _ARRAYS[match[1]], shape))
    return np.dtype((np.record, np.dtype(fields, align=True)))


def rounded(size: int, least: int) -> int:
    """``least``, doubled until it is at least ``size``."""
    while least < size:
        least *= 2
    return least


def _size(axis: str, sizes: Mapping[str, int]) -> int:
    name, _, more = axis.partition("+")
    return (int(name) if name.isdigit() else sizes[name]) + int(more or 0)
