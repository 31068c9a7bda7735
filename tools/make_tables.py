"""Write the energy and area tables of the machines whose numbers come from published figures.

Run from anywhere: ``python tools/make_tables.py`` (re)writes ``ERT.yaml`` and ``ART.yaml`` of the four machines below;
``--check`` writes nothing and fails if a file differs. The other machines carry tables written by Accelergy.

Rules (every machine, 45 nm; no scaling to the chip's own node):

* SRAM: Horowitz, "Computing's Energy Problem", ISSCC 2014, figure 1.1.9, gives 10, 20 and 100 pJ per 64-bit access
  for 8 KiB, 32 KiB and 1 MiB, which is 10 pJ * sqrt(capacity / 8 KiB) within 14 %. A bank that is w bits wide is taken
  as w / 64 macros of 64 bits side by side, each with its share of the capacity. A write and an update cost as much as a
  read; leakage is not given there and is 0.
* Arithmetic: the same figure: 8-bit multiplication 0.2 pJ, 32-bit addition 0.1 pJ. A 16-bit multiplication is taken as
  four 8-bit ones, 0.8 pJ.
* Registers: what Accelergy (Aladdin plug-in) says for the class rf_array at 45 nm, as in ``arch/simba_like/ERT.yaml``.
* DRAM: what Accelergy says: LPDDR4 8 pJ a bit (``arch/simba_like/ERT.yaml``), DDR3 70 pJ a bit
  (``arch/gemmini_like/ERT.yaml``).
* Areas are unknown: 0.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KIB = 1024
MULTIPLY_8, MULTIPLY_16, ADD_32 = 0.2, 0.8, 0.1  # pJ
REGISTER_READ, REGISTER_WRITE = 0.0486738, 0.0372867  # pJ a word
DRAM_PJ_PER_BIT = {"LPDDR4": 8.0, "DDR3": 70.0}


@dataclass(frozen=True)
class Row:
    """One component: name with instances, the energies of its actions in pJ, and how they came about."""

    component: str
    actions: tuple[tuple[str, float], ...]
    derivation: str


def sram(component: str, bank_bytes: int, access_bits: int) -> Row:
    """An SRAM of which one access touches all ``access_bits`` of a row of one bank of ``bank_bytes``."""
    macros = access_bits / 64
    macro_kib = bank_bytes / macros / KIB
    energy = round(macros * 10.0 * math.sqrt(macro_kib / 8), 4)
    text = f"{access_bits} bits: {macros:g} macros of {macro_kib:g} KiB, each 10 pJ x sqrt({macro_kib:g}/8)"
    return Row(component, (("read", energy), ("write", energy), ("update", energy), ("leak", 0.0)), text)


def dram(component: str, kind: str, access_bits: int) -> Row:
    """A DRAM of ``kind``, ``access_bits`` an access."""
    energy = DRAM_PJ_PER_BIT[kind] * access_bits
    text = f"{kind}: {access_bits} bits x {DRAM_PJ_PER_BIT[kind]:g} pJ"
    return Row(component, (("read", energy), ("write", energy), ("update", energy), ("leak", 0.0)), text)


def registers(component: str) -> Row:
    """A register file of a few words."""
    actions = (("read", REGISTER_READ), ("write", REGISTER_WRITE), ("update", REGISTER_WRITE), ("leak", 0.0))
    return Row(component, actions, "Accelergy, class rf_array at 45 nm")


def multiplier_adder(component: str, multiply: float, bits: int) -> Row:
    """A multiplier of ``bits`` bits and a 32-bit adder."""
    text = f"{bits}-bit multiplication {multiply:g} pJ + 32-bit addition {ADD_32:g} pJ"
    return Row(component, (("compute", round(multiply + ADD_32, 4)), ("leak", 0.0)), text)


MACHINES: dict[str, tuple[Row, ...]] = {
    "nvdla_large_like": (
        dram("nvdla_top_level.DRAM[1..1]", "LPDDR4", 256),
        sram("nvdla_top_level.cbuf[1..1]", 32 * KIB, 512),
        sram("nvdla_top_level.cacc[1..1]", 34 * KIB, 1088),
        registers("nvdla_top_level.weight_reg[1..2048]"),
        multiplier_adder("nvdla_top_level.mac[1..2048]", MULTIPLY_8, 8),
    ),
    "nvdla_small_like": (
        dram("nvdla_top_level.DRAM[1..1]", "LPDDR4", 64),
        sram("nvdla_top_level.cbuf[1..1]", 4 * KIB, 64),
        sram("nvdla_top_level.cacc[1..1]", 17 * KIB // 2, 272),
        registers("nvdla_top_level.weight_reg[1..64]"),
        multiplier_adder("nvdla_top_level.mac[1..64]", MULTIPLY_8, 8),
    ),
    "tpu_v1_like": (
        dram("board_top_level.DRAM[1..1]", "DDR3", 64),
        sram("board_top_level.unified_buf[1..1]", 1536 * KIB, 2048),
        sram("board_top_level.accumulator[1..1]", 1024 * KIB, 8192),
        sram("board_top_level.weight_fifo[1..1]", 256 * KIB, 2048),
        registers("board_top_level.weight_reg[1..65536]"),
        multiplier_adder("board_top_level.mac[1..65536]", MULTIPLY_8, 8),
    ),
    "diannao_like": (
        dram("chip_top_level.DRAM[1..1]", "LPDDR4", 64),
        sram("chip_top_level.nb_in[1..1]", 2 * KIB, 256),
        sram("chip_top_level.nb_out[1..1]", 2 * KIB, 256),
        sram("chip_top_level.sb[1..1]", 32 * KIB, 4096),
        multiplier_adder("chip_top_level.mac[1..256]", MULTIPLY_16, 16),
    ),
}


def energy_table(rows: tuple[Row, ...]) -> str:
    """The text of ERT.yaml."""
    lines = [
        "# Energies per access (pJ, 45 nm) from published figures; rules and sources are in tools/make_tables.py.",
        "ERT:",
        "  version: '0.4'",
        "  tables:",
    ]
    for row in rows:
        lines += [f"  - name: {row.component}  # {row.derivation}", "    actions:"]
        lines += [f"    - {{name: {name}, energy: {energy}}}" for name, energy in row.actions]
    return "\n".join(lines) + "\n"


def area_table(rows: tuple[Row, ...]) -> str:
    """The text of ART.yaml."""
    lines = [
        "# Areas in um^2: no published figures for the parts, so 0. Written by tools/make_tables.py.",
        "ART:",
        "  version: '0.4'",
        "  tables:",
    ]
    lines += [f"  - {{name: '{row.component}', area: 0.0}}" for row in rows]
    return "\n".join(lines) + "\n"


def files() -> dict[Path, str]:
    """Every file this script writes, path to text."""
    texts: dict[Path, str] = {}
    for machine, rows in MACHINES.items():
        folder = ROOT / "arch" / machine
        texts[folder / "ERT.yaml"] = energy_table(rows)
        texts[folder / "ART.yaml"] = area_table(rows)
    return texts


def main() -> int:
    """Write the files, or with ``--check`` compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    check = parser.parse_args().check
    stale = [path for path, text in files().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{'differs' if check else 'wrote'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(files()[path])
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
