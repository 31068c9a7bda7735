"""What the GPU would run, on a machine without one: kernels as PTX, and what the assembler says of them."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .translation import compiler_options

CAPABILITY = (9, 0)
"""Of an H100 or H200."""

INSTRUCTION_BYTES = 16


@dataclass(frozen=True)
class Resources:
    """What one thread of a kernel takes.

    Attributes:
        registers: 32 bits each.
        stack: bytes of local memory.
        spilled: bytes of registers stored there.
        instructions: of the machine's own code, all in all.
    """

    registers: int
    stack: int
    spilled: int
    instructions: int


def ptx_of(kernel: Any, arguments: tuple[Any, ...], capability: tuple[int, int] = CAPABILITY) -> str:
    """PTX of a kernel for arguments of these types; needs the extra ``gpu``, but neither GPU nor driver."""
    compiler: Any = import_module("numba.cuda.compiler")
    dispatcher: Any = import_module("numba.cuda.dispatcher")
    nvvm: Any = import_module("numba.cuda.cudadrv.nvvm")
    types: Any = import_module("numba.core.types")
    typeof: Any = import_module("numba").typeof
    original = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        made = compiler.compile_cuda(
            kernel.py_func,
            types.void,
            tuple(typeof(argument) for argument in arguments),
            nvvm_options=compiler_options({"fastmath": False, "opt": 3}),
            cc=capability,
        )
    finally:
        dispatcher.get_current_device = original
    library, name = made.library, made.fndesc.llvm_func_name
    entry = library.get_function(name)
    compiler.kernel_fixup(entry, False)
    nvvm.set_launch_bounds(entry, kernel.targetoptions.get("launch_bounds"))
    return str(library.get_asm_str(cc=capability))


def resources_of(ptx: str, capability: tuple[int, int] = CAPABILITY) -> Resources | None:
    """What ptxas says of the only kernel of a PTX text; ``None`` where there is none, or one too old for the text."""
    program = find_ptxas()
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        command = [
            program,
            "-v",
            f"-arch=sm_{capability[0]}{capability[1]}",
            str(source),
            "-o",
            f"{source}.cubin",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "Unsupported .version" in done.stderr:
            return None
        done.check_returncode()
        code = _code_bytes(Path(f"{source}.cubin").read_bytes())
    text = done.stderr + done.stdout
    # Functions that are called, not merged, come first; the kernel is the last one.
    stack, spills = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores", text)[-1]
    registers = int(re.findall(r"Used (\d+) registers", text)[-1])
    return Resources(registers, int(stack), int(spills), code // INSTRUCTION_BYTES)


def _code_bytes(elf: bytes) -> int:
    """Size of the code in an ELF file of 64 bits: its executable sections."""
    (table,), (size, count) = struct.unpack_from("<Q", elf, 40), struct.unpack_from("<HH", elf, 58)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + size * k) for k in range(count)]
    return sum(length for _, _, flags, _, _, length in headers if flags & 4)


def find_ptxas() -> str | None:
    """The assembler of the package nvidia-cuda-nvcc, or one on the path."""
    for folder in sys.path:
        found = sorted(Path(folder).glob("nvidia/*/bin/ptxas")) if folder else []
        if found:
            return str(found[0])
    return shutil.which("ptxas")
