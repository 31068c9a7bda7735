"""Write ``problems/<network>/``: one problem file per distinct layer shape, and ``network.yaml`` with the counts.

``python tools/make_problems.py`` (re)writes all of them; ``--check`` writes nothing and fails if a file
differs, is missing or does not belong there. The layer lists are in ``networks.py``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from networks import networks

from timeloop_marl.specs.converters.layer_files import distinct, network_text, problem_text

ROOT = Path(__file__).resolve().parent.parent
WRITER = "tools/make_problems.py"


def files() -> dict[Path, str]:
    """Every file this script writes, path to text."""
    texts: dict[Path, str] = {}
    for network in networks():
        folder = ROOT / "problems" / network.folder
        groups = distinct(network)
        for layers in groups.values():
            texts[folder / f"{layers[0].file}.yaml"] = problem_text(network, layers, WRITER)
        texts[folder / "network.yaml"] = network_text(network, groups, f"{WRITER} from tools/networks.py")
    return texts


def main() -> int:
    """Write the files, or with ``--check`` compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything differs")
    check = parser.parse_args().check
    texts = files()
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    strangers = sorted(
        {path for folder in {p.parent for p in texts} for path in folder.glob("*")} - set(texts)
    )
    for path in stale:
        print(f"{'differs' if check else 'wrote'}: {path.relative_to(ROOT)}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[path])
    for path in strangers:
        print(f"does not belong there: {path.relative_to(ROOT)}")
    return int(bool(strangers) or (check and bool(stale)))


if __name__ == "__main__":
    sys.exit(main())
