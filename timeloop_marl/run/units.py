"""Quantities for people: engineering prefixes, short counts, percentages."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..cost.objective import powers

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ENERGY = ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"), (1.0, "pJ"))


def short_count(value: float) -> str:
    """``4608`` as ``4.61k``; whole numbers below 1000 stay as they are."""
    for scale, prefix in _PREFIXES:
        if abs(value) >= 0.9995 * scale:  # what three digits round up to it
            return f"{value / scale:.3g}{prefix}"
    return f"{value:.3g}"


def energy_unit(largest_pj: float) -> tuple[float, str]:
    """Picojoules per unit and the unit in which ``largest_pj`` reads well."""
    for scale, unit in _ENERGY:
        if largest_pj >= scale:
            return scale, unit
    return 1.0, "pJ"


def energy_text(pj: float) -> str:
    """``419190000`` as ``419 µJ``."""
    scale, unit = energy_unit(pj)
    return f"{pj / scale:.4g} {unit}"


def share_text(part: float, whole: float) -> str:
    """Share in percent: no decimals from 10 on, else one; ``<0.1 %`` for something that would read as nothing."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 0.1:
        return "<0.1 %"
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.1f} %"


def plain_number(value: float) -> str:
    """Four digits at most: ``123``, ``12,350``, ``4.2×10⁹``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e7:
        return f"{float(f'{value:.4g}'):,.10g}"
    mantissa, power = f"{value:.3e}".split("e")
    return f"{float(mantissa):g}×10{str(int(power)).translate(_RAISED)}"


@dataclass(frozen=True)
class ObjectiveLabel:
    """How costs of an objective are shown: name, unit, and what a cost is multiplied by to be in it."""

    name: str
    unit: str
    scale: float


_OBJECTIVES = {
    "edp": ObjectiveLabel("EDP", "J·cycle", 1e-12),
    "energy": ObjectiveLabel("energy", "µJ", 1e-6),
    "delay": ObjectiveLabel("cycles", "", 1.0),
}


def objective_label(objective: str) -> ObjectiveLabel:
    """The label of an objective; one that only has a name is shown as it is."""
    found = powers(objective)
    if objective in _OBJECTIVES or found is None:
        return _OBJECTIVES.get(objective, ObjectiveLabel(objective, "", 1.0))
    parts = [(name, power) for name, power in zip(("J", "cycle"), found) if power]
    unit = "·".join(name if power == 1.0 else f"{name}^{power:g}" for name, power in parts)
    return ObjectiveLabel(objective, unit, 1e-12 ** found[0])


def cost_text(objective: str, cost: float) -> str:
    """A cost with name and unit: ``EDP 528.4 J·cycle``."""
    label = objective_label(objective)
    return f"{label.name} {plain_number(label.scale * cost)} {label.unit}".rstrip()


def edp_text(pj_cycles: float) -> str:
    """An energy-delay product, given in pJ·cycles, in J·cycle as everywhere on the screen."""
    return plain_number(pj_cycles * 1e-12)
