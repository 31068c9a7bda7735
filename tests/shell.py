"""Running the command line in tests: in this process, in one of its own, and what a run left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from timeloop_marl.cli import main

ROOT = Path(__file__).parents[1]
TOY = str(ROOT / "arch" / "small_toy")
EYERISS = str(ROOT / "arch" / "eyeriss_like")
FC = str(ROOT / "problems" / "resnet18" / "fc.yaml")
CONV = str(ROOT / "problems" / "resnet18" / "conv4_3x3.yaml")


class Shell:
    """Runs commands in this process; ``out`` and ``err`` are those of the last one."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self.out = self.err = ""

    def __call__(self, *arguments: object) -> int:
        self._capture.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse: --help and wrong arguments
            code = int(end.code or 0)
        self.out, self.err = self._capture.readouterr()
        assert "Traceback" not in self.out + self.err
        return code


def process(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "timeloop_marl", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.run(
        command, capture_output="stdout" not in options, env=environment, timeout=300, **options
    )


def outcome(run: Path) -> dict[str, object]:
    """What a run found; wall-clock seconds differ between runs."""
    summary = json.loads((run / "summary.json").read_text())
    del summary["seconds"]
    files = {path.name: path.read_bytes() for path in run.glob("timeloop-marl*") if path.suffix != ".png"}
    return {**summary, **files}
