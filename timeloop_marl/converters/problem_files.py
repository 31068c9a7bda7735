"""The text of layer files and of their ``network.yaml``: the closed grammar of Timeloop, nothing but a ``problem``."""

from __future__ import annotations

from .layer_shapes import LayeredNetwork, NamedLayer, Shape

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


def distinct(network: LayeredNetwork) -> dict[Shape, list[NamedLayer]]:
    """The layers of each distinct shape, in order of first use; two shapes under one file name are an error."""
    groups: dict[Shape, list[NamedLayer]] = {}
    for layer in network.layers:
        groups.setdefault(layer.shape, []).append(layer)
    names = [layers[0].file for layers in groups.values()]
    if len(set(names)) != len(names):
        raise ValueError(f"{network.folder}: two shapes share a file name: {sorted(names)}")
    return groups


def problem_text(network: LayeredNetwork, layers: list[NamedLayer], writer: str) -> str:
    """The text of one problem file; ``writer``: which program writes it."""
    shape = layers[0].shape
    names = [layer.name for layer in layers]
    listed = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
    used = "once" if len(names) == 1 else f"{len(names)} times"
    bounds = (
        f"C: {shape.C}, M: {shape.M}, R: {shape.R}, S: {shape.S}, N: {shape.N}, P: {shape.P}, Q: {shape.Q}"
    )
    if shape.G > 1:
        bounds += f", G: {shape.G}"
    (wide, high), (apart, below) = shape.strides, shape.dilations
    strides = f"Wstride: {wide}, Hstride: {high}, Wdilation: {apart}, Hdilation: {below}"
    return (
        f"# {network.title}: {listed}; used {used}. {shape.macs} multiply-accumulates each.\n"
        f"# Written by {writer}; source and counts are in network.yaml.\n"
        "problem:\n"
        "  version: 0.4\n"
        "  shape:\n"
        f"{GROUPED if shape.G > 1 else DENSE}{COEFFICIENTS}"
        f"  instance: {{{bounds}, {strides}}}\n"
    )


def network_text(network: LayeredNetwork, groups: dict[Shape, list[NamedLayer]], writer: str) -> str:
    """The text of ``network.yaml``."""
    lines = [
        f"# Written by {writer}. Layers of equal shape share a file: `count` says",
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
