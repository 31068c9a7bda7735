"""Lines of timeloop-mapper.orojenesis.csv (mapspace section 5, options ``log_all_mappings`` and its kin)."""

from __future__ import annotations

from ..cost.outcome import Statistics
from ..mapping import Mapping
from ..specs.spec import Spec
from .numbers import float32_ratio
from .one_line import one_line


def mapping_line(spec: Spec, mapping: Mapping, statistics: Statistics) -> str:
    """One valid mapping: operations per byte of the outermost level, its accesses, and the on-chip words.

    Columns: operations per byte; on-chip words of all data spaces; outermost accesses; then per data space the words
    at its outermost on-chip level and its outermost accesses; the mapping; the mapping as YAML (``None``).
    """
    top = statistics.levels[-1]
    moved_bytes = spec.architecture.storage[-1].word_bits * top.accesses // 8
    held = [_on_chip_words(statistics, space) for space in range(len(spec.problem.data_spaces))]
    cells = [f"{float32_ratio(statistics.operations, moved_bytes):.6g}", str(sum(held)), str(top.accesses)]
    for words, tensor in zip(held, top.tensors, strict=True):
        accesses = tensor.instances * (tensor.reads + tensor.fills + tensor.updates)
        cells += [str(words), str(accesses if tensor.kept else 0)]
    return ",".join([*cells, one_line(spec, mapping), "None"]) + "\n"


def _on_chip_words(statistics: Statistics, space: int) -> int:
    for level in reversed(statistics.levels[:-1]):
        if level.tensors[space].kept:
            return level.tensors[space].capacity
    return 0
