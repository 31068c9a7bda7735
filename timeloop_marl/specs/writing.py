"""A ``Spec`` as one flat v0.3 document: the inverse of ``reading`` (formats sections 1, 2, 4, 5)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..errors import SpecError
from .architecture import ComputeLevel, StorageLevel, TilingLevel, UserNetwork
from .constraints import SWITCHES, LoopConstraint
from .document import plain
from .energy import Action, LevelEnergy, component_name, pat_compute, pat_vector_access
from .machine import (
    COMPUTE,
    COMPUTE_KEYS,
    INFERRED_NETWORK,
    MULTICAST,
    NETWORK_KEYS,
    OWN_NETWORK,
    STORAGE,
    STORAGE_KEYS,
    Attribute,
    component_kind,
)
from .mapper import MapperOptions, ModelSection
from .problem import Problem, Term
from .spec import Spec
from .yaml_text import yaml_text

__all__ = ["document", "yaml_text"]


def document(spec: Spec, *, constraints: bool = True, mapper: bool = True) -> dict[str, Any]:
    """Everything a ``Spec`` says, as one document that timeloop-mapper and ``read_spec`` take.

    Reading it gives the same mapspace and costs. What differs afterwards: every level is priced by the ERT (statistics
    name ERT as source instead of PAT), ``attributes`` hold the canonical names beside the free ones, levels of the
    form without version have a class, notices and places of origin are those of the new document. Choices that are not
    in files (``ModelOptions``) are not written. What the native model does not cover is written word for word.

    Args:
        spec: what to write.
        constraints: write loop, bypass and reuse constraints.
        mapper: write the mapper options and the mapspace template.

    Raises:
        SpecError: a name that the tree form or the tables cannot carry.
    """
    result = _machine_and_problem(spec)
    targets = constraint_targets(spec) if constraints else []
    if targets:
        result["architecture_constraints"] = {"targets": targets}
    if mapper:
        result["mapspace"] = {"template": spec.mapper.template}
        result["mapper"] = _mapper_section(spec.mapper)
    model = _changed(spec.model)
    if model:
        result["model"] = model
    return {
        **result,
        **({} if spec.beyond or spec.sparsity else {"ERT": ert_section(spec), "ART": art_section(spec)}),
    }


def _machine_and_problem(spec: Spec) -> dict[str, Any]:
    """Architecture and problem; of a design that is sparse, or outside the native model, all that was read."""
    if spec.beyond is not None:
        return dict(spec.beyond.sections)
    if spec.sparsity is not None:
        return dict(spec.sparsity.sections)
    return {"architecture": architecture_section(spec), "problem": _problem_section(spec.problem)}


def _problem_section(problem: Problem) -> dict[str, Any]:
    """Shape and instance; coefficients are named after their values, which is all that is known of them."""
    coefficients = {
        term.coefficient: None
        for space in problem.data_spaces
        for rank in space.ranks
        for term in rank
        if term.coefficient != 1
    }
    shape: dict[str, Any] = {"name": problem.name} if problem.name else {}
    shape["dimensions"] = list(problem.dims)
    if coefficients:
        shape["coefficients"] = [{"name": _coefficient(value), "default": value} for value in coefficients]
    shape["data_spaces"] = [
        {
            "name": space.name,
            "projection": [[_term(term, problem) for term in rank] for rank in space.ranks],
            **({"read_write": True} if space.read_write else {}),
        }
        for space in problem.data_spaces
    ]
    return {"shape": shape, "instance": dict(zip(problem.dims, problem.bounds, strict=True))}


def _coefficient(value: int) -> str:
    return f"times_{value}" if value >= 0 else f"times_minus_{-value}"


def _term(term: Term, problem: Problem) -> list[str]:
    dim = problem.dims[term.dim]
    return [dim] if term.coefficient == 1 else [dim, _coefficient(term.coefficient)]


def _mapper_section(options: MapperOptions) -> dict[str, Any]:
    """All options but the template, which belongs to the mapspace, and those whose default cannot be written."""
    section = {field.name: getattr(options, field.name) for field in fields(options)}
    del section["template"]
    for name in ("factors", "count"):  # not Timeloop's: written where given only
        if section[name] is None:
            del section[name]
    if not options.num_threads:  # the number of hardware threads is what the programs take without the key
        del section["num_threads"]
    if options.out_prefix == MapperOptions.out_prefix:
        del section["out_prefix"]
    section["optimization_metrics"] = list(options.optimization_metrics)
    return section


def _changed(section: ModelSection) -> dict[str, Any]:
    values = {field.name: getattr(section, field.name) for field in fields(section)}
    return {name: value for name, value in values.items() if value != getattr(ModelSection, name)}


_UINT32 = 1 << 32  # Timeloop reads entries and depth into 32 bits
_BITS_PER_KB = 8192
_FREE_DEPTH = 4
_FREE_KEY = 100


def architecture_section(spec: Spec) -> dict[str, Any]:
    """One subtree whose ``local`` lists the levels from the outside in, then the compute level and the networks.

    Raises:
        SpecError: a name with brackets, which the tree form takes for a range of instances.
    """
    machine = spec.architecture
    priced = zip(machine.storage, spec.energies.storage, strict=True)
    local = [_storage(level, keeps_vector_energy(level, energy)) for level, energy in priced][::-1]
    local.append(_compute(machine.compute))
    local += [_network(network) for network in machine.networks]
    return {"version": 0.3, "subtree": [{"name": ROOT, "local": local}]}


def _component(name: str, class_name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    if "[" in name:
        raise SpecError(
            "a name with brackets, which the tree form takes for a range of instances",
            path="architecture",
            value=name,
            remedy="choose a name without brackets",
        )
    return {"name": name, "class": class_name, "attributes": dict(attributes)}


def _storage(level: StorageLevel, keeps_energy: bool) -> dict[str, Any]:
    given = _given(level, STORAGE)
    if not keeps_energy:
        given.pop("vector_access_energy", None)
    attributes = {
        "word_bits": given.pop("word_bits"),
        **{key: value for key, value in _size(level).items() if value is not None},
        **{key: getattr(level, key) for key in ("block_size", "cluster_size") if getattr(level, key) != 1},
        **_mesh(level),
        **given,
        **_given(level.network, INFERRED_NETWORK),
    }
    class_name = level.class_name if component_kind(level.class_name) == "storage" else level.technology
    technology = level.attributes.get("technology")
    if level.is_dram and "DRAM" not in class_name:
        attributes["technology"] = "DRAM"
    elif technology is not None and not isinstance(technology, (Mapping, list)):
        attributes["technology"] = plain(technology)
    return _component(level.name, class_name, attributes | _free(level.attributes, STORAGE_KEYS))


def _mesh(level: StorageLevel | ComputeLevel) -> dict[str, int]:
    return {"instances": level.instances, "meshX": level.mesh_x, "meshY": level.mesh_y}


def _size(level: StorageLevel) -> dict[str, int | None]:
    """Words per instance, in a unit whose number fits into 32 bits."""
    size = level.size
    if size is None or size < _UINT32:
        return {"entries": size}
    if size % level.block_size == 0 and size // level.block_size < _UINT32:
        return {"depth": size // level.block_size}
    kilobytes = -(-size * level.word_bits // _BITS_PER_KB)
    if kilobytes * _BITS_PER_KB // level.word_bits == size:
        return {"sizeKB": kilobytes}
    return {"entries": size}


def _compute(level: ComputeLevel) -> dict[str, Any]:
    class_name = level.class_name if component_kind(level.class_name) == "compute" else "mac"
    attributes = {**_given(level, COMPUTE), **_mesh(level), **_free(level.attributes, COMPUTE_KEYS)}
    return _component(level.name, class_name, attributes)


def _network(network: UserNetwork) -> dict[str, Any]:
    own = _given(network.network, OWN_NETWORK)
    attributes = {
        "word_bits": own.pop("network_word_bits", None) or 16,
        **own,
        **_given(network, MULTICAST),
        **(
            {"per_datatype_ERT": True} if network.per_datatype_ert else {}
        ),  # its presence counts, not its value
    }
    return _component(network.name, network.kind, attributes | _free(network.attributes, NETWORK_KEYS))


def _given(level: object, table: Sequence[Attribute]) -> dict[str, Any]:
    """Attributes that are there and not what Timeloop takes without them; words are always written."""
    values = [(entry, getattr(level, entry.name)) for entry in table]
    return {
        entry.keys[0]: dict(value) if isinstance(value, Mapping) else value
        for entry, value in values
        if value not in (None, {}) and (value != entry.default or entry.name == "word_bits")
    }


def _free(attributes: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Attributes that Timeloop does not read, kept for readers of the file and other tools."""
    read = {spelling for key in known for spelling in (key, key.replace("_", "-"))} | {"name", "class"}
    return {
        str(key): plain(value)
        for key, value in attributes.items()
        if value is not None
        and key not in read
        and len(str(key)) <= _FREE_KEY
        and _depth(value) <= _FREE_DEPTH
    }


