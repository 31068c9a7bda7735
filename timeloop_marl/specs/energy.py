"""Energy and area of every action of one machine: ERT, ART and Timeloop's PAT rules (cost-model section 13)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import SpecError
from .architecture import Architecture, ComputeLevel, StorageLevel, UserNetwork
from .document import Node
from .scalars import Reading


@dataclass(frozen=True)
class Action:
    """One entry of an ERT action list: its arguments and its energy in pJ."""

    arguments: Mapping[str, object]
    energy: float


@dataclass(frozen=True)
class LevelEnergy:
    """One storage level: pJ per vector access, leak in pJ per instance and cycle, area in um^2 per instance."""

    read: float
    fill: float
    update: float
    leak: float = 0.0
    area: float = 0.0  # already rounded to float32, as Timeloop stores it
    vector_access: float = field(
        default=0.0, metadata={"identity": False}
    )  # informational: what stats.txt prints
    source: str = field(
        default="PAT", metadata={"identity": False}
    )  # "ERT", "PAT" or "user", as stats.txt prints it


@dataclass(frozen=True)
class Energies:
    """Everything the cost model needs about energy. ``storage`` is inside-out like ``Architecture.storage``."""

    storage: tuple[LevelEnergy, ...]
    compute: float  # pJ per operation
    compute_area: float = 0.0  # um^2 per instance
    wire: float | None = None  # ERT component called wire (float32, pJ/bit/mm): sets all inferred networks
    # ERT tables of user-defined networks: network -> action -> entries in file order
    network_actions: Mapping[str, Mapping[str, tuple[Action, ...]]] = field(default_factory=dict)
    # one line naming the source of the numbers, printed with every output
    origin: str = field(default="", metadata={"identity": False})


_VERSIONS = ("0.2", "0.3", "0.4")
_RANGE_START = re.compile(r"\[[0-9]*$")

READ = ("random_read", "read")
FILL = ("random_fill", "random_write", "fill", "write")
UPDATE = ("random_update", "random_write", "update", "write")
LEAK = ("leak",)
COMPUTE = ("mac_random", "mult_random", "mac", "mult", "compute")


@dataclass(frozen=True)
class Table:
    """The actions of one component: action name -> entries in file order."""

    component: str
    actions: Mapping[str, tuple[Action, ...]]

    def maximum(self, action: str) -> float:
        """Energy of an action name in pJ: the largest of its entries, arguments ignored."""
        return max(entry.energy for entry in self.actions[action])

    def first(self, names: tuple[str, ...], default: float) -> float:
        """Energy of the first of ``names`` the table has, else ``default``."""
        return next((self.maximum(name) for name in names if self.actions.get(name)), default)

    @property
    def largest(self) -> float:
        """Largest energy of all actions (what stats.txt prints, leak included)."""
        return max((self.maximum(name) for name, entries in self.actions.items() if entries), default=0.0)


def component_name(full: str) -> str:
    """``system.PE[0..3].RF[1..4]`` -> ``RF``: the last dotted part without a trailing range."""
    dot = full.rfind(".")
    if dot > 0 and full[dot - 1] == ".":
        full = _RANGE_START.sub("", full[: dot - 1])
        dot = full.rfind(".")
    return full[dot + 1 :]


def read_ert(reading: Reading, node: Node) -> list[Table]:
    """The tables of an ``ERT`` section in file order.

    Raises:
        SpecError: no tables at all (Timeloop ends with "key not found: tables"), malformed entries.
    """
    if not isinstance(node.value, Mapping):
        node.fail("not an energy reference table", expected="a map with version and tables")
    version = reading.text(node.child("version"))
    if version is not None and version not in _VERSIONS:
        node.child("version").fail("unknown ERT version", expected=", ".join(_VERSIONS))
    tables = node.child("tables")
    if tables.absent or tables.value in ([], {}):
        tables.fail("key not found: tables", expected="at least one table", remedy="remove the ERT section")
    if isinstance(tables.value, Mapping):
        return [_old_table(reading, name, table) for name, table in tables.items()]
    return [_table(reading, table) for table in tables.elements()]


def _table(reading: Reading, node: Node) -> Table:
    actions = node.child("actions") if isinstance(node.value, Mapping) else node
    name = node.child("name").value if isinstance(node.value, Mapping) else None
    if not isinstance(name, str):
        node.fail("not a table", expected="a map {name, actions}")
    return Table(component_name(name), {} if actions.absent else _entries(reading, actions))


def _entries(reading: Reading, actions: Node) -> dict[str, tuple[Action, ...]]:
    """A list of named actions, grouped by name in file order."""
    entries: dict[str, list[Action]] = {}
    for element in actions.elements():
        if not isinstance(element.value, Mapping) or not isinstance(element.child("name").value, str):
            element.fail("not an action", expected="a map {name, energy, arguments}")
        entries.setdefault(element.child("name").value, []).append(_action(reading, element))
    return {key: tuple(value) for key, value in entries.items()}


def _old_table(reading: Reading, name: str, node: Node) -> Table:
    """Version 0.2: component -> action -> {energy} or a list of such maps, or component -> list of actions."""
    if isinstance(node.value, list):
        return Table(component_name(name), _entries(reading, node))
    entries: dict[str, tuple[Action, ...]] = {}
    for action, body in node.items():
        bodies = body.elements() if isinstance(body.value, list) else [body]
        for element in bodies:
            if not isinstance(element.value, Mapping):
                element.fail("not an action", expected="a map {energy, arguments}")
        entries[action] = tuple(_action(reading, element) for element in bodies)
    return Table(component_name(name), entries)


def _action(reading: Reading, node: Node) -> Action:
    energy = reading.number(node.child("energy"), minimum=0.0)
    if energy is None:
        node.fail("action without energy", expected="energy: a number of pJ")
    arguments = node.child("arguments").value
    return Action(dict(arguments) if isinstance(arguments, Mapping) else {}, energy)


def read_art(reading: Reading, node: Node) -> dict[str, float]:
    """Component name -> area in um^2 of an ``ART`` section.

    Raises:
        SpecError: a version other than 0.3 or 0.4, malformed entries.
    """
    if not isinstance(node.value, Mapping):
        node.fail("not an area reference table", expected="a map with version and tables")
    version = reading.text(node.child("version"))
    if version is not None and version not in _VERSIONS[1:]:
        node.child("version").fail("unknown ART version", expected=", ".join(_VERSIONS[1:]))
    areas: dict[str, float] = {}
    tables = node.child("tables")
    for element in [] if tables.absent else tables.elements():
        name = element.child("name").value if isinstance(element.value, Mapping) else None
        if not isinstance(name, str):
            element.fail("not a table", expected="a map {name, area}")
        area = reading.number(element.child("area"), minimum=0.0)
        if area is None:
            element.fail("table without area", expected="area: a number of um^2")
        areas[component_name(name)] = area
    return areas


# slope of the SRAM line from 0.5 KB (1.0) to 100 KB (6.0); evaluated first, as Timeloop does
_SLOPE = (6.0 - 1.0) / (100.0 - 0.5)


def pat_vector_access(level: StorageLevel) -> float:
    """Energy in pJ of one vector access of a storage level.

    Raises:
        ValueError: a DRAM with a cluster size other than 1.
    """
    if level.is_dram:
        if level.cluster_size != 1:
            raise ValueError(f"{level.name}: without an energy table a DRAM needs cluster_size 1")
        return (200.0 * (level.word_bits * level.block_size)) / 16
    if not level.size:
        return 0.0
    width = level.word_bits * level.block_size * level.cluster_size
    height = -(-level.size // level.block_size)
    kilobytes = float(width * height) / 8192
    return ((_SLOPE * (kilobytes - 0.5) + 1) * width) / 16 / level.cluster_size


def pat_compute(level: ComputeLevel) -> float:
    """Energy in pJ of one operation."""
    return (level.word_bits / 16.0) * (level.word_bits / 16.0)


def resolve(
    architecture: Architecture, tables: Sequence[Table], areas: Mapping[str, float], origin: str
) -> Energies:
    """Energies from tables, attributes and, where those are silent, PAT.

    Args:
        architecture: the machine.
        tables: ERT tables in file order; of several for one component the last counts.
        areas: ART areas in um^2 by component name (only given together with an ERT).
        origin: one line naming the source.

    Raises:
        SpecError: PAT cannot price a level, or a multicast network has no usable table.
    """
    by_name = {table.component: table for table in tables}
    for network in architecture.networks:
        if network.kind == "SimpleMulticast":
            _check_multicast(network, by_name.get(network.name))
    compute = architecture.compute
    start = pat_compute(compute) if compute.energy is None else float(compute.energy)
    mac = by_name.get(compute.name)
    area = areas.get(compute.name, 0.0 if compute.area is None else float(compute.area))
    return Energies(
        storage=tuple(
            _level(level, by_name.get(level.name), float32(areas.get(level.name, 0.0)))
            for level in architecture.storage
        ),
        compute=start if mac is None else mac.first(COMPUTE, start),
        compute_area=float32(area),
        wire=_wire(tables),
        network_actions={
            network.name: by_name[network.name].actions
            for network in architecture.networks
            if network.name in by_name
        },
        origin=origin,
    )


def _check_multicast(network: UserNetwork, table: Table | None) -> None:
    """What Timeloop asserts about the table of a SimpleMulticast network (cost-model section 14)."""
    where = f"ERT: {network.name}"
    if table is None:
        raise SpecError(
            f"network {network.name} has no energy table",
            path=where,
            expected=f"a table with action {network.action_name}",
            remedy="give an ERT that prices the network",
        )
    for name, entries in table.actions.items():
        used = (
            name.startswith(f"{network.action_name}_")
            if network.per_datatype_ert
            else name == network.action_name
        )
        if not used or len(entries) < 2:
            continue
        if network.multicast_factor_argument is None:
            raise SpecError(
                f"action {name} has several entries, but the network names no multicast_factor_argument",
                path=where,
                expected="attribute multicast_factor_argument: the argument that tells the entries apart",
            )
        if not all(entry.arguments for entry in entries):
            raise SpecError(
                f"an entry of action {name} has no arguments", path=where, expected="arguments: {...}"
            )


def float32(value: float) -> float:
    """The value after a pass through a 32-bit float."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _level(level: StorageLevel, table: Table | None, area: float) -> LevelEnergy:
    if level.vector_access_energy is not None:  # the attribute wins completely, leak included
        energy = level.vector_access_energy
        return LevelEnergy(energy, energy, energy, 0.0, area, energy, "user")
    try:
        start = pat_vector_access(level)
    except ValueError as error:
        # the assertion concerns only levels that no table prices
        if table is None:
            raise SpecError(str(error), path=f"architecture: {level.name}", remedy="give an ERT") from None
        start = 0.0
    if table is None:
        return LevelEnergy(start, start, start, 0.0, area, start, "PAT")
    return LevelEnergy(
        read=table.first(READ, start),
        fill=table.first(FILL, start),
        update=table.first(UPDATE, start),
        leak=table.first(LEAK, 0.0),
        area=area,
        vector_access=table.largest / level.cluster_size,
        source="ERT",
    )


def _wire(tables: Sequence[Table]) -> float | None:
    """pJ/bit/mm of a component called wire, through a 32-bit float."""
    for table in reversed(tables):
        if table.component in ("wire", "Wire") and table.actions.get("transfer_random"):
            return float32(table.maximum("transfer_random"))
    return None
