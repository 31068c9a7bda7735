"""Write ``mappers/``: one settings file per searcher and budget.

``--check`` writes nothing and fails if a file differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from timeloop_marl.searchers.registry import all_searchers

ROOT = Path(__file__).resolve().parent.parent
BUDGETS = {"2k": 2_000, "20k": 20_000, "200k": 200_000}
OWN = {name: entry.description for name, entry in all_searchers().items() if not name.startswith("timeloop-")}
TIMELOOP = ("random", "random_pruned", "linear_pruned", "hybrid")
VALID = 10_000
UNLIMITED = 4_000_000_000  # a count that no run reaches; 0 would mean "at once" for Timeloop's timeout
HINT = "docs/searchers.md"


def own(name: str, samples: int) -> str:
    """Settings of one of our searchers."""
    return (
        f"# {name}: {OWN[name]}; {samples} samples, valid or not. Options: {HINT}.\n"
        "timeloop_marl:\n"
        f"  searcher: {name}\n"
        "  objective: edp\n"
        f"  samples: {samples}\n"
        "  seed: 1\n"
    )


def timeloop(algorithm: str, comment: str, options: dict[str, object]) -> str:
    """Options of one of Timeloop's mappers, for ``search`` and, word for word, for the real program."""
    lines = [
        f"# {comment} Options: {HINT}.",
        "# For `timeloop-marl search`, `timeloop-marl mapper` and the real timeloop-mapper.",
        "mapper:",
        f"  algorithm: {algorithm}",
        "  num_threads: 1",
        "  optimization_metrics: [edp]",
    ]
    lines += [f"  {name}: {value}" for name, value in options.items()]
    searcher = "timeloop-" + algorithm.replace("_", "-")
    lines += ["timeloop_marl:", f"  searcher: {searcher}", f"  samples: {UNLIMITED}"]
    return "\n".join(lines) + "\n"


def files() -> dict[Path, str]:
    """Every file this script writes, path to text."""
    folder = ROOT / "mappers"
    texts = {
        folder / f"{name.replace('-', '_')}_{label}.yaml": own(name, samples)
        for name in OWN
        for label, samples in BUDGETS.items()
    }
    for algorithm in TIMELOOP:
        comment = f"Timeloop's {algorithm}: {VALID} valid mappings."
        options = {"search_size": VALID, "victory_condition": 0, "timeout": UNLIMITED}
        texts[folder / f"timeloop_{algorithm}_10k.yaml"] = timeloop(algorithm, comment, dict(options))
    comment = "Timeloop's exhaustive: every mapping of the space (small spaces only)."
    options = {"search_size": 0, "victory_condition": 0, "timeout": UNLIMITED}
    texts[folder / "timeloop_exhaustive_all.yaml"] = timeloop("exhaustive", comment, dict(options))
    comment = "Timeloop's defaults, spelled out, on one thread."
    options = {"search_size": 0, "victory_condition": 500, "timeout": 1000}
    texts[folder / "timeloop_default.yaml"] = timeloop("hybrid", comment, dict(options))
    return texts


def main() -> int:
    """Write the files, or with ``--check`` compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything differs")
    check = parser.parse_args().check
    texts = files()
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    strangers = sorted(set((ROOT / "mappers").glob("*.yaml")) - set(texts))
    for path in stale:
        print(f"{'differs' if check else 'wrote'}: {path.relative_to(ROOT)}")
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(texts[path])
    for path in strangers:
        print(f"does not belong there: {path.relative_to(ROOT)}")
    return int(bool(strangers) or (check and bool(stale)))


if __name__ == "__main__":
    sys.exit(main())