def _depth(value: object) -> int:
    if isinstance(value, Mapping):
        return 1 + max((_depth(item) for item in value.values()), default=0)
    if isinstance(value, (list, tuple)):
        return 1 + max((_depth(item) for item in value), default=0)
    return 0


def constraint_targets(spec: Spec) -> list[dict[str, Any]]:
    """The list under ``targets``, levels outermost first, each entry with target and type."""
    targets: list[dict[str, Any]] = []
    for level in reversed(range(len(spec.architecture.storage))):
        targets += [*_bypass(spec, level)]
        for spatial in (True, False):
            targets += [*_loops(spec, TilingLevel(level, spatial))]
        if level in (spec.constraints.overbooked or {}):
            name, share = spec.architecture.storage[level].name, (spec.constraints.overbooked or {})[level]
            targets.append({"target": name, "type": "max_overbooked_proportion", "proportion": share})
    if spec.constraints.min_parallelism > 0:
        innermost = spec.architecture.storage[0].name
        minimum = spec.constraints.min_parallelism
        targets.append({"target": innermost, "type": "utilization", "min": minimum})
    return targets


def _bypass(spec: Spec, level: int) -> list[dict[str, Any]]:
    """What is kept and bypassed by decree; that the outermost level keeps is the rule and not said."""
    flags = [row[level] for row in spec.constraints.bypass]
    names = [space.name for space in spec.problem.data_spaces]
    outermost = level == len(spec.architecture.storage) - 1
    lists = {
        "keep": [name for name, flag in zip(names, flags, strict=False) if flag == "1" and not outermost],
        "bypass": [name for name, flag in zip(names, flags, strict=False) if flag == "0"],
        **switch_keys(spec, "bypass", level, -1),
    }
    entry = {key: found for key, found in lists.items() if found}
    return [{"target": spec.architecture.storage[level].name, "type": "datatype", **entry}] if entry else []


