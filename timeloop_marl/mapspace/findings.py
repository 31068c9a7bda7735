"""What a diagnosis reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..errors import InfeasibleError


class Severity(Enum):
    """``ERROR``: no valid mapping is left. ``WARNING``: legal, but probably not what was meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One finding: what is wrong, at which level, where it was said, what would mend it."""

    severity: Severity
    problem: str
    level: str = ""  # e.g. "BUF (spatial)"; empty if it concerns the whole space
    source: str = ""  # file and key path of the constraint
    found: str = ""
    expected: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return str(self.as_error())

    def as_error(self) -> InfeasibleError:
        """The finding as an exception."""
        where = f"{self.level}: " if self.level else ""
        text = f"{where}{self.problem}"
        if self.found:
            return InfeasibleError(
                text, path=self.source, value=self.found, expected=self.expected, remedy=self.remedy
            )
        return InfeasibleError(text, path=self.source, expected=self.expected, remedy=self.remedy)
