"""Check that the command line answers at once and that the core works without torch and the other extras.

Run with the interpreter under test: ``python tools/check_light.py``; it prints what it measured. The packages of the
extras are made impossible to import, whether they are installed or not, then every module but those that stand for an
extra is imported.
"""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = (
    "torch",
    "gymnasium",
    "pettingzoo",
    "cma",
    "optuna",
    "stable_baselines3",
    "sb3_contrib",
    "pytimeloop",
    "dask",
    "distributed",
    "ray",
    "onnx",
)
NEED_EXTRAS = {
    "timeloop_marl.specs.converters.onnx_model",
    "timeloop_marl.specs.converters.torch_model",
    "timeloop_marl.parallel.dask_cluster",
    "timeloop_marl.parallel.ray_cluster",
    "timeloop_marl.searchers.envs.gymnasium",
    "timeloop_marl.searchers.envs.pettingzoo",
    "timeloop_marl.searchers.envs.stable_baselines",
    "timeloop_marl.testing",
    "timeloop_marl.testing.evaluators",
    "timeloop_marl.testing.searchers",
}
HEAVY = ("torch", "numba", "matplotlib", "numpy")
HELP_SECONDS = 1.0
ATTEMPTS = 3  # the best of them: the machine may be busy with something else


class NoExtras(MetaPathFinder):
    """Makes every import of an extra's package fail."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse the extras, leave the rest to the other finders."""
        if fullname.split(".")[0] in EXTRAS:
            raise ImportError(f"{fullname} is blocked by tools/check_light.py")
        return None


def help_seconds() -> float:
    """Best wall time of ``timeloop-marl --help`` in a process of its own."""
    best = float("inf")
    for _ in range(ATTEMPTS):
        start = time.perf_counter()
        command = [sys.executable, "-m", "timeloop_marl", "--help"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        best = min(best, time.perf_counter() - start)
        if "usage: timeloop-marl" not in done.stdout:
            raise SystemExit(f"--help printed no usage line: {done.stdout[:200]!r}")
    return best


def heavy_modules() -> list[str]:
    """Heavy packages that importing the command line alone pulls in; there should be none."""
    code = f"import sys, timeloop_marl.cli; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.split()


def import_everything() -> int:
    """Import all modules but those of the extras, with the extras blocked; the number of modules."""
    sys.meta_path.insert(0, NoExtras())
    package = importlib.import_module("timeloop_marl")
    names = [info.name for info in pkgutil.walk_packages(package.__path__, "timeloop_marl.")]
    chosen = [n for n in names if n not in NEED_EXTRAS and not n.endswith("__main__")]
    for name in chosen:
        importlib.import_module(name)
    return len(chosen)


def main() -> int:
    """Measure, print, and return 1 if a limit is broken."""
    seconds, heavy = help_seconds(), heavy_modules()
    print(f"--help answers in {seconds:.2f} s (limit {HELP_SECONDS:g} s)")
    print(f"heavy packages imported for it: {', '.join(heavy) or 'none'}")
    print(f"{import_everything()} modules imported without torch and the other extras")
    return int(seconds > HELP_SECONDS or bool(heavy))


if __name__ == "__main__":
    sys.exit(main())