def _loops(spec: Spec, tiling: TilingLevel) -> list[dict[str, Any]]:
    if tiling not in spec.architecture.tiling_levels:
        return []
    kind, constraint = "spatial" if tiling.spatial else "temporal", spec.constraints.loops.get(tiling)
    entry = {} if constraint is None else _loop_keys(constraint, spec.problem)
    entry |= switch_keys(spec, kind, tiling.storage, -1)
    if constraint is None and not entry:
        return []
    return [{"target": spec.architecture.storage[tiling.storage].name, "type": kind, **entry}]


def switch_keys(spec: Spec, kind: str, level: int, spelling: int = 0) -> dict[str, list[str]]:
    """The reuse switches that are set at a storage level, as entries of a directive or (last spelling) constraint."""
    result: dict[str, list[str]] = {}
    for switch, keys in SWITCHES[kind].items():
        pairs = getattr(spec.constraints.switches, switch)
        names = [space.name for p, space in enumerate(spec.problem.data_spaces) if (level, p) in pairs]
        if names:
            result[keys[spelling]] = names
    return result


def _loop_keys(constraint: LoopConstraint, problem: Problem) -> dict[str, Any]:
    """Factors, permutation, split and remainders, as far as they are constrained."""
    keys: dict[str, Any] = {}
    tables = {"=": constraint.fixed, "<=": constraint.maximum, ">=": constraint.minimum}
    factors = [
        f"{name}{relation}{table[dim]}"
        for relation, table in tables.items()
        for dim, name in enumerate(problem.dims)
        if dim in table
    ]
    if factors:
        keys["factors"] = " ".join(factors)
    if constraint.prefix is not None or constraint.suffix:
        suffix = _letters(constraint.suffix, problem)
        keys["permutation"] = _letters(constraint.prefix or (), problem) + (suffix and f"_{suffix}")
    if constraint.split is not None:
        keys["split"] = constraint.split
    if constraint.remainders is not None:
        keys["remainders"] = constraint.remainders
    return keys


