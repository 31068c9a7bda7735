"""The recorded runs of timeloop-model and timeloop-mapper in tests/golden/outputs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.reading import read_spec
from timeloop_marl.specs.spec import Spec

OUTPUTS = Path(__file__).resolve().parent.parent / "golden" / "outputs"


@dataclass(frozen=True)
class Case:
    """One recorded run."""

    name: str

    @property
    def folder(self) -> Path:
        return OUTPUTS / self.name

    @cached_property
    def record(self) -> dict:
        return json.loads((self.folder / "case.json").read_text())

    @property
    def argv(self) -> list[str]:
        return self.record["command"].split()[1:]

    @property
    def program(self) -> str:
        return self.record["command"].split()[0]

    @property
    def inputs(self) -> list[Path]:
        words = self.argv
        if "-o" in words:
            at = words.index("-o")
            words = words[:at] + words[at + 2 :]
        return [self.folder / "in" / word for word in words]

    def spec(self) -> Spec:
        return read_spec(load_document(self.inputs, style="timeloop"), strict=False)

    def output(self, suffix: str) -> str:
        """Content of an output file, ``stats.txt`` for example."""
        return (self.folder / "out" / f"{self.program}.{suffix}").read_text()


CASES = tuple(Case(folder.name) for folder in sorted(OUTPUTS.iterdir()) if folder.is_dir())


def mapped_cases() -> list[Case]:
    """The runs that ended with a mapping."""
    files = {case: case.folder / "out" / f"{case.program}.map.txt" for case in CASES}
    return [case for case, file in files.items() if file.is_file() and file.stat().st_size]
