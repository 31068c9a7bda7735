"""Statistics in the form of a row's ``exp``, and the comparison of two of them field by field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..cost.outcome import (
    LevelStatistics,
    NetworkTensorStatistics,
    Rejection,
    Statistics,
    TensorStatistics,
)
from ..specs.spec import Spec

# Fields that the real program prints with two decimals; all others are compared exactly.
TWO_DECIMALS = frozenset({"leak", "area", "ingress"})


@dataclass(frozen=True)
class Difference:
    """One figure that differs: its key path, the recorded and the computed value (``None`` = absent)."""

    path: str
    expected: object
    got: object

    def __str__(self) -> str:
        return f"{self.path}: recorded {self.expected!r}, computed {self.got!r}"


def computed(result: Statistics | Rejection, spec: Spec) -> dict[str, Any]:
    """The figures of one mapping in the form of ``exp``; those recorded with two decimals are rounded to them."""
    if isinstance(result, Rejection):
        failure = result.failure.name.lower()
        return {"ok": False, "class": failure, "level": result.level_name, "msg": result.message}
    return {
        "ok": True,
        "cycles": result.cycles,
        "energy": result.energy_pj,
        "util": result.utilization,
        "computes": result.computes,
        "compute": {
            "name": spec.architecture.compute.name,
            "inst": result.compute.utilized_instances,
            "avg_inst": result.compute.average_instances,
            "cycles": result.compute.cycles,
            "energy": result.compute.energy,
            "area": round(result.compute.area, 2),
        },
        "levels": {
            level.name: _level(level, round(energy.area, 2), spec)
            for level, energy in zip(result.levels, spec.energies.storage, strict=True)
        },
        "nets": _networks(result, spec),
    }


def compare(exp: dict[str, Any], got: dict[str, Any]) -> list[Difference]:
    """All figures that differ: integers and doubles must be equal, those printed with two decimals equal in them."""
    if exp == got:
        return []
    return list(_compare(exp, got, "", ""))


def figures(exp: object) -> int:
    """How many figures (numbers, names, messages, flags) ``exp`` holds."""
    if isinstance(exp, dict):
        return sum(map(figures, exp.values()))
    if isinstance(exp, list):
        return sum(map(figures, exp))
    return 1


def _level(level: LevelStatistics, area: float, spec: Spec) -> dict[str, Any]:
    return {
        "cycles": level.cycles,
        "throttle": level.throttle,
        "energy": level.energy,
        "leak": round(level.leakage, 2),
        "area": area,
        "ds": {
            space.name: _tensor(tensor)
            for space, tensor in zip(spec.problem.data_spaces, level.tensors, strict=True)
            if tensor.kept
        },
    }


def _tensor(tensor: TensorStatistics) -> dict[str, Any]:
    return {
        "part": tensor.partition,
        "cap": tensor.tile_shape,
        "inst": tensor.instances,
        "clus": tensor.clusters,
        "reads": tensor.reads,
        "fills": tensor.fills,
        "updates": tensor.updates,
        "tred": tensor.temporal_reductions,
        "agen": tensor.address_generations,
        "rbw": tensor.read_bandwidth,
        "wbw": tensor.write_bandwidth,
        "e": tensor.energy,
        "eagen": tensor.address_energy,
    }


def _networks(result: Statistics, spec: Spec) -> dict[str, Any]:
    """Per network and data space the fields that are not 0; a data space without any is left out."""
    networks: dict[str, Any] = {}
    for network in result.networks:
        spaces = {
            space.name: fields
            for space, tensor in zip(spec.problem.data_spaces, network.tensors, strict=True)
            if (fields := _network_tensor(tensor))
        }
        networks[network.name] = spaces
    return networks


def _network_tensor(tensor: NetworkTensorStatistics) -> dict[str, Any]:
    fields = {
        "fanout": tensor.fanout,
        "mcast": tensor.multicast,
        "ingress": [
            [entry.multicast, entry.scatter, round(entry.accesses, 2)]
            for entry in (*tensor.entries, *tensor.distributed)
        ],
        "link": tensor.link_transfers,
        "sred": tensor.spatial_reductions,
        "hops": tensor.hops,
        "e_hop": tensor.energy_per_hop,
        "e": tensor.energy,
        "e_link": tensor.link_energy,
    }
    return {name: value for name, value in fields.items() if value}


def _compare(exp: object, got: object, path: str, field: str) -> Iterator[Difference]:
    if isinstance(exp, dict) and isinstance(got, dict):
        for key in (*exp, *(key for key in got if key not in exp)):
            yield from _compare(exp.get(key), got.get(key), f"{path}.{key}" if path else key, key)
    elif isinstance(exp, list) and isinstance(got, list) and len(exp) == len(got):
        for index, pair in enumerate(zip(exp, got, strict=True)):
            yield from _compare(*pair, f"{path}[{index}]", field)
    elif not _equal(exp, got, field):
        yield Difference(path, exp, got)


def _equal(exp: object, got: object, field: str) -> bool:
    if field in TWO_DECIMALS and _is_number(exp) and _is_number(got):
        return f"{exp:.2f}" == f"{got:.2f}"
    return bool(exp == got)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
