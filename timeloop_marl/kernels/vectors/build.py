"""LLVM text to a function in memory; the machine code can be kept and loaded again."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import cast

from llvmlite import binding as llvm

OLDEST = 22
"""Oldest LLVM whose syntax the text is written in."""


def available() -> bool:
    """Whether the compiler at hand understands the text."""
    return bool(llvm.llvm_version_info[0] >= OLDEST)


def _machine() -> llvm.TargetMachine:
    """A new one each time: an engine takes possession of its own."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2, jit=True,
        reloc="pic", codemodel="jitdefault",
    )  # fmt: skip


def machine_name() -> str:
    """Compiler, processor and features that code is made for."""
    return f"{llvm.llvm_version_info} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


def compiled(text: str) -> bytes:
    """Machine code of a module for this processor."""
    module = llvm.parse_assembly(text)
    module.verify()
    machine = _machine()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)


class Code:
    """Functions of machine code, by name: ``i64 (pointer to an array of i64, i64)``."""

    def __init__(self, code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
        self._engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def function(self, name: str) -> Callable[[int, int], int]:
        """A function; the code must outlive it."""
        address = self._engine.get_function_address(name)
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
        return cast(Callable[[int, int], int], kind(address))
