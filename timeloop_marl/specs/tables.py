"""Reads ERT and ART sections of versions 0.2 to 0.4 (cost-model section 13, formats section 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .document import Node
from .energy import Action
from .scalars import Reading

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
