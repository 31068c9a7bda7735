"""Native and real evaluation of the same mapping, figure by figure."""

from __future__ import annotations

import re
from typing import Any

from ..cost.outcome import Failure, Rejection, Statistics
from ..evaluators.timeloop.figures import Measured
from ..specs.spec import Spec
from .figures import Difference, compare, computed

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
    expected, got = computed(real.statistics, spec), computed(native, spec)
    _sum_up_unlisted(expected, got, real.statistics, spec)
    found = compare(expected, got)
    if real.full or isinstance(native, Rejection):
        return found
    parts = _parts(spec)
    return [difference for difference in found if not _equal_as_printed(difference, parts)]


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


def _parts(spec: Spec) -> int:
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
