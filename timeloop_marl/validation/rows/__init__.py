"""Recorded rows: many mappings in a compact JSON form, with the figures a real Timeloop gave for them, compared."""

from __future__ import annotations

from .driver import RowsReport, evaluate_rows
from .encoding import mapping_row, row_mapping
from .figures import Difference, compare, computed, figures

__all__ = [
    "Difference",
    "RowsReport",
    "compare",
    "computed",
    "evaluate_rows",
    "figures",
    "mapping_row",
    "row_mapping",
]
