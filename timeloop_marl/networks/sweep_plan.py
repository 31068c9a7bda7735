"""The points of a sweep: which files are a machine, which values are set at each point."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..specs.changes import NOT_FOLLOWING, split_list
from ..specs.layer_list import holds_layer_list, holds_problem
from ..specs.spec import Spec
from ..specs.templates import read_text
from .layers import distinct_names, input_paths, safe_name

_ARCHITECTURE = re.compile(r"""^(\{\s*)?["']?arch(itecture)?["']?\s*:""", re.MULTILINE)
_PLAIN_NAMES = ("arch", "architecture", "machine", "design")
MOST_POINTS = 100_000
_NAME = 100  # letters of a folder's name


@dataclass(frozen=True)
class Machine:
    """An architecture: its name and all of its files."""

    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class PlannedPoint:
    """One machine with one value of every axis."""

    name: str
    machine: Machine
    values: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """What is to be run. ``layers``: problem files and lists of layers, the same for all points."""

    points: tuple[PlannedPoint, ...]
    machines: tuple[Machine, ...]
    layers: tuple[Path, ...]
    axes: Mapping[str, tuple[str, ...]]
    paired: bool = False


def make_plan(arguments: Sequence[str | Path], values: Mapping[str, str], *, paired: bool = False) -> Plan:
    """All combinations of machines and values.

    Args:
        arguments: machines and layers: files, folders, patterns, lists of layers.
        values: path or variable -> one value, or several with commas between them.
        paired: take the lists side by side (first values, second values, …) in place of every combination.

    Raises:
        UsageError: no machine, lists of different lengths, or too many points.
    """
    machines, layers = sort_machines(input_paths(arguments))
    axes = {name: tuple(split_list(text)) for name, text in values.items()}
    empty = [name for name, entries in axes.items() if "" in entries]
    if empty:
        raise UsageError(f"--set {empty[0]}={values[empty[0]]}: a value is missing between the commas")
    choices = _choices(axes, paired)
    if len(machines) * len(choices) > MOST_POINTS:
        raise UsageError(f"{len(machines) * len(choices):,} points: at most {MOST_POINTS:,} in one sweep")
    swept = [name for name, entries in axes.items() if len(entries) > 1]
    points = [(machine, choice) for machine in machines for choice in choices]
    names = distinct_names(_point_name(machine, choice, swept, len(machines)) for machine, choice in points)
    planned = tuple(PlannedPoint(name, *point) for name, point in zip(names, points))
    return Plan(planned, tuple(machines), tuple(layers), axes, paired)


def sort_machines(paths: Iterable[Path]) -> tuple[list[Machine], list[Path]]:
    """Machines, and layers with their lists. Tables and other files go to the machines of their own folder.

    Where their folder has no architecture, they are for all machines.

    Raises:
        UsageError: there is no architecture.
    """
    machines: list[Path] = []
    layers: list[Path] = []
    others: list[Path] = []
    for path in dict.fromkeys(paths):
        text = read_text(path)
        if _ARCHITECTURE.search(text):
            machines.append(path)
        elif holds_layer_list(path) or holds_problem(path):
            layers.append(path)
        else:
            others.append(path)
    if not machines:
        raise UsageError(
            "no architecture among the files: give one or several machines, e.g. folders of arch/"
        )
    homes = {path.parent.resolve() for path in machines}
    names = distinct_names(_machine_name(path, machines) for path in machines)
    found = []
    for name, path in zip(names, machines):
        home = path.parent.resolve()
        own = [o for o in others if o.parent.resolve() == home or o.parent.resolve() not in homes]
        found.append(Machine(name, (path, *own)))
    return found, layers


def _machine_name(path: Path, machines: Sequence[Path]) -> str:
    """Of its folder; of its file where several share a folder."""
    stem = path.name.split(".")[0]
    shared = sum(other.parent.resolve() == path.parent.resolve() for other in machines) > 1
    named = shared or not stem.lower().startswith(_PLAIN_NAMES)
    return safe_name(stem if named else path.resolve().parent.name)


def _choices(axes: Mapping[str, tuple[str, ...]], paired: bool) -> list[dict[str, str]]:
    if not paired:
        return [dict(zip(axes, combination)) for combination in itertools.product(*axes.values())]
    lengths = {name: len(entries) for name, entries in axes.items() if len(entries) > 1}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise UsageError(f"--paired takes lists of one length: {told} values")
    count = max(lengths.values(), default=1)
    return [
        {name: entries[i] if len(entries) > 1 else entries[0] for name, entries in axes.items()}
        for i in range(count)
    ]


def _point_name(machine: Machine, choice: Mapping[str, str], swept: Sequence[str], machines: int) -> str:
    parts = [f"{short_path(name, swept)}={choice[name]}" for name in swept]
    named = ",".join([machine.name, *parts] if machines > 1 or not parts else parts)
    return re.sub(r"[^\w.+=,-]+", "_", named).strip("._")[:_NAME] or "point"


def short_path(name: str, others: Sequence[str]) -> str:
    """``GLB.depth`` of ``GLB.attributes.depth``, as long as that tells it from the others."""
    short = _shortened(name)
    return short if [_shortened(other) for other in others].count(short) < 2 else name.lstrip("+")


def _shortened(name: str) -> str:
    path = name.lstrip("+")
    steps = re.findall(r"[^.\[\]]+(?:\[[^\]]*\])?|\[[^\]]*\]", path)
    kept = [step for step in steps if step not in ("attributes", "spatial")]
    return ".".join(kept) if len(kept) > 1 else path


def machine_area(spec: Spec) -> tuple[float | None, str]:
    """Area in um^2 of all storage and compute instances on the chip, or ``None`` and why it is not known.

    Off-chip memory counts nothing, and neither do networks: Timeloop's tables say nothing of them.
    """
    if any(NOT_FOLLOWING in notice for notice in spec.notices):
        return None, "the ART that is given does not follow what is set"
    machine, energies = spec.architecture, spec.energies
    parts = [
        (level.name, energies.storage[s].area * level.instances)
        for s, level in enumerate(machine.storage)
        if not level.is_dram and "dummy" not in level.class_name
    ]
    parts.append((machine.compute.name, energies.compute_area * machine.compute.instances))
    unknown = [name for name, area in parts if not area > 0]
    if len(unknown) == len(parts):
        return None, "no areas: give an ART (with an ERT), or have Accelergy on the path"
    if unknown:
        return None, f"no area of {', '.join(unknown)}"
    return sum(area for _, area in parts), ""
