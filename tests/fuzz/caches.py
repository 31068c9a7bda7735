"""Damaged caches of compiled code: whatever is on disk, the kernel returns what its source says, and is kept anew."""

from __future__ import annotations

import importlib
import os
import random
import sys
from pathlib import Path
from types import ModuleType

from .folders import flipped

SOURCE = "from timeloop_marl.kernels.compiling import kernel\n\n@kernel\ndef run(x):\n    return 2 * x\n"


class Caches:
    """One kernel, loaded again and again from a cache that is damaged each time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "twice_fuzzed.py").write_text(SOURCE)
        sys.path.insert(0, str(home))
        self.fresh()
        self.whole = {file: file.read_bytes() for file in sorted((home / "__pycache__").glob("*.nb?"))}

    def fresh(self) -> ModuleType:
        """The module as a new process would have it."""
        sys.modules.pop("twice_fuzzed", None)
        module = importlib.import_module("twice_fuzzed")
        assert module.run(21) == 42 and module.run(1.5) == 3.0
        return module

    def run(self, seed: int) -> str:
        """The defect after the damage of a seed, if there is one."""
        rng = random.Random(seed)
        names = list(self.whole)
        for file in rng.sample(names, rng.randint(1, len(names))):
            way = rng.random()
            file.unlink(missing_ok=True)
            if way < 0.8:
                file.write_bytes(flipped(self.whole[file], rng))
            elif way < 0.9:
                file.write_bytes(self.whole[rng.choice(names)])
            elif way < 0.95:
                file.mkdir() if not file.exists() else None
        try:
            self.fresh()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            for file, content in self.whole.items():
                if file.is_dir():
                    file.rmdir()
                file.write_bytes(content)
                os.utime(file)
        return ""
