"""Write ``problems/<network>/``: one problem file per distinct layer shape, and ``network.yaml`` with the counts.

``python tools/make_problems.py`` (re)writes all of them; ``--check`` writes nothing and fails if a file
differs, is missing or does not belong there. The layer lists are in ``networks.py``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from networks import Layer, Network, Shape, networks

ROOT = Path(__file__).resolve().parent.parent
LISTED = 6  # names of layers spelled out in the comment of a problem file
WIDTH = 118

DENSE = """\
    name: conv
    dimensions: [C, M, R, S, N, P, Q]
    data_spaces:
    - name: Weights
      projection: [[[C]], [[M]], [[R]], [[S]]]
    - name: Inputs
      projection: [[[N]], [[C]], [[R, Wdilation], [P, Wstride]], [[S, Hdilation], [Q, Hstride]]]
    - name: Outputs
      projection: [[[N]], [[M]], [[Q]], [[P]]]
      read_write: true
"""
GROUPED = """\
    name: grouped_conv
    dimensions: [C, M, R, S, N, P, Q, G]
    data_spaces:
    - name: Weights
      projection: [[[C]], [[M]], [[R]], [[S]], [[G]]]
    - name: Inputs
      projection: [[[N]], [[C]], [[R, Wdilation], [P, Wstride]], [[S, Hdilation], [Q, Hstride]], [[G]]]
    - name: Outputs
      projection: [[[N]], [[M]], [[Q]], [[P]], [[G]]]
      read_write: true
"""
COEFFICIENTS = """\
    coefficients:
    - {name: Wstride, default: 1}
    - {name: Hstride, default: 1}
    - {name: Wdilation, default: 1}
    - {name: Hdilation, default: 1}
"""


def distinct(network: Network) -> dict[Shape, list[Layer]]:
    """The layers of each distinct shape, in order of first use; two shapes under one file name are an error."""
    groups: dict[Shape, list[Layer]] = {}
    for layer in network.layers:
        groups.setdefault(layer.shape, []).append(layer)
    names = [layers[0].file for layers in groups.values()]
    if len(set(names)) != len(names):
        raise ValueError(f"{network.folder}: two shapes share a file name: {sorted(names)}")
    return groups


def problem_text(network: Network, layers: list[Layer]) -> str:
    """The text of one problem file: the closed grammar of Timeloop, self-contained, nothing but a ``problem``."""
    shape = layers[0].shape
    names = [layer.name for layer in layers]
    listed = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
    used = "once" if len(names) == 1 else f"{len(names)} times"
    bounds = (
        f"C: {shape.C}, M: {shape.M}, R: {shape.R}, S: {shape.S}, N: {shape.N}, P: {shape.P}, Q: {shape.Q}"
    )
    if shape.G > 1:
        bounds += f", G: {shape.G}"
    strides = f"Wstride: {shape.stride}, Hstride: {shape.stride}, Wdilation: 1, Hdilation: 1"
    return (
        f"# {network.title}: {listed}; used {used}. {shape.macs} multiply-accumulates each.\n"
        "# Written by tools/make_problems.py; source and counts are in network.yaml.\n"
        "problem:\n"
        "  version: 0.4\n"
        "  shape:\n"
        f"{GROUPED if shape.G > 1 else DENSE}{COEFFICIENTS}"
        f"  instance: {{{bounds}, {strides}}}\n"
    )


def network_text(network: Network, groups: dict[Shape, list[Layer]]) -> str:
    """The text of ``network.yaml``."""
    lines = [
        "# Written by tools/make_problems.py from tools/networks.py. Layers of equal shape share a file: `count` says",
        "# how many there are, `names` which. Sum over the network = sum of count x result of the file.",
        "network:",
        f"  name: {network.folder}",
        f"  title: {quoted(network.title)}",
        f"  source: {quoted(network.source)}",
        f"  remarks: {quoted(network.remarks)}",
        f"  macs: {network.macs}  # multiply-accumulates of one inference, batch 1",
        "  layers:",
    ]
    for layers in groups.values():
        lines.append(f"  - file: {layers[0].file}.yaml")
        lines.append(f"    count: {len(layers)}")
        lines += wrapped("    names: [", [layer.name for layer in layers])
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A single-quoted YAML scalar."""
    return "'" + text.replace("'", "''") + "'"


def wrapped(head: str, names: list[str]) -> list[str]:
    """A flow list broken into lines."""
    lines, line = [], head
    for index, name in enumerate(names):
        piece = name + ("]" if index == len(names) - 1 else ", ")
        if len(line) + len(piece) > WIDTH:
            lines.append(line.rstrip())
            line = " " * len(head)
        line += piece
    return [*lines, line]


def files() -> dict[Path, str]:
    """Every file this script writes, path to text."""
    texts: dict[Path, str] = {}
    for network in networks():
        folder = ROOT / "problems" / network.folder
        groups = distinct(network)
        for layers in groups.values():
            texts[folder / f"{layers[0].file}.yaml"] = problem_text(network, layers)
        texts[folder / "network.yaml"] = network_text(network, groups)
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
