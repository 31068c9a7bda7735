"""How Timeloop prints numbers: its three formats, chosen by environment variables (formats section 10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np


class FloatFormat(Enum):
    """printf conversion used for every double that is not a percentage or an EDP."""

    FIXED = "f"
    SCIENTIFIC = "e"
    GENERAL = "g"


@dataclass(frozen=True)
class OutputStyle:
    """Number format of the output files, and whether levels and networks without effect are left out."""

    floats: FloatFormat = FloatFormat.FIXED
    hide_inconsequential: bool = True

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> OutputStyle:
        """The style a real Timeloop program would take from these environment variables."""
        floats = FloatFormat.FIXED
        if _switched_on(environ, "TIMELOOP_OUTPUT_STAT_SCIENTIFIC"):
            floats = FloatFormat.SCIENTIFIC
        elif _switched_on(environ, "TIMELOOP_OUTPUT_STAT_DEFAULT_FLOAT"):
            floats = FloatFormat.GENERAL
        return cls(floats, environ.get("TIMELOOP_HIDE_INCONSEQUENTIAL_STATS") != "0")

    def real(self, value: float, precision: int = 2, width: int = 0) -> str:
        """A double in the format in force."""
        return f"{float(value):{width}.{precision}{self.floats.value}}"

    def optional(self, value: float | None) -> str:
        """A double, or ``-`` where the input gave none."""
        return "-" if value is None else self.real(value)


def _switched_on(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "0") != "0"


def percent(fraction: float) -> str:
    """Percentages keep two decimals whatever the format in force."""
    return f"{fraction * 100:.2f}%"


def field(label: str, width: int, value: object, unit: str = "", indent: int = 8) -> str:
    """``label : value unit`` as one line of stats.txt, the label padded with blanks to ``width``."""
    return f"{' ' * indent}{label:<{width}}: {value}{' ' + unit if unit else ''}\n"


def float32_ratio(numerator: int, denominator: int) -> float:
    """Quotient of two counts rounded to float32 first; ``inf`` or ``nan`` where C++ would print that."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(float32(numerator) / float32(denominator))


def float32(count: int) -> np.float32:
    """A count as float32, rounded once (through a double it would be rounded twice)."""
    return np.uint64(count).astype(np.float32)
