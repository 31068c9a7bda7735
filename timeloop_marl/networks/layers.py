"""The layers of a network: read, checked, equal ones put together."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InfeasibleError, SpecError, UsageError
from ..mapspace.diagnosis import require_feasible
from ..run.folder import RunFolder
from ..specs.converters.convert import convert_model, is_model, network_files
from ..specs.converters.layer_files import LayeredNetwork
from ..specs.fingerprint import spec_fingerprint
from ..specs.layer_list import LIST_NAME, holds_layer_list, holds_problem, read_layer_list
from ..specs.reading import load
from ..specs.shipped import located
from ..specs.spec import ModelOptions, Spec

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


def write_network(network: LayeredNetwork, folder: str | Path) -> list[Path]:
    """Write one problem file per distinct shape, and ``network.yaml``.

    Raises:
        UsageError: the folder cannot be written.
    """
    target = RunFolder(folder)
    target.create()
    return [target.write(name, text) for name, text in network_files(network).items()]


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
    path = located(argument)
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


PROBLEMS = "problems"
"""Where the layer files of converted models are."""


def layer_folders(
    arguments: Sequence[str | Path], root: Path, on_notice: Callable[[str], None] | None
) -> list[str | Path]:
    """The arguments, every model replaced by its folder of layer files; what is there already is not converted again.

    Raises:
        UsageError: a model cannot be converted, or its converter is not installed.
    """
    found: list[str | Path] = []
    for number, argument in enumerate(arguments):
        if not is_model(argument):
            found.append(argument)
            continue
        folder = root / PROBLEMS / f"model{number}"
        if not (folder / LIST_NAME).exists():
            converted = convert_model(argument, {})
            write_network(converted.network, folder)
            if on_notice is not None:
                for notice in converted.notices:
                    on_notice(notice)
        found.append(folder)
    return found


LAYERS = "layers"
"""Where the run folders of the layers are."""

TURN = ".run"
"""In the network's folder: which run it belongs to. Tasks of any other run end after the running batch."""

_PATIENCE = 30.0  # seconds


@contextmanager
def held(folder: RunFolder) -> Iterator[None]:
    """Hold a layer's folder. An orphaned task of a killed run leaves it within a batch: wait that long.

    Raises:
        UsageError: another run holds it for good, or it cannot be written.
    """
    end = time.monotonic() + _PATIENCE
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(folder.locked())
                break
            except UsageError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield


@dataclass(frozen=True)
class Layer:
    """Layers of a network that are the same problem: searched once, weighted by ``count``.

    Attributes:
        name: unique within the network, fit for a folder's name.
        spec: machine and problem.
        count: how many layers of the network these are.
        names: what the network calls them, where it says.
        files: what ``spec`` was read from.
    """

    name: str
    spec: Spec
    count: int = 1
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def read_layers(
    sources: Sources, *, options: ModelOptions, values: Mapping[str, Any] | None = None
) -> tuple[Layer, ...]:
    """The distinct layers of a network in order of first use, all on one machine.

    Raises:
        SpecError: a layer file is wrong, naming it; or two of them bring different machines.
        InfeasibleError: a layer has no mapping on this machine, naming all such layers.
    """
    found: dict[str, Layer] = {}
    for name, entry in zip(_names(sources.layers), sources.layers, strict=True):
        files = [*sources.machine, *([entry.file] if entry.file else [])]
        spec = _loaded(entry, files, options, values)
        key = problem_fingerprint(spec)
        known = found.get(key)
        if known is None:
            _check_machine(found, spec, entry)
            found[key] = Layer(name, spec, entry.count, entry.names, tuple(map(str, files)))
        else:
            found[key] = dataclasses.replace(
                known, count=known.count + entry.count, names=(*known.names, *entry.names)
            )
    layers = tuple(found.values())
    _require_feasible(layers)
    return layers


def problem_fingerprint(spec: Spec) -> str:
    """Equal for layers that are one search: the name of the problem's shape changes nothing."""
    return spec_fingerprint(
        dataclasses.replace(spec, problem=dataclasses.replace(spec.problem, name=""), files=())
    )


def _loaded(
    entry: LayerFile, files: Sequence[Path], options: ModelOptions, values: Mapping[str, Any] | None
) -> Spec:
    try:
        return load(files, options=options, jinja_data=values)
    except SpecError as error:
        if error.file is not None and Path(error.file).name.startswith(Path(entry.file or "").name):
            raise
        raise type(error)(
            error.problem, file=error.file, path=error.path, value=error.value, expected=error.expected,
            remedy=f"{error.remedy}{'; ' if error.remedy else ''}while reading layer {entry.name}",
        ) from None  # fmt: skip


def _check_machine(known: Mapping[str, Layer], spec: Spec, entry: LayerFile) -> None:
    """All layers have to run on the same machine: sums over different ones mean nothing."""
    for layer in known.values():
        if layer.spec.architecture != spec.architecture:
            raise SpecError(
                "another machine than that of the layers before",
                file=entry.file,
                path="architecture",
                expected="one architecture for all layers of a network",
                remedy="give the architecture in files of its own, and layers that hold nothing but a problem",
            )
        return


def _require_feasible(layers: Iterable[Layer]) -> None:
    """One error that names every layer without a mapping, before anything runs."""
    errors: list[tuple[Layer, SpecError]] = []
    for layer in layers:
        try:
            require_feasible(layer.spec)
        except InfeasibleError as error:
            errors.append((layer, error))
    if errors:
        _, first = errors[0]
        named = ", ".join(layer.name for layer, _ in errors)
        noun = "layer" if len(errors) == 1 else "layers"
        raise InfeasibleError(
            f"no mapping of {noun} {named}: {first.problem}",
            file=first.file, path=first.path, value=first.value, expected=first.expected, remedy=first.remedy,
        )  # fmt: skip


def _names(entries: Sequence[LayerFile]) -> list[str]:
    """A name for each entry: its own; with its network's where that is not unique; numbered as a last resort."""
    plain = [safe_name(entry.name) for entry in entries]
    several = len({entry.network for entry in entries}) > 1
    names = [
        safe_name(f"{entry.network}.{entry.name}")
        if several and entry.network and plain.count(name) > 1
        else name
        for entry, name in zip(entries, plain, strict=True)
    ]
    return distinct_names(names)


def distinct_names(names: Iterable[str]) -> list[str]:
    """Every name once; later ones are numbered. Folders may not tell capitals apart, so neither does this."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        number, candidate = 1, name
        while candidate.lower() in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.add(candidate.lower())
        found.append(candidate)
    return found


def safe_name(name: str) -> str:
    """A name that is a folder's name on any system."""
    cleaned = re.sub(r"[^\w.+-]+", "_", name).strip("._")
    return cleaned[:100] or "layer"
