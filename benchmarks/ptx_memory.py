"""Global memory and launch parameters for ``ptx_machine``."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from ptx_machine import Machine


class Heap:
    """Global memory: arrays one after the other."""

    def __init__(self) -> None:
        self.memory = bytearray(256)
        self._arrays: list[tuple[int, np.ndarray]] = []

    def put(self, array: np.ndarray) -> int:
        """Copy an array there; its address. Every array has its memory order kept."""
        address = len(self.memory)
        self._arrays.append((address, array))
        data = array.tobytes(order="F" if array.ndim > 1 and array.flags.f_contiguous else "C")
        self.memory += data + bytes(-len(data) % 256)
        return address

    def fetch(self) -> None:
        """Copy all arrays back."""
        for address, array in self._arrays:
            data = np.frombuffer(bytes(self.memory[address : address + array.nbytes]), array.dtype)
            if array.dtype.names is None:
                array[...] = data.reshape(array.shape, order="F" if array.flags.f_contiguous else "C")


def parameters(machine: Machine, heap: Heap, arguments: Sequence[Any]) -> bytes:
    """Arguments as a launch lays them out: an array is seven words and more, a number one."""
    values: list[Any] = []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            address = heap.put(argument)
            values += [0, 0, argument.size, argument.itemsize, address, *argument.shape, *argument.strides]
        else:
            values.append(int(argument))
    text = bytearray(machine.parameter_bytes)
    for (place, form), value in zip(machine.parameters.values(), values, strict=True):
        struct.pack_into(form, text, place, value)
    return bytes(text)
