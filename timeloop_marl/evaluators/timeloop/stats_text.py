"""Reading timeloop-X.stats.txt (formats section 10): labels and values as printed, in the order of the file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LEVEL = re.compile(r"^=== (.+) ===$")
_VALUE = re.compile(r"^ *(.+?) *: (.*)$")
_TENSOR = re.compile(r"^ {4}(\S+):$")
_ENTRY = re.compile(r"^ +@multicast (\d+) @scatter (\d+): (\S+)$")
_TABLE = re.compile(r"^ {4}(.+?) *= (\S+)$")
_SECTIONS = {
    "Buffer and Arithmetic Levels": "levels",
    "Networks": "networks",
    "Operational Intensity Stats": "intensity",
    "Summary Stats": "summary",
}
# With sparse optimisations the program names some figures otherwise; what really happens counts, not what dense
# data would make happen.
_SPARSE_LABELS = {
    "Actual Computes (total)": "Computes (total)",
    "Max utilized data storage capacity": "Utilized capacity",
    "Actual scalar reads (per-instance)": "Scalar reads (per-instance)",
    "Actual scalar fills (per-instance)": "Scalar fills (per-instance)",
    "Actual scalar updates (per-instance)": "Scalar updates (per-instance)",
    "Average Shared Bandwidth (per-instance)": "Shared Bandwidth (per-instance)",
    "Average Read Bandwidth (per-instance)": "Read Bandwidth (per-instance)",
    "Average Write Bandwidth (per-instance)": "Write Bandwidth (per-instance)",
}


class StatsError(ValueError):
    """The text is not a whole stats.txt, or one of another Timeloop; the message says what is missing."""


@dataclass
class TensorBlock:
    """One data space in a level or network: values by label; ``entries``: (multicast, scatter, accesses)."""

    values: dict[str, str] = field(default_factory=dict)
    entries: list[tuple[int, int, float]] = field(default_factory=list)
    distributed: list[tuple[int, int, float]] = field(default_factory=list)

    def number(self, label: str) -> float:
        """A value with decimals, its unit dropped."""
        return float(_word(self.values, label))

    def count(self, label: str) -> int:
        """A whole number."""
        return int(_word(self.values, label))


@dataclass
class Block(TensorBlock):
    """A level or a network: its own values, and its data spaces by name."""

    tensors: dict[str, TensorBlock] = field(default_factory=dict)


@dataclass
class StatsText:
    """A whole stats.txt. ``levels`` and ``networks`` by name, in the order of the file; the first level computes."""

    levels: dict[str, Block] = field(default_factory=dict)
    networks: dict[str, Block] = field(default_factory=dict)
    intensity: Block = field(default_factory=Block)
    accesses: dict[str, int] = field(default_factory=dict)  # scalar accesses by level
    summary: Block = field(default_factory=Block)
    per_compute: dict[str, float] = field(default_factory=dict)  # fJ per compute


def read_stats(text: str) -> StatsText:
    """Parse the text.

    Raises:
        StatsError: a section is missing, e.g. because the file was cut off.
    """
    reader = _Reader()
    for line in text.splitlines():
        reader.take(line)
    if "Total" not in reader.stats.per_compute:
        raise StatsError("stats.txt ends before its summary")
    return reader.stats


class _Reader:
    """Follows the file line by line."""

    def __init__(self) -> None:
        self.stats = StatsText()
        self._section = ""
        self._block: Block | None = None
        self._target: TensorBlock | None = None
        self._level = ""
        self._name_follows = self._distributed = False

    def take(self, line: str) -> None:
        if line in _SECTIONS:
            self._section, self._block, self._target = _SECTIONS[line], None, None
        elif self._section in ("levels", "networks"):
            self._block_line(line)
        elif self._section == "intensity":
            self._intensity_line(line)
        elif self._section == "summary":
            self._summary_line(line)

    def _block_line(self, line: str) -> None:
        if self._section == "levels" and (heading := _LEVEL.match(line)):
            self._open(self.stats.levels, heading[1])
        elif self._section == "networks" and re.match(r"^Network \d+$", line):
            self._name_follows = True
        elif self._name_follows and line and not line.startswith("---"):
            self._open(self.stats.networks, line.strip())
            self._name_follows = False
        elif self._block is None or self._target is None:
            return
        elif tensor := _TENSOR.match(line):
            self._target = self._block.tensors.setdefault(tensor[1], TensorBlock())
        elif entry := _ENTRY.match(line):
            place = self._target.distributed if self._distributed else self._target.entries
            place.append((int(entry[1]), int(entry[2]), float(entry[3])))
        elif value := _VALUE.match(line):
            self._distributed = value[1] == "Ingresses (distributed)"
            self._target.values[_SPARSE_LABELS.get(value[1], value[1])] = value[2].strip()

    def _open(self, blocks: dict[str, Block], name: str) -> None:
        if name in blocks:
            raise StatsError(f"two blocks are called {name}")
        self._block = self._target = blocks[name] = Block()

    def _intensity_line(self, line: str) -> None:
        if heading := _LEVEL.match(line):
            self._level = heading[1]
        elif value := _VALUE.match(line):
            if self._level and value[1] == "Total scalar accesses":
                self.stats.accesses[self._level] = int(value[2])
            elif not self._level:
                self.stats.intensity.values[value[1]] = value[2].strip()

    def _summary_line(self, line: str) -> None:
        if line.startswith(("Computes = ", "Actual Computes = ")):
            self.stats.summary.values["Computes"] = line.partition(" = ")[2].strip()
        elif row := _TABLE.match(line):
            self.stats.per_compute[row[1]] = float(row[2])
        elif value := _VALUE.match(line):
            self.stats.summary.values[value[1]] = value[2].strip()


def _word(values: dict[str, str], label: str) -> str:
    if label not in values or not values[label]:
        raise StatsError(f"stats.txt has no value for {label!r}")
    return values[label].split()[0]
