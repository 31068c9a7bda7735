"""What the arguments of a network command stand for: the files of the machine, and the layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError
from ..specs.layer_list import LIST_NAME, holds_layer_list, holds_problem, read_layer_list

_YAML = (".yaml", ".yml", ".jinja2", ".jinja", ".j2")


@dataclass(frozen=True)
class LayerFile:
    """A layer as the arguments name it. ``file`` is ``None`` for a problem that stands among the machine's files."""

    name: str
    file: Path | None
    count: int = 1
    names: tuple[str, ...] = ()
    network: str = ""


@dataclass(frozen=True)
class Sources:
    """Sorted arguments: files of the machine (with constraints, mapper, ...), layers, name of the network."""

    machine: tuple[Path, ...]
    layers: tuple[LayerFile, ...]
    name: str
    notices: tuple[str, ...] = ()


@dataclass
class _Sorter:
    machine: list[Path] = field(default_factory=list)
    layers: list[LayerFile] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def sort_sources(arguments: Sequence[str | Path]) -> Sources:
    """Which arguments are machine and which are layers.

    A file with a ``problem`` section is a layer, a file with a ``network`` section a list of layers, any other file
    belongs to the machine. A folder stands for its ``network.yaml``, or for all its YAML files; patterns such as
    ``problems/*/conv*.yaml`` for what they match. A layer file that a given list names is not counted again.

    Raises:
        UsageError: nothing is there, or nothing that could be a layer.
        SpecError: a list is malformed.
    """
    sorter = _Sorter()
    for path in input_paths(arguments):
        _sort(sorter, path)
    listed = {layer.file.resolve() for layer in sorter.layers if layer.file and layer.network}
    kept = [
        layer
        for layer in sorter.layers
        if layer.network or not layer.file or layer.file.resolve() not in listed
    ]
    left_out = len(sorter.layers) - len(kept)
    notices = (f"{left_out} layer files are in a given list, too: counted as listed",) if left_out else ()
    if not kept:
        if not sorter.machine:
            raise UsageError("no input files: give an architecture and layers")
        kept = [LayerFile("layer", None)]
    name = "+".join(dict.fromkeys(sorter.names)) or _common_name(kept)
    return Sources(tuple(dict.fromkeys(sorter.machine)), tuple(kept), name, notices)


def input_paths(arguments: Sequence[str | Path]) -> Iterator[Path]:
    """The files that arguments stand for: themselves, those of a folder (or its ``network.yaml``), those of a pattern.

    Raises:
        UsageError: nothing is there.
    """
    for argument in arguments:
        yield from _paths(argument)


def _paths(argument: str | Path) -> Iterator[Path]:
    path = Path(argument)
    if path.is_dir():
        if (path / LIST_NAME).is_file():
            yield path / LIST_NAME
            return
        inside = sorted(
            file for file in path.iterdir() if file.suffix in (".yaml", ".yml") and file.is_file()
        )
        if not inside:
            raise UsageError(f"{path}: no .yaml or .yml file in this folder")
        yield from inside
    elif path.exists():
        yield path
    else:
        anchor = Path(path.anchor or ".")
        pattern = str(path.relative_to(anchor)) if path.anchor else str(path)
        matches = sorted(anchor.glob(pattern)) if pattern != "." else []
        if not matches:
            raise UsageError(f"{argument}: no such file or folder")
        for match in matches:
            yield from _paths(match)


def _sort(sorter: _Sorter, path: Path) -> None:
    if path.suffix not in _YAML:
        raise UsageError(f"{path}: not an input file: expected a name ending in .yaml, .yml or .jinja2")
    if holds_layer_list(path):
        listing = read_layer_list(path)
        sorter.names.append(listing.name)
        sorter.layers += [
            LayerFile(entry.file.stem, entry.file, entry.count, entry.names, listing.name)
            for entry in listing.layers
        ]
    elif holds_problem(path):
        sorter.layers.append(LayerFile(path.name.split(".")[0], path))
    else:
        sorter.machine.append(path)


def _common_name(layers: Sequence[LayerFile]) -> str:
    folders = {layer.file.resolve().parent.name for layer in layers if layer.file}
    return folders.pop() if len(folders) == 1 else "network"
