"""Writes the flat v0.3 form: one list of components, and constraints as targets (formats section 6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..document import Origin
from ..marked import Map, Seq
from .nodes import Level, Walk
from .scope import Attributes, Symbols, World, evaluated
from .wishes import LIMITS, REUSE, Keeping, Loops, Workload, names_as_list

_STORAGE_DEFAULTS: dict[str, Any] = {
    "n_banks": 2,
    "cluster_size": 1,
    "reduction_supported": True,
    "multiple_buffering": 1,
    "min_utilization": 0,
    "allow_overbooking": False,
}
_DUMMY: dict[str, Any] = {"width": 1, "depth": 1, "datawidth": 1, "technology": -1}
_CONTAINER_DEFAULTS: dict[str, Any] = {"has_power_gating": False, "power_gated_at": None}
_ACTIONS = {"storage": ("read", "write", "update", "leak"), "compute": ("compute",)}


def architecture(walk: Walk, world: World, origin: Origin) -> Map:
    """The ``architecture`` section in tree form."""
    name, attributes = walk.first_container or ("system", None)
    subtree = Map(origin)
    subtree.put("name", f"{name}_top_level", origin)
    subtree.put("attributes", _top_attributes(attributes, world, origin), origin)
    local = Seq(origin)
    for level in walk.levels:
        local.add(_component(level), level.origin)
    subtree.put("local", local, origin)
    trees = Seq(origin)
    trees.add(subtree, origin)
    result = Map(origin)
    result.put("version", "0.4", origin)
    result.put("subtree", trees, origin)
    return result


def _top_attributes(attributes: Attributes | None, world: World, origin: Origin) -> Map:
    result = Map(origin)
    for source in (world.variables, attributes):
        if source is not None:
            for key in source:
                result.put(key, source[key], source.raw.origin_of(key))
    _fill(result, _CONTAINER_DEFAULTS, origin)
    return result


def _component(level: Level) -> Map:
    result = Map(level.origin)
    result.put("name", f"{level.name}[1..{level.mesh_x * level.mesh_y}]", level.origin)
    result.put("class", level.class_name, level.node.origin_of("class"))
    if not level.dummy and level.node.get("subclass") is not None:
        result.put("subclass", level.node["subclass"], level.node.origin_of("subclass"))
    result.put("attributes", _attributes(level), level.node.origin_of("attributes"))
    if not level.dummy:
        for key in ("area_scale", "energy_scale", "required_actions"):
            if level.node.get(key) is not None:
                origin = level.node.origin_of(key)
                symbols = Symbols(level.attributes, "")
                value = level.node[key]
                if key != "required_actions":
                    value = evaluated(value, origin, symbols, level.attributes.world.budget)
                result.put(key, value, origin)
        _require_actions(result, level)
    result.put("enabled", True, level.origin)
    return result


def _require_actions(component: Map, level: Level) -> None:
    kind = "storage" if level.storage else "compute" if level.compute else ""
    needed = _ACTIONS.get(kind, ())
    given = component.get("required_actions")
    actions = [action for action in given if isinstance(action, str)] if isinstance(given, Seq) else []
    actions += [action for action in needed if action not in actions]
    if actions:
        component.put("required_actions", names_as_list(actions, level.origin), level.origin)


def _attributes(level: Level) -> Map:
    """Own attributes, defaults, mesh, then the running ones of the containers for keys not there yet."""
    origin = level.node.origin_of("attributes")
    result = Map(origin)
    if level.dummy:
        _fill(result, _DUMMY, level.origin)
    else:
        for key in level.attributes:
            result.put(key, level.attributes[key], level.attributes.raw.origin_of(key))
    _fill(result, {"has_power_gating": False}, origin)
    if level.storage:
        _fill(result, _STORAGE_DEFAULTS, origin)
    result.put("meshX", level.mesh_x, origin)
    result.put("meshY", level.mesh_y, origin)
    containers = list(level.attributes.parents)
    if level.dummy and level.node.tag == "!Container":
        containers.append(level.attributes)  # a container's attributes hold from its own fan-out on
    for container in reversed(containers):
        for key in container:
            if key not in result:
                result.put(key, container[key], container.raw.origin_of(key))
    if containers:
        _fill(result, {"power_gated_at": None}, origin)
    return result


def _fill(target: Map, defaults: dict[str, Any], origin: Origin) -> None:
    for key, value in defaults.items():
        if key not in target:
            target.put(key, value, origin)


def targets(levels: Iterable[Level], workload: Workload) -> Seq:
    """All constraints as a list of v0.3 entries, outermost level first."""
    result = Seq()
    for level in levels:
        wishes = level.wishes
        parts = [_keeping(wishes.keeping), _loops(wishes.spatial), _loops(wishes.temporal)]
        if level.dummy:
            parts = [_loops(wishes.spatial), *_closed_dummy(level, workload)]
        elif not level.storage:
            parts = []
        for part in (*parts, *wishes.others):
            if part:
                part.put("target", level.name, part.origin)
                result.add(part, part.origin)
    return result


def _closed_dummy(level: Level, workload: Workload) -> list[Map]:
    """A dummy has no temporal loops and keeps nothing."""
    temporal = _entry("temporal", level.origin)
    temporal.put("factors", ",".join(f"{dim}=1" for dim in workload.dims))
    temporal.put("permutation", "".join(workload.dims))
    bypass = _entry("bypass", level.origin)
    bypass.put("bypass", names_as_list(list(workload.spaces), level.origin))
    return [temporal, bypass] if workload.dims else []


def _entry(kind: str, origin: Origin) -> Map:
    entry = Map(origin)
    entry.put("type", kind, origin)
    return entry


def _keeping(keeping: Keeping) -> Map | None:
    if not (keeping.given or keeping.bypass):
        return None
    entry = _entry("bypass", keeping.origin)
    for name in ("keep", "bypass", "no_coalesce"):
        spaces = getattr(keeping, name)
        if spaces:
            entry.put(name, names_as_list(spaces, keeping.origin), keeping.origin)
    return entry if len(entry) > 1 else None


def _loops(loops: Loops) -> Map | None:
    if loops.empty:
        return None
    entry = _entry("spatial" if loops.spatial else "temporal", loops.origin)
    if loops.factors:
        where = loops.where.get("factors", loops.origin)
        entry.put("factors", ",".join(map(str, loops.factors)), where)
    if loops.permutation:
        where = loops.where.get("permutation", loops.origin)
        entry.put("permutation", "".join(loops.permutation), where)
    if loops.split is not None:
        entry.put("split", loops.split, loops.where.get("split", loops.origin))
    for name in LIMITS:
        if name in loops.limits:
            entry.put(name, loops.limits[name], loops.where.get(name, loops.origin))
    for name in REUSE:
        if name in loops.reuse:
            entry.put(
                name, names_as_list(loops.reuse[name], loops.origin), loops.where.get(name, loops.origin)
            )
    return entry
