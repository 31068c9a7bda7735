"""The table of runs in the mapspace specification, section 9: sizes, totals, valid mappings, end and best."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from .runs import run

MATMUL = """\
problem:
  shape:
    name: p
    dimensions: [M, N, K]
    data_spaces:
    - {{name: A, projection: [[[M]], [[K]]]}}
    - {{name: B, projection: [[[K]], [[N]]]}}
    - {{name: Z, projection: [[[M]], [[N]]], read_write: true}}
  instance: {{M: {0}, N: {1}, K: {2}}}
"""
CONV = """\
problem:
  shape:
    name: p
    dimensions: [R, P, C, K]
    data_spaces:
    - {name: W, projection: [[[K]], [[C]], [[R]]]}
    - {name: I, projection: [[[C]], [[R], [P]]]}
    - {name: O, projection: [[[K]], [[P]]], read_write: true}
  instance: {R: 3, P: 7, C: 1, K: 2}
"""


@dataclass(frozen=True)
class Row:
    """A row of the table. ``machine``: outer to inner ``name mesh attributes``, compute last."""

    problem: str
    machine: tuple[str, ...]
    constraints: tuple[str, ...]
    options: str
    sizes: tuple[int, int, int, int]
    total: int
    valid: int
    end: str
    best: tuple[str, int] | None
    template: str = "uber"


def gemm(m: int, n: int, k: int) -> str:
    return MATMUL.format(m, n, k)


def machine_text(levels: tuple[str, ...]) -> str:
    local, tables = [], []
    for text in levels:
        name, mesh, attributes = text.split(maxsplit=2)
        x, y = map(int, mesh.split("x"))
        kind = {"DRAM": "DRAM", "mac": "intmac"}.get(name, "SRAM")
        extra = "" if attributes == "-" else f", {attributes}"
        local.append(
            f"    - {{name: {name}, class: {kind}, attributes: "
            f"{{word_bits: 8, meshX: {x}, meshY: {y}, instances: {x * y}{extra}}}}}"
        )
        energies = {"compute": 0.5} if name == "mac" else {"read": 1.0, "write": 2.0, "update": 4.0}
        actions = ", ".join(f"{{name: {action}, energy: {value}}}" for action, value in energies.items())
        tables.append(f"  - {{name: sys.{name}, actions: [{actions}]}}")
    head = "architecture:\n  version: 0.3\n  subtree:\n  - name: sys\n    local:\n"
    return head + "\n".join(local) + "\nERT:\n  version: 0.3\n  tables:\n" + "\n".join(tables) + "\n"


def keep(**strings: str) -> tuple[str, ...]:
    """Bypass constraints from strings over the levels, innermost first (the top level apart)."""
    names = ("RF", "BUF")
    entries = []
    for space, text in strings.items():
        for level, flag in zip(names[: len(text) - 1], text):
            if flag != "X":
                entries.append(
                    f"{{target: {level}, type: bypass, {'keep' if flag == '1' else 'bypass'}: [{space}]}}"
                )
    return tuple(entries)


SMALL = ("DRAM 1x1 -", "RF 1x1 entries: 6", "mac 1x1 -")
THREE = ("DRAM 1x1 -", "BUF 1x1 entries: 60", "RF 4x1 entries: 20", "mac 4x1 -")
SQUARE = ("DRAM 1x1 -", "BUF 1x1 entries: 60", "RF 2x2 entries: 20", "mac 2x2 -")
TINY = ("DRAM 1x1 -", "BUF 1x1 entries: 2", "RF 1x1 entries: 2", "mac 1x1 -")
WIDE = ("DRAM 1x1 -", "BUF 1x1 entries: 200", "RF 4x1 entries: 60", "mac 4x1 -")
FOUR = ("DRAM 1x1 -", "RF 4x1 entries: 30", "mac 4x1 -")
SET = (
    "{target: RF, type: temporal, factors: M=1, permutation: K}",
    "{target: BUF, type: spatial, factors: M<=2}",
    "{target: DRAM, type: temporal, permutation: M_N}",
)
ALL_KEPT = keep(A="111", B="111", Z="111")
ALL_KEPT_RF = keep(A="11", B="11", Z="11")
DONE = "search algorithm is done, terminating search."


def found(n: int) -> str:
    return f"{n} valid mappings found, terminating search."


ROWS = {
    "exhaustive": Row(gemm(2, 1, 3), SMALL, (), "algorithm: exhaustive", (4, 6, 1, 8), 192, 168, DONE, ("7.167", 6)),
    "linear": Row(gemm(2, 1, 3), SMALL, (), "algorithm: linear_pruned", (4, 6, 1, 8), 40, 36, DONE, ("7.167", 6)),
    "linear-set": Row(
        gemm(4, 2, 6), THREE, SET, "algorithm: linear_pruned, search_size: 3000",
        (320, 6, 4, 64), 3089, 3000, found(3000), ("4.333", 12),
    ),
    "linear-bypass": Row(
        gemm(4, 2, 6), THREE, (*SET, *keep(A="X01", B="1X1", Z="111")), "algorithm: linear_pruned",
        (320, 6, 4, 4), 2870, 2444, DONE, ("8.750", 12),
    ),
    "exhaustive-bypass": Row(
        gemm(4, 2, 6), THREE, (*SET, *keep(A="X01", B="1X1", Z="111")), "algorithm: exhaustive, search_size: 1500",
        (320, 6, 4, 4), 1596, 1500, found(1500), ("9.417", 12),
    ),
    "hybrid-set": Row(
        gemm(4, 2, 6), THREE, SET, "algorithm: hybrid, victory_condition: 300, search_size: 2000",
        (320, 6, 4, 64), 2023, 2000, found(2000), ("4.333", 12),
    ),
    "hybrid-revisits": Row(
        gemm(4, 2, 6), (*THREE[:2], "RF 4x1 entries: 12", THREE[3]), (*SET, *keep(A="1X1", B="111", Z="111")),
        "algorithm: hybrid, filter_revisits: true, search_size: 1500",
        (320, 6, 4, 2), 1620, 1152, DONE, ("12.000", 12),
    ),
    "random": Row(
        gemm(4, 2, 6), THREE, (), "algorithm: random, search_size: 1000",
        (640, 36, 4, 64), 2104, 1000, found(1000), ("4.333", 12),
    ),
    "random-2d": Row(
        gemm(4, 4, 4), SQUARE, (), "algorithm: random, search_size: 600",
        (1000, 216, 4, 64), 952, 600, found(600), ("6.250", 16),
    ),
    "pruned": Row(
        gemm(4, 2, 6), THREE, (), "algorithm: random_pruned, search_size: 1500",
        (640, 36, 4, 64), 1593, 1500, found(1500), ("4.333", 12),
    ),
    "pruned-3-orders": Row(
        gemm(4, 4, 4), (*SQUARE[:2], "RF 2x2 entries: 9", SQUARE[3]), (),
        "algorithm: random_pruned, max_permutations_per_if_visit: 3, search_size: 1000",
        (1000, 216, 4, 64), 1124, 1000, found(1000), ("4.250", 16),
    ),
    "split": Row(
        gemm(4, 4, 4), SQUARE, ("{target: BUF, type: spatial, split: 1, permutation: MN}",),
        "algorithm: hybrid, optimization_metrics: [delay, energy], search_size: 1000",
        (1000, 36, 1, 64), 1066, 1000, found(1000), ("4.250", 16),
    ),
    "utilization": Row(
        gemm(4, 4, 4), SQUARE, ("{target: RF, type: utilization, min: 1.0}",),
        "algorithm: random_pruned, optimization_metrics: [last_level_accesses, edp], search_size: 500",
        (1000, 216, 4, 64), 522, 500, found(500), ("8.750", 16),
    ),
    "imperfect": Row(
        gemm(5, 2, 3), THREE, ("{target: BUF, type: spatial, factors: M=4}",),
        "algorithm: linear_pruned, search_size: 400", (48, 36, 4, 64), 409, 400, found(400), ("9.667", 12),
    ),
    "defaults": Row(
        gemm(4, 2, 6), THREE, (), "", (640, 36, 4, 64), 33514, 32865,
        "500 suboptimal mappings found since the last upgrade, terminating search.", ("4.333", 12),
    ),
    "compute-fanout": Row(
        gemm(4, 2, 4), ("DRAM 1x1 -", "RF 1x1 entries: 30", "mac 4x1 -"), (),
        "algorithm: linear_pruned, search_size: 700", (108, 36, 4, 8), 850, 700, found(700), ("3.500", 8),
    ),
    "compute-2d": Row(
        gemm(4, 2, 4), ("DRAM 1x1 -", "RF 1x1 entries: 30", "mac 2x2 -"), (),
        "algorithm: random, search_size: 300", (108, 216, 4, 8), 431, 300, found(300), ("3.000", 8),
    ),
    "timeout": Row(
        gemm(4, 2, 4), TINY, ALL_KEPT, "algorithm: random, timeout: 25", (108, 36, 1, 1), 25, 0,
        "25 invalid mappings (0 fanout, 25 capacity) found since the last valid mapping, terminating search.", None,
    ),
    "bypass-exempt": Row(
        gemm(4, 2, 4), TINY, (), "algorithm: random_pruned, timeout: 40, search_size: 2000",
        (108, 36, 1, 64), 16266, 2000, found(2000), ("7.250", 32),
    ),
    "bypass-penalized": Row(
        gemm(4, 2, 4), TINY, (),
        "algorithm: random_pruned, timeout: 40, search_size: 2000, penalize_consecutive_bypass_fails: true",
        (108, 36, 1, 64), 41, 1,
        "40 invalid mappings (0 fanout, 40 capacity) found since the last valid mapping, terminating search.",
        ("7.250", 32),
    ),
    "limits": Row(
        gemm(8, 4, 6), WIDE,
        (
            "{target: RF, type: temporal, factors: M<=2 K<=3 K>=2}",
            "{target: DRAM, type: temporal, factors: N>=2}",
        ),
        "algorithm: linear_pruned, search_size: 300", (384, 36, 4, 64), 316, 300, found(300), ("4.333", 48),
    ),
    "min-utilization": Row(
        gemm(4, 4, 4),
        ("DRAM 1x1 -", "RF 1x1 entries: 16, min_utilization: 0.5, multiple_buffering: 1.5", "mac 1x1 -"), (),
        "algorithm: linear_pruned", (27, 6, 1, 8), 592, 171, DONE, ("8.000", 64),
    ),
    "bandwidth": Row(
        gemm(8, 4, 6),
        ("DRAM 1x1 shared_bandwidth: 2", "BUF 1x1 read_bandwidth: 3, entries: 200", *WIDE[2:]), (),
        "algorithm: random_pruned, optimization_metrics: [accesses-1, delay, energy], search_size: 1500",
        (3200, 36, 4, 64), 1543, 1500, found(1500), ("11.667", 96),
    ),
    "conv": Row(
        CONV, WIDE, ("{target: BUF, type: spatial, factors: P=4}", "{target: RF, type: temporal, factors: R=2}"),
        "algorithm: random_pruned, search_size: 400", (36, 576, 5, 64), 409, 400, found(400), ("8.444", 16),
    ),
    "ruby": Row(
        gemm(5, 2, 3), FOUR, ("{target: DRAM, type: temporal, permutation: M}", *ALL_KEPT_RF),
        "algorithm: linear_pruned", (75, 2, 4, 1), 176, 61, DONE, ("9.933", 10), "ruby",
    ),
    "ruby-remainders": Row(
        gemm(5, 2, 3), FOUR, ("{target: DRAM, type: spatial, remainders: 4}", *ALL_KEPT_RF),
        "algorithm: linear_pruned", (210, 6, 4, 1), 1190, 516, DONE, ("11.981", 9), "ruby",
    ),
    "ruby-two-remainders": Row(
        gemm(5, 2, 3), FOUR,
        (
            "{target: DRAM, type: spatial, remainders: 4}",
            "{target: RF, type: temporal, remainders: 2}",
            *ALL_KEPT_RF,
        ),
        "algorithm: linear_pruned", (300, 6, 4, 1), 1506, 1043, DONE, ("11.981", 9), "ruby",
    ),
    "ruby-conv": Row(
        CONV, ("DRAM 1x1 -", "RF 3x1 entries: 30", "mac 3x1 -"),
        ("{target: DRAM, type: spatial, remainders: 3, factors: R=1}", *keep(W="11", I="11", O="11")),
        "algorithm: hybrid, search_size: 1500", (75, 24, 5, 1), 2127, 1500, found(1500), ("11.667", 24), "ruby",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_documented_run(name: str, tmp_path: Path) -> None:
    row = ROWS[name]
    options = row.options and ", ".join([row.options, *_missing(row.options)])
    targets = "".join(f"  - {entry}\n" for entry in row.constraints)
    source = tmp_path / "in.yaml"
    source.write_text(
        row.problem
        + machine_text(row.machine)
        + f"mapspace:\n  template: {row.template}\n"
        + (f"  targets:\n{targets}" if targets else "")
        + f"mapper: {{num_threads: 1{', ' + options if options else ''}}}\n"
    )
    done = run([source])
    counters = done.searcher.counters[0]
    assert done.sizes == row.sizes
    assert (counters.total, counters.valid) == (row.total, row.valid)
    assert done.ends[0].statements == (row.end,)
    if row.best is None:
        assert done.best is None
    else:
        assert done.best is not None
        energy = done.energy_per_compute(done.best.mapping, done.best.energy_pj)
        assert (energy, done.best.cycles) == row.best


def _missing(options: str) -> list[str]:
    """Limits that the table does not name were switched off."""
    off = {"victory_condition": "0", "timeout": "100000"}
    return [f"{key}: {value}" for key, value in off.items() if key not in options]
