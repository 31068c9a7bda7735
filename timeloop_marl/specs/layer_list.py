"""Lists of layers (``network.yaml``): which problem files a network consists of, and how often each is used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import SpecError
from .document import Node
from .loading import load_document
from .templates import read_text

LIST_NAME = "network.yaml"
_PROBLEM = re.compile(r"""^(\{\s*)?["']?problem["']?\s*:""", re.MULTILINE)
_NETWORK = re.compile(r"""^(\{\s*)?["']?network["']?\s*:""", re.MULTILINE)
_KEYS = ("name", "title", "source", "remarks", "macs", "layers")
_LAYER_KEYS = ("file", "count", "names", "name")


@dataclass(frozen=True)
class ListedLayer:
    """One entry of a list: a problem file, how many layers of the network it stands for, what these are called."""

    file: Path
    count: int = 1
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerList:
    """A network: its name and its layers, in order."""

    name: str
    layers: tuple[ListedLayer, ...]


def holds_problem(file: Path) -> bool:
    """Whether a file of input has a section ``problem`` of its own."""
    return _PROBLEM.search(read_text(file)) is not None


def holds_layer_list(file: Path) -> bool:
    """Whether a file is a list of layers."""
    return file.suffix in (".yaml", ".yml") and _NETWORK.search(read_text(file)) is not None


def read_layer_list(file: Path) -> LayerList:
    """Read a list; its files are relative to its folder.

    Raises:
        SpecError: the list is malformed, or a file it names does not exist.
    """
    node = load_document([file], style="timeloop").root().child("network")
    _closed(node, _KEYS)
    name = node.child("name")
    entries = node.child("layers")
    if entries.absent or not entries.elements():
        (node if entries.absent else entries).fail("no layers", expected="a list of layer files under layers")
    layers = tuple(_layer(entry, file.parent) for entry in entries.elements())
    return LayerList(str(name.value) if not name.absent else file.parent.name or file.stem, layers)


def _layer(node: Node, folder: Path) -> ListedLayer:
    if isinstance(node.value, str):
        return ListedLayer(_file(node, folder))
    _closed(node, _LAYER_KEYS)
    if node.child("file").absent:
        node.fail("a layer without a file", expected="file: NAME.yaml")
    count = node.child("count")
    number = 1 if count.absent else count.value
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        count.fail("not a number of layers", expected="a whole number of at least 1")
    names = node.child("names")
    listed = () if names.absent else tuple(str(entry.value) for entry in names.elements())
    if not node.child("name").absent:
        listed = listed or (str(node.child("name").value),)
    if listed and len(listed) != number and not count.absent:
        names.fail(f"{len(listed)} names for {number} layers", expected="as many names as count, or none")
    return ListedLayer(
        _file(node.child("file"), folder), number if not count.absent else max(1, len(listed)), listed
    )


def _file(node: Node, folder: Path) -> Path:
    if not isinstance(node.value, str) or not node.value:
        node.fail("not the name of a file", expected="a problem file, relative to the list")
    path = folder / node.value
    if not path.is_file():
        raise SpecError(
            "a layer file that does not exist",
            file=node.error("").file,
            path=node.error("").path,
            value=node.value,
            expected=f"a file in {folder}",
        )
    return path


def _closed(node: Node, known: tuple[str, ...]) -> None:
    for key, child in node.items():
        if key not in known:
            child.fail(f"unknown key {key!r}", expected=", ".join(known))
