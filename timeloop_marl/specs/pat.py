"""Energies of Timeloop without Accelergy: its public PAT rules, bit for bit (cost-model section 13)."""

from __future__ import annotations

from .architecture import ComputeLevel, StorageLevel

# slope of the SRAM line from 0.5 KB (1.0) to 100 KB (6.0); evaluated first, as Timeloop does
_SLOPE = (6.0 - 1.0) / (100.0 - 0.5)


def vector_access(level: StorageLevel) -> float:
    """Energy in pJ of one vector access of a storage level.

    Raises:
        ValueError: a DRAM with a cluster size other than 1.
    """
    if level.is_dram:
        if level.cluster_size != 1:
            raise ValueError(f"{level.name}: without an energy table a DRAM needs cluster_size 1")
        return (200.0 * (level.word_bits * level.block_size)) / 16
    if not level.size:
        return 0.0
    width = level.word_bits * level.block_size * level.cluster_size
    height = -(-level.size // level.block_size)
    kilobytes = float(width * height) / 8192
    return ((_SLOPE * (kilobytes - 0.5) + 1) * width) / 16 / level.cluster_size


def compute(level: ComputeLevel) -> float:
    """Energy in pJ of one operation."""
    return (level.word_bits / 16.0) * (level.word_bits / 16.0)
