"""The figures of recorded rows: computed, compared, and held against the real program's."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...cost.outcome import (
    Failure,
    LevelStatistics,
    NetworkTensorStatistics,
    Rejection,
    Statistics,
    TensorStatistics,
)
from ...evaluators.timeloop.figures import Measured
from ...specs.spec import Spec
from .sparse_figures import sparse_figures

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
        aborted = spec.sparsity is not None and result.failure is Failure.OTHER
        failure = "abort" if aborted else result.failure.name.lower()
        return {"ok": False, "class": failure, "level": result.level_name, "msg": result.message}
    if spec.sparsity is not None:
        return sparse_figures(result, spec)
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


def compare(
    exp: dict[str, Any], got: dict[str, Any], printed: frozenset[str] = TWO_DECIMALS
) -> list[Difference]:
    """All figures that differ: integers and doubles must be equal, those ``printed`` only in their two decimals."""
    if exp == got:
        return []
    return list(_compare(exp, got, "", "", printed))


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


def _compare(
    exp: object, got: object, path: str, field: str, printed: frozenset[str]
) -> Iterator[Difference]:
    if isinstance(exp, dict) and isinstance(got, dict):
        for key in (*exp, *(key for key in got if key not in exp)):
            yield from _compare(exp.get(key), got.get(key), f"{path}.{key}" if path else key, key, printed)
    elif isinstance(exp, list) and isinstance(got, list) and len(exp) == len(got):
        for index, pair in enumerate(zip(exp, got, strict=True)):
            yield from _compare(*pair, f"{path}[{index}]", field, printed)
    elif not _equal(exp, got, field in printed):
        yield Difference(path, exp, got)


def _equal(exp: object, got: object, printed: bool) -> bool:
    if printed and _is_number(exp) and _is_number(got):
        return f"{exp:.2f}" == f"{got:.2f}"
    return bool(exp == got)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SUMS = re.compile(r"(^|\.)energy$")
_HOP = re.compile(r"\.e_hop$")
_PRINTED = 0.0050001  # half of the last printed digit


def disagreements(native: Statistics | Rejection, real: Measured | Rejection, spec: Spec) -> list[Difference]:
    """All figures that differ; ``expected`` is the real one, ``got`` the native one.

    Without map+stats.xml doubles are compared in the two decimals that the real program prints, and sums within what
    rounding their parts allows.
    """
    if isinstance(real, Rejection):
        found = compare(computed(real, spec), computed(native, spec))
        # The text of an abort is the program's own; the native model words the reason otherwise.
        if real.failure is Failure.OTHER:
            found = [difference for difference in found if difference.path in ("ok", "class")]
        return found
    if spec.sparsity is not None:
        return _totals_apart(native, real)
    expected, got = computed(real.statistics, spec), computed(native, spec)
    _sum_up_unlisted(expected, got, real.statistics, spec)
    found = compare(expected, got)
    if real.full or isinstance(native, Rejection):
        return found
    parts = _printed_parts(spec)
    return [difference for difference in found if not _equal_as_printed(difference, parts)]


def _totals_apart(native: Statistics | Rejection, real: Measured) -> list[Difference]:
    """Of a sparse design the totals are compared, the energy as precisely as it is known."""
    if isinstance(native, Rejection):
        return [Difference("ok", True, False)]
    pairs = (
        ("cycles", real.statistics.cycles, native.cycles),
        ("energy", real.statistics.energy_pj, native.energy_pj),
        ("computes", real.statistics.computes, native.computes),
    )
    found = [Difference(*pair) for pair in pairs if pair[1] != pair[2]]
    if real.full:
        return found
    return [
        one
        for one in found
        if one.path != "energy" or not math.isclose(pairs[1][1], pairs[1][2], rel_tol=1e-2)
    ]


def _sum_up_unlisted(expected: dict[str, Any], got: dict[str, Any], real: Statistics, spec: Spec) -> None:
    """Networks of class SimpleMulticast print the sum of their ingresses only: so they are compared."""
    for network in real.networks:
        if network.kind != "SimpleMulticast" or not got.get("nets"):
            continue
        for space, tensor in zip(spec.problem.data_spaces, network.tensors, strict=True):
            mine = got["nets"].get(network.name, {}).get(space.name, {})
            if tensor.ingresses:
                expected["nets"][network.name][space.name]["ingress"] = round(tensor.ingresses, 2)
            if "ingress" in mine:
                mine["ingress"] = round(sum(entry[2] for entry in mine["ingress"]), 2)


def _printed_parts(spec: Spec) -> int:
    """Printed energies that a total is at most the sum of: three per level and data space, two per network's."""
    levels, spaces = len(spec.architecture.storage), len(spec.problem.data_spaces)
    return 1 + 3 * levels * spaces + 2 * (levels + len(spec.architecture.networks)) * spaces


def _equal_as_printed(difference: Difference, parts: int) -> bool:
    path, real, native = difference.path, difference.expected, difference.got
    if path == "compute.avg_inst":  # printed nowhere
        return True
    if not isinstance(real, float | int | type(None)) or not isinstance(native, float | int | type(None)):
        return False
    a, b = float(real or 0.0), float(native or 0.0)  # figures of a network that are 0 are left out
    if isinstance(real, int) and isinstance(native, int):
        return False
    if _SUMS.search(path):
        return abs(a - b) <= parts * _PRINTED
    scale = 1000.0 if _HOP.search(path) else 1.0  # printed in fJ
    return abs(a - b) * scale <= _PRINTED