def _letters(dims: Sequence[int], problem: Problem) -> str:
    return "".join(problem.dims[dim] for dim in dims)


ROOT = "system"  # the subtree that holds all components, and what full names begin with


def ert_section(spec: Spec) -> dict[str, Any]:
    """One table a component, energies in pJ as resolved.

    Raises:
        SpecError: a level whose name no table can carry has energies of its own.
    """
    energies, machine = spec.energies, spec.architecture
    tables: dict[str, list[dict[str, Any]]] = {}
    for level, energy in reversed(list(zip(machine.storage, energies.storage, strict=True))):
        if not keeps_vector_energy(level, energy) and _tabled(
            level.name, energy.leak == 0 and _uniform(energy, _pat(level))
        ):
            tables[level.name] = _level_actions(level, energy)
    priced = pat_compute(machine.compute) if machine.compute.energy is None else machine.compute.energy
    if _tabled(machine.compute.name, energies.compute == priced):
        tables[machine.compute.name] = [{"name": "compute", "energy": energies.compute}]
    for name, actions in energies.network_actions.items():
        tables[name] = [_entry(action, entry) for action, entries in actions.items() for entry in entries]
    if energies.wire is not None:  # either spelling will do; a component may have taken the first
        wire = "Wire" if "wire" in tables else "wire"
        tables.setdefault(wire, []).append({"name": "transfer_random", "energy": energies.wire})
    return {
        "version": 0.4,
        "tables": [{"name": f"{ROOT}.{name}", "actions": actions} for name, actions in tables.items()],
    }


def art_section(spec: Spec) -> dict[str, Any]:
    """Areas in um^2 of one instance: exact doubles of the 32-bit floats that Timeloop keeps.

    Raises:
        SpecError: a level whose name no table can carry has an area.
    """
    machine, energies = spec.architecture, spec.energies
    areas = {
        level.name: energy.area
        for level, energy in reversed(list(zip(machine.storage, energies.storage, strict=True)))
    }
    areas[machine.compute.name] = energies.compute_area
    return {
        "version": 0.4,
        "tables": [
            {"name": f"{ROOT}.{name}", "area": area}
            for name, area in areas.items()
            if _tabled(name, area == 0)
        ],
    }


def keeps_vector_energy(level: StorageLevel, energy: LevelEnergy) -> bool:
    """Whether the attribute ``vector_access_energy``, which beats every table, is what the level costs."""
    return energy.leak == 0 and _uniform(energy, level.vector_access_energy)


def _uniform(energy: LevelEnergy, value: float | None) -> bool:
    return energy.read == energy.fill == energy.update == value


def _pat(level: StorageLevel) -> float | None:
    try:
        return pat_vector_access(level)
    except ValueError:  # PAT cannot price it
        return None


def _tabled(name: str, elsewhere: bool) -> bool:
    """Whether a table of this name finds its component; where not, the number must hold without (``elsewhere``)."""
    if component_name(f"{ROOT}.{name}") == name:
        return True
    if not elsewhere:
        raise SpecError(
            "a component of this name cannot be priced by a table",
            path=f"ERT: {name}",
            value=name,
            remedy="choose a name without dots",
        )
    return False


def _level_actions(level: StorageLevel, energy: LevelEnergy) -> list[dict[str, Any]]:
    actions = {"read": energy.read, "fill": energy.fill, "update": energy.update, "leak": energy.leak}
    printed = _largest_action(level, energy)
    if printed is not None:
        actions["vector_access"] = printed
    return [{"name": name, "energy": value} for name, value in actions.items()]


def _largest_action(level: StorageLevel, energy: LevelEnergy) -> float | None:
    """Energy of a further action that no operation uses, so that statistics print the same vector access energy.

    What is printed is the largest action over the cluster size.
    """
    largest = max(energy.read, energy.fill, energy.update, energy.leak)
    if largest / level.cluster_size == energy.vector_access:
        return None
    product = energy.vector_access * level.cluster_size
    for candidate in (product, math.nextafter(product, math.inf), math.nextafter(product, 0.0)):
        if candidate >= largest and candidate / level.cluster_size == energy.vector_access:
            return candidate
    return None


def _entry(name: str, action: Action) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "energy": action.energy}
    if action.arguments:
        entry["arguments"] = dict(action.arguments)
    return entry
