"""Stand-ins for the programs timeloop-model and timeloop-mapper: our drop-ins, and scripted crashes and hangs."""

from __future__ import annotations

import sys
from pathlib import Path

_DROP_IN = """\
import os, sys
from pathlib import Path
from timeloop_marl.dropin import run_{kind}
sys.exit(run_{kind}(sys.argv[1:], environ=os.environ, stdout=sys.stdout, stderr=sys.stderr, cwd=Path.cwd()))
"""


def drop_in(folder: Path, kind: str = "model") -> Path:
    """An executable ``timeloop-model`` or ``timeloop-mapper`` in ``folder`` that is our drop-in."""
    return script(folder, _DROP_IN.format(kind=kind), f"timeloop-{kind}")


def script(folder: Path, text: str, name: str = "timeloop-model") -> Path:
    """An executable Python script in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path
